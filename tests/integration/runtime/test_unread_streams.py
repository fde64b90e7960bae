"""A client of ours that stops reading holds its writer back within little: what it misses can then be merged."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import open_channel

MESSAGE = bytes(1_000)
WARM = 20_000
"""So many messages read at full speed, after which gRPC would believe that the way bears megabytes."""
ENOUGH_S = 1.0
LIMIT_BYTES = 500_000
"""64 KiB of the stream's window, as much in gRPC, and what a unix socket holds."""


class Flood:
    """Sends as fast as it may, and counts."""

    def __init__(self) -> None:
        self.sent = 0

    async def stream(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        while True:
            self.sent += 1
            yield MESSAGE


async def test_what_is_not_read_is_not_sent_on(tmp_path: Path) -> None:
    flood, server = Flood(), aio.server()
    handler = grpc.unary_stream_rpc_method_handler(flood.stream)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("S", {"Flood": handler}),))
    address = f"unix:{tmp_path / 'flood.sock'}"
    server.add_insecure_port(address)
    await server.start()
    try:
        async with open_channel(GrpcClientConfig(address=address)) as channel:
            call = channel.unary_stream("/S/Flood")(b"")
            for _ in range(WARM):
                assert await call.read() == MESSAGE
            await asyncio.sleep(ENOUGH_S)
            unread = (flood.sent - WARM) * len(MESSAGE)
            assert 0 < unread < LIMIT_BYTES
            call.cancel()
    finally:
        await server.stop(0)
