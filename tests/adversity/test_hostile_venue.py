"""F45 to F47: what a venue, or somebody in between, can send to break a reader. Nobody dies of it, and memory stays."""

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from fuzz.targets import TARGETS
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from opensqt.connector.venues.binance import stream_client
from opensqt.connector.venues.binance.stream_client import WebSocketLink, open_link

Serve = Callable[[ServerConnection], Awaitable[None]]


class Reader:
    """A link and what came over it."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.link: WebSocketLink | None = None

    def on_closed(self, why: str) -> None:
        if not self.closed.done():
            self.closed.set_result(why)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.messages) < count:  # noqa: ASYNC110  the list is looked at, nothing announces it
                await asyncio.sleep(0.01)


@asynccontextmanager
async def reading(behave: Serve) -> AsyncIterator[Reader]:
    """A venue that behaves as the test says, and our link to it."""

    async def handle(connection: ServerConnection) -> None:
        await behave(connection)
        await connection.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=1) as server:
        port = server.sockets[0].getsockname()[1]
        reader = Reader()
        reader.link = await open_link(f"ws://127.0.0.1:{port}/x", reader.messages.append, reader.on_closed)
        try:
            yield reader
        finally:
            reader.link.close("the test is over")
            async with asyncio.timeout(5):
                await reader.closed


async def send_raw(connection: ServerConnection, *frames: Frame) -> None:
    data = b"".join(frame.serialize(mask=False, extensions=[]) for frame in frames)
    connection.transport.write(data)
    await asyncio.sleep(0)


@pytest.mark.parametrize("target", ["decoders", "replies"])
@pytest.mark.parametrize(
    "payload",
    [
        b'{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[["NaN","1"]],"a":[["-1","0"],["1e308","Infinity"]]}',
        b'{"e":"trade","s":"BTCUSDT","p":"","q":"0","t":null,"T":-1,"m":"maybe"}',
        b'{"e":"ORDER_TRADE_UPDATE","T":1,"o":{"s":"BTCUSDT","c":"","q":"1e308","p":"-0","L":"NaN"}}',
        b"",
        b"\x00" * 100,
        b"{" * 50,
        b'{"e":' + b'"x' * 1000,
        b"9" * 5_000,
    ],
)
def test_f45_garbage_in_payloads_is_refused_and_nobody_dies(target: str, payload: bytes) -> None:
    for first in range(16):
        TARGETS[target](bytes([first]) + payload)
    TARGETS[target](payload)


@pytest.mark.parametrize("target", ["decoders", "replies"])
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"b":[[', b'{"e":"depthUpdate","b":[['])
def test_f46_deep_nesting_and_huge_messages_end_in_an_error_and_not_in_a_stack(target: str, opening: bytes) -> None:
    deep = opening * (1_000_000 // len(opening))
    for first in range(16):
        TARGETS[target](bytes([first]) + deep)
    TARGETS[target](deep)


async def test_f46_a_message_above_the_cap_ends_the_connection_and_not_the_process() -> None:
    async def behave(connection: ServerConnection) -> None:
        part = b"x" * (1 << 20)
        await send_raw(connection, Frame(Opcode.TEXT, part, fin=False))
        for _ in range(stream_client.MAX_MESSAGE_BYTES // len(part) + 2):
            await send_raw(connection, Frame(Opcode.CONT, part, fin=False))

    async with reading(behave) as reader:
        async with asyncio.timeout(10):
            why = await reader.closed
        assert "longer than" in why
        assert reader.messages == []


async def test_f47_a_message_in_many_pieces_is_read_whole_with_pings_between_them() -> None:
    message = b'{"e":"trade","x":"' + b"y" * 2_000 + b'"}'

    async def behave(connection: ServerConnection) -> None:
        await send_raw(connection, Frame(Opcode.TEXT, message[:1], fin=False))
        for index in range(1, len(message) - 1):
            await send_raw(connection, Frame(Opcode.CONT, message[index : index + 1], fin=False))
            if index % 100 == 0:
                await send_raw(connection, Frame(Opcode.PING, b"are you there"))
        await send_raw(connection, Frame(Opcode.CONT, message[-1:], fin=True), Frame(Opcode.TEXT, b"{}", fin=True))

    async with reading(behave) as reader:
        await reader.until(2)
        assert reader.messages == [message, b"{}"]


async def test_f47_endless_empty_pieces_end_the_connection() -> None:
    async def behave(connection: ServerConnection) -> None:
        await send_raw(connection, Frame(Opcode.TEXT, b"", fin=False))
        for _ in range(stream_client.MAX_PIECES + 10):
            await send_raw(connection, Frame(Opcode.CONT, b"", fin=False))

    async with reading(behave) as reader:
        async with asyncio.timeout(10):
            why = await reader.closed
        assert "pieces" in why


async def test_f47_a_flood_of_pings_is_answered_and_costs_no_memory() -> None:
    async def behave(connection: ServerConnection) -> None:
        for _ in range(200):
            await send_raw(connection, *(Frame(Opcode.PING, b"p" * 125) for _ in range(100)))
            await asyncio.sleep(0.001)
        await send_raw(connection, Frame(Opcode.TEXT, b"after", fin=True))

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with reading(behave) as reader:
        await reader.until(1)
        assert reader.messages == [b"after"]
        assert not reader.closed.done()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
