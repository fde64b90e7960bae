"""The histogram agrees with a sorted list: exactly in count, sum, min and max, within 1 % in quantiles."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.histogram_model import ModelHistogram

from opensqt._core.histogram import Histogram, HistogramError

PRECISION = 0.01
latencies = st.integers(-10, 600) | st.integers(0, 10**9) | st.integers(0, 2**63 - 1)
samples = st.lists(latencies, max_size=200)


def both(values: list[int]) -> tuple[Histogram, ModelHistogram]:
    kernel, model = Histogram(), ModelHistogram()
    for value in values:
        kernel.record(value)
        model.record(value)
    return kernel, model


def state(histogram: Histogram) -> tuple[object, ...]:
    quantiles = [histogram.quantile(q) for q in (0.0, 0.25, 0.5, 0.9, 0.999, 1.0)]
    return histogram.count, histogram.sum_ns, histogram.min, histogram.max, quantiles


@given(values=samples)
def test_count_sum_and_extremes_are_exact(values: list[int]) -> None:
    kernel, model = both(values)
    assert kernel.count == len(values)
    assert kernel.sum_ns == sum(model.values)
    assert kernel.min == min(model.values, default=None)
    assert kernel.max == max(model.values, default=None)


@given(values=samples.filter(bool), q=st.floats(0, 1))
def test_quantiles_are_within_one_percent(values: list[int], q: float) -> None:
    kernel, model = both(values)
    exact, found = model.quantile(q), kernel.quantile(q)
    assert exact is not None
    assert found is not None
    assert abs(found - exact) <= PRECISION * exact


@given(values=samples, bounds=st.lists(st.integers(0, 2**63 - 1), unique=True, max_size=8).map(sorted))
def test_cumulative_buckets_are_within_one_percent_of_their_bounds(values: list[int], bounds: list[int]) -> None:
    kernel, model = both(values)
    for bound, counted in zip(bounds, kernel.buckets(bounds), strict=True):
        assert model.count_up_to(bound * (1 - PRECISION)) <= counted <= model.count_up_to(bound * (1 + PRECISION))


@given(left=samples, right=samples)
def test_merging_equals_recording_both(left: list[int], right: list[int]) -> None:
    merged, _ = both(left)
    merged.merge(both(right)[0])
    assert state(merged) == state(both(left + right)[0])


@given(values=samples)
def test_serialising_keeps_everything(values: list[int]) -> None:
    kernel, _ = both(values)
    assert state(Histogram.from_bytes(kernel.to_bytes())) == state(kernel)
    assert state(pickle.loads(pickle.dumps(kernel))) == state(kernel)


@given(data=st.binary(max_size=120), values=samples, at=st.integers(0, 200))
def test_any_bytes_restore_or_raise_the_documented_error(data: bytes, values: list[int], at: int) -> None:
    good = both(values)[0].to_bytes()
    for damaged in (data, good[:at], good[:at] + data + good[at + len(data) :]):
        try:
            Histogram.from_bytes(damaged).quantile(0.5)
        except HistogramError:
            continue
        except BaseException as error:  # noqa: BLE001 - the promise is about every exception
            pytest.fail(f"{damaged!r} raised {error!r}")
