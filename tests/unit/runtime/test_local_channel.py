"""Calls inside one process behave as calls over gRPC do: deadlines, cancelling, bounds, typed errors."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc import aio

from opensqt.domain.errors import ErrorReason, LimitError, NotFoundError
from opensqt.runtime.local_channel import MAX_BUFFERED, MAX_REQUESTS, LocalChannel
from opensqt.runtime.rich_status import to_typed_error


class Service:
    """What a server would have registered."""

    def __init__(self) -> None:
        self.sent = 0
        self.closed = asyncio.Event()
        self.seen: list[Any] = []

    async def echo(self, request: Any, _context: Any) -> Any:
        if request == "missing":
            raise NotFoundError(ErrorReason.UNKNOWN_ORDER, "there is none", metadata={"order": "7"})
        if request == "bug":
            raise ValueError("secret detail")
        if request == "slow":
            await asyncio.sleep(60)
        return f"{request}!".encode()

    async def count(self, request: int, _context: Any) -> AsyncIterator[bytes]:
        try:
            for number in range(request):
                self.sent += 1
                yield b"%d" % number
            if request == 0:
                raise LimitError(ErrorReason.SLOW_READER, "cut", retry_after_ms=5)
        finally:
            self.closed.set()

    async def talk(self, requests: AsyncIterator[Any], _context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            self.seen.append(request)
            yield f"{request}?".encode()

    def channel(self) -> LocalChannel:
        return LocalChannel(
            {
                "/S/Echo": grpc.unary_unary_rpc_method_handler(self.echo),
                "/S/Count": grpc.unary_stream_rpc_method_handler(self.count),
                "/S/Talk": grpc.stream_stream_rpc_method_handler(self.talk),
            }
        )


def stub(channel: LocalChannel, kind: str, method: str) -> Any:
    return getattr(channel, kind)(method, response_deserializer=bytes.decode)


async def test_responses_that_are_bytes_are_read_back() -> None:
    assert await stub(Service().channel(), "unary_unary", "/S/Echo")("a", timeout=1) == "a!"


async def test_typed_errors_keep_reason_and_details() -> None:
    with pytest.raises(aio.AioRpcError) as raised:
        await stub(Service().channel(), "unary_unary", "/S/Echo")("missing")
    error = to_typed_error(raised.value)
    assert isinstance(error, NotFoundError)
    assert (error.reason, error.message, error.metadata["order"]) == (ErrorReason.UNKNOWN_ORDER, "there is none", "7")


async def test_a_bug_shows_nothing_of_itself() -> None:
    with pytest.raises(aio.AioRpcError) as raised:
        await stub(Service().channel(), "unary_unary", "/S/Echo")("bug")
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (raised.value.details() or "")


@pytest.mark.parametrize(("method", "code"), [("/S/Echo", "DEADLINE_EXCEEDED"), ("/S/Nothing", "UNIMPLEMENTED")])
async def test_status_of_what_is_late_or_not_served(method: str, code: str) -> None:
    with pytest.raises(aio.AioRpcError) as raised:
        await stub(Service().channel(), "unary_unary", method)("slow", timeout=0.01)
    assert raised.value.code().name == code


async def test_stream_ends_with_eof_and_ok() -> None:
    call = stub(Service().channel(), "unary_stream", "/S/Count")(3)
    assert [item async for item in call] == ["0", "1", "2"]
    assert await call.read() is aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    assert call.done()


async def test_stream_ends_with_its_error() -> None:
    call = stub(Service().channel(), "unary_stream", "/S/Count")(0)
    with pytest.raises(aio.AioRpcError) as raised:
        await call.read()
    assert to_typed_error(raised.value).retry_after_ms == 5
    assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_service_waits_for_a_slow_reader() -> None:
    service = Service()
    call = stub(service.channel(), "unary_stream", "/S/Count")(10 * MAX_BUFFERED)
    await asyncio.sleep(0.01)
    assert service.sent == MAX_BUFFERED + 1, "one more is on its way"
    assert [item async for item in call] == [str(number) for number in range(10 * MAX_BUFFERED)]


async def test_cancelling_ends_the_service_and_the_reader() -> None:
    service = Service()
    call = stub(service.channel(), "unary_stream", "/S/Count")(10 * MAX_BUFFERED)
    await call.read()
    assert call.cancel()
    assert not call.cancel(), "once is enough"
    await asyncio.wait_for(service.closed.wait(), 1)
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_a_cancelled_reader_cancels_the_call() -> None:
    call = stub(Service().channel(), "stream_stream", "/S/Talk")()
    reading = asyncio.create_task(call.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert call.cancelled()


async def test_requests_keep_their_order_and_end_when_the_client_says_so() -> None:
    service = Service()
    call = stub(service.channel(), "stream_stream", "/S/Talk")()
    await call.write("a")
    assert call.write_nowait("b")
    await call.done_writing()
    assert [item async for item in call] == ["a?", "b?"]
    with pytest.raises(asyncio.InvalidStateError):
        await call.write("c")
    assert not call.write_nowait("c"), "the reader learns why"


async def test_requests_are_bounded() -> None:
    call = stub(Service().channel(), "stream_stream", "/S/Talk")()
    for number in range(MAX_REQUESTS):
        call.write_nowait(number)
    with pytest.raises(asyncio.QueueFull):
        call.write_nowait(-1)
    call.cancel()


async def test_deadline_of_a_stream() -> None:
    call = stub(Service().channel(), "stream_stream", "/S/Talk")(timeout=0.01)
    with pytest.raises(aio.AioRpcError) as raised:
        await call.read()
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_closing_the_channel_ends_its_calls() -> None:
    channel = Service().channel()
    call = stub(channel, "stream_stream", "/S/Talk")()
    async with channel:
        await channel.channel_ready()
        assert channel.get_state() is grpc.ChannelConnectivity.READY
    assert call.cancelled()
