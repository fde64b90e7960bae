"""The latency board: windows that move on, totals that stay, nothing shown that was not measured."""

from opensqt.domain.clock import NS_PER_S, ManualClock
from opensqt.domain.latency import HOP_TEXTS, WINDOW_NS, Hop, LatencyBoard
from opensqt.proto import latency_pb2


def test_every_hop_is_explained() -> None:
    assert set(HOP_TEXTS) == set(Hop)


def test_hops_come_in_the_order_of_the_way_and_only_when_measured() -> None:
    board = LatencyBoard((Hop.SEND, Hop.VENUE, Hop.DECODE), ManualClock().monotonic_ns)
    board.recorder(Hop.SEND)(5)
    board.recorder(Hop.VENUE)(7)
    assert [one.hop for one in board.summaries()] == [Hop.VENUE, Hop.SEND]


def test_figures_of_one_hop() -> None:
    board = LatencyBoard(Hop, ManualClock().monotonic_ns)
    record = board.recorder(Hop.DECIDE)
    for value in range(1, 1001):
        record(value * 1_000)
    (found,) = board.summaries()
    assert found.count == 1_000
    assert abs(found.p50_ns - 500_000) <= 5_000
    assert abs(found.p99_ns - 990_000) <= 10_000
    assert abs(found.p999_ns - 999_000) <= 10_000
    assert found.max_ns == 1_000_000


def test_what_is_older_than_two_windows_is_only_in_the_total() -> None:
    clock = ManualClock()
    board = LatencyBoard(Hop, clock.monotonic_ns)
    record = board.recorder(Hop.SEND)
    record(10)
    clock.advance(WINDOW_NS)
    board.roll()
    record(20)
    assert board.summaries()[0].count == 2, "the window before counts as well"
    clock.advance(WINDOW_NS)
    board.roll()
    assert [one.max_ns for one in board.summaries()] == [20]
    assert board.summaries(since_start=True)[0].count == 2
    clock.advance(WINDOW_NS - 1)
    board.roll()
    assert board.summaries()[0].count == 1, "a window is not over before its time"


def test_answer_says_how_much_time_it_covers() -> None:
    clock = ManualClock()
    board = LatencyBoard(Hop, clock.monotonic_ns)
    clock.advance(5 * NS_PER_S)
    assert board.response(latency_pb2.GetLatencyRequest()).window_ms == 5_000
    clock.advance(WINDOW_NS)
    board.roll()
    clock.advance(WINDOW_NS)
    board.roll()
    clock.advance(10 * NS_PER_S)
    assert board.response(latency_pb2.GetLatencyRequest()).window_ms == 70_000
    assert board.response(latency_pb2.GetLatencyRequest(since_start=True)).window_ms == 135_000
