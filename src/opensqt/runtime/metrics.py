"""Prometheus metrics: one registry per process, served over HTTP when the configuration names a port."""

from collections.abc import Callable
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from opensqt.runtime.config_problems import ConfigError
from opensqt.runtime.config_types import MetricsConfig

REGISTRY = CollectorRegistry()

RPC_SECONDS_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


@final
class RpcMetrics:
    """Counts and durations of the calls gRPC servers answer; labels are bounded: our methods and status codes."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.handled = Counter(
            "opensqt_rpc_handled", "Calls answered, by method and status", ["method", "code"], registry=registry
        )
        self.seconds = Histogram(
            "opensqt_rpc_seconds",
            "Duration of unary calls, by method",
            ["method"],
            buckets=RPC_SECONDS_BUCKETS,
            registry=registry,
        )
        self.open_streams = Gauge(
            "opensqt_rpc_open_streams", "Streams that are open, by method", ["method"], registry=registry
        )


RPC_METRICS = RpcMetrics()
"""One for all servers of the process: a collector may be registered only once."""


def start_metrics_server(config: MetricsConfig, registry: CollectorRegistry = REGISTRY) -> Callable[[], None]:
    """Serve the registry on its own thread and return a function that stops it; does nothing without a port.

    Raises ConfigError when the port cannot be bound.
    """
    if config.port is None:
        return lambda: None
    try:
        server, thread = start_http_server(config.port, addr=config.host, registry=registry)
    except OSError as error:
        raise ConfigError.single(
            "metrics.port",
            config.port,
            f"{config.host}:{config.port} cannot be listened on ({error.strerror})",
            "choose another port, or leave `port` out",
        ) from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

    return stop
