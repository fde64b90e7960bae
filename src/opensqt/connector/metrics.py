"""What the connector shows to Prometheus: read from its state when asked, so nothing is counted on the order path."""

from collections.abc import Iterator
from typing import final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from opensqt.connector.certificates import CertificateWatch
from opensqt.connector.core import ConnectorCore
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.market import BookValidity


@final
class ConnectorCollector(Collector):
    """Collects one core's figures. Labels are symbols, limits and hosts we serve, so they are bounded."""

    def __init__(self, core: ConnectorCore, certificates: CertificateWatch) -> None:
        self._core = core
        self._certificates = certificates

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of now."""
        core = self._core
        now_ns = core.clock.monotonic_ns()
        valid = GaugeMetricFamily("opensqt_book_valid", "1 while a book may price", labels=["symbol"])
        age = GaugeMetricFamily("opensqt_book_age_ms", "Since the last market data, by symbol", labels=["symbol"])
        open_orders = GaugeMetricFamily("opensqt_open_orders", "Open orders, by symbol", labels=["symbol"])
        for symbol, feed in list(core.feeds.items()):
            valid.add_metric([symbol], float(feed.validity is BookValidity.VALID))
            age.add_metric([symbol], (core.clock.now_ns() - feed.last_receive_ns) / NS_PER_MS)
            open_orders.add_metric([symbol], core.mirror.open_count(symbol))
        yield from (valid, age, open_orders)
        for name, text, value in (
            ("opensqt_commands_in_flight", "Commands that wait for the venue's answer", core.gateway.in_flight_count),
            ("opensqt_orders_unknown", "Placements of unknown outcome", len(core.gateway.unsettled)),
            ("opensqt_trade_streams", "Engines attached", len(core.trade)),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        used = GaugeMetricFamily("opensqt_rate_used", "Used of a venue's limit", labels=["scope", "window"])
        limit = GaugeMetricFamily("opensqt_rate_limit", "A venue's limit", labels=["scope", "window"])
        for use in core.budget.usage(now_ns):
            used.add_metric([use.window.scope, use.window.name], use.used)
            limit.add_metric([use.window.scope, use.window.name], use.window.limit)
        yield from (used, limit)
        name, text = "opensqt_certificate_expiry_timestamp_seconds", "When a host's TLS certificate runs out"
        expiry = GaugeMetricFamily(name, text, labels=["host"])
        for host, expires_s in list(self._certificates.expires_s.items()):
            expiry.add_metric([host], expires_s)
        yield expiry
