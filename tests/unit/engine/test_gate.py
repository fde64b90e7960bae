"""The gate: the worst reason is the state, cancels are never its business, room counts the worst case."""

import pytest

from opensqt._core.diff import UNLIMITED
from opensqt.engine.risk.gate import Limits, RiskGate
from opensqt.engine.risk.reasons import POLICIES, Code, Pull, TradingState

SECOND = 1_000_000_000


def make(**limits: int) -> RiskGate:
    return RiskGate(Limits(**limits), stale_pull_ms=5_000, max_orders_per_second=10)


def test_every_code_has_a_policy() -> None:
    assert set(POLICIES) == set(Code)


def test_worst_reason_is_the_state() -> None:
    gate = make()
    assert gate.state is TradingState.ACTIVE
    gate.add(Code.BOOK_NOT_VALID, "gap", 1)
    assert gate.state is TradingState.REDUCING
    gate.add(Code.RECOVERING, "", 2)
    assert gate.state is TradingState.STARTING
    gate.add(Code.START_CHECK, "", 3)
    assert gate.state is TradingState.HALTED
    gate.stop()
    assert gate.state is TradingState.STOPPED
    gate.restart()
    for code in (Code.START_CHECK, Code.RECOVERING, Code.BOOK_NOT_VALID):
        gate.lift(code)
    assert gate.state is TradingState.ACTIVE


def test_reason_keeps_when_it_began() -> None:
    gate = make()
    assert gate.add(Code.BOOK_NOT_VALID, "gap", 1)
    assert not gate.add(Code.BOOK_NOT_VALID, "crossed", 9)
    assert gate.reasons[Code.BOOK_NOT_VALID].since_ns == 1
    assert gate.reasons[Code.BOOK_NOT_VALID].message == "crossed"


def test_reason_with_an_end_ends() -> None:
    gate = make()
    gate.add(Code.RATE_LIMITED, "", 0, until_ns=SECOND)
    assert gate.expire(SECOND - 1) == []
    assert gate.expire(SECOND) == [Code.RATE_LIMITED]
    assert gate.state is TradingState.ACTIVE


@pytest.mark.parametrize("code", [code for code, policy in POLICIES.items() if policy.pull is Pull.WHEN_STALE])
def test_stale_data_pulls_only_after_the_budget(code: Code) -> None:
    gate = make()
    gate.add(code, "", SECOND)
    assert not gate.must_pull(5 * SECOND)
    assert gate.must_pull(6 * SECOND)


def test_room_is_the_tightest_limit_less_the_worst_case() -> None:
    assert make().opening_room_lots(10, 5, 1) == UNLIMITED
    assert make(max_position_lots=40).opening_room_lots(10, 5, 1) == 25
    assert make(max_position_lots=40, max_notional_units=300).opening_room_lots(10, 5, 10) == 15
    assert make(max_position_lots=10).opening_room_lots(30, 0, 1) == 0


def test_pace_of_opening_orders_is_bounded() -> None:
    gate = make()
    now = 100 * SECOND
    assert sum(gate.take_order_token(now) for _ in range(50)) == 10
    assert not gate.take_order_token(now + 99_000_000)
    assert gate.take_order_token(now + 100_000_000)
