"""Continuous reconciliation over real gRPC: the engine reads the venue by itself and tells what it corrected."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import msgspec
import pytest
from models.engine_rig import Engine, grpc_settings, until
from models.grid_connector import FakeConnector
from models.grid_venue import Venue, config

from opensqt.domain.order_state import OrderState
from opensqt.engine.config import ReconcileConfig
from opensqt.runtime.config import GrpcClientConfig

pytestmark = pytest.mark.slow


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[FakeConnector]:
    made = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await made.start()
    yield made
    if made.server is not None:
        await made.stop()


@pytest.fixture
async def engine(tmp_path: Path, connector: FakeConnector) -> AsyncIterator[Engine]:
    settings = msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=grpc_settings(f"{tmp_path}/e.sock"),
        state_file=tmp_path / "engine.db",
        reconcile=ReconcileConfig(interval_s=5, grace_ms=1_000),
    )
    made = Engine(settings, f"{tmp_path}/e.sock")
    await made.start()
    await until(lambda: len(connector.venue.open_orders) == 9)
    yield made
    await made.stop()
    await made.close()


async def test_an_order_that_vanished_without_a_word_is_found_proven_and_replaced(
    engine: Engine, connector: FakeConnector
) -> None:
    venue = connector.venue
    lost = venue.open_orders[0]
    venue.orders[lost.client_order_id] = msgspec.structs.replace(lost, state=OrderState.CANCELED)

    async def is_corrected() -> bool:
        bot = await engine.bot()
        return any(one.client_order_id == lost.client_order_id for one in bot.corrections)

    await until(is_corrected, 20)
    await until(lambda: len(venue.open_orders) == 9)
    bot = await engine.bot()
    assert bot.reconcile.reads >= 2
    assert bot.reconcile.corrected == 1
    assert bot.reconcile.last_read_ns > 0
    assert "two reads" in bot.corrections[0].evidence
    assert [entry.level for entry in bot.recent_journal if entry.code == "CORRECTED"] == ["warning"]


async def test_a_venue_that_cannot_be_read_changes_nothing(engine: Engine, connector: FakeConnector) -> None:
    before = {order.client_order_id for order in connector.venue.open_orders}

    async def refuse(_request, context):  # type: ignore[no-untyped-def]
        await context.abort(grpc.StatusCode.UNAVAILABLE, "maintenance")

    connector.read_orders = refuse

    async def has_failed() -> bool:
        return (await engine.bot()).reconcile.failures >= 2

    await until(has_failed, 20)
    bot = await engine.bot()
    assert "maintenance" in bot.reconcile.last_error
    assert {order.client_order_id for order in connector.venue.open_orders} == before
    assert not bot.corrections
