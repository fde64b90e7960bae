"""Engines under test: one in this process with clients of both roles, or one as a process of its own."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from models.grid_connector import FakeConnector

from opensqt.domain.order import Side
from opensqt.engine.app import serve
from opensqt.engine.config import EngineConfig
from opensqt.proto import engine_pb2
from opensqt.proto.engine_pb2_grpc import EngineServiceStub
from opensqt.runtime.config import GrpcClientConfig, GrpcServerConfig, Secret, TokenConfig
from opensqt.runtime.grpc_client import call, open_channel
from opensqt.runtime.lifecycle import Lifecycle

TRADE, READ = Secret("t" * 32), Secret("r" * 32)


class Engine:
    """One engine under test with clients of both roles."""

    def __init__(self, settings: EngineConfig, socket: str) -> None:
        self.settings = settings
        self._socket = socket
        self._stop: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        address = f"unix:{socket}"
        self.channel = open_channel(GrpcClientConfig(address=address, token=TRADE))
        self.read_channel = open_channel(GrpcClientConfig(address=address, token=READ))
        self.api = EngineServiceStub(self.channel)
        self.readonly = EngineServiceStub(self.read_channel)

    async def start(self) -> None:
        started = asyncio.Event()

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                lifecycle = Lifecycle(group)
                self._stop = lifecycle.stop_event
                started.set()
                with contextlib.suppress(asyncio.CancelledError):
                    await serve(self.settings, lifecycle)

        self._task = asyncio.create_task(main())
        await started.wait()
        await until(self._answers)

    async def _answers(self) -> bool:
        assert self._task is not None
        if self._task.done():
            await self._task
        try:
            _reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def stop(self) -> None:
        assert self._stop is not None
        assert self._task is not None
        self._stop.set()
        await asyncio.wait_for(self._task, 10)

    async def bot(self) -> engine_pb2.BotState:
        status = await call(self.api.GetStatus, engine_pb2.GetStatusRequest(), timeout_s=5)
        return status.bots[0]

    async def close(self) -> None:
        await self.channel.close()
        await self.read_channel.close()


async def until(holds: Callable[[], object], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            result = holds()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.02)


def grpc_settings(socket: str) -> GrpcServerConfig:
    return GrpcServerConfig(
        unix_socket=socket,
        tokens=(TokenConfig(token=TRADE, role="trade"), TokenConfig(token=READ, role="read")),
    )


def fill_nearest(connector: FakeConnector, lots: int = 10) -> str:
    order = max((o for o in connector.venue.open_orders if o.side is Side.BUY), key=lambda o: o.price_ticks)
    connector.venue.fill(order.client_order_id, lots)
    connector.changed()
    return order.client_order_id


CONFIG = """
connector: {{address: "unix:{folder}/c.sock"}}
grpc: {{unix_socket: {folder}/e.sock}}
state_file: {folder}/engine.db
bots:
  - id: eth
    tag: eth1
    symbol: ETH/USDT:USDT
    leverage: 5
    grid: {{interval: 2, anchor: 3000, order_quantity: 30, buy_window: 10}}
log: {{format: json}}
"""


async def run_engine(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "opensqt.engine.app",
        "--config",
        str(folder / "engine.yaml"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
