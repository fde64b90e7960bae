"""Every recorded market message, rule list and request example reads or is built as what it was."""

import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from models.binance_payloads import make_instrument, messages

from opensqt._core.book import OrderBook
from opensqt._core.decode import binance as kernel
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt.connector.rate_budget import RateWindow
from opensqt.connector.venues.binance import requests_orders as orders
from opensqt.connector.venues.binance import stream
from opensqt.connector.venues.binance.listing import Listing, Listings
from opensqt.connector.venues.binance.requests import Request
from opensqt.connector.venues.binance.requests_orders import OrderRef, OrderStyle
from opensqt.connector.venues.binance.symbols import parse_exchange
from opensqt.domain.instrument import InstrumentStatus
from opensqt.domain.market import Candle, MarkPrice, PublicTrade
from opensqt.domain.order import OrderRequest, OrderType, Side, TimeInForce

D = Decimal
MS = 10**6


def listing_of(frame: bytes, listings: Listings) -> Listing:
    return listings.require(kernel.symbol_of(frame).decode(), "test")


def depth_decoder(listing: Listing) -> DepthDecoder:
    return DepthDecoder(listing.units[0].price, listing.units[0].lot)


def single(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return messages(path) if data.lstrip().startswith(b"[") else [data]


# name: (how many, kind, what the last one says)
BOOK_TICKERS = {
    "ws_book_ticker_raw_2021.json": (1, (847033385825, 5895076, 172, 5895521, 191, 1634288226709)),
    "ws_book_ticker_combined_2021.json": (1, (847033385825, 5895076, 172, 5895521, 191, 1634288226709)),
    "ws_bookticker_20210722.json": (100, (600859809944, 7610, 236, 7613, 56, 1626992752511)),
    "ws_bookticker_btcusdt_20240808.json": (200, (5123107884815, 6180000, 18957, 6180010, 2735, 1723161256935)),
}


@pytest.mark.parametrize("name", BOOK_TICKERS)
def test_best_prices_read(name: str, payloads: Path, listings: Listings) -> None:
    frames = single(payloads / name)

    decoded = []
    for frame in frames:
        assert kernel.classify(frame) is kernel.Kind.BOOK_TICKER
        units = listing_of(frame, listings).units[0]
        decoded.append(kernel.decode_book_ticker(frame, units.price, units.lot))

    last = decoded[-1]
    assert (len(decoded), (last.update_id, last.bid_ticks, last.bid_lots, last.ask_ticks, last.ask_lots)) == (
        BOOK_TICKERS[name][0],
        BOOK_TICKERS[name][1][:5],
    )
    assert last.transaction_time_ms == BOOK_TICKERS[name][1][5]
    assert all(ticker.bid_ticks < ticker.ask_ticks for ticker in decoded)


def read_agg_trade(frame: bytes, listings: Listings) -> PublicTrade:
    assert kernel.classify(frame) is kernel.Kind.AGG_TRADE
    listing = listing_of(frame, listings)
    trade = kernel.decode_agg_trade(frame, listing.units[0].price, listing.units[0].lot)
    return stream.to_agg_trade(listing, trade, receive_time_ns=9)


AGG_TRADES = {
    "ws_aggtrade_20210722.json": (91, ("KEEP/USDT:USDT", "1211541", Side.BUY, 2467, 146, 1626992767937)),
    "ws_agg_trade_2026.json": (1, ("BTC/USDT:USDT", "3057600382", Side.SELL, 9520860, 20, 1768644497374)),
}


@pytest.mark.parametrize("name", AGG_TRADES)
def test_aggregated_trades_read(name: str, payloads: Path, listings: Listings) -> None:
    trades = [read_agg_trade(frame, listings) for frame in single(payloads / name)]

    last = trades[-1]
    assert len(trades) == AGG_TRADES[name][0]
    assert (last.symbol, last.trade_id, last.aggressor, last.price_ticks, last.lots, last.venue_time_ns // MS) == (
        AGG_TRADES[name][1]
    )
    assert last.receive_time_ns == 9


def test_documented_trade_reads_where_its_tick_is_fine_enough(payloads: Path) -> None:
    listing = Listings.of([make_instrument("BTCUSDT", "0.001", "1")]).require("BTCUSDT", "test")
    frame = (payloads / "doc_ws_agg_trade.json").read_bytes()

    trade = kernel.decode_agg_trade(frame, listing.units[0].price, listing.units[0].lot)

    assert (trade.agg_id, trade.price_ticks, trade.lots, trade.is_buyer_maker) == (5933014, 1, 100, True)


def test_single_trades_read(payloads: Path, listings: Listings) -> None:
    btc = listings.require("BTCUSDT", "test")
    frames = messages(payloads / "ws_trade_btcusdt_20240808.json")

    trades = [
        stream.to_trade(btc, kernel.decode_trade(frame, btc.units[0].price, btc.units[0].lot), 0) for frame in frames
    ]

    assert len(trades) == 200
    assert trades[0] == PublicTrade(
        symbol="BTC/USDT:USDT",
        trade_id="5266583935",
        aggressor=Side.BUY,
        price_ticks=6180030,
        lots=6,
        venue_time_ns=1723161256322 * MS,
    )
    assert (trades[-1].trade_id, trades[-1].aggressor, trades[-1].lots) == ("5266584134", Side.SELL, 357)


def test_candles_read_open_and_closed(payloads: Path, listings: Listings) -> None:
    candles = []
    for frame in messages(payloads / "ws_kline_1m_20210722.json"):
        listing = listing_of(frame, listings)
        candles.append(
            stream.to_candle(listing, kernel.decode_kline(frame, listing.units[0].price, listing.units[0].lot))
        )

    assert (len(candles), sum(candle.is_closed for candle in candles)) == (67, 4)
    assert candles[0] == Candle(
        symbol="CTK/USDT:USDT",
        interval_ms=60_000,
        open_time_ms=1626992700000,
        open_ticks=101000,
        high_ticks=101100,
        low_ticks=101000,
        close_ticks=101100,
        volume_lots=3917,
        is_closed=False,
    )


def test_documented_candle_reads_where_its_tick_is_fine_enough(payloads: Path) -> None:
    listing = Listings.of([make_instrument("BTCUSDT", "0.0001", "1")]).require("BTCUSDT", "test")
    frame = (payloads / "doc_ws_kline.json").read_bytes()

    candle = stream.to_candle(listing, kernel.decode_kline(frame, listing.units[0].price, listing.units[0].lot))

    assert (candle.open_ticks, candle.high_ticks, candle.low_ticks, candle.close_ticks) == (10, 25, 15, 20)


MARKS = {
    "ws_mark_price_2026.json": ("95209.55336957", "95252.46195652", "0.00005383", 1768665600000, 1768644498002),
    "doc_ws_mark_price.json": ("11794.15", "11784.62659091", "0.00038167", 1562306400000, 1562305380000),
}


@pytest.mark.parametrize("name", MARKS)
def test_mark_prices_read(name: str, payloads: Path, listings: Listings) -> None:
    mark, index, rate, next_funding_ms, time_ms = MARKS[name]
    frame = (payloads / name).read_bytes()

    assert stream.to_mark(listings.require("BTCUSDT", "test"), kernel.decode_mark_price(frame)) == MarkPrice(
        symbol="BTC/USDT:USDT",
        mark_price=D(mark),
        index_price=D(index),
        funding_rate=D(rate),
        next_funding_time_ms=next_funding_ms,
        venue_time_ns=time_ms * MS,
    )


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("ws_market_20260216.json", ["MARK_PRICE", "TRADE", "AGG_TRADE", "BOOK_TICKER"]),
        ("ws_market_testnet_20250321.json", ["BOOK_TICKER", "TRADE"]),
        ("doc_ws_contract_info.json", ["UNKNOWN"]),
    ],
)
def test_messages_are_told_apart(name: str, kinds: list[str], payloads: Path) -> None:
    assert [kernel.classify(frame).name for frame in single(payloads / name)] == kinds


def test_mixed_messages_of_2026_read(payloads: Path, listings: Listings) -> None:
    mark, trade, agg, ticker = messages(payloads / "ws_market_20260216.json")
    units = listings.require("BTCUSDT", "test").units[0]

    assert kernel.decode_mark_price(mark).funding_rate_e8 == -4435
    assert kernel.decode_trade(trade, units.price, units.lot).trade_id == 7297376207
    assert kernel.decode_agg_trade(agg, units.price, units.lot).lots == 2695
    assert kernel.decode_book_ticker(ticker, units.price, units.lot).ask_lots == 857
    ticker, trade = messages(payloads / "ws_market_testnet_20250321.json")
    assert kernel.decode_book_ticker(ticker, units.price, units.lot).update_id == 7081766043288
    assert not kernel.decode_trade(trade, units.price, units.lot).is_buyer_maker


PARTIAL = {
    "ws_partial_depth5_20260216_cut.json": (9924360134267, 9924360146998, 6800500, 6800510),
    "doc_ws_partial_depth.json": (390497794, 390497878, 740543, 740596),
}


@pytest.mark.parametrize("name", PARTIAL)
def test_partial_books_read(name: str, payloads: Path, listings: Listings) -> None:
    decoder = depth_decoder(listings.require("BTCUSDT", "test"))
    book = OrderBook()

    decoder.decode_and_apply((payloads / name).read_bytes(), book)

    assert (decoder.prev_id, decoder.last_id, book.best_bid_ticks, book.best_ask_ticks) == PARTIAL[name]


# name: (symbol, lastUpdateId, bids, asks, best bid ticks and lots, best ask ticks and lots)
SNAPSHOTS = {
    "rest_depth_100_btcusdt_20241101.json": ("BTCUSDT", 5643869211110, 100, 100, (6960770, 7768), (6960780, 11668)),
    "rest_depth_snapshot_btcusdt_20240808.json": (
        "BTCUSDT",
        5123107852948,
        1000,
        1000,
        (6180020, 2909),
        (6180030, 1072),
    ),
    "rest_depth_snapshot_ethusdt_20240808.json": (
        "ETHUSDT",
        5123107856276,
        1000,
        1000,
        (268162, 16969),
        (268163, 37442),
    ),
    "rest_depth_snapshot_keepusdt_20210722.json": ("KEEPUSDT", 600859619434, 400, 612, (2463, 631), (2464, 317)),
    "rest_depth_snapshot_sushiusdt_20210722.json": ("SUSHIUSDT", 600859605926, 1000, 1000, (7611, 6), (7612, 297)),
    "rest_depth_snapshot_akrousdt_20210722.json": ("AKROUSDT", 600859605486, 609, 763, (1731, 57618), (1732, 72524)),
    "rest_depth_snapshot_ctkusdt_20210722.json": ("CTKUSDT", 600859618836, 485, 744, (101000, 85782), (101100, 6483)),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_snapshots_read(name: str, payloads: Path, listings: Listings) -> None:
    symbol, last_id, bids, asks, best_bid, best_ask = SNAPSHOTS[name]
    decoder = depth_decoder(listings.require(symbol, "test"))
    book = OrderBook()

    decoder.decode_snapshot((payloads / name).read_bytes())
    decoder.apply(book)

    assert decoder.last_id == last_id
    assert (book.level_count(True), book.level_count(False)) == (bids, asks)
    assert (book.best_bid_ticks, book.best_bid_lots) == best_bid
    assert (book.best_ask_ticks, book.best_ask_lots) == best_ask


def test_snapshot_with_quoted_ids_reads_once_they_are_numbers(payloads: Path, listings: Listings) -> None:
    stored = json.loads((payloads / "ccxt_static_response_selected.json").read_text())["methods"]["fetchOrderBook"]
    body = {key: int(value) if isinstance(value, str) else value for key, value in stored[0]["httpResponse"].items()}
    decoder = depth_decoder(listings.require("BTCUSDT", "test"))

    decoder.decode_snapshot(json.dumps(body).encode())

    assert decoder.last_id == 35263532345


# name: (snapshot, symbol, messages, dropped before the snapshot, best bid and ask in the end)
SEQUENCES = {
    "ws_depth_sequence_btcusdt_20240808.json": ("rest_depth_snapshot_btcusdt_20240808.json", "BTCUSDT", 120, 4),
    "ws_depth_sequence_ethusdt_20240808.json": ("rest_depth_snapshot_ethusdt_20240808.json", "ETHUSDT", 40, 5),
    "ws_depth_sequence_keepusdt_20210722.json": ("rest_depth_snapshot_keepusdt_20210722.json", "KEEPUSDT", 135, 3),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_depth_sequences_join_their_snapshot_and_never_cross(name: str, payloads: Path, listings: Listings) -> None:
    snapshot, symbol, count, dropped = SEQUENCES[name]
    decoder = depth_decoder(listings.require(symbol, "test"))
    book = OrderBook()
    decoder.decode_snapshot((payloads / snapshot).read_bytes())
    decoder.apply(book)
    snapshot_id = decoder.last_id
    frames = messages(payloads / name)
    previous = None
    skipped = 0

    for frame in frames:
        decoder.decode(frame)
        assert previous in (None, decoder.prev_id)
        previous = decoder.last_id
        if decoder.last_id < snapshot_id:
            skipped += 1
            continue
        decoder.apply(book)
        assert not book.is_crossed

    assert (len(frames), skipped) == (count, dropped)


@pytest.mark.parametrize(
    ("name", "separator", "counts"),
    [
        (
            "recording_btcusdt_20240808.txt",
            b" ",
            {"BOOK_TICKER": 882, "TRADE": 197, "DEPTH_UPDATE": 120, "DEPTH_SNAPSHOT": 1},
        ),
        (
            "recording_4symbols_20210722.txt",
            b": ",
            {"DEPTH_UPDATE": 764, "BOOK_TICKER": 613, "AGG_TRADE": 91, "KLINE": 67},
        ),
    ],
)
def test_recorded_sessions_decode_to_the_last_message(
    name: str, separator: bytes, counts: dict[str, int], payloads: Path, listings: Listings
) -> None:
    found: dict[str, int] = {}
    for line in (payloads / name).read_bytes().splitlines():
        frame = line.partition(separator)[2]
        kind = kernel.classify(frame)
        found[kind.name] = found.get(kind.name, 0) + 1
        if kind is kernel.Kind.DEPTH_SNAPSHOT:
            depth_decoder(listings.require("BTCUSDT", "test")).decode_snapshot(frame)
            continue
        listing = listing_of(frame, listings)
        units = listing.units[0]
        if kind is kernel.Kind.DEPTH_UPDATE:
            depth_decoder(listing).decode(frame)
        elif kind is kernel.Kind.BOOK_TICKER:
            kernel.decode_book_ticker(frame, units.price, units.lot)
        elif kind is kernel.Kind.TRADE:
            stream.to_trade(listing, kernel.decode_trade(frame, units.price, units.lot), 0)
        elif kind is kernel.Kind.AGG_TRADE:
            stream.to_agg_trade(listing, kernel.decode_agg_trade(frame, units.price, units.lot), 0)
        else:
            stream.to_candle(listing, kernel.decode_kline(frame, units.price, units.lot))

    assert found == counts


def test_control_messages_are_built_as_documented(payloads: Path) -> None:
    subscribe = json.loads((payloads / "doc_ws_subscribe_request.json").read_text())
    unsubscribe = json.loads((payloads / "doc_ws_unsubscribe_request.json").read_text())

    assert json.loads(stream.subscribe_frame(["btcusdt@aggTrade", "btcusdt@depth"], 1)) == subscribe
    assert json.loads(stream.unsubscribe_frame(["btcusdt@depth"], 312)) == unsubscribe


def test_control_replies_read(payloads: Path) -> None:
    subscribed = (payloads / "doc_ws_subscribe_reply.json").read_bytes()
    listed = (payloads / "doc_ws_list_subscriptions_reply.json").read_bytes()

    assert stream.parse_control(subscribed) == stream.Ack(1)
    assert stream.parse_control(listed) == stream.Ack(3, ("btcusdt@aggTrade",))


def test_contract_news_read(payloads: Path) -> None:
    news = stream.parse_contract_info((payloads / "doc_ws_contract_info.json").read_bytes())

    assert news == stream.ContractNews("IOTAUSDT", "PERPETUAL", "TRADING", 4133404800000)


def test_whole_rule_list_of_2021_reads(payloads: Path) -> None:
    exchange = parse_exchange((payloads / "exchange_info_20210721_verbatim.json").read_bytes())

    assert len(exchange.instruments) == 119
    assert sorted(exchange.excluded) == ["BTCSTUSDT", "BTCUSDT_210924", "ETHUSDT_210924"]
    btc = exchange.instruments[0]
    assert (btc.tick_size, btc.lot_size, btc.min_notional, btc.max_lots) == (D("0.01"), D("0.001"), 5, 1_000_000)
    assert {instrument.symbol for instrument in exchange.instruments} >= {"BTC/BUSD:BUSD", "BTCDOM/USDT:USDT"}
    assert exchange.windows == (
        RateWindow(scope="ip", name="weight_1m", interval_ms=60_000, limit=2400, cancel_reserve=360, orders_only=False),
        RateWindow(scope="account", name="orders_1m", interval_ms=60_000, limit=1200, cancel_reserve=180),
        RateWindow(scope="account", name="orders_10s", interval_ms=10_000, limit=300, cancel_reserve=45),
    )


@pytest.mark.parametrize(
    ("symbol", "tick", "lot", "notional", "market_max_lots"),
    [
        ("BTC/USDT:USDT", "0.10", "0.001", "100", 120_000),
        ("ETH/USDT:USDT", "0.01", "0.001", "20", 2_000_000),
        ("XRP/USDT:USDT", "0.0001", "0.1", "5", None),
    ],
)
def test_rules_of_2025_read(
    symbol: str, tick: str, lot: str, notional: str, market_max_lots: int | None, payloads: Path
) -> None:
    exchange = parse_exchange((payloads / "exchange_info_202508_25symbols.json").read_bytes())
    instrument = next(i for i in exchange.instruments if i.symbol == symbol)

    assert (len(exchange.instruments), exchange.excluded) == (25, {})
    assert (instrument.tick_size, instrument.lot_size, instrument.min_notional) == (D(tick), D(lot), D(notional))
    assert (instrument.status, instrument.price_band_up, instrument.max_open_orders) == (
        InstrumentStatus.TRADING,
        D("0.05"),
        200,
    )
    if market_max_lots is not None:
        assert exchange.terms[symbol].market_max_lots == market_max_lots


def test_documented_rules_read(payloads: Path) -> None:
    (blz,) = parse_exchange((payloads / "doc_rest_exchange_info.json").read_bytes()).instruments

    assert (blz.symbol, blz.tick_size, blz.max_lots, blz.price_band_down) == (
        "BLZ/USDT:USDT",
        D("0.0001"),
        10_000_000,
        D("0.15"),
    )


def order_of(listing: Listing, **changes: object) -> OrderRequest:
    terms: dict[str, object] = {
        "symbol": listing.instrument.symbol,
        "client_order_id": "myid123",
        "side": Side.BUY,
        "time_in_force": TimeInForce.GTC,
        "price_ticks": 5500,
        "lots": 100,
        "instrument_revision": 1,
    }
    return OrderRequest(**{**terms, **changes})  # type: ignore[arg-type]


def comparable(params: dict[str, str]) -> dict[str, str]:
    """What others and we must say alike; sizes as numbers, and nothing about time, signature or own choices."""
    ours_alone = {"selfTradePreventionMode", "newOrderRespType", "newClientOrderId", "recvWindow"}
    theirs_alone = {"timestamp", "signature", "orderId", "clientOrderId"}
    kept = {key: value for key, value in params.items() if key not in ours_alone | theirs_alone}
    return {key: str(D(value).normalize()) if key in ("price", "quantity") else value for key, value in kept.items()}


def test_requests_say_what_others_say(payloads: Path, listings: Listings) -> None:
    ltc = listings.require("LTCUSDT", "test")
    ref = OrderRef("myid123")
    style = OrderStyle()
    market = {"type": OrderType.MARKET, "price_ticks": 0}
    built: list[tuple[str, str, Request]] = [
        ("cancelOrderWithClientOrderId", "cancel order with clientOrderId", orders.cancel("LTCUSDT", ref)),
        ("fetchOrderWithClientOrderId", "fetch order with clientOrderId", orders.query("LTCUSDT", ref)),
        (
            "editOrderWithClientOrderId",
            "edit  order with clientOrderId",
            orders.amend(
                orders.Amendment(
                    listing=ltc, ref=ref, side=Side.BUY, price_ticks=5500, total_lots=200, instrument_revision=1
                )
            ),
        ),
        ("createOrder", "Swap limit buy order", orders.place(order_of(ltc), ltc, style)),
        ("createOrder", "Swap market buy order", orders.place(order_of(ltc, **market), ltc, style)),
        (
            "createOrder",
            "Swap limit sell",
            orders.place(order_of(ltc, side=Side.SELL, price_ticks=10_000, lots=200), ltc, style),
        ),
        (
            "createOrder",
            "Swap limit buy with reduce only (closing short position)",
            orders.place(order_of(ltc, price_ticks=6_000, lots=200, reduce_only=True), ltc, style),
        ),
        (
            "createOrder",
            "Swap limit buy with postOnly",
            orders.place(order_of(ltc, price_ticks=5_000, lots=200, time_in_force=TimeInForce.GTX), ltc, style),
        ),
    ]
    stored = json.loads((payloads / "ccxt_static_request_selected.json").read_text())["methods"]

    for method, description, request in built:
        example = next(entry for entry in stored[method] if entry["description"] == description)
        url = urlsplit(example["url"])
        theirs = dict(parse_qsl(example["output"] or url.query))
        assert request.path == url.path
        assert comparable(dict(request.params)) == comparable(theirs), description
