"""TCP, unix sockets, both at once; health and reflection on them."""

import asyncio
import os
import socket
import stat

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import ConfigError, GrpcClientConfig, GrpcServerConfig
from opensqt.runtime.grpc_client import open_channel
from opensqt.runtime.grpc_server import GrpcServer


async def test_tcp_and_unix_socket_answer_at_once(tmp_path, serve_probe, probe_call):
    path = tmp_path / "both.sock"
    async with serve_probe(GrpcServerConfig(port=0, unix_socket=str(path))) as (server, _probe):
        assert server.addresses == [f"127.0.0.1:{server.bound_port}", f"unix:{path}"]
        for address in server.addresses:
            async with open_channel(GrpcClientConfig(address=address)) as channel:
                assert await probe_call(channel, "UnaryUnary") == [b"x"]


async def test_unix_socket_is_for_its_owner_only_and_goes_with_the_server(tmp_path, serve_probe):
    path = tmp_path / "deep" / "er" / "own.sock"
    before = os.umask(0)
    try:
        async with serve_probe(GrpcServerConfig(unix_socket=str(path))):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert not path.exists()


async def test_the_socket_of_a_dead_process_is_replaced(tmp_path, serve_probe, probe_call):
    path = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.exists()
    async with (
        serve_probe(GrpcServerConfig(unix_socket=str(path))),
        open_channel(GrpcClientConfig(address=f"unix:{path}")) as channel,
    ):
        assert await probe_call(channel, "UnaryUnary") == [b"x"]


async def test_the_socket_of_a_living_process_is_left_alone(tmp_path, serve_probe, probe_call):
    config = GrpcServerConfig(unix_socket=str(tmp_path / "live.sock"))
    async with serve_probe(config):
        with pytest.raises(ConfigError, match="in use by a running process"):
            await GrpcServer(config, roles={}, clock=SystemClock()).start()
        async with open_channel(GrpcClientConfig(address=f"unix:{config.unix_socket}")) as channel:
            assert await probe_call(channel, "UnaryUnary") == [b"x"]


async def test_a_file_that_is_no_socket_is_never_removed(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="not a socket"):
        await GrpcServer(GrpcServerConfig(unix_socket=str(path)), roles={}, clock=SystemClock()).start()
    assert path.read_text() == "precious"


async def test_a_port_in_use_is_a_config_error_naming_it(serve_probe):
    async with serve_probe(GrpcServerConfig(port=0)) as (server, _probe):
        second = GrpcServer(GrpcServerConfig(port=server.bound_port), roles={}, clock=SystemClock())
        with pytest.raises(ConfigError) as caught:
            await second.start()
        [problem] = caught.value.problems
        assert problem.path == "grpc.port"
        assert str(server.bound_port) in problem.value
        assert "in use" in problem.rule
        await second.stop(0)


def test_a_socket_path_beyond_the_systems_limit_is_refused():
    with pytest.raises(ConfigError, match="107 bytes"):
        GrpcServerConfig(unix_socket="/" + "x" * 107)


def test_a_server_must_listen_somewhere():
    with pytest.raises(ConfigError, match="port"):
        GrpcServerConfig()


async def test_health_is_told_per_service_and_watched(serve_probe):
    async with (
        serve_probe(GrpcServerConfig(port=0)) as (server, _probe),
        open_channel(GrpcClientConfig(address=server.addresses[0])) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="test.Probe")
        not_serving, serving = health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING
        assert (await stub.Check(request, timeout=5)).status == not_serving
        assert (await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)).status == serving
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=5)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        watch = stub.Watch(request)
        assert (await asyncio.wait_for(watch.read(), 5)).status == not_serving
        server.health.set("test.Probe", True)
        assert (await asyncio.wait_for(watch.read(), 5)).status == serving
        assert (await stub.Check(request, timeout=5)).status == serving
        watch.cancel()


async def test_reflection_lists_the_services(serve_probe):
    async with (
        serve_probe(GrpcServerConfig(port=0)) as (server, _probe),
        open_channel(GrpcClientConfig(address=server.addresses[0])) as channel,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        answer = await asyncio.wait_for(call.read(), 5)
        names = {service.name for service in answer.list_services_response.service}
        assert {"test.Probe", "grpc.health.v1.Health"} <= names
        call.cancel()
