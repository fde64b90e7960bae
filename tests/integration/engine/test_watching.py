"""What the engine watches besides its session: its own stalls, the account's settings, candles of other symbols."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.type.decimal_pb2 import Decimal as DecimalMessage
from models.grid_connector import FakeConnector
from models.grid_venue import Venue, config

from opensqt.engine.app import serve
from opensqt.engine.config import EngineConfig
from opensqt.engine.risk.config import VolumeHaltConfig
from opensqt.proto import engine_pb2, resources_pb2
from opensqt.proto.engine_pb2_grpc import EngineServiceStub
from opensqt.runtime.config import GrpcClientConfig, GrpcServerConfig
from opensqt.runtime.grpc_client import call, open_channel
from opensqt.runtime.lifecycle import Lifecycle

pytestmark = pytest.mark.slow

MINUTE_MS = 60_000
WINDOW = 3


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[FakeConnector]:
    made = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await made.start()
    yield made
    await made.stop()


def settings_of(connector: FakeConnector, folder: Path, **changes: Any) -> EngineConfig:
    return msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=GrpcServerConfig(unix_socket=f"{folder}/e.sock"),
        state_file=folder / "engine.db",
        **changes,
    )


@asynccontextmanager
async def running(settings: EngineConfig, connector: FakeConnector) -> AsyncIterator[Callable[[], Any]]:
    """Run an engine until its grid rests; yields how to ask for its bot."""
    begun: asyncio.Future[asyncio.Event] = asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            lifecycle = Lifecycle(group)
            begun.set_result(lifecycle.stop_event)
            await serve(settings, lifecycle)

    task = asyncio.create_task(main())
    stop = await begun
    async with open_channel(GrpcClientConfig(address=f"unix:{settings.grpc.unix_socket}")) as channel:
        api = EngineServiceStub(channel)

        async def bot() -> engine_pb2.BotState:
            return (await call(api.GetStatus, engine_pb2.GetStatusRequest(), timeout_s=5)).bots[0]

        await until(lambda: len(connector.venue.open_orders) == 9)
        try:
            yield bot
        finally:
            stop.set()
            await asyncio.wait_for(task, 20)


async def until(holds: Callable[[], Any], timeout_s: float = 15) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


def codes(bot: engine_pb2.BotState) -> set[str]:
    return {reason.code for reason in bot.reasons}


async def test_a_blocked_loop_begins_session_and_books_anew_and_trades_on(
    connector: FakeConnector, tmp_path: Path
) -> None:
    settings = settings_of(connector, tmp_path, max_stall_ms=500)
    async with running(settings, connector) as ask:
        orders = {order.client_order_id for order in connector.venue.open_orders}
        time.sleep(1.0)  # noqa: ASYNC251  the engine shares this loop: nothing of it runs
        await until(lambda: len(connector.hellos) == 2)

        async def calm() -> bool:
            bot = await ask()
            return bot.state == engine_pb2.TRADING_STATE_ACTIVE and not bot.reasons

        await until(calm)
        bot = await ask()
        assert [entry.level for entry in bot.recent_journal if entry.code == "LOOP_STALLED"] == ["alarm"]
        assert {order.client_order_id for order in connector.venue.open_orders} == orders
        connector.venue.fill(max(orders, key=lambda one: connector.venue.orders[one].price_ticks), 10)
        connector.changed()
        await until(lambda: any(order.reduce_only for order in connector.venue.open_orders))


async def test_leverage_changed_where_nobody_tells_is_found_by_asking(connector: FakeConnector, tmp_path: Path) -> None:
    settings = settings_of(connector, tmp_path, settings_check_s=1)
    async with running(settings, connector) as ask:
        connector.venue.leverage = 20

        async def reduced() -> bool:
            return "SETTINGS_CHANGED" in codes(await ask())

        await until(reduced)
        await until(lambda: connector.venue.open_orders == [])
        connector.venue.leverage = 5
        await until(lambda: len(connector.venue.open_orders) == 9)


def candle(symbol: str, minute: int, close: str, volume: str, *, closed: bool) -> resources_pb2.Candle:
    return resources_pb2.Candle(
        symbol=symbol,
        close=DecimalMessage(value=close),
        volume=DecimalMessage(value=volume),
        timestamp=minute * MINUTE_MS,
        is_closed=closed,
    )


async def test_candles_of_a_symbol_that_is_not_traded_halt_the_bots(connector: FakeConnector, tmp_path: Path) -> None:
    other = "BTC/USDT:USDT"
    connector.candles[other] = [candle(other, minute, "100", "10", closed=True) for minute in range(1, WINDOW + 1)]
    halt = VolumeHaltConfig(enabled=True, symbols=(other,), window=WINDOW, recovery_threshold=1)
    async with running(settings_of(connector, tmp_path, volume_halt=halt), connector) as ask:
        connector.candle_news.put_nowait(candle(other, WINDOW + 1, "90", "50", closed=False))
        await until(lambda: connector.venue.open_orders == [])
        bot = await ask()
        assert codes(bot) == {"VOLUME_HALT"}
        assert bot.volume_halt.is_halted
        connector.candle_news.put_nowait(candle(other, WINDOW + 1, "105", "12", closed=True))
        await until(lambda: len(connector.venue.open_orders) == 9)


async def test_a_missed_candle_is_fetched_and_a_symbol_nobody_serves_is_named(
    connector: FakeConnector, tmp_path: Path
) -> None:
    other, missing = "BTC/USDT:USDT", "NONE/USDT:USDT"
    connector.candles[other] = [candle(other, minute, "100", "10", closed=True) for minute in range(1, WINDOW + 1)]
    halt = VolumeHaltConfig(enabled=True, symbols=(other, missing), window=WINDOW, recovery_threshold=1)
    async with running(settings_of(connector, tmp_path, volume_halt=halt), connector) as ask:

        async def told() -> bool:
            bot = await ask()
            return any("is not served" in one.detail for one in bot.volume_halt.symbols)

        await until(told)
        bot = await ask()
        assert [one.is_fresh for one in bot.volume_halt.symbols if one.symbol == missing] == [False]
        connector.candles[other] += [
            candle(other, minute, "100", "10", closed=True) for minute in (WINDOW + 1, WINDOW + 2)
        ]
        connector.candle_news.put_nowait(candle(other, WINDOW + 3, "100", "10", closed=False))
        await until(lambda: connector.histories.count(other) == 2)

        async def whole() -> bool:
            symbols = {one.symbol: one for one in (await ask()).volume_halt.symbols}
            return bool(symbols[other].is_fresh and symbols[other].open_time_ms == (WINDOW + 2) * MINUTE_MS)

        await until(whole)
