"""The user stream: what is told, in which order, with which members, and that the figures belong together."""

from decimal import Decimal
from typing import Any

import pytest
from models.sim_bench import BID, SimBench

from opensqt.domain.order import Side

ORDER = "/fapi/v1/order"


def words(events: list[Any]) -> list[str]:
    """Return each event as its kind, with the execution type of order updates."""
    return [event["e"] + (f" {event['o']['x']}/{event['o']['X']}" if "o" in event else "") for event in events]


def test_taker_fill_is_told_in_the_recorded_order(bench: SimBench, recorded: Any) -> None:
    session = bench.listen_private()
    bench.place("BUY", None, "0.01")
    events = bench.heard(session)
    expected = words(recorded("user_sequence_taker_open_close_20241118")[:4])
    assert words(events) == expected
    assert len({event["T"] for event in events}) == 1
    lite, new, account, filled = events
    assert lite["i"] == new["o"]["i"] == filled["o"]["i"]
    assert lite["t"] == filled["o"]["t"]
    assert account["a"]["P"][0]["pa"] == "0.01"


def test_maker_fill_is_told_without_a_second_new(bench: SimBench) -> None:
    session = bench.listen_private()
    bench.place("BUY", "64000.5", "0.01")
    assert words(bench.heard(session)) == ["ORDER_TRADE_UPDATE NEW/NEW"]
    bench.trade(Side.SELL, BID, 50)
    events = bench.heard(session)
    assert words(events) == ["TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE TRADE/FILLED"]
    assert events[0]["m"] is True
    assert events[2]["o"]["m"] is True


def test_a_taker_that_meets_two_levels_is_told_twice(bench: SimBench) -> None:
    session = bench.listen_private()
    bench.place("BUY", None, "1.5")
    assert words(bench.heard(session)) == [
        "TRADE_LITE",
        "TRADE_LITE",
        "ORDER_TRADE_UPDATE NEW/NEW",
        "ACCOUNT_UPDATE",
        "ORDER_TRADE_UPDATE TRADE/PARTIALLY_FILLED",
        "ORDER_TRADE_UPDATE TRADE/FILLED",
    ]


def test_every_way_an_order_ends_has_its_word(bench: SimBench) -> None:
    session = bench.listen_private()
    placed = bench.place("BUY", "63000", "0.01")
    bench.ok("PUT", ORDER, symbol="BTCUSDT", side="BUY", orderId=placed["orderId"], price="63100", quantity="0.01")
    bench.ok("DELETE", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
    bench.place("BUY", "63000", "0.01", timeInForce="IOC")
    events = bench.heard(session)
    assert words(events) == [
        "ORDER_TRADE_UPDATE NEW/NEW",
        "ORDER_TRADE_UPDATE AMENDMENT/NEW",
        "ORDER_TRADE_UPDATE CANCELED/CANCELED",
        "ORDER_TRADE_UPDATE NEW/NEW",
        "ORDER_TRADE_UPDATE EXPIRED/EXPIRED",
    ]
    assert [event["o"]["er"] for event in events] == ["0", "0", "0", "0", "2"]


def test_members_are_those_of_recorded_events(bench: SimBench, recorded: Any) -> None:
    session = bench.listen_private()
    bench.place("BUY", None, "0.01")
    lite, new, account, filled = bench.heard(session)
    recorded_lite, recorded_new, recorded_account = recorded("user_sequence_market_buy_20260223")
    for event, model in ((lite, recorded_lite), (new, recorded_new), (filled, recorded_new)):
        _same_shape(event, model)
    _same_shape(account, recorded_account)


def _same_shape(value: Any, model: Any) -> None:
    assert type(value) is type(model), (value, model)
    if isinstance(model, dict):
        assert set(value) == set(model)
        for name in model:
            _same_shape(value[name], model[name])
    elif isinstance(model, list) and model and value:
        _same_shape(value[0], model[0])


def test_only_trade_lite_pads_its_numbers(bench: SimBench) -> None:
    session = bench.listen_private()
    bench.place("BUY", None, "0.01")
    lite, new, _, filled = bench.heard(session)
    assert (lite["q"], lite["p"], lite["L"]) == ("0.010", "0.00", "64001.00")
    assert (new["o"]["q"], filled["o"]["L"], filled["o"]["ap"]) == ("0.01", "64001", "64001")


def test_realized_profit_and_fees_explain_the_wallet(bench: SimBench) -> None:
    session = bench.listen_private()
    for side, quantity in (("BUY", "0.01"), ("BUY", "0.02"), ("SELL", "0.05"), ("BUY", "0.02")):
        bench.place(side, None, quantity)
    events = bench.heard(session)
    trades = [event["o"] for event in events if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE"]
    balances = [event["a"]["B"][0]["wb"] for event in events if event["e"] == "ACCOUNT_UPDATE"]
    explained = sum(Decimal(trade["rp"]) - Decimal(trade["n"]) for trade in trades)
    assert Decimal(balances[-1]) == Decimal(10_000) + explained
    assert bench.ok("GET", "/fapi/v3/balance")[0]["balance"] == f"{Decimal(balances[-1]):.8f}"
    last = [event for event in events if event["e"] == "ACCOUNT_UPDATE"][-1]["a"]["P"][0]
    assert (last["pa"], last["ep"]) == ("0", "0")
    assert Decimal(last["cr"]) == sum(Decimal(trade["rp"]) for trade in trades)


def test_funding_is_told_with_the_balance_only(bench: SimBench) -> None:
    bench.place("BUY", None, "0.01")
    session = bench.listen_private()
    due_ms = bench.now_ms - bench.now_ms % 28_800_000 + 28_800_000
    bench.mark("64000", "0.0001", due_ms)
    bench.advance(due_ms - bench.now_ms + 5)
    bench.mark("64000", "0.0002", due_ms + 28_800_000)
    (event,) = [item for item in bench.heard(session) if item["e"] == "ACCOUNT_UPDATE"]
    assert (event["a"]["m"], event["a"]["P"], event["a"]["B"][0]["bc"]) == ("FUNDING_FEE", [], "-0.064")
    (rate,) = bench.get("/fapi/v1/fundingRate", symbol="BTCUSDT")
    assert (rate["fundingTime"], rate["fundingRate"]) == (due_ms, "0.00010000")
    (income,) = bench.ok("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
    assert income["income"] == "-0.06400000"


def test_leverage_change_is_told_and_so_is_multi_assets(bench: SimBench) -> None:
    session = bench.listen_private()
    bench.ok("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=7)
    bench.ok("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin="true")
    assert [event.get("ac", event.get("ai")) for event in bench.heard(session)] == [
        {"s": "BTCUSDT", "l": 7},
        {"j": True},
    ]


def test_a_stream_may_ask_for_some_events_only(bench: SimBench) -> None:
    session = bench.listen_private(events=("ACCOUNT_UPDATE",))
    bench.place("BUY", None, "0.01")
    assert words(bench.heard(session)) == ["ACCOUNT_UPDATE"]


def test_users_hear_nothing_of_each_other(bench: SimBench) -> None:
    other = bench.named("user2")
    session = bench.listen_private(other)
    bench.place("BUY", None, "0.01")
    assert bench.heard(session) == []
    assert bench.ok("GET", "/fapi/v1/allOrders", other, symbol="BTCUSDT") == []


def test_listen_key_is_the_same_until_it_dies_and_then_silent(bench: SimBench) -> None:
    session = bench.listen_private()
    first = bench.ok("POST", "/fapi/v1/listenKey")["listenKey"]
    assert bench.ok("PUT", "/fapi/v1/listenKey") == {"listenKey": first}
    bench.advance(59 * 60_000)
    bench.ok("PUT", "/fapi/v1/listenKey")
    bench.advance(61 * 60_000)
    (event,) = bench.heard(session)
    assert (event["e"], event["listenKey"]) == ("listenKeyExpired", first)
    bench.place("BUY", None, "0.01")
    assert bench.heard(session) == []
    assert bench.code("PUT", "/fapi/v1/listenKey") == -1125
    assert bench.ok("POST", "/fapi/v1/listenKey")["listenKey"] != first


def test_closing_the_listen_key_silences_every_reader(bench: SimBench) -> None:
    sessions = [bench.listen_private(), bench.listen_private()]
    bench.ok("DELETE", "/fapi/v1/listenKey")
    bench.place("BUY", None, "0.01")
    assert [bench.heard(session) for session in sessions] == [[], []]


def test_liquidation_by_the_mark_is_told_as_calculated(bench: SimBench) -> None:
    bench.ok("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
    bench.place("BUY", None, "5")
    session = bench.listen_private()
    public = bench.listen("market", "btcusdt@forceOrder")
    bench.mark("62000")
    events = bench.heard(session)
    told = [event for event in events if event["e"] == "ORDER_TRADE_UPDATE"]
    assert [(event["o"]["x"], event["o"]["X"]) for event in told] == [("CALCULATED", "FILLED")]
    assert told[0]["o"]["c"].startswith("autoclose-")
    (forced,) = bench.heard(public)
    assert (forced["o"]["S"], forced["o"]["q"]) == ("SELL", "5")
    assert "INSURANCE_CLEAR" in {event["a"]["m"] for event in events if event["e"] == "ACCOUNT_UPDATE"}
    assert bench.ok("GET", "/fapi/v3/positionRisk") == []


@pytest.mark.parametrize("mode", ["BOTH", "HEDGE"])
def test_books_of_the_dialect_equal_those_of_the_exchange(bench: SimBench, mode: str) -> None:
    if mode == "HEDGE":
        bench.ok("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    sides = {"BUY": {"positionSide": "LONG"}, "SELL": {"positionSide": "SHORT"}} if mode == "HEDGE" else {}
    for side, quantity in (("BUY", "0.03"), ("SELL", "0.01"), ("SELL", "0.04")):
        bench.place(side, None, quantity, **sides.get(side, {}))
    for account in bench.user.accounts:
        leg = bench.user.leg("BTCUSDT", bench.user.position_side(account))
        assert leg.state.lots == bench.venue.exchange.venue.view.position(account, "BTC/USDT:USDT").lots


def test_margin_call_comes_before_liquidation_and_not_too_often(bench: SimBench, recorded: Any) -> None:
    bench.ok("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=50)
    bench.place("BUY", None, "5")
    session = bench.listen_private()
    bench.advance(1_500)
    bench.mark("63000")
    assert bench.heard(session) == []
    for _ in range(3):
        bench.advance(1_500)
        bench.mark("62360")
    (call,) = bench.heard(session)
    _same_shape(call, recorded("doc_user_margin_call"))
    assert len(bench.ok("GET", "/fapi/v3/positionRisk")) == 1
