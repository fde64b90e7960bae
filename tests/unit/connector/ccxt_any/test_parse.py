"""ccxt's structures become exact values, or are refused; nothing is rounded and nothing missing reads as "none"."""

from decimal import Decimal
from typing import Any

import pytest
from models.ccxt_exchange import NOW_MS, SYMBOL, market, order_row, trade_row

from opensqt._core.book import OrderBook
from opensqt.connector.venues.ccxt_any import parse_market
from opensqt.connector.venues.ccxt_any.figures import UnreadableError, amount_text, lots, price_text, rows, ticks
from opensqt.connector.venues.ccxt_any.markets import DECIMAL_PLACES, TICK_SIZE, instrument_of
from opensqt.connector.venues.ccxt_any.parse_account import parse_accounts, parse_funding, parse_positions
from opensqt.connector.venues.ccxt_any.parse_orders import parse_fill, parse_order, state_of
from opensqt.domain.errors import ErrorReason, RequestError, StateError
from opensqt.domain.fill import FillOrigin
from opensqt.domain.instrument import InstrumentStatus
from opensqt.domain.order import OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState

INSTRUMENT = instrument_of(market(), TICK_SIZE)


def test_market_becomes_an_instrument_with_the_contract_as_multiplier() -> None:
    assert (INSTRUMENT.symbol, INSTRUMENT.venue_symbol, INSTRUMENT.settle_asset) == (SYMBOL, "BTCUSDT", "USDT")
    assert (INSTRUMENT.tick_size, INSTRUMENT.lot_size) == (Decimal("0.1"), Decimal(1))
    assert INSTRUMENT.contract_multiplier == Decimal("0.01")
    assert INSTRUMENT.lots_to_quantity(3) == Decimal("0.03")
    assert (INSTRUMENT.min_lots, INSTRUMENT.max_lots, INSTRUMENT.min_notional) == (1, 1_000, Decimal(5))
    assert (INSTRUMENT.maker_fee_rate, INSTRUMENT.max_leverage) == (Decimal("0.0002"), 50)


def test_decimal_places_are_a_step_and_a_minimum_between_two_lots_is_rounded_up() -> None:
    found = instrument_of(
        market(precision={"price": 2, "amount": 1}, limits={"amount": {"min": "0.25"}}), DECIMAL_PLACES
    )
    assert (found.tick_size, found.lot_size, found.min_lots) == (Decimal("0.01"), Decimal("0.1"), 3)


def test_inactive_market_is_halted() -> None:
    assert instrument_of(market(active=False), TICK_SIZE).status is InstrumentStatus.HALTED


@pytest.mark.parametrize(
    ("changes", "mode", "words"),
    [
        ({"linear": False}, TICK_SIZE, "not a linear perpetual"),
        ({"swap": False}, TICK_SIZE, "not a linear perpetual"),
        ({"precision": {"price": 5, "amount": 5}}, 3, "significant digits"),
        ({"precision": {"price": None, "amount": "1"}}, TICK_SIZE, "price precision was missing"),
        ({"precision": {"price": "0", "amount": "1"}}, TICK_SIZE, "must be positive"),
        ({"contractSize": None}, TICK_SIZE, "contractSize was missing"),
    ],
)
def test_market_that_cannot_be_counted_exactly_is_refused(changes: dict[str, Any], mode: int, words: str) -> None:
    with pytest.raises(RequestError, match=words) as raised:
        instrument_of(market(**changes), mode)
    assert raised.value.reason is ErrorReason.UNKNOWN_SYMBOL


@pytest.mark.parametrize("price", ["60000.1", 60000.1, Decimal("60000.1")])
def test_price_is_exact_from_text_and_from_a_float_by_its_shortest_text(price: object) -> None:
    assert ticks(price, INSTRUMENT) == 600_001


@pytest.mark.parametrize("price", ["60000.15", 60000.1000001, "-1", "nan", "inf", "x", True, [], "1e30"])
def test_price_that_is_off_tick_or_no_number_is_refused(price: object) -> None:
    with pytest.raises(UnreadableError):
        ticks(price, INSTRUMENT)


def test_amounts_are_contracts_and_a_fraction_of_a_lot_is_refused() -> None:
    assert lots("3", INSTRUMENT) == 3
    with pytest.raises(UnreadableError, match="multiple"):
        lots("0.5", INSTRUMENT)
    assert (price_text(600_001, INSTRUMENT), amount_text(3, INSTRUMENT)) == ("60000.1", "3")


def test_anything_but_a_list_never_reads_as_none() -> None:
    for value in (None, {}, "", 0):
        with pytest.raises(UnreadableError):
            rows(value, "open orders")


def test_order_is_read_whole() -> None:
    order = parse_order(order_row(filled="1", reduceOnly=True), INSTRUMENT)
    assert (order.client_order_id, order.exchange_order_id, order.side) == ("a1", "77", Side.BUY)
    assert (order.type, order.time_in_force) == (OrderType.LIMIT, TimeInForce.GTX)
    assert (order.price_ticks, order.lots, order.filled_lots, order.reduce_only) == (600_001, 3, 1, True)
    assert (order.state, order.created_time_ns) == (OrderState.PARTIALLY_FILLED, NOW_MS * 1_000_000)


@pytest.mark.parametrize("changes", [{"id": None}, {"side": None}, {"amount": None}, {"price": "0.05"}])
def test_order_without_identity_side_or_exact_figures_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        parse_order(order_row(**changes), INSTRUMENT)


@pytest.mark.parametrize(
    ("status", "filled", "state"),
    [
        ("open", 0, OrderState.LIVE),
        ("open", 1, OrderState.PARTIALLY_FILLED),
        ("open", 3, OrderState.FILLED),
        ("closed", 3, OrderState.FILLED),
        ("closed", 1, OrderState.CANCELED),
        ("canceled", 1, OrderState.CANCELED),
        ("canceling", 0, OrderState.LIVE),
        ("expired", 0, OrderState.EXPIRED),
        ("rejected", 0, OrderState.REJECTED),
        ("", 0, OrderState.UNKNOWN),
        ("a new word", 0, OrderState.UNKNOWN),
    ],
)
def test_bug_14_status_words_and_sizes_say_where_an_order_stands(status: str, filled: int, state: OrderState) -> None:
    assert state_of(status, filled, 3) is state


def test_fill_of_an_order_by_hand_and_a_fee_that_is_not_told() -> None:
    fill = parse_fill(trade_row(fee=None, takerOrMaker="taker"), INSTRUMENT, None, 5)
    assert (fill.origin, fill.client_order_id, fill.is_maker) == (FillOrigin.MANUAL, "", False)
    assert fill.fee == Decimal("0.0005") * Decimal("60000.1") * Decimal("0.01")
    assert parse_fill(trade_row(fee={"cost": "-0.1"}), INSTRUMENT, None, 5).fee == Decimal("-0.1")


def test_positions_are_signed_and_flat_where_none_is_listed() -> None:
    row = {"symbol": SYMBOL, "side": "short", "contracts": "2", "entryPrice": "60000.1", "leverage": "5"}
    (position,) = parse_positions([row], [INSTRUMENT], {}, 9)
    assert (position.lots, position.entry_price, position.leverage) == (-2, Decimal("60000.1"), 5)
    (flat,) = parse_positions([], [INSTRUMENT], {SYMBOL: 7}, 9)
    assert (flat.lots, flat.leverage, flat.venue_time_ns) == (0, 7, 9)


def test_position_in_hedge_mode_or_without_a_side_is_refused() -> None:
    long, short = ({"symbol": SYMBOL, "side": side, "contracts": "2"} for side in ("long", "short"))
    with pytest.raises(StateError, match="one-way"):
        parse_positions([long, short], [INSTRUMENT], {}, 9)
    with pytest.raises(UnreadableError, match="side"):
        parse_positions([{"symbol": SYMBOL, "contracts": "2"}], [INSTRUMENT], {}, 9)


@pytest.mark.parametrize(("total", "wallet", "margin"), [("margin", 97, 100), ("wallet", 100, 103)])
def test_total_is_read_as_configured(total: Any, wallet: int, margin: int) -> None:
    balance = {"USDT": {"free": "90", "total": "100"}}
    (account,) = parse_accounts(balance, ["USDT"], {"USDT": Decimal(3)}, total, 9)
    assert (account.wallet_balance, account.margin_balance, account.available_balance) == (wallet, margin, 90)


def test_balance_without_figures_is_refused_and_an_asset_that_is_not_listed_is_empty() -> None:
    with pytest.raises(UnreadableError, match="total"):
        parse_accounts({"USDT": {"free": "1"}}, ["USDT"], {}, "margin", 9)
    assert parse_accounts({}, ["USDT"], {}, "margin", 9)[0].margin_balance == 0


def test_funding_payment_without_id_is_known_by_its_time() -> None:
    assert parse_funding({"amount": "-0.5", "timestamp": NOW_MS}, SYMBOL).id == f"{SYMBOL}-{NOW_MS * 1_000_000}"
    with pytest.raises(UnreadableError):
        parse_funding({"amount": "-0.5"}, SYMBOL)


def test_book_is_packed_for_the_kernel() -> None:
    value = {"bids": [["60000.1", "3"], ["60000.0", "4"]], "asks": [[60000.2, 5.0, 123]], "timestamp": NOW_MS}
    bids, asks, venue_time_ns = parse_market.parse_book(value, INSTRUMENT)
    book = OrderBook()
    book.load_packed(bids, asks)
    assert (book.levels(True), book.levels(False)) == ([(600_001, 3), (600_000, 4)], [(600_002, 5)])
    assert venue_time_ns == NOW_MS * 1_000_000


@pytest.mark.parametrize("bids", [None, [["60000.15", "1"]], [["60000.1", "0.5"]], [["60000.1"]], ["x"]])
def test_book_with_a_level_that_is_not_exact_is_refused(bids: Any) -> None:
    with pytest.raises(UnreadableError):
        parse_market.parse_book({"bids": bids, "asks": []}, INSTRUMENT)


def test_candle_ticker_and_funding_are_read() -> None:
    candle = parse_market.parse_candle([NOW_MS, "1", "2", "0.5", "1.5", "7.9"], INSTRUMENT, 60_000, NOW_MS + 60_000)
    assert (candle.open_ticks, candle.high_ticks, candle.low_ticks, candle.close_ticks) == (10, 20, 5, 15)
    assert (candle.volume_lots, candle.is_closed) == (7, True)
    ticker = parse_market.parse_ticker({"last": "2", "baseVolume": "0.05", "quoteVolume": "1"}, INSTRUMENT, 5)
    assert (ticker.last_ticks, ticker.open_ticks, ticker.volume_lots, ticker.turnover_ticks_lots) == (20, 20, 5, 1_000)
    terms = parse_market.parse_funding_rate({"fundingRate": "0.0001", "fundingTimestamp": NOW_MS}, SYMBOL, 5)
    assert (terms.rate, terms.next_funding_time_ms, terms.venue_time_ms) == (Decimal("0.0001"), NOW_MS, 5)
    assert parse_market.parse_mark({"fundingRate": "0.0001"}, SYMBOL, 5) is None
    with pytest.raises(UnreadableError, match="openInterestAmount"):
        parse_market.parse_open_interest({"openInterestValue": "5"}, INSTRUMENT)
