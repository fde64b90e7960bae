"""Histogram: recording, quantiles, Prometheus buckets, and what it refuses."""

import pytest

from opensqt._core.histogram import Histogram, HistogramError


def filled(*values: int) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_an_empty_histogram_has_no_quantile() -> None:
    histogram = Histogram()
    assert (histogram.count, histogram.sum_ns, histogram.min, histogram.max) == (0, 0, None, None)
    assert histogram.quantile(0.5) is None
    assert histogram.buckets([1, 10]) == [0, 0]


def test_small_values_are_exact() -> None:
    histogram = filled(*range(1, 101))
    assert [histogram.quantile(q) for q in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert histogram.sum_ns == 5050


def test_large_values_are_within_one_percent() -> None:
    histogram = filled(*(n * 1_000_000 for n in range(1, 1001)))
    assert histogram.quantile(0.99) == pytest.approx(990_000_000, rel=0.01)
    assert histogram.max == 1_000_000_000


def test_a_clock_that_stepped_back_counts_as_zero() -> None:
    histogram = filled(-5, 2**80)
    assert (histogram.min, histogram.max) == (0, 2**63 - 1)


def test_the_sum_does_not_wrap() -> None:
    assert filled(*[2**63 - 1] * 5).sum_ns == 5 * (2**63 - 1)


def test_buckets_are_cumulative() -> None:
    histogram = filled(5, 50, 50, 5_000)
    assert histogram.buckets([10, 100, 1_000, 10_000]) == [1, 3, 3, 4]


def test_reset_forgets_everything() -> None:
    histogram = filled(1, 2, 3)
    histogram.reset()
    assert (histogram.count, histogram.sum_ns, histogram.quantile(1.0)) == (0, 0, None)


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_a_quantile_outside_zero_to_one_is_refused(q: float) -> None:
    with pytest.raises(HistogramError, match="quantile"):
        filled(1).quantile(q)


def test_bounds_must_ascend() -> None:
    with pytest.raises(HistogramError, match="ascend"):
        filled(1).buckets([10, 10])


def test_floats_are_not_nanoseconds() -> None:
    with pytest.raises(TypeError):
        Histogram().record(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"OSH1", b"OSH2" + b"\x00" * 60, Histogram().to_bytes() + b"x"])
def test_foreign_or_torn_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(HistogramError):
        Histogram.from_bytes(data)
