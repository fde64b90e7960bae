"""The venue's clock by the shortest round trip; the dead-man switch by who is heard of."""

import pytest

from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.connector.venues.binance.clock_watch import ClockWatch
from opensqt.connector.venues.binance.dead_man import RETRY_NS, Countdown, DeadMan
from opensqt.connector.venues.binance.routes import RouteBoard
from opensqt.connector.venues.binance.stream import Route
from opensqt.domain.clock import NS_PER_MS, NS_PER_S

VENUE_NS = 1_700_000_000 * NS_PER_S


def sample(sync: ClockSync, sent_ns: int, there_ns: int, back_ns: int) -> None:
    sync.add(sent_ns, sent_ns + there_ns + back_ns, (VENUE_NS + sent_ns + there_ns) // NS_PER_MS)


def test_shortest_round_trip_wins_and_the_truth_is_within_its_error() -> None:
    sync = ClockSync()
    sample(sync, 0, 200 * NS_PER_MS, 10 * NS_PER_MS)
    sample(sync, NS_PER_S, 2 * NS_PER_MS, 2 * NS_PER_MS)
    sample(sync, 2 * NS_PER_S, 5 * NS_PER_MS, 300 * NS_PER_MS)
    now_ns = 3 * NS_PER_S
    assert abs(sync.offset_ns(now_ns) - VENUE_NS) <= sync.error_ns(now_ns) < 4 * NS_PER_MS


@pytest.mark.parametrize(("there_ms", "back_ms"), [(0, 80), (80, 0), (40, 40)])
def test_requests_are_never_stamped_ahead_of_the_venue(there_ms: int, back_ms: int) -> None:
    sync = ClockSync()
    sample(sync, 0, there_ms * NS_PER_MS, back_ms * NS_PER_MS)
    now_ns = 100 * NS_PER_MS
    assert sync.stamp_ms(now_ns) <= (VENUE_NS + now_ns) // NS_PER_MS
    assert sync.stamp_ms(now_ns) >= (VENUE_NS + now_ns) // NS_PER_MS - 82


def test_old_samples_lose_trust() -> None:
    sync = ClockSync()
    sample(sync, 0, NS_PER_MS, NS_PER_MS)
    early = sync.error_ns(NS_PER_S)
    assert sync.error_ns(1_000 * NS_PER_S) - early == pytest.approx(999 * NS_PER_S * 50e-6)


def test_nothing_is_known_before_the_first_sample_and_after_forgetting() -> None:
    sync = ClockSync()
    assert not sync.is_known
    sample(sync, 0, 1, 1)
    sync.forget()
    with pytest.raises(ValueError, match="not known"):
        sync.venue_ns(0)


def test_sample_that_the_others_cannot_explain_replaces_them_and_says_by_how_much() -> None:
    sync = ClockSync()
    for second in range(5):
        sample(sync, second * NS_PER_S, NS_PER_MS, NS_PER_MS)
    stepped_ms = (VENUE_NS + 6 * NS_PER_S) // NS_PER_MS - 3_000
    skew_ns = sync.add(6 * NS_PER_S, 6 * NS_PER_S + 2 * NS_PER_MS, stepped_ms)
    assert 2_990 * NS_PER_MS < skew_ns < 3_000 * NS_PER_MS
    assert abs(sync.offset_ns(7 * NS_PER_S) - VENUE_NS + 3_000 * NS_PER_MS) <= sync.error_ns(7 * NS_PER_S)


def test_servers_of_a_venue_may_differ_a_little_without_ending_the_estimate() -> None:
    sync = ClockSync()
    sample(sync, 0, NS_PER_MS, NS_PER_MS)
    best = sync.offset_ns(NS_PER_S)
    other_ms = (VENUE_NS + NS_PER_S) // NS_PER_MS + 15
    assert sync.add(NS_PER_S, NS_PER_S + 40 * NS_PER_MS, other_ms) == 0
    assert sync.offset_ns(2 * NS_PER_S) == best


def watch() -> tuple[ClockWatch, ClockSync]:
    sync = ClockSync()
    sample(sync, 0, NS_PER_MS, NS_PER_MS)
    return ClockWatch(sync, 5_000, 0), sync


def test_f26_refused_time_stops_opening_until_the_clock_is_measured_again() -> None:
    clock, _ = watch()
    assert clock.problem(NS_PER_S) == ""
    assert not clock.is_due(20 * NS_PER_S)
    clock.refused()
    assert "clock skew" in clock.problem(20 * NS_PER_S)
    assert clock.is_due(20 * NS_PER_S)
    clock.begin(20 * NS_PER_S)
    assert not clock.is_due(21 * NS_PER_S), "not more often than needed"
    assert clock.is_due(22 * NS_PER_S)
    clock.measured(0)
    assert clock.problem(22 * NS_PER_S) == ""
    assert not clock.is_due(23 * NS_PER_S)


def test_f26_skew_beyond_a_quarter_of_the_receive_window_stops_opening_until_a_second_measurement_agrees() -> None:
    clock, _ = watch()
    clock.begin(30 * NS_PER_S)
    clock.measured(1_250 * NS_PER_MS)
    assert clock.problem(30 * NS_PER_S) == ""
    clock.measured(1_251 * NS_PER_MS)
    assert "1251 ms" in clock.problem(30 * NS_PER_S)
    assert clock.is_due(32 * NS_PER_S)
    clock.measured(0)
    assert clock.problem(32 * NS_PER_S) == ""


def test_f26_clock_that_could_not_be_measured_for_long_stops_opening() -> None:
    clock, sync = watch()
    later_ns = 30_000 * NS_PER_S
    assert sync.error_ns(later_ns) > 1_250 * NS_PER_MS
    assert "are needed" in clock.problem(later_ns)


def test_bad_clock_counts_as_a_market_that_is_down_and_says_why() -> None:
    board = RouteBoard()
    for route in Route:
        status = board.set(route, True, "")
    assert status.market_stream_up
    status = board.set_clock("clock skew: 2000 ms")
    assert (status.market_stream_up, status.private_stream_up, status.reason) == (False, True, "clock skew: 2000 ms")
    status = board.set_clock("")
    assert (status.market_stream_up, status.reason) == (True, "")


def test_countdown_is_set_again_every_third_of_its_time_while_all_is_well() -> None:
    switch = DeadMan(30_000)
    sent = []
    for now_s in range(60):
        for countdown in switch.due({"a"}, {"a"}, now_s * NS_PER_S):
            switch.done(countdown, now_s * NS_PER_S)
            sent.append(now_s)
    assert sent == [0, 10, 20, 30, 40, 50]
    assert switch.armed(60 * NS_PER_S) == {"a"}


def test_silent_engine_or_bad_book_lets_the_countdown_run_out() -> None:
    switch = DeadMan(30_000)
    switch.done(switch.due({"a"}, {"a"}, 0)[0], 0)
    assert switch.due((), {"a"}, 20 * NS_PER_S) == []
    assert switch.armed(31 * NS_PER_S) == frozenset()


def test_engine_that_took_its_leave_has_its_countdown_stopped() -> None:
    switch = DeadMan(30_000)
    switch.done(switch.due({"a"}, {"a"}, 0)[0], 0)
    (stop,) = switch.due((), (), 11 * NS_PER_S)
    assert stop == Countdown("a", 0)
    switch.done(stop, 11 * NS_PER_S)
    assert switch.armed(12 * NS_PER_S) == frozenset()
    assert switch.due((), (), 40 * NS_PER_S) == []


def test_refusal_is_tried_again_soon_and_never_twice_at_once() -> None:
    switch = DeadMan(30_000)
    (countdown,) = switch.due({"a"}, {"a"}, 0)
    assert switch.due({"a"}, {"a"}, NS_PER_S) == []
    switch.failed(countdown, NS_PER_S)
    assert switch.due({"a"}, {"a"}, NS_PER_S) == []
    assert switch.due({"a"}, {"a"}, NS_PER_S + RETRY_NS) == [countdown]


def test_switch_that_is_not_used_is_never_set() -> None:
    assert DeadMan(0).due({"a"}, {"a"}, 0) == []
