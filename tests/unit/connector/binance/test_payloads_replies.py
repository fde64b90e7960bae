"""Every recorded reply of REST and of the WebSocket API reads as what it was."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.connector.market_types import FundingSettlement
from opensqt.connector.venues.binance.error_codes import Executed
from opensqt.connector.venues.binance.errors import Failure, code_and_message, http_failure
from opensqt.connector.venues.binance.limits import ORDERS_1M, ORDERS_10S, WEIGHT_1M, Used, used_by_headers
from opensqt.connector.venues.binance.listing import Listing, Listings
from opensqt.connector.venues.binance.parse_account import (
    account_report,
    balances,
    parse_account,
    parse_balance,
    parse_positions,
    positions,
)
from opensqt.connector.venues.binance.parse_api import ApiReply, listen_key_of, parse_logon, parse_reply
from opensqt.connector.venues.binance.parse_market import (
    BestPrices,
    parse_agg_trades,
    parse_book_ticker,
    parse_funding_info,
    parse_funding_rates,
    parse_klines,
    parse_premium_index,
    parse_time,
)
from opensqt.connector.venues.binance.parse_orders import (
    OrderReport,
    order_report,
    parse_batch,
    parse_order,
    parse_orders,
    parse_user_trades,
)
from opensqt.connector.venues.binance.parse_settings import (
    SymbolConfig,
    parse_ack,
    parse_countdown,
    parse_fees,
    parse_leverage,
    parse_listen_key,
    parse_position_mode,
    parse_symbol_configs,
)
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.symbols import FeeRates
from opensqt.connector.venues.binance.user_events import PositionSide
from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import Fill, FillOrigin
from opensqt.domain.market import Candle, MarkPrice, PublicTrade
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState

D = Decimal
MS = 10**6

# (order id, client id, symbol, state, side, type, price ticks, lots, filled lots, position side, update time in ms)
ORDERS: dict[str, tuple[object, ...]] = {
    "rest_order_place_ack_2021.json": (
        17759343290,
        "qQAC6QMAAQAAVtg9ctAW",
        "XRP",
        "LIVE",
        "BUY",
        "LIMIT",
        10847,
        50,
        0,
        "BOTH",
        1634543725791,
    ),
    "rest_order_cancel_ack_2021.json": (
        17759646892,
        "rwAC6QMAAQAAM0V8zdAW",
        "XRP",
        "CANCELED",
        "BUY",
        "LIMIT",
        10823,
        50,
        0,
        "BOTH",
        1634545259912,
    ),
    "rest_order_place_ack_20240103.json": (
        237740210409,
        "62ayQ4MjyVIaCkvDX00dhh",
        "BTC",
        "LIVE",
        "BUY",
        "LIMIT",
        2_000_000,
        10,
        0,
        "LONG",
        1704291033033,
    ),
    "rest_order_cancel_ack_20240103.json": (
        237740210409,
        "62ayQ4MjyVIaCkvDX00dhh",
        "BTC",
        "CANCELED",
        "BUY",
        "LIMIT",
        2_000_000,
        10,
        0,
        "LONG",
        1704339843127,
    ),
    "doc_rest_order.json": (1917641, "abc", "BTC", "LIVE", "BUY", "MARKET", 0, 400, 0, "SHORT", 1579276756075),
    "doc_rest_cancel_order.json": (
        283194212,
        "myOrder1",
        "BTC",
        "CANCELED",
        "BUY",
        "MARKET",
        0,
        11_000,
        0,
        "SHORT",
        1571110484038,
    ),
    "doc_rest_modify_order.json": (
        20072994037,
        "LJ9R4QZDihCaS8UAOOLpgW",
        "BTC",
        "LIVE",
        "BUY",
        "LIMIT",
        3_000_500,
        1000,
        0,
        "LONG",
        1629182711600,
    ),
    "wsapi_order_place_ok_2025.json": (
        851545009715,
        "GQACo4s3B0UAAQAAAAAA",
        "BTC",
        "LIVE",
        "BUY",
        "LIMIT",
        3_200_000,
        1000,
        0,
        "BOTH",
        1765337013071,
    ),
    "wsapi_order_cancel_ok_2025.json": (
        851545109401,
        "HgACpIs3B0UAAQAAAAAA",
        "BTC",
        "CANCELED",
        "BUY",
        "LIMIT",
        3_232_300,
        1000,
        0,
        "BOTH",
        1765337031434,
    ),
    "wsapi_order_modify_ok_2025.json": (
        851545109401,
        "HgACpIs3B0UAAQAAAAAA",
        "BTC",
        "LIVE",
        "BUY",
        "LIMIT",
        3_232_300,
        1000,
        0,
        "BOTH",
        1765337030283,
    ),
    "doc_wsapi_order_place_reply.json": (
        336829446,
        "FqEw6cn0vDhrkmfiwLYPeo",
        "BTC",
        "LIVE",
        "BUY",
        "LIMIT",
        4_208_800,
        100,
        0,
        "BOTH",
        1705385954229,
    ),
    "doc_wsapi_order_status_reply.json": (
        1917641,
        "abc",
        "BTC",
        "LIVE",
        "BUY",
        "MARKET",
        0,
        400,
        0,
        "SHORT",
        1579276756075,
    ),
}

# (status, code, reason) of error replies over the WebSocket API.
API_ERRORS = {
    "wsapi_error_invalid_json.json": (None, 400, -1000, ErrorReason.OUTCOME_UNKNOWN),
    "wsapi_order_cancel_unknown_2025.json": (
        "hoQeAAsCoos3B0UAAAACAAAAAAAAAAAAAAAA",
        400,
        -2011,
        ErrorReason.UNKNOWN_ORDER,
    ),
    "wsapi_order_modify_unknown_2025.json": (
        "joQeAAwCpIs3B0UAAAAFAAAAAAAAAAAAAAAA",
        400,
        -2013,
        ErrorReason.UNKNOWN_ORDER,
    ),
    "wsapi_order_place_margin_2025.json": (
        "hYQeAAoCuEHQB0UAAAABAAAAAAAAAAAAAAAA",
        400,
        -2019,
        ErrorReason.INSUFFICIENT_MARGIN,
    ),
    "wsapi_order_place_rejected_2025.json": (
        "hYQeAAoCoos3B0UAAAABAAAAAAAAAAAAAAAA",
        400,
        -2027,
        ErrorReason.LEVERAGE_LIMIT,
    ),
    "wsapi_session_logon_bad_signature.json": (
        "gYQeAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        400,
        -1022,
        ErrorReason.BAD_CREDENTIALS,
    ),
    "doc_wsapi_error_reply.json": ("5761b939-27b1-4948-ab87-4a372a3f6b72", 400, -1102, ErrorReason.INVALID_FIELD),
}


@pytest.fixture
def btc(listings: Listings) -> Listing:
    return listings.require("BTCUSDT", "test")


def described(report: OrderReport) -> tuple[object, ...]:
    order = report.order
    return (
        int(order.exchange_order_id),
        order.client_order_id,
        order.symbol.partition("/")[0],
        order.state.name,
        order.side.name,
        order.type.name,
        order.price_ticks,
        order.lots,
        order.filled_lots,
        report.position_side.value,
        order.updated_time_ns // MS,
    )


@pytest.mark.parametrize("name", ORDERS)
def test_order_reply_reads_as_the_order_it_was(name: str, payloads: Path, listings: Listings) -> None:
    data = (payloads / name).read_bytes()

    report = order_report(parse_reply(data).result, listings) if "wsapi" in name else parse_order(data, listings)

    assert described(report) == ORDERS[name]


def test_open_orders_read_with_all_they_say(payloads: Path, listings: Listings) -> None:
    (report,) = parse_orders((payloads / "rest_open_orders_one_2021.json").read_bytes(), listings).orders

    assert report.order == Order(
        symbol="XRP/USDT:USDT",
        client_order_id="GgAC6gMAAQAANhJPG9EW",
        exchange_order_id="17759938812",
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        price_ticks=10765,
        lots=50,
        state=OrderState.LIVE,
        created_time_ns=1634546562277 * MS,
        updated_time_ns=1634546562277 * MS,
        instrument_revision=1,
    )
    documented = parse_orders((payloads / "doc_rest_open_orders.json").read_bytes(), listings)
    assert [described(order)[:4] for order in documented.orders] == [(1917641, "abc", "BTC", "LIVE")]
    assert parse_orders((payloads / "rest_open_orders_empty.json").read_bytes(), listings).orders == ()


@pytest.mark.parametrize(
    ("name", "order_id", "code", "reason"),
    [
        ("doc_rest_batch_place.json", "22542179", -2022, ErrorReason.REDUCE_ONLY_REJECTED),
        ("doc_rest_batch_cancel.json", "283194212", -2011, ErrorReason.UNKNOWN_ORDER),
    ],
)
def test_batch_answers_each_member_on_its_own(
    name: str, order_id: str, code: int, reason: ErrorReason, payloads: Path, listings: Listings
) -> None:
    first, second = parse_batch((payloads / name).read_bytes(), listings, now_ms=0)

    assert isinstance(first, OrderReport)
    assert first.order.exchange_order_id == order_id
    assert isinstance(second, Failure)
    assert (second.code, second.reason, second.executed) == (code, reason, Executed.NO)


def test_user_trade_reads_as_a_fill(payloads: Path, listings: Listings) -> None:
    data = (payloads / "doc_rest_user_trades.json").read_bytes()

    known = parse_user_trades(data, listings, {"25851813": "oqbotaZZ1"}, "oqbotaZ")
    unknown = parse_user_trades(data, listings, {}, "oqbotaZ")

    (trade,) = known.trades
    assert trade.fill == Fill(
        symbol="BTC/USDT:USDT",
        trade_id="698759",
        client_order_id="oqbotaZZ1",
        exchange_order_id="25851813",
        side=Side.SELL,
        price_ticks=781901,
        lots=2,
        fee=D("0.07819010"),
        fee_asset="USDT",
        is_maker=False,
        origin=FillOrigin.OURS,
        venue_time_ns=1569514978020 * MS,
        instrument_revision=1,
    )
    assert (trade.position_side, trade.realized_pnl) == (PositionSide.SHORT, D("-0.91539999"))
    assert (known.unattributed, unknown.unattributed) == (frozenset(), {"25851813"})


def test_accounts_read_with_their_assets(payloads: Path) -> None:
    v2 = parse_account((payloads / "rest_account_v2.json").read_bytes())
    v3 = parse_account((payloads / "rest_account_v3.json").read_bytes())

    assert [account.asset for account in v2.accounts] == ["BTC", "BNB", "ETH", "USDT", "BUSD"]
    assert [account.asset for account in v3.accounts] == ["DOT", "BTC"]
    assert (v2.can_trade, v2.can_withdraw, v2.multi_assets) == (True, True, None)
    assert all(account.wallet_balance == 0 for account in (*v2.accounts, *v3.accounts))


USDC = Account(
    asset="USDC",
    wallet_balance=D(375),
    available_balance=D(375),
    margin_balance=D(375),
    venue_time_ns=1764103550800 * MS,
)


def test_account_over_the_websocket_api_reads_alike(payloads: Path) -> None:
    status = account_report(parse_reply((payloads / "wsapi_account_status.json").read_bytes()).result)
    balance = balances(parse_reply((payloads / "wsapi_account_balance.json").read_bytes()).result)

    assert status.accounts[2] == USDC
    assert balance[2] == USDC
    assert (status.can_trade, status.can_withdraw, status.multi_assets) == (True, True, False)


def test_balance_lists_every_asset(payloads: Path) -> None:
    accounts = parse_balance((payloads / "rest_balance.json").read_bytes())

    assert [account.asset for account in accounts] == ["BTC", "BNB", "ETH", "USDT", "BUSD"]


def test_positions_read_in_one_way_mode(payloads: Path, listings: Listings) -> None:
    configs = {"ADAUSDT": SymbolConfig("ADAUSDT", 20, is_isolated=False)}

    found = parse_positions((payloads / "doc_rest_position_risk_v3.json").read_bytes(), listings, configs)

    (report,) = found.positions
    assert report.side is PositionSide.BOTH
    assert report.position == Position(
        symbol="ADA/USDT:USDT",
        lots=30,
        entry_price=D("0.385"),
        mark_price=D("0.41047590"),
        unrealized_pnl=D("0.76427700"),
        liquidation_price=D(0),
        leverage=20,
        margin_type="cross",
        venue_time_ns=1720736417660 * MS,
        instrument_revision=1,
    )


def test_positions_read_in_hedge_mode(payloads: Path, listings: Listings) -> None:
    found = parse_positions((payloads / "doc_rest_position_risk_v3_hedge.json").read_bytes(), listings, {})

    assert [
        (r.position.symbol, r.side.value, r.position.lots, r.position.liquidation_price) for r in found.positions
    ] == [
        ("ADA/USDT:USDT", "LONG", 30, D(0)),
        ("COMP/USDT:USDT", "SHORT", -1000, D("2260.56757210")),
    ]


def test_positions_over_the_websocket_api_carry_leverage(payloads: Path, listings: Listings) -> None:
    reply = parse_reply((payloads / "wsapi_account_position.json").read_bytes())

    found = positions(reply.result, listings, {})

    assert [(r.position.symbol, r.position.lots, r.position.leverage) for r in found.positions] == [
        ("SNT/USDT:USDT", 0, 20),
        ("SUSHI/USDT:USDT", 0, 20),
        ("SUN/USDT:USDT", 0, 20),
    ]


@pytest.mark.parametrize("name", API_ERRORS)
def test_websocket_api_errors_have_their_reading(name: str, payloads: Path) -> None:
    reply = parse_reply((payloads / name).read_bytes())

    failure = reply.failure(changes_state=True, now_ms=0)

    assert failure is not None
    assert (reply.id, failure.status, failure.code, failure.reason) == API_ERRORS[name]


def test_limits_in_replies_leave_out_what_is_negative(payloads: Path) -> None:
    def used(name: str) -> tuple[Used, ...]:
        return parse_reply((payloads / name).read_bytes()).used

    assert used("wsapi_order_place_ok_2025.json") == (Used(ORDERS_10S, 1), Used(ORDERS_1M, 2))
    assert used("wsapi_order_place_margin_2025.json") == (Used(ORDERS_1M, 1),)
    assert used("wsapi_order_cancel_ok_2025.json") == (Used(WEIGHT_1M, 22),)
    assert used("wsapi_error_invalid_json.json") == ()


def test_limits_in_headers_leave_out_what_is_negative(payloads: Path) -> None:
    headers = json.loads((payloads / "rest_response_headers_order_post.json").read_text())

    assert used_by_headers(headers) == (Used(ORDERS_10S, 2), Used(ORDERS_1M, 2))
    assert used_by_headers({"X-MBX-USED-WEIGHT-1M": "17"}) == (Used(WEIGHT_1M, 17),)


def test_recorded_order_conversation_reads_in_order(payloads: Path, listings: Listings) -> None:
    members = json.loads((payloads / "wsapi_order_place_cancel_reject_202507.json").read_text())
    replies = [parse_reply(json.dumps(member).encode()) for member in members]

    assert {reply.id for reply in replies} == {"3f7df6e3-2df4-44b9-9919-d2f38f90a99a"}
    orders = [order_report(reply.result, listings).order for reply in replies[:2]]
    assert [(o.client_order_id, o.state.name, o.side.name, o.price_ticks) for o in orders] == [
        ("dem010000123", "LIVE", "SELL", 11665000),
        ("APX1752698235524", "CANCELED", "BUY", 11915000),
    ]
    assert replies[2].error == (-2019, "Margin is insufficient.")


def test_logon_and_listen_keys_read_from_replies(payloads: Path) -> None:
    def reply(name: str) -> ApiReply:
        return parse_reply((payloads / name).read_bytes())

    assert parse_logon(reply("wsapi_session_logon_ok.json")).authorized_since == 1761362177206
    assert parse_logon(reply("doc_wsapi_logon_reply.json")).server_time == 1649729878630
    assert listen_key_of(reply("wsapi_listen_key_start.json")).startswith("UgOoXIu4Jct")
    assert listen_key_of(reply("wsapi_listen_key_ping.json")).startswith("1Tg8zBGnrys0")
    assert parse_listen_key((payloads / "rest_listen_key_ack.json").read_bytes()).startswith("JRNjbBr3bWns")


def test_settings_read_as_what_was_set(payloads: Path) -> None:
    def data(name: str) -> bytes:
        return (payloads / name).read_bytes()

    assert parse_leverage(data("doc_rest_leverage.json")) == ("BTCUSDT", 21)
    assert parse_countdown(data("doc_rest_countdown.json")) == ("BTCUSDT", 100_000)
    assert parse_countdown(data("rest_countdown_cancel_all_ack.json")) == ("XRPUSDT", 30_000)
    assert parse_position_mode(data("doc_rest_position_mode.json")) is True
    assert parse_fees(data("doc_rest_commission_rate.json")) == FeeRates(D("0.0002"), D("0.0004"))
    assert parse_symbol_configs(data("doc_rest_symbol_config.json")) == {
        "BTCUSDT": SymbolConfig("BTCUSDT", 21, is_isolated=False)
    }
    parse_ack(data("doc_rest_margin_type.json"), "marginType")
    parse_ack(data("doc_rest_cancel_all.json"), "allOpenOrders")
    with pytest.raises(PayloadError, match="-4047"):
        parse_ack(b'{"code":-4047,"msg":"open orders"}', "marginType")


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("rest_error_invalid_symbol.json", -1121, ErrorReason.UNKNOWN_SYMBOL),
        ("rest_error_min_notional.json", -4164, ErrorReason.MIN_NOTIONAL),
    ],
)
def test_error_bodies_have_their_reading(name: str, code: int, reason: ErrorReason, payloads: Path) -> None:
    data = (payloads / name).read_bytes()

    failure = http_failure(400, data, {}, changes_state=True, now_ms=0)

    assert code_and_message(data)[0] == code
    assert failure is not None
    assert failure.reason is reason


def test_candles_read_oldest_first_and_say_which_is_forming(payloads: Path, listings: Listings, btc: Listing) -> None:
    days = parse_klines((payloads / "rest_klines_1d_btcusdt.json").read_bytes(), btc, 86_400_000, now_ms=1673049600000)
    five = parse_klines(
        (payloads / "rest_klines_5m_ltcusdt.json").read_bytes(), listings.require("LTCUSDT", "test"), 300_000, now_ms=0
    )

    assert days[0] == Candle(
        symbol="BTC/USDT:USDT",
        interval_ms=86_400_000,
        open_time_ms=1672531200000,
        open_ticks=1653750,
        high_ticks=1661880,
        low_ticks=1648800,
        close_ticks=1661030,
        volume_lots=105502965,
        is_closed=True,
    )
    assert [candle.is_closed for candle in days] == [True] * 6
    assert not parse_klines((payloads / "rest_klines_1d_btcusdt.json").read_bytes(), btc, 86_400_000, 1673049599999)[
        -1
    ].is_closed
    assert (len(five), five[-1].open_time_ms, five[-1].close_ticks) == (50, 1602684600000, 5070)


def test_mark_and_funding_read_from_premium_index(payloads: Path, btc: Listing) -> None:
    recorded = parse_premium_index((payloads / "rest_premium_index_btcusdt.json").read_bytes(), btc)
    documented = parse_premium_index((payloads / "doc_rest_premium_index.json").read_bytes(), btc)

    assert recorded.mark == MarkPrice(
        symbol="BTC/USDT:USDT",
        mark_price=D("26780.82240476"),
        index_price=D("26798.25197802"),
        funding_rate=D("0.00001226"),
        next_funding_time_ms=1687248000000,
        venue_time_ns=1687244112000 * MS,
    )
    assert (recorded.funding.rate, recorded.funding.next_funding_time_ms) == (D("0.00001226"), 1687248000000)
    assert documented.funding.rate == D("0.00038246")


def test_funding_history_and_schedule_read(payloads: Path, btc: Listing) -> None:
    recorded = parse_funding_rates((payloads / "rest_funding_rate_btcusdt.json").read_bytes(), btc)
    documented = parse_funding_rates((payloads / "doc_rest_funding_rate.json").read_bytes(), btc)
    schedules = parse_funding_info((payloads / "rest_funding_info.json").read_bytes())

    assert (len(recorded), len(documented), len(schedules)) == (20, 2, 20)
    assert recorded[0] == FundingSettlement(
        symbol="BTC/USDT:USDT", rate=D("-0.00022270"), settled_time_ms=1600128000000
    )
    assert (schedules["LPTUSDT"].interval_hours, schedules["LPTUSDT"].cap) == (4, D("0.02"))


def test_prices_trades_and_time_read(payloads: Path, btc: Listing) -> None:
    trades = parse_agg_trades((payloads / "rest_agg_trades_btcusdt.json").read_bytes(), btc)

    assert parse_book_ticker((payloads / "rest_book_ticker_btcusdt.json").read_bytes(), btc) == BestPrices(
        1911595, 274, 1911650, 384
    )
    assert parse_time((payloads / "rest_time.json").read_bytes()) == 1620099477465
    assert len(trades) == 5
    assert trades[4] == PublicTrade(
        symbol="BTC/USDT:USDT",
        trade_id="154676479",
        aggressor=Side.SELL,
        price_ticks=1137845,
        lots=90,
        venue_time_ns=1602989583660 * MS,
    )


def test_replies_stored_with_quoted_integers_read_alike(payloads: Path, listings: Listings, btc: Listing) -> None:
    stored = json.loads((payloads / "ccxt_static_response_selected.json").read_text())["methods"]

    def body(method: str, index: int = 0) -> bytes:
        return json.dumps(stored[method][index]["httpResponse"]).encode()

    created = parse_batch(body("createOrders"), listings, now_ms=0)[0]
    edited = parse_batch(body("editOrders"), listings, now_ms=0)[0]
    assert isinstance(created, OrderReport)
    assert isinstance(edited, OrderReport)
    assert (created.order.price_ticks, created.order.lots) == (11000100, 200)
    assert (edited.order.price_ticks, edited.order.lots) == (66666600, 100)
    opened = parse_order(body("fetchOpenOrder"), listings)
    assert (opened.order.exchange_order_id, opened.order.time_in_force) == ("664082074", TimeInForce.GTX)
    (held,) = parse_positions(body("fetchPositions"), listings, {}).positions
    assert (held.position.lots, held.position.entry_price) == (9, D("67445.9"))
    account = parse_account(body("fetchPositions", 1))
    assert [(a.asset, a.available_balance) for a in account.accounts][1] == ("USDT", D("18.65856952"))
    (trade,) = parse_user_trades(body("fetchMyTrades"), listings, {}, "oq").trades
    assert (trade.fill.trade_id, trade.fill.price_ticks, trade.fill.fee) == ("272536245", 3656710, D("0.1462684"))
    assert parse_account(body("fetchBalance")).accounts[0].wallet_balance == D("31.022612")
    assert parse_symbol_configs(body("fetchMarginMode"))["BTCUSDT"].leverage == 20
    assert [c.close_ticks for c in parse_klines(body("fetchOHLCV"), btc, 60_000, 0)] == [7148190, 7045940, 7045940]
