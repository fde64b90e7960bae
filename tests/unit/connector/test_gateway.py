"""One result per command, one send per client id, and nobody's fate invented."""

from decimal import Decimal

import pytest
from models.connector_parts import SYMBOL, TIMEOUT_NS, Gate, order, request

from opensqt.connector.commands import Cancel, CancelAll, Outcome, OutcomeReport
from opensqt.connector.veto import VetoConfig
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import ErrorReason, ExistsError, NotFoundError, OpensqtError
from opensqt.domain.order import OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState


def confirmed(token: int) -> OutcomeReport:
    return OutcomeReport(token=token, outcome=Outcome.CONFIRMED)


def test_second_placement_with_an_id_in_flight_is_refused_with_what_is_known() -> None:
    gate = Gate()
    gate.place(request("a1"))
    with pytest.raises(ExistsError) as raised:
        gate.place(request("a1", price_ticks=598_000))
    assert raised.value.reason is ErrorReason.DUPLICATE_CLIENT_ID
    assert raised.value.metadata["state"] == "PENDING_NEW"
    assert gate.gateway.in_flight_count == 1


@pytest.mark.parametrize("state", [OrderState.LIVE, OrderState.FILLED, OrderState.CANCELED])
def test_second_placement_with_an_id_the_venue_has_shown_names_that_order(state: OrderState) -> None:
    gate = Gate()
    token = gate.place(request("a1"))
    gate.gateway.on_outcome(confirmed(token), 1)
    gate.push(order("a1", state, exchange_order_id="77"))
    with pytest.raises(ExistsError) as raised:
        gate.place(request("a1"))
    assert raised.value.metadata["exchange_order_id"] == "77"
    assert raised.value.metadata["state"] == state.value


def test_every_command_gets_one_result_and_a_second_answer_is_ignored() -> None:
    gate = Gate()
    token = gate.place(request("a1"))
    gate.gateway.on_outcome(confirmed(token), 1)
    gate.gateway.on_outcome(confirmed(token), 2)
    assert [report.outcome for report in gate.reports] == [Outcome.CONFIRMED]


def test_command_without_answer_is_unknown_and_stays_counted_until_the_venue_shows_it() -> None:
    gate = Gate()
    gate.place(request("a1"))
    gate.gateway.expire(TIMEOUT_NS - 1)
    assert gate.reports == []
    gate.gateway.expire(TIMEOUT_NS)
    assert gate.reports[0].outcome is Outcome.UNKNOWN
    pending = list(gate.gateway.pending_orders(SYMBOL))
    assert [o.state for o in pending] == [OrderState.UNKNOWN]
    with pytest.raises(ExistsError):
        gate.place(request("a1"), TIMEOUT_NS)
    gate.push(order("a1"))
    assert list(gate.gateway.pending_orders(SYMBOL)) == []


@pytest.mark.parametrize("state", [OrderState.LIVE, OrderState.CANCELED])
def test_order_the_venue_has_shown_is_not_pending_though_its_answer_is_late(state: OrderState) -> None:
    gate = Gate()
    gate.place(request("a1"))
    assert [o.state for o in gate.gateway.pending_orders(SYMBOL)] == [OrderState.PENDING_NEW]
    gate.push(order("a1", state))
    assert list(gate.gateway.pending_orders(SYMBOL)) == []


def test_unknown_placement_needs_repeated_denials_before_it_counts_as_never_placed() -> None:
    gate = Gate()
    gate.place(request("a1"))
    now = TIMEOUT_NS
    gate.gateway.expire(now)
    unsettled = gate.gateway.unsettled
    now += NS_PER_S
    assert [o.client_order_id for o in unsettled.due(now)] == ["a1"]
    assert unsettled.due(now) == [], "asked once at a time"
    assert unsettled.denied("a1", now) is None
    now += 2 * NS_PER_S
    unsettled.due(now)
    unsettled.failed("a1", now)
    now += 10 * NS_PER_S
    unsettled.due(now)
    assert unsettled.denied("a1", now) is None, "a failed query between the denials starts the count again"
    now += 10 * NS_PER_S
    unsettled.due(now)
    settled = unsettled.denied("a1", now)
    assert settled is not None
    assert settled.client_order_id == "a1"


def test_late_refusal_settles_an_unknown_placement() -> None:
    gate = Gate()
    token = gate.place(request("a1"))
    gate.gateway.expire(TIMEOUT_NS)
    late = OutcomeReport(token=token, outcome=Outcome.REJECTED, reason=ErrorReason.INSUFFICIENT_MARGIN)
    settled = gate.gateway.on_outcome(late, TIMEOUT_NS + 1)
    assert settled is not None
    assert settled.state is OrderState.REJECTED
    assert settled.reason is ErrorReason.INSUFFICIENT_MARGIN
    assert len(gate.gateway.unsettled) == 0


def test_broken_session_makes_everything_on_its_way_unknown_and_resends_nothing() -> None:
    gate = Gate()
    gate.place(request("a1"))
    gate.place(request("a2"))
    gate.gateway.connection_lost(5, "reset by peer")
    assert [report.outcome for report in gate.reports] == [Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert gate.gateway.in_flight_count == 0


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"symbol": ""}, ErrorReason.INVALID_FIELD, "symbol was empty"),
        ({"symbol": "DOGE/USDT:USDT"}, ErrorReason.UNKNOWN_SYMBOL, "DOGE/USDT:USDT"),
        ({"instrument_revision": 2}, ErrorReason.STALE_INSTRUMENT, "revision 2"),
        ({"lots": 0}, ErrorReason.INVALID_FIELD, "quantity"),
        ({"lots": -5}, ErrorReason.INVALID_FIELD, "quantity"),
        ({"price_ticks": 0}, ErrorReason.INVALID_FIELD, "price"),
        ({"price_ticks": 10, "lots": 1}, ErrorReason.MIN_NOTIONAL, "smallest workable"),
        ({"type": OrderType.MARKET}, ErrorReason.INVALID_FIELD, "market order has no price"),
        (
            {"type": OrderType.MARKET, "price_ticks": 0, "time_in_force": TimeInForce.GTX},
            ErrorReason.INVALID_FIELD,
            "time_in_force",
        ),
        ({"client_order_id": "no spaces"}, ErrorReason.INVALID_FIELD, "client_order_id"),
    ],
)
def test_what_is_wrong_with_a_placement_is_named_before_anything_is_sent(
    changes: dict[str, object], reason: ErrorReason, words: str
) -> None:
    gate = Gate()
    with pytest.raises(OpensqtError) as raised:
        gate.place(request(**changes))  # type: ignore[arg-type]
    assert raised.value.reason is reason
    assert words in raised.value.message
    assert gate.gateway.in_flight_count == 0


@pytest.mark.parametrize(
    ("veto", "changes", "cap"),
    [
        (VetoConfig(max_order_notional=Decimal(500)), {}, "max_order_notional"),
        (VetoConfig(max_position_notional=Decimal(1_000)), {"lots": 20}, "max_position_notional"),
        (VetoConfig(), {"price_ticks": 631_000, "lots": 1}, "price_collar_bps"),
        (VetoConfig(), {"price_ticks": 569_000, "lots": 1, "side": Side.SELL}, "price_collar_bps"),
    ],
)
def test_no_engine_passes_a_cap(veto: VetoConfig, changes: dict[str, object], cap: str) -> None:
    gate = Gate(veto=veto)
    with pytest.raises(OpensqtError) as raised:
        gate.place(request(**changes))  # type: ignore[arg-type]
    assert raised.value.reason is ErrorReason.RISK_VETO
    assert raised.value.metadata["cap"] == cap


def test_orders_far_on_the_passive_side_of_the_mark_may_rest() -> None:
    gate = Gate()
    gate.place(request("a1", price_ticks=300_000))
    gate.place(request("a2", price_ticks=900_000, side=Side.SELL))


def test_orders_on_their_way_count_against_the_caps() -> None:
    gate = Gate(veto=VetoConfig(max_open_orders=2))
    gate.place(request("a1"))
    token = gate.place(request("a2"))
    with pytest.raises(OpensqtError, match="max_open_orders"):
        gate.place(request("a3"))
    rejected = OutcomeReport(token=token, outcome=Outcome.REJECTED, reason=ErrorReason.INSUFFICIENT_MARGIN)
    gate.gateway.on_outcome(rejected, 1)
    gate.place(request("a3"))


def test_cancel_of_an_ended_order_says_how_it_ended_without_asking_the_venue() -> None:
    gate = Gate()
    gate.push(order("a1", OrderState.FILLED, filled_lots=10))
    with pytest.raises(NotFoundError) as raised:
        gate.gateway.cancel(SYMBOL, "a1", "", gate.reports.append, 0)
    assert raised.value.metadata["state"] == "FILLED"


def test_cancel_of_an_order_nobody_told_us_about_is_the_venues_to_answer() -> None:
    gate = Gate()
    command = gate.gateway.cancel(SYMBOL, "stranger", "", gate.reports.append, 0)
    assert isinstance(command, Cancel)


def test_cancel_all_of_a_tag_takes_only_its_own_orders_in_flight_ones_included() -> None:
    gate = Gate()
    gate.push(order("oqabZZZ1"))
    gate.push(order("oqabcZZ1"))
    gate.push(order("manual1"))
    gate.place(request("oqabZZZ2"))
    commands = gate.gateway.cancel_all(SYMBOL, "oqabZZZ", gate.reports.append, 0)
    assert sorted(c.client_order_id for c in commands if isinstance(c, Cancel)) == ["oqabZZZ1", "oqabZZZ2"]
    assert gate.reports == []
    for command in commands:
        gate.gateway.on_outcome(confirmed(command.token), 1)
    assert [r.outcome for r in gate.reports] == [Outcome.CONFIRMED]


def test_bug_12_cancel_all_without_a_tag_is_one_command_for_one_symbol() -> None:
    gate = Gate()
    (command,) = gate.gateway.cancel_all(SYMBOL, "", gate.reports.append, 0)
    assert isinstance(command, CancelAll)
    assert command.symbol == SYMBOL


def test_amend_below_what_is_filled_is_refused() -> None:
    gate = Gate()
    gate.push(order("a1", OrderState.PARTIALLY_FILLED, filled_lots=4))
    with pytest.raises(OpensqtError) as raised:
        gate.gateway.amend(SYMBOL, "a1", 599_000, 4, 1, gate.reports.append, 0)
    assert raised.value.reason is ErrorReason.AMEND_REJECTED


def test_denials_prove_nothing_while_the_placement_may_still_arrive() -> None:
    gate = Gate(window_ns=8 * NS_PER_S)
    gate.place(request("a1"))
    now = TIMEOUT_NS
    gate.gateway.expire(now)
    unsettled = gate.gateway.unsettled
    assert gate.gateway.arrival_left_ns("a1", now + NS_PER_S) == 7 * NS_PER_S
    for _ in range(2):
        now += 3 * NS_PER_S
        unsettled.due(now)
        assert unsettled.denied("a1", now + NS_PER_S // 10) is None, "asked when it could still arrive"
    now += 3 * NS_PER_S
    assert gate.gateway.arrival_left_ns("a1", now) == 0
    unsettled.due(now)
    assert unsettled.denied("a1", now) is not None


def test_after_a_start_no_denial_is_proof_until_what_the_last_run_sent_cannot_arrive() -> None:
    gate = Gate(window_ns=8 * NS_PER_S)
    assert gate.gateway.arrival_left_ns("of the last run", NS_PER_S) == 7 * NS_PER_S
    assert gate.gateway.arrival_left_ns("of the last run", 8 * NS_PER_S) == 0
