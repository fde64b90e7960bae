"""Collar, liquidation distance, jumps, rates, clocks, stalls, settings: each rule alone."""

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.domain.account import Position
from opensqt.domain.market import MarkPrice
from opensqt.domain.order import Side
from opensqt.engine.risk.clock_skew import NEEDED, WINDOW_NS, ClockWatch
from opensqt.engine.risk.collar import beyond_collar
from opensqt.engine.risk.config import JumpFilter
from opensqt.engine.risk.jumps import WARM_MOVES, JumpWatch
from opensqt.engine.risk.liquidation import is_too_near, liquidation_distance_percent
from opensqt.engine.risk.rates import RateMeter
from opensqt.engine.risk.settings import changed_settings
from opensqt.engine.risk.stalls import StallDetector

SECOND = 1_000_000_000
MS = 1_000_000
SYMBOL = "ETH/USDT:USDT"


def mark(price: str, index: str = "0") -> MarkPrice:
    return MarkPrice(
        symbol=SYMBOL,
        mark_price=Decimal(price),
        index_price=Decimal(index),
        funding_rate=Decimal(0),
        next_funding_time_ms=0,
        venue_time_ns=0,
    )


# ---- collar ----


@pytest.mark.parametrize(
    ("side", "price", "is_beyond"),
    [
        (Side.BUY, "3150.00", False),
        (Side.BUY, "3150.01", True),
        (Side.BUY, "1", False),
        (Side.SELL, "2850.00", False),
        (Side.SELL, "2849.99", True),
        (Side.SELL, "99999", False),
    ],
)
def test_collar_bounds_only_the_side_that_reaches_through_the_mark(side: Side, price: str, is_beyond: bool) -> None:
    assert bool(beyond_collar(side, Decimal(price), mark("3000"), 500)) is is_beyond


def test_collar_holds_against_mark_and_index() -> None:
    assert beyond_collar(Side.BUY, Decimal(3100), mark("3000", "2900"), 500), "6.9 % above the index"
    assert not beyond_collar(Side.BUY, Decimal(3100), mark("3000"), 500), "no index is known"
    assert not beyond_collar(Side.BUY, Decimal(3100), None, 500)


# ---- liquidation ----


def position(lots: int, liquidation: str) -> Position:
    return Position(symbol=SYMBOL, lots=lots, liquidation_price=Decimal(liquidation))


def test_liquidation_distance_is_counted_on_the_side_of_the_position() -> None:
    assert liquidation_distance_percent(position(10, "2700"), Decimal(3000)) == 10
    assert liquidation_distance_percent(position(-10, "3300"), Decimal(3000)) == 10
    assert liquidation_distance_percent(position(10, "3100"), Decimal(3000)) == 0
    assert liquidation_distance_percent(position(0, "2700"), Decimal(3000)) is None
    assert liquidation_distance_percent(position(10, "0"), Decimal(3000)) is None


def test_liquidation_limit_clears_only_a_fifth_above_it() -> None:
    limit = Decimal(10)
    assert is_too_near(Decimal("9.99"), limit, was_too_near=False)
    assert not is_too_near(Decimal(10), limit, was_too_near=False)
    assert is_too_near(Decimal("11.99"), limit, was_too_near=True)
    assert not is_too_near(Decimal(12), limit, was_too_near=True)
    assert not is_too_near(Decimal(1), Decimal(0), was_too_near=False)


# ---- jumps ----


def calm(watch: JumpWatch, *, price2: int = 600_000, moves: int = WARM_MOVES, size: int = 60) -> int:
    """Feed moves of one basis point; returns the time after them."""
    for index in range(moves + 1):
        assert not watch.see(price2 + (index % 2) * size, index * SECOND)
    return (moves + 1) * SECOND


def test_a_move_of_many_deviations_is_a_jump_and_holds_for_its_time() -> None:
    watch = JumpWatch(JumpFilter(sigmas=10, min_bps=5, hold_ms=2_000))
    now = calm(watch)
    assert 5 < watch.threshold_bps < 15
    assert watch.see(600_000 + 1_200, now)
    assert watch.calm_at_ns == now + 2 * SECOND
    assert not watch.see(600_000 + 1_200, now + MS), "the new price is the reference"


def test_a_spike_that_snaps_back_is_two_jumps() -> None:
    watch = JumpWatch(JumpFilter(sigmas=10, min_bps=50))
    now = calm(watch)
    assert watch.see(660_000, now)
    assert watch.see(600_000, now + 100 * MS)


def test_a_wild_market_needs_larger_moves() -> None:
    quiet, wild = JumpWatch(JumpFilter(sigmas=10, min_bps=1)), JumpWatch(JumpFilter(sigmas=10, min_bps=60))
    calm(quiet, size=6)
    calm(wild, size=3_000)
    assert wild.threshold_bps > 20 * quiet.threshold_bps


def test_before_enough_moves_the_least_size_decides() -> None:
    watch = JumpWatch(JumpFilter(sigmas=10, min_bps=100))
    assert not watch.see(600_000, 0)
    assert not watch.see(605_000, MS)
    assert watch.see(606_500, 2 * MS)


def test_a_slow_move_of_any_size_is_no_jump() -> None:
    watch = JumpWatch(JumpFilter(sigmas=10, min_bps=100))
    price2 = 600_000
    for second in range(200):
        assert not watch.see(price2, second * SECOND)
        price2 += price2 // 200  # half a percent per second, a doubling in two minutes
    assert price2 > 1_200_000


def test_after_a_hole_in_the_data_the_next_price_is_compared_with_nothing() -> None:
    watch = JumpWatch(JumpFilter())
    watch.see(600_000, 0)
    watch.forget_reference()
    assert not watch.see(900_000, SECOND)


def test_zero_sigmas_turn_the_filter_off() -> None:
    watch = JumpWatch(JumpFilter(sigmas=0))
    assert not watch.see(600_000, 0)
    assert not watch.see(6_000_000, 1)
    assert not watch.is_bad_print(1, 300_000, 300_010)


def test_a_trade_far_outside_of_the_book_is_a_bad_print() -> None:
    watch = JumpWatch(JumpFilter(min_bps=100))
    assert not watch.is_bad_print(299_000, 300_000, 300_010)
    assert not watch.is_bad_print(303_000, 300_000, 300_010)
    assert watch.is_bad_print(296_000, 300_000, 300_010)
    assert watch.is_bad_print(304_000, 300_000, 300_010)


@given(st.integers(0, 2**32), st.integers(1, 20))
def test_gaussian_moves_stay_below_twelve_sigmas(seed: int, scale: int) -> None:
    random, watch, price2 = Random(seed), JumpWatch(JumpFilter(sigmas=12, min_bps=50)), 600_000.0
    for second in range(120):
        assert not watch.see(int(price2), second * SECOND)
        price2 *= 1 + max(-3.0, min(3.0, random.gauss(0, 1))) * scale / 10_000 / 2


# ---- rates ----


@given(st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(0, 400)), max_size=60))
def test_rate_meter_counts_what_a_list_counts(events: list[tuple[Side, int]]) -> None:
    meter, log, now = RateMeter(), [], 0
    for side, gap_ms in events:
        now += gap_ms * MS
        meter.add(side, now)
        log.append((side, now))
        for one in Side:
            expected = sum(1 for which, time in log if which is one and time > now - SECOND)
            assert meter.per_second(one, now) == expected
        assert meter.busiest(now) == max(meter.per_second(one, now) for one in Side)


# ---- clocks ----


def test_skew_is_known_after_a_few_messages_and_is_the_smallest_difference() -> None:
    watch = ClockWatch()
    assert watch.skew_ns is None
    for index, delay_ms in enumerate((40, 5, 300), start=1):
        watch.see(SECOND * index, SECOND * index + (20 + delay_ms) * MS)
    assert NEEDED == 3
    assert watch.skew_ns == 25 * MS


def test_a_venue_ahead_of_us_shows_as_negative() -> None:
    watch = ClockWatch()
    for index in range(3):
        watch.see((index + 2) * SECOND, index * SECOND + 10 * MS)
    assert watch.skew_ns == -2 * SECOND + 10 * MS


def test_old_differences_are_forgotten_after_two_windows() -> None:
    watch = ClockWatch()
    for index in range(3):
        watch.see(SECOND, SECOND + index * MS)
    later = 3 * WINDOW_NS
    for index in range(3):
        watch.see(later - SECOND, later + index * MS)
    assert watch.skew_ns == SECOND


@given(st.integers(-5_000, 5_000), st.lists(st.integers(0, 2_000), min_size=3, max_size=50))
def test_skew_is_never_below_the_truth(offset_ms: int, delays_ms: list[int]) -> None:
    watch = ClockWatch()
    for index, delay_ms in enumerate(delays_ms):
        venue_ns = 10 * SECOND + index * 10 * MS
        watch.see(venue_ns, venue_ns + (offset_ms + delay_ms) * MS)
    assert watch.skew_ns is not None
    assert offset_ms * MS <= watch.skew_ns <= (offset_ms + max(delays_ms)) * MS


# ---- stalls ----


def test_a_gap_between_turns_is_a_stall_once() -> None:
    stalls = StallDetector(2_000)
    assert stalls.check(5 * SECOND) == 0, "there was no turn before"
    assert stalls.check(7 * SECOND) == 0
    assert stalls.check(9 * SECOND + 1) == 2 * SECOND + 1
    assert stalls.check(9 * SECOND + 2) == 0
    assert stalls.stalls == 1


def test_sleep_that_the_monotonic_clock_leaves_out_counts() -> None:
    stalls = StallDetector(2_000)
    stalls.check(SECOND, 100)
    assert stalls.check(SECOND + MS, 100 + 10 * SECOND) == 10 * SECOND + MS
    assert stalls.check(SECOND + 2 * MS, 100 + 10 * SECOND) == 0


# ---- settings ----


def test_settings_that_differ_are_named_with_both_values() -> None:
    held = Position(symbol=SYMBOL, lots=1, leverage=20, margin_type="isolated")
    message = changed_settings(held, 5, "cross")
    for part in ("leverage is 20, configured is 5", "margin mode is isolated, configured is cross"):
        assert part in message
    assert changed_settings(held, 20, "isolated") == ""


def test_unknown_settings_are_no_difference() -> None:
    assert changed_settings(Position(symbol=SYMBOL, lots=0, leverage=0), 5, "isolated") == ""
