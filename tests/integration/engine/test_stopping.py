"""Ending over real gRPC: the kill switch, what a SIGTERM does by configuration, the note of a kill past the engine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from models.grid_connector import FakeConnector
from models.grid_venue import Venue, config

from opensqt.domain.errors import RoleError
from opensqt.domain.order import Side, TimeInForce
from opensqt.engine.app import serve
from opensqt.engine.config import EngineConfig
from opensqt.engine.kill_marker import leave_marker, marker_of
from opensqt.engine.stopping import EXIT_LEFT, EXIT_UNVERIFIED
from opensqt.proto import engine_pb2
from opensqt.proto.engine_pb2_grpc import EngineServiceStub
from opensqt.runtime.config import GrpcClientConfig, GrpcServerConfig, Secret, TokenConfig
from opensqt.runtime.grpc_client import call, open_channel
from opensqt.runtime.lifecycle import Lifecycle

pytestmark = pytest.mark.slow

TRADE, READ = Secret("t" * 32), Secret("r" * 32)


class Run:
    """One run of an engine; `stop` is its SIGTERM and returns the exit code."""

    def __init__(self, settings: EngineConfig) -> None:
        self.settings = settings
        self._stop: asyncio.Event | None = None
        self._task: asyncio.Task[int] | None = None

    async def start(self) -> None:
        begun = asyncio.Event()

        async def main() -> int:
            async with asyncio.TaskGroup() as group:
                lifecycle = Lifecycle(group)
                self._stop = lifecycle.stop_event
                begun.set()
                return await serve(self.settings, lifecycle)

        self._task = asyncio.create_task(main())
        await begun.wait()

    async def stop(self) -> int:
        assert self._stop is not None
        assert self._task is not None
        self._stop.set()
        return await asyncio.wait_for(self._task, 25)


async def until(holds: Callable[[], object], timeout_s: float = 10) -> None:
    async with asyncio.timeout(timeout_s):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[FakeConnector]:
    made = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await made.start()
    yield made
    if made.server is not None:
        await made.stop()


@pytest.fixture
def settings(tmp_path: Path, connector: FakeConnector) -> EngineConfig:
    return msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=GrpcServerConfig(
            unix_socket=f"{tmp_path}/e.sock",
            tokens=(TokenConfig(token=TRADE, role="trade"), TokenConfig(token=READ, role="read")),
        ),
        state_file=tmp_path / "engine.db",
    )


async def running(settings: EngineConfig, connector: FakeConnector, *, held: int = 0) -> Run:
    run = Run(settings)
    await run.start()
    await until(lambda: len(connector.venue.open_orders) == 9)
    nearest = sorted(connector.venue.open_orders, key=lambda order: -order.price_ticks)
    for order in nearest[:held]:
        connector.venue.fill(order.client_order_id, order.lots)
    connector.changed()
    await until(lambda: sum(o.side is Side.SELL for o in connector.venue.open_orders) == held)
    return run


async def ask_kill(
    settings: EngineConfig, request: engine_pb2.KillRequest, token: Secret = TRADE
) -> engine_pb2.KillResponse:
    address = f"unix:{settings.grpc.unix_socket}"
    async with open_channel(GrpcClientConfig(address=address, token=token)) as channel:
        return await call(EngineServiceStub(channel).Kill, request, timeout_s=20)


async def test_kill_cancels_verifies_and_bars_everything_that_opens(
    settings: EngineConfig, connector: FakeConnector
) -> None:
    run = await running(settings, connector, held=2)
    answer = await ask_kill(settings, engine_pb2.KillRequest(operator="ann"))
    assert answer.is_clean
    assert connector.venue.open_orders == []
    assert connector.venue.position == 20
    placed = len(connector.venue.placed)
    connector.move_price(299_000)
    await asyncio.sleep(0.5)
    assert len(connector.venue.placed) == placed
    await run.stop()


async def test_kill_with_flatten_leaves_no_position(settings: EngineConfig, connector: FakeConnector) -> None:
    run = await running(settings, connector, held=2)
    connector.venue.depth_lots = 9
    answer = await ask_kill(settings, engine_pb2.KillRequest(flatten=True))
    assert answer.is_clean
    assert connector.venue.position == 0
    closing = [order for order in connector.venue.placed if order.time_in_force is TimeInForce.IOC]
    assert [order.lots for order in closing] == [20, 11, 2]
    await run.stop()


async def test_kill_needs_the_trade_role(settings: EngineConfig, connector: FakeConnector) -> None:
    run = await running(settings, connector)
    with pytest.raises(RoleError):
        await ask_kill(settings, engine_pb2.KillRequest(), READ)
    assert len(connector.venue.open_orders) == 9
    await run.stop()


async def test_kill_goes_past_a_session_that_hears_nothing(settings: EngineConfig, connector: FakeConnector) -> None:
    run = await running(settings, connector)
    connector.venue.lose_commands = 1_000  # nothing the Trade stream carries arrives any more
    killing = asyncio.create_task(ask_kill(settings, engine_pb2.KillRequest()))
    await asyncio.sleep(0.5)
    await until(lambda: connector.venue.lose_commands < 1_000)
    await asyncio.sleep(3.8)
    connector.venue.lose_commands = 0
    answer = await killing
    assert answer.is_clean
    assert connector.unary_cancels, "the long arm did it"
    assert connector.venue.open_orders == []
    await run.stop()


async def test_kill_says_what_a_stubborn_venue_keeps(settings: EngineConfig, connector: FakeConnector) -> None:
    run = await running(settings, connector)
    connector.venue.lose_commands = 100_000
    connector.stubborn = True
    answer = await ask_kill(settings, engine_pb2.KillRequest())
    assert not answer.is_clean
    assert answer.symbols[0].own_orders_left == 9
    connector.venue.lose_commands = 0
    await run.stop()


@pytest.mark.parametrize(("on_stop", "orders", "position"), [("keep", 9, 20), ("cancel", 0, 20), ("flatten", 0, 0)])
async def test_sigterm_does_what_is_configured(
    settings: EngineConfig, connector: FakeConnector, on_stop: str, orders: int, position: int
) -> None:
    changed = msgspec.structs.replace(settings, on_stop=on_stop)
    run = await running(changed, connector, held=2)
    assert await run.stop() == 0
    assert len(connector.venue.open_orders) == orders
    assert connector.venue.position == position


async def test_an_engine_that_cancelled_on_sigterm_trades_again_after_its_restart(
    settings: EngineConfig, connector: FakeConnector
) -> None:
    changed = msgspec.structs.replace(settings, on_stop="cancel")
    run = await running(changed, connector)
    assert await run.stop() == 0
    again = Run(changed)
    await again.start()
    await until(lambda: len(connector.venue.open_orders) == 9)
    await again.stop()


async def test_sigterm_says_by_exit_code_that_orders_are_left(settings: EngineConfig, connector: FakeConnector) -> None:
    run = await running(msgspec.structs.replace(settings, on_stop="cancel"), connector)
    connector.venue.lose_commands = 100_000
    connector.stubborn = True
    assert await run.stop() == EXIT_LEFT


async def test_sigterm_says_by_exit_code_that_nobody_knows(settings: EngineConfig, connector: FakeConnector) -> None:
    run = await running(msgspec.structs.replace(settings, on_stop="cancel"), connector)
    await connector.stop()
    await asyncio.sleep(0.2)
    assert await run.stop() == EXIT_UNVERIFIED


async def test_a_kill_past_the_engine_keeps_it_stopped_when_it_starts(
    settings: EngineConfig, connector: FakeConnector
) -> None:
    run = await running(settings, connector)
    await run.stop()
    leave_marker(settings.state_file, ["eth"])
    again = Run(settings)
    await again.start()
    await until(lambda: connector.venue.open_orders == [])
    assert not marker_of(settings.state_file).exists()
    await again.stop()
    third = Run(settings)
    await third.start()
    await asyncio.sleep(1)
    assert connector.venue.open_orders == [], "the stop outlives the note"
    await third.stop()


async def test_a_kill_past_a_running_engine_stops_it_within_a_second(
    settings: EngineConfig, connector: FakeConnector
) -> None:
    run = await running(settings, connector)
    leave_marker(settings.state_file, ["eth"])
    await until(lambda: connector.venue.open_orders == [], 2)
    await run.stop()
