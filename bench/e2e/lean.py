"""A prototype of the lean lane, to know what it would gain: the same messages, length-prefixed, over a unix socket.

    lean.py connector --config FILE      the connector, which also listens on lean.sock beside its gRPC socket
    lean.py engine --config FILE         the engine, whose streams go there instead of over gRPC

It frames and nothing else: no token, no session epoch, no typed errors, no bounds. So what it measures is the most that
a finished lane could reach. See docs/performance.md for why it is not part of OpenSQT.
"""

import asyncio
import contextlib
import struct
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from grpc import aio

from opensqt.connector import app as connector_app
from opensqt.connector.app import Connector
from opensqt.engine import app as engine_app

SOCKET = "lean.sock"
HEAD = struct.Struct("<I")


class Framed(asyncio.Protocol):
    """Messages with their length before them."""

    transport: asyncio.Transport | None = None

    def __init__(self) -> None:
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]
        self.opened()

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        start = 0
        while len(data) - start >= HEAD.size:
            (size,) = HEAD.unpack_from(data, start)
            if len(data) - start - HEAD.size < size:
                break
            start += HEAD.size
            self.framed(data[start : start + size])
            start += size
        self._rest = data[start:]

    def send(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(HEAD.pack(len(data)) + data)

    def opened(self) -> None: ...

    def framed(self, data: bytes) -> None: ...


class Served(Framed):
    """The connector's end: the first frame names the method, the rest are requests."""

    def __init__(self, handlers: dict[str, Any]) -> None:
        super().__init__()
        self._handlers = handlers
        self._handler: Any = None
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def framed(self, data: bytes) -> None:
        if self._handler is None:
            self._handler = self._handlers[data.decode()]
            self._task = asyncio.get_running_loop().create_task(self._serve())
        else:
            self._requests.put_nowait(self._handler.request_deserializer(data))

    def connection_lost(self, _error: Exception | None) -> None:
        self._requests.put_nowait(None)
        if self._task is not None:
            asyncio.get_running_loop().call_later(0.5, self._task.cancel)

    async def _incoming(self) -> AsyncIterator[Any]:
        while (request := await self._requests.get()) is not None:
            yield request

    async def _serve(self) -> None:
        handler = self._handler
        if handler.request_streaming:
            stream = handler.stream_stream(self._incoming(), None)
        else:
            stream = handler.unary_stream(await self._requests.get(), None)
        async with contextlib.aclosing(stream) as responses:
            async for response in responses:
                self.send(response if isinstance(response, bytes) else response.SerializeToString())


class Call(Framed):
    """The engine's end, with the methods of grpc.aio's calls that the engine uses."""

    def __init__(self, method: str, write: Callable[[Any], bytes], read: Callable[[bytes], Any], first: Any) -> None:
        super().__init__()
        self._method, self._to_bytes, self._from_bytes, self._first = method, write, read, first
        self._responses: deque[bytes] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._ready = asyncio.Event()
        self._is_over = False

    def opened(self) -> None:
        self.send(self._method.encode())
        if self._first is not None:
            self.send(self._to_bytes(self._first))
        self._ready.set()

    def framed(self, data: bytes) -> None:
        self._responses.append(data)
        self._wake()

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_over = True
        self._wake()

    async def write(self, request: Any) -> None:
        await self._ready.wait()
        self.send(self._to_bytes(request))

    def write_nowait(self, request: Any) -> bool:
        if self._is_over or self.transport is None:
            return False
        self.send(self._to_bytes(request))
        return True

    async def read(self) -> Any:
        while not self._responses:
            if self._is_over:
                return aio.EOF
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._from_bytes(self._responses.popleft())

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (response := await self.read()) is not aio.EOF:
            yield response

    def cancel(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def done_writing(self) -> None:
        self.cancel()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class LeanChannel:
    """A channel whose streams go over the socket; everything else stays gRPC."""

    def __init__(self, channel: aio.Channel, path: Path) -> None:
        self._channel = channel
        self._path = str(path)
        self._opening: set[asyncio.Task[Any]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def unary_stream(self, method: str, request_serializer: Any, response_deserializer: Any, **_options: Any) -> Any:
        return lambda request: self._open(Call(method, request_serializer, response_deserializer, request))

    def stream_stream(self, method: str, request_serializer: Any, response_deserializer: Any, **_options: Any) -> Any:
        return lambda: self._open(Call(method, request_serializer, response_deserializer, None))

    def _open(self, call: Call) -> Call:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_unix_connection(lambda: call, self._path))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return call


def run_connector() -> None:
    start = Connector.start
    servers = []  # a server that nobody refers to is closed

    async def start_both(self: Connector) -> None:
        await start(self)
        path = Path(self.config.grpc.unix_socket or "").with_name(SOCKET)
        servers.append(await asyncio.get_running_loop().create_unix_server(lambda: Served(self.handlers), str(path)))

    Connector.start = start_both  # type: ignore[method-assign]
    connector_app.run(sys.argv[2:])


def run_engine() -> None:
    open_channel = engine_app.open_channel

    def open_lean(config: Any, **options: Any) -> Any:
        return LeanChannel(
            open_channel(config, **options), Path(config.address.removeprefix("unix:")).with_name(SOCKET)
        )

    engine_app.open_channel = open_lean
    engine_app.run(sys.argv[2:])


if __name__ == "__main__":
    {"connector": run_connector, "engine": run_engine}[sys.argv[1]]()
