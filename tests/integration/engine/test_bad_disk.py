"""A real engine on a disk that fills, stalls or was damaged: it never loses a fill and never leaves an orphan.

The disk is taken away from the running process by a limit on the size of files it may write, which every kernel has,
and given back by lifting it.
"""

import asyncio
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from models.engine_rig import CONFIG, fill_nearest, run_engine, until
from models.grid_connector import FakeConnector
from models.grid_venue import Venue

from opensqt.domain.errors import OpensqtError
from opensqt.domain.order import Side
from opensqt.proto import engine_pb2
from opensqt.proto.engine_pb2_grpc import EngineServiceStub
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import call, open_channel

pytestmark = pytest.mark.slow


class Running:
    def __init__(self, folder: Path, connector: FakeConnector) -> None:
        self.folder, self.connector = folder, connector
        self.process: asyncio.subprocess.Process | None = None
        self.channel = open_channel(GrpcClientConfig(address=f"unix:{folder}/e.sock"))
        self.api = EngineServiceStub(self.channel)

    async def start(self, **store: int) -> None:
        text = CONFIG.format(folder=self.folder)
        if store:
            text += f"store: {{{', '.join(f'{name}: {value}' for name, value in store.items())}}}\n"
        (self.folder / "engine.yaml").write_text(text)
        self.process = await run_engine(self.folder)
        await until(self.is_up, 30)

    async def stop(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(self.process.communicate(), 30)

    async def is_up(self) -> bool:
        try:
            return (await self.bot()).state == engine_pb2.TRADING_STATE_ACTIVE
        except OpensqtError:
            return False

    async def bot(self) -> engine_pb2.BotState:
        status = await call(self.api.GetStatus, engine_pb2.GetStatusRequest(), timeout_s=5)
        return status.bots[0]

    async def has(self, state: engine_pb2.TradingState.ValueType, code: str = "") -> bool:
        bot = await self.bot()
        return bot.state == state and (not code or code in {reason.code for reason in bot.reasons})

    def take_disk_away(self) -> None:
        self._limit(1)

    def give_disk_back(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        assert self.process is not None
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def stored_trades(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "engine.db")) as database:
            return [row[0] for row in database.execute("SELECT trade_id FROM fills ORDER BY venue_time_ns")]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    connector = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await connector.start()
    made = Running(tmp_path, connector)
    yield made
    if made.process is not None:
        await made.stop()
    await made.channel.close()
    await connector.stop()


async def test_f33_real_full_disk_reduces_then_halts_and_every_fill_is_stored_later(
    running: Running,
) -> None:
    await running.start(halt_after_s=3)
    venue = running.connector.venue
    await until(lambda: len(venue.open_orders) == 9)
    running.take_disk_away()
    fill_nearest(running.connector)
    await until(lambda: running.has(engine_pb2.TRADING_STATE_REDUCING, "STORE_STALLED"))
    await until(lambda: any(order.side is Side.SELL for order in venue.open_orders))
    assert (await running.bot()).pnl.fills == 1, "the ledger goes on in memory"
    journal = [entry for entry in (await running.bot()).recent_journal if entry.code == "STORE_STALLED"]
    assert journal[-1].level == "alarm"
    await until(lambda: running.has(engine_pb2.TRADING_STATE_HALTED, "STORE_LOST"))
    await until(lambda: not venue.open_orders)
    assert venue.position == 10, "the position stays"
    running.give_disk_back()
    await until(lambda: running.has(engine_pb2.TRADING_STATE_ACTIVE))
    await until(lambda: len(venue.open_orders) == 9)
    await running.stop()
    assert running.stored_trades() == [fill.trade_id for fill in venue.fills]


async def test_f33_real_engine_killed_on_a_full_disk_finds_every_fill_at_the_venue(running: Running) -> None:
    await running.start(halt_after_s=60)
    venue = running.connector.venue
    await until(lambda: len(venue.open_orders) == 9)
    running.take_disk_away()
    fill_nearest(running.connector)
    await until(lambda: running.has(engine_pb2.TRADING_STATE_REDUCING, "STORE_STALLED"))
    assert running.process is not None
    running.process.kill()
    await running.process.communicate()
    assert running.stored_trades() == []
    await running.start()
    bot = await running.bot()
    assert bot.pnl.fills == 1
    assert bot.pnl.history_complete
    assert bot.pnl.unexplained.value == "0"
    await running.stop()
    assert running.stored_trades() == [fill.trade_id for fill in venue.fills]


async def test_f33_real_engine_without_room_on_its_disk_does_not_start(running: Running) -> None:
    (running.folder / "engine.yaml").write_text(
        CONFIG.format(folder=running.folder) + "store: {min_free_mb: 1000000}\n"
    )
    process = await run_engine(running.folder)
    _out, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 78
    assert b"min_free_mb" in errors
    assert not running.connector.hellos


async def test_deleted_state_file_is_made_anew_with_the_same_orders(running: Running) -> None:
    await running.start()
    venue = running.connector.venue
    await until(lambda: len(venue.open_orders) == 9)
    fill_nearest(running.connector)
    await until(lambda: len(venue.open_orders) == 9 and any(o.side is Side.SELL for o in venue.open_orders))
    await running.stop()
    resting, placed = {order.client_order_id for order in venue.open_orders}, len(venue.placed)
    for path in running.folder.glob("engine.db*"):
        path.unlink()
    await running.start()
    assert {order.client_order_id for order in venue.open_orders} == resting
    assert len(venue.placed) == placed
    bot = await running.bot()
    assert not bot.pnl.history_complete
    assert bot.position.lots == sum(slot.held_lots for slot in bot.slots) == 10


async def test_f34_damaged_state_file_is_moved_aside_and_the_same_orders_are_adopted(running: Running) -> None:
    await running.start()
    venue = running.connector.venue
    await until(lambda: len(venue.open_orders) == 9)
    fill_nearest(running.connector)
    await until(lambda: len(venue.open_orders) == 9 and any(o.side is Side.SELL for o in venue.open_orders))
    await running.stop()
    resting, placed = {order.client_order_id for order in venue.open_orders}, len(venue.placed)
    data = bytearray((running.folder / "engine.db").read_bytes())
    data[5_000:20_000] = b"\x5a" * 15_000
    (running.folder / "engine.db").write_bytes(data)
    await running.start()
    assert list(running.folder.glob("engine.db.damaged-*"))
    assert {order.client_order_id for order in venue.open_orders} == resting
    assert len(venue.placed) == placed
    bot = await running.bot()
    assert not bot.pnl.history_complete
    assert bot.position.lots == 10
    alarms = [entry.message for entry in bot.recent_journal if entry.code == "HISTORY_INCOMPLETE"]
    assert len(alarms) == 1
    assert "damaged" in alarms[0]
