"""Every recorded user stream message reads as what it was, in the order it came."""

from decimal import Decimal
from pathlib import Path

import pytest
from models.binance_payloads import messages

from opensqt.connector.venues.binance.parse_user import UserContext, parse_user_event
from opensqt.connector.venues.binance.user_events import (
    AccountEvent,
    IgnoredEvent,
    LeverageEvent,
    ListenKeyExpiredEvent,
    MarginCallEvent,
    MultiAssetsEvent,
    OrderEvent,
    PositionSide,
    PositionUpdate,
    TradeLiteEvent,
    UserEvent,
)
from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import CashFlowKind, Fill, FillOrigin
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState as S

BOTH, LONG, SHORT = PositionSide.BOTH, PositionSide.LONG, PositionSide.SHORT

# One line per message. Orders: (execution, state, side, type, tif, price, quantity, filled, position side) and, where
# there is one, the fill: (trade id, price, quantity, fee, fee asset, maker).
EXPECTED: dict[str, list[tuple[object, ...]]] = {
    "user_order_new_2021.json": [
        ("NEW", S.LIVE, "BUY", "LIMIT", "GTC", "1.0741", "5", "0", BOTH),
    ],
    "user_order_canceled_2021.json": [("CANCELED", S.CANCELED, "BUY", "LIMIT", "GTC", "1.0667", "5", "0", BOTH)],
    "user_order_canceled_20250722.json": [
        ("CANCELED", S.CANCELED, "BUY", "LIMIT", "GTC", "117912", "0.001", "0", BOTH)
    ],
    "user_order_expired_ioc_20240108.json": [
        ("EXPIRED", S.EXPIRED, "BUY", "LIMIT", "IOC", "7.8833", "1.26", "0", BOTH)
    ],
    "user_order_filled_maker_2021.json": [
        (
            "TRADE",
            S.FILLED,
            "SELL",
            "LIMIT",
            "GTC",
            "1.1583",
            "5",
            "5",
            BOTH,
            ("673747843", "1.1583", "5", "0.00115829", "USDT", True),
        ),
    ],
    "user_order_filled_taker_2021.json": [
        (
            "TRADE",
            S.FILLED,
            "BUY",
            "LIMIT",
            "GTC",
            "1.1559",
            "10",
            "10",
            BOTH,
            ("673771916", "1.1559", "10", "0.0046236", "USDT", False),
        ),
    ],
    "user_order_partial_then_filled_20250719.json": [
        (
            "TRADE",
            S.PARTIALLY_FILLED,
            "SELL",
            "MARKET",
            "GTC",
            "0",
            "0.022",
            "0.007",
            BOTH,
            ("6485886680", "117890.1", "0.002", "0.1178901", "USDT", False),
        ),
        (
            "TRADE",
            S.FILLED,
            "SELL",
            "MARKET",
            "GTC",
            "0",
            "0.022",
            "0.022",
            BOTH,
            ("6485886681", "117890.1", "0.015", "0.88417575", "USDT", False),
        ),
    ],
    "user_sequence_new_cancel_hedge_20240105.json": [
        ("NEW", S.LIVE, "BUY", "LIMIT", "GTC", "20000", "0.01", "0", LONG),
        ("CANCELED", S.CANCELED, "BUY", "LIMIT", "GTC", "20000", "0.01", "0", LONG),
    ],
    "user_sequence_gtx_maker_hedge_20260901.json": [
        ("NEW", S.LIVE, "SELL", "LIMIT", "GTX", "2463.26", "0.473", "0", SHORT),
        ("LITE", "871685788", "SELL", "2463.26", "0.473", True),
        ("ORDER", ("USDC", "291", "291", "0"), ("ETH/USDC:USDC", SHORT, "-0.473", "2463.26", "0.04257", "cross")),
    ],
    "user_sequence_market_buy_20260223.json": [
        ("LITE", "3181138052", "BUY", "80.19", "0.1", False),
        ("NEW", S.LIVE, "BUY", "MARKET", "GTC", "0", "0.1", "0", BOTH),
        ("ORDER", ("USDT", "1.73744723", "1.73744723", "0"), ("SOL/USDT:USDT", BOTH, "0.1", "80.19", "0", "cross")),
    ],
    "user_sequence_taker_open_close_20241118.json": [
        ("LITE", "5612428004", "BUY", "91739.9", "0.002", False),
        ("NEW", S.LIVE, "BUY", "LIMIT", "GTC", "91739.9", "0.002", "0", BOTH),
        (
            "ORDER",
            ("USDT", "642.76097079", "642.76097079", "0"),
            ("BTC/USDT:USDT", BOTH, "0.002", "91739.9", "-0.03508665", "cross"),
        ),
        (
            "TRADE",
            S.FILLED,
            "BUY",
            "LIMIT",
            "GTC",
            "91739.9",
            "0.002",
            "0.002",
            BOTH,
            ("5612428004", "91739.9", "0.002", "0.0917399", "USDT", False),
        ),
        ("LITE", "5612520599", "SELL", "90853.2", "0.002", False),
        ("NEW", S.LIVE, "SELL", "MARKET", "GTC", "0", "0.002", "0", BOTH),
        ("ORDER", ("USDT", "640.89671759", "640.89671759", "0"), ("BTC/USDT:USDT", BOTH, "0", "0", "0", "cross")),
        (
            "TRADE",
            S.FILLED,
            "SELL",
            "MARKET",
            "GTC",
            "0",
            "0.002",
            "0.002",
            BOTH,
            ("5612520599", "90853.2", "0.002", "0.0908532", "USDT", False),
        ),
    ],
    "user_sequence_stop_loss_expired_20210604.json": [
        ("NEW", S.LIVE, "SELL", "MARKET", "GTC", "0", "150", "0", BOTH),
        (
            "ORDER",
            ("USDT", "316.19421294", "304.83274584", "0"),
            ("TRX/USDT:USDT", BOTH, "-150", "0.07574", "-0.0050115", "isolated"),
        ),
        (
            "TRADE",
            S.FILLED,
            "SELL",
            "MARKET",
            "GTC",
            "0",
            "150",
            "150",
            BOTH,
            ("133743970", "0.07574", "150", "0.00454439", "USDT", False),
        ),
        ("NEW", S.LIVE, "BUY", "MARKET", "GTC", "0", "150", "0", BOTH),
        ("NEW", S.LIVE, "BUY", "MARKET", "GTC", "0", "150", "0", BOTH),
        ("EXPIRED", S.EXPIRED, "BUY", "MARKET", "GTC", "0", "150", "0", BOTH),
        ("NEW", S.LIVE, "BUY", "MARKET", "GTC", "0", "150", "0", BOTH),
        ("ORDER", ("USDT", "316.15065294", "316.15065294", "0"), ("TRX/USDT:USDT", BOTH, "0", "0", "0", "isolated")),
        (
            "TRADE",
            S.FILLED,
            "BUY",
            "MARKET",
            "GTC",
            "0",
            "150",
            "150",
            BOTH,
            ("133744542", "0.076", "150", "0.00456", "USDT", False),
        ),
        ("EXPIRED", S.EXPIRED, "BUY", "MARKET", "GTC", "0", "150", "0", BOTH),
    ],
    "user_events_testnet_20250321.json": [
        ("NEW", S.LIVE, "BUY", "LIMIT", "GTC", "50000", "1", "0", BOTH),
        ("LITE", "310194316", "BUY", "84146.5", "0.1", False),
        (
            "ORDER",
            ("USDT", "15237.42937172", "15237.42937172", "0"),
            ("BTC/USDT:USDT", BOTH, "0.1", "84146.5", "0.40867555", "cross"),
        ),
        (
            "TRADE",
            S.FILLED,
            "BUY",
            "MARKET",
            "GTC",
            "0",
            "0.1",
            "0.1",
            BOTH,
            ("310194316", "84146.5", "0.1", "3.36586", "USDT", False),
        ),
    ],
    "user_account_update_order_2021.json": [
        ("ORDER", ("USDT", "21.1216846", "21.1216846", "0"), ("XRP/USDT:USDT", BOTH, "-5", "1.1554", "0.001", "cross")),
    ],
    "user_account_update_withdraw_2021.json": [("WITHDRAW", ("USDT", "0", "0", "-21.14364261"))],
    "constructed_user_account_update.json": [
        (
            "ORDER",
            ("USDT", "122624.12345678", "100.12345678", "50.12345678"),
            ("BTC/USDT:USDT", BOTH, "0", "0", "0", "isolated"),
            ("BTC/USDT:USDT", LONG, "20", "6563.6", "2850.212", "isolated"),
            ("BTC/USDT:USDT", SHORT, "-10", "6563.8", "-1423.156", "isolated"),
        ),
    ],
    "constructed_user_account_update_bnfcr.json": [("ORDER", ("BNFCR", "5001.28983031", "5001.28983031", "0"))],
    "constructed_user_algo_update_new.json": [("IGNORED", "ALGO_UPDATE")],
    "constructed_user_order_update_adl.json": [
        (
            "CALCULATED",
            S.FILLED,
            "BUY",
            "LIMIT",
            "IOC",
            "42000",
            "0.005",
            "0.005",
            SHORT,
            ("12346001", "42000", "0.005", "0.105", "USDT", False),
        ),
    ],
    "constructed_user_order_update_calculated.json": [
        (
            "CALCULATED",
            S.FILLED,
            "SELL",
            "LIMIT",
            "IOC",
            "9910",
            "0.014",
            "0.014",
            LONG,
            ("12345999", "9910.12", "0.014", "0.06937084", "USDT", False),
        ),
    ],
    "constructed_user_order_update_settlement.json": [
        (
            "TRADE",
            S.FILLED,
            "SELL",
            "LIMIT",
            "IOC",
            "50000",
            "0.01",
            "0.01",
            LONG,
            ("12346002", "50000", "0.01", "0.25", "USDT", False),
        ),
    ],
    "constructed_user_order_update_trade_partial.json": [
        (
            "TRADE",
            S.PARTIALLY_FILLED,
            "BUY",
            "LIMIT",
            "GTC",
            "7100.5",
            "0.002",
            "0.001",
            LONG,
            ("12345678", "7100.5", "0.001", "0.01", "USDT", True),
        ),
    ],
    "doc_user_account_config_leverage.json": [("LEVERAGE", "BTC/USDT:USDT", 25)],
    "doc_user_account_config_multi_assets.json": [("MULTI_ASSETS", True)],
    "doc_user_algo_update.json": [("IGNORED", "ALGO_UPDATE")],
    "doc_user_conditional_trigger_reject.json": [("IGNORED", "CONDITIONAL_ORDER_TRIGGER_REJECT")],
    "doc_user_listen_key_expired.json": [
        ("EXPIRED_KEY", "WsCMN0a4KHUPTQuX6IUnqEZfB1inxmv1qR4kbf1LuEjur5VdbzqvyxqG9TSjVVxv"),
    ],
    "doc_user_margin_call.json": [
        ("CALL", "3.16812045", ("ETHUSDT", LONG, "1.327", "187.17127", "-1.166074", "1.614445"))
    ],
    "doc_user_order_trade_update.json": [("NEW", S.LIVE, "SELL", "MARKET", "GTC", "0", "0.001", "0", LONG)],
    "doc_user_trade_lite.json": [("LITE", "109100866", "BUY", "64089.2", "0.04", False)],
}


def describe(event: UserEvent, context: UserContext) -> tuple[object, ...]:
    """Write an event the way the table does, numbers without padding."""
    if isinstance(event, OrderEvent):
        assert event.order is not None
        fills = [_fill(event.fill, context)] if event.fill else []
        return (event.execution, event.order.state, *_order(event.order, context), event.position_side, *fills)
    if isinstance(event, TradeLiteEvent):
        price, quantity = _sizes(event.symbol, event.price_ticks, event.lots, context)
        return ("LITE", event.trade_id, event.side.name, price, quantity, event.is_maker)
    if isinstance(event, AccountEvent):
        wallets = [(w.asset, *map(_plain, (w.wallet_balance, w.cross_wallet_balance, w.change))) for w in event.wallets]
        positions = [
            (p.symbol, p.side, _lots(p, context), _plain(p.entry_price), _plain(p.unrealized_pnl), p.margin_type)
            for p in event.positions
        ]
        return (event.reason, *wallets, *positions)
    if isinstance(event, LeverageEvent):
        return ("LEVERAGE", event.symbol, event.leverage)
    if isinstance(event, MultiAssetsEvent):
        return ("MULTI_ASSETS", event.is_on)
    if isinstance(event, ListenKeyExpiredEvent):
        return ("EXPIRED_KEY", event.listen_key)
    if isinstance(event, MarginCallEvent):
        assert event.cross_wallet_balance is not None
        called = [
            (p.venue_symbol, p.side, *map(_plain, (p.quantity, p.mark_price, p.unrealized_pnl, p.maintenance_margin)))
            for p in event.positions
        ]
        return ("CALL", _plain(event.cross_wallet_balance), *called)
    return ("IGNORED", event.name)


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f") if value else "0"


def _sizes(symbol: str, ticks: int, lots: int, context: UserContext) -> tuple[str, str]:
    listing = context.listings.by_symbol(symbol)
    assert listing is not None
    instrument = listing.instrument
    return _plain(instrument.tick_size * ticks), _plain(instrument.lot_size * lots)


def _lots(position: PositionUpdate, context: UserContext) -> str:
    return _sizes(position.symbol, 0, position.lots, context)[1]


def _order(order: Order, context: UserContext) -> tuple[str, ...]:
    price, quantity = _sizes(order.symbol, order.price_ticks, order.lots, context)
    filled = _sizes(order.symbol, 0, order.filled_lots, context)[1]
    return (order.side.name, order.type.name, order.time_in_force.name, price, quantity, filled)


def _fill(fill: Fill, context: UserContext) -> tuple[object, ...]:
    price, quantity = _sizes(fill.symbol, fill.price_ticks, fill.lots, context)
    return (fill.trade_id, price, quantity, _plain(fill.fee), fill.fee_asset, fill.is_maker)


def read_all(path: Path, context: UserContext) -> list[UserEvent]:
    data = path.read_bytes()
    frames = messages(path) if data.lstrip().startswith(b"[") else [data]
    return [parse_user_event(frame, context, receive_time_ns=7) for frame in frames]


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_events_read_as_what_they_were(name: str, payloads: Path, context: UserContext) -> None:
    assert [describe(event, context) for event in read_all(payloads / name, context)] == EXPECTED[name]


def test_every_user_stream_recording_is_in_the_table(payloads: Path) -> None:
    kinds = ("user_", "doc_user_", "constructed_user_")

    assert {path.name for path in payloads.iterdir() if path.name.startswith(kinds)} == set(EXPECTED)


def test_order_event_carries_ids_times_and_revision(payloads: Path, context: UserContext) -> None:
    (event,) = read_all(payloads / "user_order_filled_maker_2021.json", context)

    assert isinstance(event, OrderEvent)
    assert event.order == Order(
        symbol="XRP/USDT:USDT",
        client_order_id="-gAC6QMAAQAAYIZV_g4X",
        exchange_order_id="17803846427",
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        price_ticks=11583,
        lots=50,
        filled_lots=50,
        state=S.FILLED,
        updated_time_ns=1634812374563 * 10**6,
        instrument_revision=1,
        filled_ticks_lots=11583 * 50,
    )
    assert event.fill == Fill(
        symbol="XRP/USDT:USDT",
        trade_id="673747843",
        client_order_id="-gAC6QMAAQAAYIZV_g4X",
        exchange_order_id="17803846427",
        side=Side.SELL,
        price_ticks=11583,
        lots=50,
        cumulative_filled_lots=50,
        fee=Decimal("0.00115829"),
        fee_asset="USDT",
        is_maker=True,
        origin=FillOrigin.MANUAL,
        venue_time_ns=1634812374563 * 10**6,
        receive_time_ns=7,
        instrument_revision=1,
    )
    assert event.event_time_ns == 1634812374567 * 10**6


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("constructed_user_order_update_adl.json", FillOrigin.ADL),
        ("constructed_user_order_update_calculated.json", FillOrigin.LIQUIDATION),
        ("constructed_user_order_update_settlement.json", FillOrigin.SETTLEMENT),
        ("constructed_user_order_update_trade_partial.json", FillOrigin.MANUAL),
    ],
)
def test_fill_says_whose_doing_it_was(name: str, origin: FillOrigin, payloads: Path, context: UserContext) -> None:
    (event,) = read_all(payloads / name, context)

    assert isinstance(event, OrderEvent)
    assert event.fill is not None
    assert event.fill.origin is origin


def test_withdrawal_is_a_transfer_and_a_trade_is_no_cash_flow(payloads: Path, context: UserContext) -> None:
    (withdrawal,) = read_all(payloads / "user_account_update_withdraw_2021.json", context)
    (trade,) = read_all(payloads / "user_account_update_order_2021.json", context)

    assert isinstance(withdrawal, AccountEvent)
    assert isinstance(trade, AccountEvent)
    (flow,) = withdrawal.cash_flows
    assert (flow.kind, flow.asset, flow.amount, flow.symbol) == (
        CashFlowKind.TRANSFER,
        "USDT",
        Decimal("-21.14364261"),
        "",
    )
    assert flow.venue_time_ns == 1634827654378 * 10**6
    assert trade.cash_flows == ()


ORDER = (
    b'{"e":"ORDER_TRADE_UPDATE","T":1,"E":2,"o":{"s":"BTCUSDT","c":"oqbotaZZ0001000000B0000001","S":"BUY","o":"LIMIT",'
    b'"f":"GTX","q":"0.010","p":"100.10","ap":"0","sp":"0","x":"NEW","X":"NEW","i":1,"l":"0","z":"0","L":"0","n":"0",'
    b'"N":"USDT","T":1,"t":0,"m":false,"R":false,"ps":"BOTH","rp":"0","er":"0"}}'
)


def order_event(context: UserContext, *changes: tuple[bytes, bytes]) -> OrderEvent:
    data = ORDER
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    event = parse_user_event(data, context)
    assert isinstance(event, OrderEvent)
    return event


def test_unknown_members_and_events_are_tolerated(context: UserContext) -> None:
    event = order_event(context, (b'"E":2', b'"E":2,"st":1,"ps":"BTCUSDT"'), (b'"er":"0"', b'"er":"0","new":{"a":[1]}'))

    assert event.order is not None
    assert isinstance(parse_user_event(b'{"e":"SOMETHING_NEW","x":1}', context), IgnoredEvent)


def test_combined_form_reads_like_the_raw_one(context: UserContext) -> None:
    assert parse_user_event(b'{"stream":"key","data":' + ORDER + b"}", context) == parse_user_event(ORDER, context)


@pytest.mark.parametrize(
    ("status", "execution", "code", "reason"),
    [
        ("EXPIRED", "EXPIRED", "0", None),
        ("EXPIRED", "EXPIRED", "2", None),
        ("EXPIRED", "EXPIRED", "4", ErrorReason.REDUCE_ONLY_REJECTED),
        ("EXPIRED", "EXPIRED", "5", ErrorReason.LIQUIDATION),
        ("EXPIRED", "EXPIRED", "7", ErrorReason.SYMBOL_NOT_TRADING),
        ("EXPIRED_IN_MATCH", "EXPIRED", "1", ErrorReason.SELF_TRADE),
    ],
)
def test_expiry_says_why(
    status: str, execution: str, code: str, reason: ErrorReason | None, context: UserContext
) -> None:
    event = order_event(
        context,
        (b'"x":"NEW","X":"NEW"', f'"x":"{execution}","X":"{status}"'.encode()),
        (b'"er":"0"', f'"er":"{code}"'.encode()),
    )

    assert event.order is not None
    assert (event.order.state, event.order.reason) == (S.EXPIRED, reason)


def test_amendment_tells_the_new_terms(context: UserContext) -> None:
    event = order_event(context, (b'"x":"NEW"', b'"x":"AMENDMENT"'), (b"100.10", b"101.2"))

    assert event.is_amendment
    assert event.order is not None
    assert (event.order.price_ticks, event.order.state) == (10120, S.LIVE)


def test_fill_stands_even_when_the_order_fits_no_tick(context: UserContext) -> None:
    event = order_event(
        context,
        (b'"p":"100.10"', b'"p":"100.105"'),
        (b'"x":"NEW","X":"NEW"', b'"x":"TRADE","X":"PARTIALLY_FILLED"'),
        (b'"l":"0","z":"0","L":"0"', b'"l":"0.001","z":"0.001","L":"100.1"'),
        (b'"t":0', b'"t":77'),
    )

    assert event.order is None
    assert "100.105" in event.unfit
    assert event.fill is not None
    assert (event.fill.trade_id, event.fill.price_ticks, event.fill.origin) == ("77", 10010, FillOrigin.OURS)


def test_fill_without_a_trade_id_still_has_an_id_of_its_own(context: UserContext) -> None:
    trade = (b'"x":"NEW","X":"NEW"', b'"x":"CALCULATED","X":"NEW"')
    first = order_event(context, trade, (b'"l":"0","z":"0","L":"0"', b'"l":"0.001","z":"0.001","L":"100.1"'))
    second = order_event(context, trade, (b'"l":"0","z":"0","L":"0"', b'"l":"0.001","z":"0.002","L":"100.1"'))

    assert first.fill is not None
    assert second.fill is not None
    assert first.fill.trade_id != second.fill.trade_id


def test_fill_without_commission_members_cost_nothing(context: UserContext) -> None:
    event = order_event(
        context,
        (b'"n":"0","N":"USDT",', b""),
        (b'"x":"NEW","X":"NEW"', b'"x":"TRADE","X":"PARTIALLY_FILLED"'),
        (b'"l":"0","z":"0","L":"0"', b'"l":"0.001","z":"0.001","L":"100.1"'),
    )

    assert event.fill is not None
    assert (event.fill.fee, event.fill.fee_asset) == (0, "USDT")


def test_order_of_a_symbol_not_traded_here_is_ignored(context: UserContext) -> None:
    event = parse_user_event(ORDER.replace(b"BTCUSDT", b"BTCUSDT_261225"), context)

    assert isinstance(event, IgnoredEvent)
    assert "BTCUSDT_261225" in event.why


def account_event(context: UserContext, reason: str, change: str, positions: str = "") -> AccountEvent:
    data = (
        f'{{"e":"ACCOUNT_UPDATE","T":5,"E":6,"a":{{"m":"{reason}","B":[{{"a":"USDT","wb":"10","cw":"10","bc":"{change}"}}],'
        f'"P":[{positions}]}}}}'
    )
    event = parse_user_event(data.encode(), context)
    assert isinstance(event, AccountEvent)
    return event


def test_funding_is_a_cash_flow_with_its_symbol_where_the_venue_tells_it(context: UserContext) -> None:
    position = '{"s":"BTCUSDT","pa":"0.1","ep":"1","up":"0","mt":"isolated","ps":"BOTH"}'
    cross = account_event(context, "FUNDING_FEE", "-0.5").cash_flows
    isolated = account_event(context, "FUNDING_FEE", "0.25", position).cash_flows

    assert [(f.kind, f.symbol, f.amount) for f in cross] == [(CashFlowKind.FUNDING, "", Decimal("-0.5"))]
    assert [(f.kind, f.symbol, f.amount) for f in isolated] == [
        (CashFlowKind.FUNDING, "BTC/USDT:USDT", Decimal("0.25"))
    ]


@pytest.mark.parametrize("reason", ["MARGIN_TRANSFER", "MARGIN_TYPE_CHANGE"])
def test_money_moved_inside_the_account_is_no_cash_flow(reason: str, context: UserContext) -> None:
    assert account_event(context, reason, "3").cash_flows == ()


def test_position_in_a_symbol_not_traded_here_is_named(context: UserContext) -> None:
    event = account_event(context, "ORDER", "0", '{"s":"XYZUSDT","pa":"1","ep":"1","up":"0","ps":"BOTH"}')

    assert (event.positions, event.unlisted) == ((), ("XYZUSDT",))


@pytest.mark.parametrize("time", [b"1736996475556", b'"1736996475556"'])
def test_listen_key_expiry_reads_in_both_spellings(time: bytes, context: UserContext) -> None:
    event = parse_user_event(b'{"e":"listenKeyExpired","E":%s,"listenKey":"k"}' % time, context)

    assert event == ListenKeyExpiredEvent("k")
