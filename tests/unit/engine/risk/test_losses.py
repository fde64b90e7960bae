"""Daily loss and drawdown: the UTC day, the peak, what a restart keeps, what only an operator ends."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.engine.risk.config import LossLimit
from opensqt.engine.risk.losses import DAY_NS, LossState, LossWatch
from opensqt.engine.risk.reasons import Code

NOON = 20_000 * DAY_NS + DAY_NS // 2
EQUITY = Decimal(10_000)
OFF = LossLimit()

money = st.integers(-10_000_00, 10_000_00).map(lambda cents: Decimal(cents).scaleb(-2))


def watch(daily: LossLimit = OFF, drawdown: LossLimit = OFF, state: LossState | None = None) -> LossWatch:
    return LossWatch(daily, drawdown, state)


def test_daily_loss_counts_from_where_the_day_began() -> None:
    one = watch(daily=LossLimit(amount=Decimal(100)))
    one.update(Decimal(50), EQUITY, NOON)
    one.update(Decimal("-49.99"), EQUITY, NOON + 1)
    assert one.reached(Code.DAILY_LOSS) == ""
    one.update(Decimal(-50), EQUITY, NOON + 2)
    assert "100 lost today" in one.reached(Code.DAILY_LOSS)


def test_a_new_utc_day_begins_at_the_last_profit_of_the_old_one() -> None:
    one = watch(daily=LossLimit(amount=Decimal(100)))
    one.update(Decimal(0), EQUITY, NOON)
    one.update(Decimal(-150), EQUITY, NOON + 1)
    assert one.reached(Code.DAILY_LOSS)
    one.update(Decimal(-240), EQUITY, NOON + DAY_NS // 2)
    assert one.reached(Code.DAILY_LOSS) == "", "the 150 were yesterday's"
    assert one.losses[Code.DAILY_LOSS].amount == 90
    one.update(Decimal(-250), EQUITY, NOON + DAY_NS // 2 + 1)
    assert one.reached(Code.DAILY_LOSS)


def test_a_loss_made_over_midnight_while_nobody_looked_is_the_new_days() -> None:
    before = watch(daily=LossLimit(amount=Decimal(100)))
    before.update(Decimal(0), EQUITY, NOON)
    after = watch(daily=LossLimit(amount=Decimal(100)), state=before.state)
    after.update(Decimal(-120), EQUITY, NOON + DAY_NS)
    assert after.reached(Code.DAILY_LOSS)


def test_a_reached_limit_stays_when_the_profit_recovers() -> None:
    one = watch(daily=LossLimit(amount=Decimal(100)), drawdown=LossLimit(amount=Decimal(100)))
    one.update(Decimal(0), EQUITY, NOON)
    one.update(Decimal(-100), EQUITY, NOON + 1)
    one.update(Decimal(500), EQUITY, NOON + 2)
    assert one.reached(Code.DAILY_LOSS)
    assert one.reached(Code.DRAWDOWN)


def test_drawdown_outlives_days_and_a_restart_and_ends_with_the_operator() -> None:
    one = watch(drawdown=LossLimit(amount=Decimal(100)))
    one.update(Decimal(300), EQUITY, NOON)
    one = watch(drawdown=LossLimit(amount=Decimal(100)), state=one.state)
    one.update(Decimal(200), EQUITY, NOON + 3 * DAY_NS)
    assert one.reached(Code.DRAWDOWN), "the peak was kept"
    again = watch(drawdown=LossLimit(amount=Decimal(100)), state=one.state)
    assert again.reached(Code.DRAWDOWN), "and that it was reached"
    again.begin_anew()
    again.update(Decimal(150), EQUITY, NOON + 3 * DAY_NS + 1)
    assert again.reached(Code.DRAWDOWN) == ""
    again.update(Decimal(100), EQUITY, NOON + 3 * DAY_NS + 2)
    assert again.reached(Code.DRAWDOWN)


@pytest.mark.parametrize(
    ("loss", "equity", "percent"),
    [("100", "900", "10"), ("1000", "0", "100"), ("50", "-10", "100"), ("0", "1000", "0")],
)
def test_percent_is_of_the_equity_before_the_loss(loss: str, equity: str, percent: str) -> None:
    one = watch()
    one.update(Decimal(0), Decimal(1000), NOON)
    one.update(-Decimal(loss), Decimal(equity), NOON + 1)
    assert one.losses[Code.DRAWDOWN].percent == Decimal(percent)


def test_message_says_number_limit_and_fix() -> None:
    one = watch(drawdown=LossLimit(percent=Decimal(10)))
    one.update(Decimal(0), Decimal(1000), NOON)
    one.update(Decimal(-125), Decimal(875), NOON + 1)
    message = one.reached(Code.DRAWDOWN)
    for part in ("12.5", "10 %", "resume", "risk.drawdown.percent"):
        assert part in message


@given(st.lists(money, min_size=1, max_size=40), st.integers(0, 39))
def test_a_restart_anywhere_changes_nothing(profits: list[Decimal], cut: int) -> None:
    limits = LossLimit(amount=Decimal(500)), LossLimit(percent=Decimal(7))
    whole, parts = watch(*limits), watch(*limits)
    for index, profit in enumerate(profits):
        now_ns = NOON + index * DAY_NS // 7
        if index == cut:
            parts = watch(*limits, parts.state)
        whole.update(profit, EQUITY, now_ns)
        parts.update(profit, EQUITY, now_ns)
        assert parts.state == whole.state
        assert parts.losses == whole.losses


@given(st.lists(money, min_size=1, max_size=40))
def test_drawdown_is_the_distance_from_the_highest_profit_seen(profits: list[Decimal]) -> None:
    one = watch()
    for index, profit in enumerate(profits):
        one.update(profit, EQUITY, NOON + index)
        assert one.losses[Code.DRAWDOWN].amount == max(profits[: index + 1]) - profit
