"""What Prometheus may know about the web server; labels are bounded: our sources and channels."""

from collections.abc import Callable, Iterator, Mapping
from typing import final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from opensqt.live_server.broadcast import Admission, Group
from opensqt.live_server.sources import SourceBoard


@final
class ServerMetrics(Collector):
    """Read the server's own counters when asked: nothing is counted twice.

    Args:
        sources: state of the streams read.
        admission: connections admitted and refused.
        groups: listeners by channel.
    """

    def __init__(
        self, sources: SourceBoard, admission: Admission, groups: Mapping[str, Callable[[], list[Group]]]
    ) -> None:
        self._sources = sources
        self._admission = admission
        self._groups = groups

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield GaugeMetricFamily(
            "opensqt_live_server_clients", "WebSocket connections that are open", value=self._admission.count
        )
        yield CounterMetricFamily(
            "opensqt_live_server_refused",
            "WebSocket connections refused because of a limit",
            value=self._admission.refused_total,
        )
        listeners = GaugeMetricFamily("opensqt_live_server_listeners", "Listeners by channel", labels=["channel"])
        sent = CounterMetricFamily("opensqt_live_server_sent", "Messages queued for browsers", labels=["channel"])
        cut = CounterMetricFamily("opensqt_live_server_cut", "Browsers cut for being slow", labels=["channel"])
        for channel, groups in self._groups.items():
            listeners.add_metric([channel], sum(len(group) for group in groups()))
            sent.add_metric([channel], sum(group.sent_total for group in groups()))
            cut.add_metric([channel], sum(group.cut_total for group in groups()))
        yield from (listeners, sent, cut)
        up = GaugeMetricFamily("opensqt_live_server_source_up", "1 while the stream stands", labels=["source"])
        fresh = GaugeMetricFamily("opensqt_live_server_source_fresh", "1 while its data is fresh", labels=["source"])
        losses = CounterMetricFamily(
            "opensqt_live_server_source_losses", "Times a stream ended or could not start", labels=["source"]
        )
        for source, count in self._sources.reconnects().items():
            up.add_metric([source], float(self._sources.is_up(source)))
            fresh.add_metric([source], float(self._sources.is_fresh(source)))
            losses.add_metric([source], count)
        yield from (up, fresh, losses)


def server_registry(metrics: ServerMetrics) -> CollectorRegistry:
    """Return a registry of this server alone."""
    registry = CollectorRegistry()
    registry.register(metrics)
    return registry
