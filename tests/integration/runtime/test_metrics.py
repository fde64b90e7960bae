"""What servers count about the calls they answer, and that Prometheus can read it."""

from urllib.request import urlopen

import grpc
import pytest
from models.ports import free_port

from opensqt.domain.errors import ErrorReason, StateError
from opensqt.runtime.config import ConfigError, GrpcClientConfig, GrpcServerConfig, MetricsConfig
from opensqt.runtime.grpc_client import open_channel
from opensqt.runtime.metrics import REGISTRY, start_metrics_server


def handled(method: str, code: str) -> float:
    labels = {"method": f"/test.Probe/{method}", "code": code}
    return REGISTRY.get_sample_value("opensqt_rpc_handled_total", labels) or 0.0


async def test_calls_are_counted_by_method_and_status(serve_probe, probe_call):
    before = {code: handled("UnaryStream", code) for code in ("OK", "FAILED_PRECONDITION")}
    async with (
        serve_probe(GrpcServerConfig(port=0)) as (server, probe),
        open_channel(GrpcClientConfig(address=f"127.0.0.1:{server.bound_port}")) as channel,
    ):
        await probe_call(channel, "UnaryStream")
        probe.fail = StateError(ErrorReason.FENCED, "another engine runs")
        with pytest.raises(grpc.aio.AioRpcError):
            await probe_call(channel, "UnaryStream")
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary("/test.Probe/NobodyServesThis")(b"", timeout=5)
    assert handled("UnaryStream", "OK") == before["OK"] + 1
    assert handled("UnaryStream", "FAILED_PRECONDITION") == before["FAILED_PRECONDITION"] + 1
    assert handled("NobodyServesThis", "UNIMPLEMENTED") == 0
    assert REGISTRY.get_sample_value("opensqt_rpc_open_streams", {"method": "/test.Probe/UnaryStream"}) == 0


def test_prometheus_reads_them_over_http():
    port = free_port()
    stop = start_metrics_server(MetricsConfig(port=port))
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            assert b"opensqt_rpc_handled" in reply.read()
        with pytest.raises(ConfigError, match=r"metrics\.port"):
            start_metrics_server(MetricsConfig(port=port))
    finally:
        stop()


def test_without_a_port_nothing_listens():
    start_metrics_server(MetricsConfig())()
