"""Cancels always have room; the venue's own count and its bans are believed."""

import pytest

from opensqt.connector.rate_budget import Lane, RateBudget, RateWindow
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, LimitError

WINDOW = RateWindow(scope="account", name="orders_10s", interval_ms=10_000, limit=100, cancel_reserve=20)


def spend(budget: RateBudget, lane: Lane, now_ns: int = 0) -> int:
    count = 0
    while True:
        try:
            budget.take(lane, now_ns)
        except LimitError:
            return count
        count += 1


def test_a_storm_of_new_orders_leaves_the_reserve_to_cancels() -> None:
    budget = RateBudget([WINDOW])
    assert spend(budget, Lane.NEW) == 76
    assert spend(budget, Lane.AMEND) == 4
    assert spend(budget, Lane.CANCEL) == 20


def test_refusal_says_when_to_come_back_and_the_next_interval_is_fresh() -> None:
    budget = RateBudget([WINDOW])
    spend(budget, Lane.CANCEL, 2_000 * NS_PER_MS)
    with pytest.raises(LimitError) as raised:
        budget.take(Lane.NEW, 2_500 * NS_PER_MS)
    assert raised.value.reason is ErrorReason.RATE_LIMITED
    assert raised.value.retry_after_ms == 7_500
    budget.take(Lane.NEW, 10_000 * NS_PER_MS)


def test_the_venues_own_count_is_believed_when_it_is_higher() -> None:
    budget = RateBudget([WINDOW])
    budget.feed("orders_10s", 75, 0)
    assert spend(budget, Lane.NEW) == 1
    budget.feed("orders_10s", 3, 0)
    assert budget.usage(0)[0].used == 76


def test_nothing_passes_while_the_circuit_is_open() -> None:
    budget = RateBudget([WINDOW])
    budget.open_circuit(5_000 * NS_PER_MS, "418 by the venue")
    with pytest.raises(LimitError) as raised:
        budget.take(Lane.CANCEL, 1_000 * NS_PER_MS)
    assert raised.value.reason is ErrorReason.IP_BANNED
    assert raised.value.retry_after_ms == 4_000
    assert budget.circuit(1_000 * NS_PER_MS)[1] == "418 by the venue"
    budget.take(Lane.CANCEL, 5_000 * NS_PER_MS)
    assert budget.circuit(5_000 * NS_PER_MS) == (0, "")


WEIGHT = RateWindow(scope="ip", name="weight_1m", interval_ms=60_000, limit=100, cancel_reserve=15, orders_only=False)


def test_a_request_is_charged_what_it_costs_in_each_window() -> None:
    budget = RateBudget([WEIGHT, WINDOW])
    budget.take(Lane.QUERY, 0, {"weight_1m": 20})
    budget.take(Lane.NEW, 0, {"orders_10s": 5})
    assert [use.used for use in budget.usage(0)] == [20, 5]


def test_a_request_that_does_not_fit_one_window_is_charged_in_none() -> None:
    budget = RateBudget([WEIGHT, WINDOW])
    with pytest.raises(LimitError):
        budget.take(Lane.NEW, 0, {"weight_1m": 1, "orders_10s": 77})
    assert [use.used for use in budget.usage(0)] == [0, 0]


def test_windows_turn_with_the_venues_clock() -> None:
    budget = RateBudget([WINDOW])
    budget.align(7_000 * NS_PER_MS)
    budget.take(Lane.NEW, 0)
    assert budget.usage(2_999 * NS_PER_MS)[0].used == 1
    assert budget.usage(3_000 * NS_PER_MS)[0].used == 0


def test_cancels_pass_an_overrun_limit_but_not_a_ban() -> None:
    budget = RateBudget([WINDOW])
    budget.open_circuit(5_000, "429", cancels_pass=True)
    budget.take(Lane.CANCEL, 0)
    with pytest.raises(LimitError) as raised:
        budget.take(Lane.AMEND, 0)
    assert raised.value.reason is ErrorReason.RATE_LIMITED
    budget.open_circuit(4_000, "418")
    with pytest.raises(LimitError):
        budget.take(Lane.CANCEL, 0)
    assert budget.circuit(4_500) == (500, "429")


def test_new_limits_keep_what_was_counted() -> None:
    budget = RateBudget([WINDOW])
    budget.take(Lane.NEW, 0)
    bigger = RateWindow(scope="account", name="orders_10s", interval_ms=10_000, limit=500)
    budget.replace_windows([bigger, WEIGHT])
    assert [(use.window.limit, use.used) for use in budget.usage(0)] == [(500, 1), (100, 0)]
