"""Every error a server raises reaches the client as the same typed error, from every kind of call."""

import grpc
import pytest

from opensqt.domain.errors import ErrorReason, InternalError, OpensqtError, OutcomeUnknownError
from opensqt.domain.status_map import error_for, status_of
from opensqt.runtime.config import GrpcClientConfig, GrpcServerConfig
from opensqt.runtime.grpc_client import call, open_channel, to_typed_error

KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream", "UnaryWrite")


@pytest.fixture
def config(tmp_path):
    return GrpcServerConfig(unix_socket=str(tmp_path / "probe.sock"))


def client_of(config: GrpcServerConfig) -> GrpcClientConfig:
    return GrpcClientConfig(address=f"unix:{config.unix_socket}")


@pytest.mark.parametrize("kind", KINDS)
async def test_every_reason_survives_the_round_trip(kind, config, serve_probe, probe_call):
    async with serve_probe(config) as (_server, probe), open_channel(client_of(config)) as channel:
        for reason in ErrorReason:
            sent = error_for(
                reason, f"price_ticks was 7: {reason}, 多语言", metadata={"field": "price_ticks"}, retry_after_ms=1234
            )
            probe.fail = sent
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await probe_call(channel, kind)
            assert caught.value.code().value[0] == status_of(reason)
            received = to_typed_error(caught.value)
            assert type(received) is type(sent)
            assert received.reason is reason
            assert received.message == sent.message
            assert received.metadata == sent.metadata
            assert received.retry_after_ms == 1234


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_without_error_pass_through_unchanged(kind, config, serve_probe, probe_call):
    async with serve_probe(config), open_channel(client_of(config)) as channel:
        answered = await probe_call(channel, kind, b"order")
        assert answered in ([b"order"], [b"order", b"order"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bug_becomes_internal_and_shows_nothing(kind, config, serve_probe, probe_call):
    async with serve_probe(config) as (_server, probe), open_channel(client_of(config)) as channel:
        probe.fail = KeyError("api-secret-123")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await probe_call(channel, kind)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "api-secret" not in str(caught.value)
        assert isinstance(to_typed_error(caught.value), InternalError)


@pytest.mark.parametrize("kind", KINDS)
async def test_bytes_that_are_no_message_are_the_callers_mistake(kind, config, serve_probe, probe_call):
    async with serve_probe(config), open_channel(client_of(config)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await probe_call(channel, kind, b"\xff\xff")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "secret.Type" not in str(caught.value)
        assert to_typed_error(caught.value).reason is ErrorReason.INVALID_FIELD
        assert await probe_call(channel, kind, b"order")


async def test_call_raises_the_typed_error(config, serve_probe):
    async with serve_probe(config) as (_server, probe), open_channel(client_of(config)) as channel:
        probe.fail = error_for(ErrorReason.INSUFFICIENT_MARGIN, "needs 10 USDT more")
        with pytest.raises(OpensqtError) as caught:
            await call(channel.unary_unary("/test.Probe/UnaryUnary"), b"x", timeout_s=5)
        assert caught.value.reason is ErrorReason.INSUFFICIENT_MARGIN
        assert caught.value.retry_after_ms is None


async def test_callers_deadline_reads_as_outcome_unknown(config, serve_probe):
    async with serve_probe(config) as (_server, probe), open_channel(client_of(config)) as channel:
        probe.sleep_s = 30
        with pytest.raises(OutcomeUnknownError):
            await call(channel.unary_unary("/test.Probe/UnaryUnary"), b"x", timeout_s=0.1)


async def test_unary_call_without_deadline_is_bounded_by_the_server(config, serve_probe):
    async with (
        serve_probe(config, default_deadline_s=0.1) as (_server, probe),
        open_channel(client_of(config)) as channel,
    ):
        probe.sleep_s = 30
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/test.Probe/UnaryUnary")(b"x")
        assert to_typed_error(caught.value).reason is ErrorReason.OUTCOME_UNKNOWN


async def test_a_server_that_is_not_there_was_certainly_not_reached(tmp_path):
    async with open_channel(GrpcClientConfig(address=f"unix:{tmp_path}/nobody.sock")) as channel:
        with pytest.raises(OpensqtError) as caught:
            await call(channel.unary_unary("/test.Probe/UnaryUnary"), b"x", timeout_s=5)
        assert caught.value.reason is ErrorReason.NOT_CONNECTED


async def test_a_server_that_dies_during_the_call_leaves_the_outcome_unknown(config, serve_probe):
    import asyncio

    async with open_channel(client_of(config)) as channel:
        async with serve_probe(config) as (_server, probe):
            probe.sleep_s = 30
            running = asyncio.ensure_future(call(channel.unary_unary("/test.Probe/UnaryUnary"), b"x", timeout_s=5))
            await asyncio.sleep(0.2)
        with pytest.raises(OpensqtError) as caught:
            await running
        assert caught.value.reason is ErrorReason.OUTCOME_UNKNOWN


async def test_a_method_nobody_serves_is_not_supported(config, serve_probe):
    async with serve_probe(config), open_channel(client_of(config)) as channel:
        with pytest.raises(OpensqtError) as caught:
            await call(channel.unary_unary("/test.Probe/Nothing"), b"x", timeout_s=5)
        assert caught.value.reason is ErrorReason.NOT_SUPPORTED
