"""Faults: the plan decides by seed and time, the actions change the venue as said, the replies are the venue's own."""

from decimal import Decimal

import orjson
import pytest
from models.sim_bench import SimBench

from opensqt.sim.dialects.binance.actions import Actions
from opensqt.sim.dialects.binance.fault_replies import failed_reply
from opensqt.sim.fault_kinds import (
    ACTION_KINDS,
    CONNECTION_KINDS,
    FRAME_KINDS,
    REQUEST_KINDS,
    STATE_KINDS,
    Fault,
    FaultKind,
    Schedule,
)
from opensqt.sim.faults import FaultPlan

PLACE = "POST /fapi/v1/order"


def test_every_kind_belongs_to_one_group() -> None:
    groups = (REQUEST_KINDS, FRAME_KINDS, CONNECTION_KINDS, STATE_KINDS, ACTION_KINDS)
    assert sum(map(len, groups)) == len(FaultKind)
    assert frozenset().union(*groups) == frozenset(FaultKind)


def test_nothing_set_means_nothing_happens() -> None:
    plan = FaultPlan(1)
    fate = plan.on_request(PLACE, 0)
    assert (fate.executes, fate.reply, fate.is_lost, fate.delay_ms) == (True, None, False, 0)
    assert plan.on_frame("public", "btcusdt@trade", 0).copies == 1


def test_a_fault_strikes_its_route_in_its_time_and_so_often() -> None:
    plan = FaultPlan(1)
    plan.add(Fault(kind=FaultKind.UNAVAILABLE_503, route="POST *", count=2, after_ms=100, for_ms=1_000), 0)
    assert plan.on_request(PLACE, 50).reply is None
    assert plan.on_request("GET /fapi/v1/time", 150).reply is None
    assert plan.on_request(PLACE, 150).reply is FaultKind.UNAVAILABLE_503
    assert plan.on_request(PLACE, 160).reply is FaultKind.UNAVAILABLE_503
    assert plan.on_request(PLACE, 170).reply is None
    late = FaultPlan(1)
    late.add(Fault(kind=FaultKind.UNAVAILABLE_503, for_ms=1_000), 0)
    assert late.on_request(PLACE, 1_000).reply is None


@pytest.mark.parametrize(
    ("kind", "executes"),
    [
        (FaultKind.LOST_REQUEST, False),
        (FaultKind.LOST_REPLY, True),
        (FaultKind.UNAVAILABLE_503, False),
        (FaultKind.THROTTLED_503, False),
        (FaultKind.INTERNAL_503, False),
        (FaultKind.RATE_LIMIT_429, False),
        (FaultKind.BAN_418, False),
        (FaultKind.FIREWALL_403, False),
        (FaultKind.MAINTENANCE, False),
        (FaultKind.UNREADABLE_REPLY, True),
        (FaultKind.LATENCY, True),
        (FaultKind.REPLY_LATENCY, True),
    ],
)
def test_known_outcomes_are_always_the_same(kind: FaultKind, executes: bool) -> None:
    plan = FaultPlan(3)
    plan.add(Fault(kind=kind, ms=5), 0)
    assert {plan.on_request(PLACE, now).executes for now in range(20)} == {executes}


@pytest.mark.parametrize(
    "kind",
    [FaultKind.UNKNOWN_503, FaultKind.TIMEOUT_408, FaultKind.BUS_UNKNOWN, FaultKind.BACKEND_TIMEOUT, FaultKind.HANG],
)
def test_unknown_outcomes_go_either_way_unless_said(kind: FaultKind) -> None:
    plan = FaultPlan(3)
    number = plan.add(Fault(kind=kind), 0)
    assert {plan.on_request(PLACE, now).executes for now in range(40)} == {True, False}
    plan.remove(number)
    plan.add(Fault(kind=kind, executed=True), 0)
    assert {plan.on_request(PLACE, now).executes for now in range(20)} == {True}


def test_same_seed_same_fates() -> None:
    def fates(seed: int) -> list[object]:
        plan = FaultPlan(seed)
        plan.add(Fault(kind=FaultKind.DROP_FRAME, stream="btcusdt@*", probability=0.3), 0)
        plan.add(Fault(kind=FaultKind.LATENCY, ms=10, jitter_ms=50, probability=0.5), 0)
        return [
            (plan.on_frame("public", "btcusdt@depth", now).copies, plan.on_request(PLACE, now).delay_ms)
            for now in range(200)
        ]

    assert fates(7) == fates(7)
    assert fates(7) != fates(8)
    dropped = sum(1 for copies, _ in fates(7) if copies == 0)  # type: ignore[misc]
    assert 30 < dropped < 90


def test_schedule_is_the_same_storm_for_a_seed() -> None:
    schedule = Schedule(
        seed=5, every_ms=100, count=20, faults=(Fault(kind=FaultKind.ADL), Fault(kind=FaultKind.DISCONNECT))
    )
    plans = [FaultPlan(1), FaultPlan(2)]
    storms = []
    for plan in plans:
        assert len(plan.add_schedule(schedule, 0)) == 20
        storms.append([[fault.kind for fault in plan.take_actions(now)] for now in range(0, 5_000, 50)])
    assert storms[0] == storms[1]
    assert sum(map(len, storms[0])) == 20
    with pytest.raises(ValueError, match="name at least one"):
        plans[0].add_schedule(Schedule(seed=1, faults=()), 0)


def test_actions_happen_once_in_order_of_time() -> None:
    plan = FaultPlan(1)
    plan.add(Fault(kind=FaultKind.ADL, after_ms=20), 0)
    plan.add(Fault(kind=FaultKind.LIQUIDATION, after_ms=10), 0)
    assert plan.take_actions(5) == []
    assert [fault.kind for fault in plan.take_actions(30)] == [FaultKind.LIQUIDATION, FaultKind.ADL]
    assert plan.take_actions(40) == []


def test_corruption_changes_bytes_and_never_fails() -> None:
    plan = FaultPlan(9)
    frames = [plan.corrupt(b'{"e":"depthUpdate","u":12345}') for _ in range(200)]
    assert any(len(frame) < 29 for frame in frames)
    assert any(len(frame) == 29 for frame in frames)
    assert plan.corrupt(b"") == b""


@pytest.mark.parametrize(
    ("kind", "status", "needle"),
    [
        (FaultKind.UNKNOWN_503, 503, b"Unknown error, please check your request or try again later."),
        (FaultKind.UNAVAILABLE_503, 503, b"Service Unavailable."),
        (FaultKind.THROTTLED_503, 503, b"-1008"),
        (FaultKind.INTERNAL_503, 503, b"Internal error; unable to process your request. Please try again."),
        (FaultKind.TIMEOUT_408, 408, b"-1007"),
        (FaultKind.BUS_UNKNOWN, 400, b"-1006"),
        (FaultKind.RATE_LIMIT_429, 429, b"-1003"),
        (FaultKind.BAN_418, 418, b"banned until"),
        (FaultKind.FIREWALL_403, 403, b"<html>"),
        (FaultKind.BAD_GATEWAY_502, 502, b"<html>"),
        (FaultKind.MAINTENANCE, 503, b'"239999"'),
        (FaultKind.SHUTTING_DOWN, 503, b"-1016"),
    ],
)
def test_failed_replies_are_worded_as_on_the_venues_pages(kind: FaultKind, status: int, needle: bytes) -> None:
    reply = failed_reply(kind, 7, 1_000)
    assert reply.status == status
    assert needle in reply.body
    assert reply.headers.get("Retry-After") == ("7" if status in {418, 429} else None)


def test_unreadable_reply_is_no_json() -> None:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(failed_reply(FaultKind.UNREADABLE_REPLY, 0, 0).body)


# ---- what happens to the venue


def act(bench: SimBench, kind: FaultKind, **fields: object) -> None:
    bench.advance(1)
    Actions(bench.venue).act(Fault(kind=kind, **fields))  # type: ignore[arg-type]


def test_manual_order_is_told_like_any_other_with_a_foreign_id(bench: SimBench) -> None:
    session = bench.listen_private()
    act(bench, FaultKind.MANUAL_ORDER, symbol="BTCUSDT", side="SELL", quantity="0.01", price="65000")
    (event,) = bench.heard(session)
    assert event["o"]["c"].startswith("web_")
    assert len(bench.ok("GET", "/fapi/v1/openOrders")) == 1
    act(bench, FaultKind.MANUAL_CANCEL_ALL, symbol="BTCUSDT")
    assert bench.ok("GET", "/fapi/v1/openOrders") == []


def test_position_change_by_hand_moves_the_position(bench: SimBench) -> None:
    act(bench, FaultKind.POSITION_CHANGE, symbol="BTCUSDT", side="SELL", quantity="0.02")
    assert bench.ok("GET", "/fapi/v3/positionRisk")[0]["positionAmt"] == "-0.020"


def test_adl_takes_part_of_the_position(bench: SimBench) -> None:
    bench.place("BUY", None, "0.05")
    session = bench.listen_private()
    act(bench, FaultKind.ADL, symbol="BTCUSDT", quantity="0.02")
    told = [event["o"] for event in bench.heard(session) if event["e"] == "ORDER_TRADE_UPDATE"]
    assert told[-1]["x"] == "CALCULATED"
    assert told[-1]["c"].startswith("adl_autoclose")
    assert bench.ok("GET", "/fapi/v3/positionRisk")[0]["positionAmt"] == "0.030"


def test_liquidation_closes_all_and_cancels_orders(bench: SimBench) -> None:
    bench.place("BUY", None, "0.05")
    bench.place("SELL", "65000", "0.01")
    act(bench, FaultKind.LIQUIDATION, symbol="BTCUSDT")
    assert bench.ok("GET", "/fapi/v3/positionRisk") == []


def test_transfer_leverage_and_revocation(bench: SimBench) -> None:
    session = bench.listen_private()
    act(bench, FaultKind.TRANSFER, amount="-500")
    act(bench, FaultKind.SET_LEVERAGE, symbol="BTCUSDT", leverage=3)
    assert [event["e"] for event in bench.heard(session)] == ["ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE"]
    assert Decimal(bench.ok("GET", "/fapi/v3/balance")[0]["balance"]) == 9_500
    act(bench, FaultKind.REVOKE_KEY, account="user1")
    assert bench.code("GET", "/fapi/v3/balance") == -2015


def test_halt_refuses_orders_allows_cancels_and_is_published(bench: SimBench) -> None:
    placed = bench.place("BUY", "63000", "0.01")
    session = bench.listen("market", "!contractInfo")
    actions = Actions(bench.venue)
    actions.apply_rules([Fault(kind=FaultKind.HALT, symbol="BTCUSDT")], [])
    assert bench.refuse("BUY", "63000", "0.01") == -4140
    assert bench.get("/fapi/v1/exchangeInfo")["symbols"][0]["status"] == "SETTLING"
    bench.ok("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=placed["orderId"])
    actions.apply_rules([], [])
    bench.place("BUY", "63000", "0.01")
    assert [event["cs"] for event in bench.heard(session)] == ["SETTLING", "TRADING"]


def test_changed_filters_are_published_and_enforced(bench: SimBench) -> None:
    actions = Actions(bench.venue)
    actions.apply_rules([], [Fault(kind=FaultKind.FILTERS, symbol="BTCUSDT", tick_size="0.5", min_notional="900")])
    filters = {row["filterType"]: row for row in bench.get("/fapi/v1/exchangeInfo")["symbols"][0]["filters"]}
    assert (filters["PRICE_FILTER"]["tickSize"], filters["MIN_NOTIONAL"]["notional"]) == ("0.50", "900")
    assert bench.refuse("BUY", "63000.1", "0.1") == -4014
    assert bench.refuse("BUY", "63000.5", "0.01") == -4164
    bench.place("BUY", "63000.5", "0.02")
    actions.apply_rules([], [])
    bench.place("BUY", "63000.1", "0.01")


def test_filters_finer_than_the_market_behind_refuse_what_it_cannot_count(bench: SimBench) -> None:
    fault = Fault(kind=FaultKind.FILTERS, symbol="BTCUSDT", tick_size="0.05", step_size="0.0005")
    Actions(bench.venue).apply_rules([], [fault])
    assert bench.refuse("BUY", "63000.05", "0.01") == -4014
    bench.place("BUY", "63000.1", "0.01")


def test_stale_snapshot_is_older_than_the_stream(bench: SimBench) -> None:
    actions = Actions(bench.venue)
    fault = Fault(kind=FaultKind.STALE_SNAPSHOT, symbol="BTCUSDT")
    actions.apply_stale_snapshots([fault])
    old = bench.get("/fapi/v1/depth", symbol="BTCUSDT", limit=5)
    bench.delta([(640_000, 4)])
    actions.apply_stale_snapshots([fault])
    assert bench.get("/fapi/v1/depth", symbol="BTCUSDT", limit=5)["lastUpdateId"] == old["lastUpdateId"]
    actions.apply_stale_snapshots([])
    assert bench.get("/fapi/v1/depth", symbol="BTCUSDT", limit=5)["lastUpdateId"] > old["lastUpdateId"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": FaultKind.ADL, "symbol": "NOPE"}, "this venue trades BTCUSDT"),
        ({"kind": FaultKind.ADL, "account": "nobody"}, "this venue has user1"),
        ({"kind": FaultKind.TRANSFER, "amount": "lots"}, "decimal"),
    ],
)
def test_impossible_faults_are_refused_when_set(bench: SimBench, fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Actions(bench.venue).check(Fault(**fields))  # type: ignore[arg-type]
