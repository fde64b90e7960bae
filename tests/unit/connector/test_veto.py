"""The caps of the connector against an engine that tries to get around them."""

from decimal import Decimal

import pytest
from models.connector_parts import MARK, SYMBOL, Gate, order, request

from opensqt.connector.commands import Outcome, OutcomeReport
from opensqt.connector.mirror import AccountMirror
from opensqt.connector.veto import VetoConfig
from opensqt.domain.account import Position
from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.domain.order import OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState


def report(token: int, outcome: Outcome) -> OutcomeReport:
    return OutcomeReport(token=token, outcome=outcome)


def position(lots: int, time_ns: int) -> Position:
    return Position(symbol=SYMBOL, lots=lots, leverage=5, venue_time_ns=time_ns)


def amend(gate: Gate, total_lots: int, client_order_id: str = "a1", price_ticks: int = 599_000) -> int:
    return gate.gateway.amend(SYMBOL, client_order_id, price_ticks, total_lots, 1, gate.reports.append, 0).token


def refused(cap: str) -> "pytest.RaisesExc[OpensqtError]":
    return pytest.raises(OpensqtError, match=cap)


def test_an_order_cannot_grow_past_the_cap_by_small_amendments() -> None:
    gate = Gate(veto=VetoConfig(max_order_notional=Decimal(700)))
    gate.push(order("a1", lots=10))
    with refused("max_order_notional"):
        amend(gate, 12)
    assert amend(gate, 11)


def test_amendments_on_their_way_count_in_the_position_cap() -> None:
    gate = Gate(veto=VetoConfig(max_position_notional=Decimal(2_000)))
    gate.push(order("a1", lots=10))
    gate.push(order("a2", lots=10))
    amend(gate, 20, "a1")
    with refused("max_position_notional"):
        amend(gate, 20, "a2")


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.CONFIRMED])
def test_an_amendment_counts_until_the_venue_has_shown_it(outcome: Outcome) -> None:
    gate = Gate(veto=VetoConfig(max_position_notional=Decimal(2_000)))
    gate.push(order("a1", lots=10))
    gate.gateway.on_outcome(report(amend(gate, 30), outcome), 1)
    with refused("max_position_notional"):
        gate.place(request("a2", lots=10))


def test_an_amendment_that_was_refused_or_whose_order_ended_counts_no_longer() -> None:
    gate = Gate(veto=VetoConfig(max_position_notional=Decimal(2_000)))
    gate.push(order("a1", lots=10))
    gate.gateway.on_outcome(report(amend(gate, 30), Outcome.REJECTED), 1)
    gate.place(request("a2", lots=10))
    gate = Gate(veto=VetoConfig(max_position_notional=Decimal(2_000)))
    gate.push(order("a1", lots=10))
    amend(gate, 30)
    gate.push(order("a1", OrderState.CANCELED, lots=30, updated_time_ns=9))
    gate.place(request("a2", lots=10))


def test_an_execution_counts_though_the_position_does_not_have_it_yet() -> None:
    gate = Gate(veto=VetoConfig(max_position_notional=Decimal(1_500)))
    gate.mirror.on_position(position(0, 1))
    for number, time_ns in ((1, 10), (2, 20)):
        gate.push(order(f"a{number}", OrderState.FILLED, filled_lots=10, updated_time_ns=time_ns))
    with refused("max_position_notional"):
        gate.place(request("a3", lots=10))
    gate.mirror.on_position(position(10, 10))
    with refused("max_position_notional"):
        gate.place(request("a3", lots=10))
    gate.mirror.on_position(position(20, 20))
    assert gate.mirror.untold_lots(SYMBOL, Side.BUY) == 0
    with refused("max_position_notional"):
        gate.place(request("a3", lots=10))
    gate.place(request("a4", lots=10, side=Side.SELL, price_ticks=601_000))


def test_a_position_the_other_way_makes_no_room() -> None:
    """Closing it is always allowed, and would leave what was opened on its room beyond the cap."""
    gate = Gate(veto=VetoConfig(max_position_notional=Decimal(1_500)))
    gate.mirror.on_position(position(-20, 1))
    gate.place(request("a1", lots=20))
    with refused("max_position_notional"):
        gate.place(request("a2", lots=10))
    gate.place(request("a3", lots=20, reduce_only=True))


def test_an_execution_that_only_closes_takes_no_room() -> None:
    gate = Gate(veto=VetoConfig(max_position_notional=Decimal(1_500)))
    gate.mirror.on_position(position(-20, 1))
    gate.push(order("a1", OrderState.FILLED, filled_lots=10, updated_time_ns=10))
    gate.place(request("a2", lots=20))


def test_an_execution_that_the_position_has_is_not_counted_twice() -> None:
    mirror = AccountMirror()
    mirror.on_position(position(10, 50))
    mirror.on_order(order("a1", OrderState.FILLED, filled_lots=10, updated_time_ns=50))
    assert mirror.untold_lots(SYMBOL, Side.BUY) == 0


def test_nothing_passes_while_no_price_is_known() -> None:
    gate = Gate()
    gate.mirror.mark_ticks.clear()
    market = request(type=OrderType.MARKET, price_ticks=0, time_in_force=TimeInForce.IOC)
    for wanted in (market, request()):
        with pytest.raises(OpensqtError) as raised:
            gate.place(wanted)
        assert raised.value.reason is ErrorReason.RISK_VETO
    gate.mirror.trade_ticks[SYMBOL] = 600_000
    gate.place(request())


def test_a_position_can_be_closed_at_once_and_nothing_larger() -> None:
    gate = Gate(veto=VetoConfig(max_order_notional=Decimal(700)))
    gate.mirror.on_position(position(40, 1))
    closing = {"side": Side.SELL, "price_ticks": 600_000, "reduce_only": True}
    gate.place(request("a1", lots=40, **closing))
    with refused("max_order_notional"):
        gate.place(request("a2", lots=41, **closing))
    with refused("max_order_notional"):
        gate.place(request("a3", lots=40, reduce_only=True))


def test_the_collar_is_exact_to_the_tick() -> None:
    gate = Gate(veto=VetoConfig(price_collar_bps=1))
    edge = int(MARK.mark_price) * 10 + 60
    gate.place(request("a1", price_ticks=edge, lots=1))
    with refused("price_collar_bps"):
        gate.place(request("a2", price_ticks=edge + 1, lots=1))


def test_less_is_always_allowed_when_the_cap_is_overdrawn() -> None:
    gate = Gate(veto=VetoConfig(max_position_notional=Decimal(1_000)))
    gate.mirror.on_position(position(100, 1))
    gate.push(order("a1", lots=10))
    assert amend(gate, 5)
