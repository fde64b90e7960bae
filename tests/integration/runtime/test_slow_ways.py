"""A way that is slow is no broken one: a far connector behind TLS, or a neighbour on a machine that has no time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from opensqt.domain.errors import OpensqtError
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import call, open_channel


async def _echo(request: bytes, _context: Any) -> bytes:
    return request


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def slow_way(folder: Path, delay_s: float) -> AsyncIterator[str]:
    """An echo server that is reached through a way that takes its time at first; yields its address."""
    server = aio.server()
    handler = grpc.unary_unary_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("S", {"Echo": handler}),))
    path = str(folder / "echo.sock")
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    carrying: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await asyncio.sleep(delay_s)
            from_server, to_server = await asyncio.open_unix_connection(path)
            with closing(to_server):
                await asyncio.gather(_pipe(reader, to_server), _pipe(from_server, writer))

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying.add(asyncio.create_task(carry(reader, writer)))

    way = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{way.sockets[0].getsockname()[1]}"
    finally:
        way.close()
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        await server.stop(0)


async def test_a_connection_that_needs_most_of_a_second_is_waited_for(tmp_path: Path) -> None:
    async with slow_way(tmp_path, 0.8) as address, open_channel(GrpcClientConfig(address=address)) as channel:
        assert await call(channel.unary_unary("/S/Echo"), b"hello", timeout_s=10) == b"hello"


async def test_one_that_never_comes_is_an_error_within_the_calls_own_time(tmp_path: Path) -> None:
    async with slow_way(tmp_path, 60.0) as address, open_channel(GrpcClientConfig(address=address)) as channel:
        with pytest.raises(OpensqtError):
            await call(channel.unary_unary("/S/Echo"), b"hello", timeout_s=0.5)
