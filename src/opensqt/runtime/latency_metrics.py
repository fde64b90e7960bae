"""Latency histograms for Prometheus: read when asked, so that measuring costs nothing more."""

from collections.abc import Iterator
from typing import final

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from opensqt.domain.clock import NS_PER_S
from opensqt.domain.latency import LatencyBoard

BOUNDS_S = (
    0.000_005,
    0.000_01,
    0.000_025,
    0.000_05,
    0.000_1,
    0.000_25,
    0.000_5,
    0.001,
    0.002_5,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    5.0,
)


@final
class LatencyCollector(Collector):
    """Shows one board. The label is the hop, so the number of series is fixed.

    Args:
        service: whose board it is; part of the metric's name, since one process may be home to two services.
        board: what is shown.
    """

    def __init__(self, service: str, board: LatencyBoard) -> None:
        self._name = f"opensqt_{service}_latency_seconds"
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """Yield the histograms of everything since the start."""
        family = HistogramMetricFamily(self._name, "Latency of every part of the way", labels=["hop"])
        bounds_ns = [round(bound * NS_PER_S) for bound in BOUNDS_S]
        for hop, histogram in self._board.histograms():
            counts = histogram.buckets(bounds_ns)
            buckets = [(repr(bound), float(count)) for bound, count in zip(BOUNDS_S, counts, strict=True)]
            buckets.append(("+Inf", float(histogram.count)))
            family.add_metric([hop.value], buckets, sum_value=histogram.sum_ns / NS_PER_S)
        yield family
