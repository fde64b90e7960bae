"""Editing a grid over the engine's real service: preview, apply, undo, list, roles, durable across a restart."""

import sqlite3
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from models.engine_rig import READ, TRADE, Engine, until
from models.grid_connector import FakeConnector
from models.grid_venue import Venue, config

from opensqt.domain.errors import ErrorReason, NotFoundError, RequestError, RoleError, StateError
from opensqt.domain.order import Side
from opensqt.proto import engine_pb2
from opensqt.runtime.config import GrpcClientConfig, GrpcServerConfig, TokenConfig
from opensqt.runtime.grpc_client import call

pytestmark = pytest.mark.slow


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[FakeConnector]:
    made = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def engine(tmp_path: Path, connector: FakeConnector) -> AsyncIterator[Engine]:
    socket = f"{tmp_path}/e.sock"
    settings = msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=GrpcServerConfig(
            unix_socket=socket,
            tokens=(TokenConfig(token=TRADE, role="trade"), TokenConfig(token=READ, role="read")),
        ),
        state_file=tmp_path / "engine.db",
    )
    made = Engine(settings, socket)
    await made.start()
    await until(lambda: len(connector.venue.open_orders) == 9)
    yield made
    await made.stop()
    await made.close()


def changes(**values: object) -> engine_pb2.GridChanges:
    message = engine_pb2.GridChanges()
    for name, value in values.items():
        if isinstance(value, Decimal):
            getattr(message, name).value = str(value)
        else:
            setattr(message, name, value)
    return message


async def look(engine: Engine, *, undo: bool = False, **values: object) -> engine_pb2.PreviewGridResponse:
    request = engine_pb2.PreviewGridRequest(bot_id="eth", changes=changes(**values), undo=undo)
    return await call(engine.readonly.PreviewGrid, request, timeout_s=5)


def resting(connector: FakeConnector) -> list[tuple[int, str]]:
    return sorted((order.price_ticks, order.client_order_id) for order in connector.venue.open_orders)


async def test_edit_is_previewed_applied_stored_and_undone(
    engine: Engine, connector: FakeConnector, tmp_path: Path
) -> None:
    connector.move_price(299_975)
    await until(lambda: connector.venue.position == 10)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    found = await look(engine, interval=Decimal(4), order_quantity=Decimal(45))
    assert list(found.what) == ["interval 2 -> 4", "order_quantity 30 -> 45"]
    assert not found.refusals
    assert found.figures_after.profit_per_unit.value
    before = resting(connector)
    applied = await call(
        engine.api.ApplyGrid,
        engine_pb2.ApplyGridRequest(
            bot_id="eth",
            changes=changes(interval=Decimal(4), order_quantity=Decimal(45)),
            expected_version=found.base_version,
            preview_token=found.preview_token,
            operator="ann",
        ),
        timeout_s=5,
    )
    assert applied.version == found.base_version + 1
    assert applied.is_durable
    assert applied.applied.steps == found.steps
    expected = {Decimal(step.price.value) for step in found.steps if step.kind != engine_pb2.GRID_STEP_KIND_CANCEL}
    gone = {step.client_order_id for step in found.steps if step.client_order_id}
    await until(lambda: not gone & {client_id for _price, client_id in resting(connector)})
    await until(
        lambda: (
            expected
            == {Decimal(price) / 100 for price, client_id in resting(connector) if (price, client_id) not in before}
        )
    )
    state = await engine.bot()
    assert state.grid.interval_ticks == 400
    assert state.grid.interval.value == "4"
    assert state.grid.config_version == applied.version
    # The answer came after the disk: what is stored now is what a crash would leave.
    with sqlite3.connect(tmp_path / "engine.db") as database:
        audit = database.execute("SELECT action, who, detail FROM audit").fetchall()
        stored = database.execute("SELECT version, action, who FROM grid_versions ORDER BY version").fetchall()
    assert audit == [("grid_edit", "ann", "interval 2 -> 4, order_quantity 30 -> 45")]
    assert stored == [(1, "file", ""), (2, "edit", "ann")]

    await engine.stop()
    await engine.start()
    await until(lambda: _has_version(engine, 2))
    undo = await look(engine, undo=True)
    assert list(undo.what) == ["interval 4 -> 2", "order_quantity 45 -> 30"]
    back = await call(
        engine.api.UndoGrid,
        engine_pb2.UndoGridRequest(bot_id="eth", expected_version=2, preview_token=undo.preview_token, operator="bob"),
        timeout_s=5,
    )
    assert back.version == 3
    listed = await call(engine.readonly.ListGridVersions, engine_pb2.ListGridVersionsRequest(), timeout_s=5)
    assert [(one.version, one.action, one.operator, one.is_current) for one in listed.versions] == [
        (3, "undo", "bob", True),
        (2, "edit", "ann", False),
        (1, "file", "", False),
    ]
    assert listed.versions[1].settings.interval.value == "4"


async def _has_version(engine: Engine, version: int) -> bool:
    state = await engine.bot()
    return state.state == engine_pb2.TRADING_STATE_ACTIVE and state.grid.config_version == version


async def test_edits_need_the_trade_role_the_version_and_the_preview(engine: Engine) -> None:
    found = await look(engine, buy_window=5)
    request = engine_pb2.ApplyGridRequest(
        bot_id="eth", changes=changes(buy_window=5), expected_version=1, preview_token=found.preview_token
    )
    for method in (engine.readonly.ApplyGrid, engine.readonly.UndoGrid):
        with pytest.raises(RoleError):
            await call(method, request, timeout_s=5)
    stale = engine_pb2.ApplyGridRequest()
    stale.CopyFrom(request)
    stale.expected_version = 7
    with pytest.raises(StateError) as caught:
        await call(engine.api.ApplyGrid, stale, timeout_s=5)
    assert caught.value.reason is ErrorReason.VERSION_CONFLICT
    forged = engine_pb2.ApplyGridRequest()
    forged.CopyFrom(request)
    forged.preview_token = "abc"
    with pytest.raises(RequestError, match="preview_token"):
        await call(engine.api.ApplyGrid, forged, timeout_s=5)
    refused = await look(engine, interval=Decimal("0.5"))
    assert refused.refusals
    assert not refused.preview_token
    assert (await call(engine.api.ApplyGrid, request, timeout_s=5)).version == 2


async def test_nonsense_is_refused_by_name(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await call(engine.api.PreviewGrid, engine_pb2.PreviewGridRequest(bot_id="nobody"), timeout_s=5)
    with pytest.raises(RequestError, match=r"changes\.interval"):
        await look(engine, interval=Decimal("NaN"))
    with pytest.raises(RequestError, match="operator"):
        await call(engine.api.Pause, engine_pb2.PauseRequest(operator="x" * 61), timeout_s=5)
    with pytest.raises(RequestError, match="limit"):
        await call(engine.api.ListGridVersions, engine_pb2.ListGridVersionsRequest(limit=1000), timeout_s=5)
