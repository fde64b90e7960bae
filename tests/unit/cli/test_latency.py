"""`opensqt latency`: figures in the unit a person would choose, and in ns for programs."""

import pytest

from opensqt.cli.latency import as_dict, duration_text
from opensqt.proto import latency_pb2


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0 ns"), (950, "950 ns"), (1_234, "1.23 us"), (85_400, "85.4 us"), (2_000_000, "2 ms"), (3 * 10**9, "3 s")],
)
def test_durations_have_three_digits_and_a_unit(ns: int, text: str) -> None:
    assert duration_text(ns) == text


def test_programs_get_nanoseconds() -> None:
    answer = latency_pb2.GetLatencyResponse(
        window_ms=90_000,
        hops=[latency_pb2.HopLatency(hop="send", count=3, p50_ns=1, p99_ns=2, p999_ns=3, max_ns=4)],
    )
    assert as_dict(answer) == {
        "window_ms": 90_000,
        "hops": {"send": {"count": 3, "p50_ns": 1, "p99_ns": 2, "p999_ns": 3, "max_ns": 4}},
    }
