"""The engine as an operating-system process: killed at any moment, stopped in order, checked before it runs."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from models.engine_rig import CONFIG, run_engine
from models.grid_connector import FakeConnector
from models.grid_venue import Venue

from opensqt.domain.client_id import parse_client_order_id
from opensqt.domain.order import Side

pytestmark = pytest.mark.slow


async def until(holds, timeout_s: float = 20) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110  the model venue has nothing to wait on
            await asyncio.sleep(0.02)


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[FakeConnector]:
    (tmp_path / "engine.yaml").write_text(CONFIG.format(folder=tmp_path))
    made = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await made.start()
    yield made
    await made.stop()


async def test_killed_engine_comes_back_with_the_same_slots_and_orders(
    connector: FakeConnector, tmp_path: Path
) -> None:
    venue = connector.venue
    for life in range(4):
        process = await run_engine(tmp_path)
        try:
            await until(lambda: len(connector.hellos) == life + 1)  # noqa: B023  awaited before the loop goes on
            await until(lambda: len([o for o in venue.open_orders if o.side is Side.BUY]) >= 9 - life)  # noqa: B023
            order = max((o for o in venue.open_orders if o.side is Side.BUY), key=lambda o: o.price_ticks)
            venue.fill(order.client_order_id, 10)
            connector.changed()
            if life % 2:
                await until(lambda: len([o for o in venue.open_orders if o.side is Side.SELL]) == life + 1)  # noqa: B023
        finally:
            process.kill()
            await process.wait()
    process = await run_engine(tmp_path)
    await until(lambda: len(connector.hellos) == 5)
    await until(lambda: len([o for o in venue.open_orders if o.side is Side.SELL]) == 4)
    await asyncio.sleep(0.5)
    ids = [parse_client_order_id(o.client_order_id) for o in venue.open_orders]
    keys = [(parts.slot, parts.side) for parts in ids if parts]
    assert len(keys) == len(set(keys)), "a duplicate order"
    assert sum(o.lots for o in venue.open_orders if o.side is Side.SELL) == venue.position == 40
    epochs = [hello.lease_epoch for hello in connector.hellos]
    assert epochs == sorted(set(epochs))
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_check_reads_the_configuration_only(tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_text(CONFIG.format(folder=tmp_path))
    process = await run_engine(tmp_path, "--check", "--json")
    out, _err = await process.communicate()
    assert process.returncode == 0
    assert json.loads(out) == {"ok": True, "problems": []}
    (tmp_path / "engine.yaml").write_text(CONFIG.format(folder=tmp_path).replace("interval: 2", "interval: -2"))
    process = await run_engine(tmp_path, "--check", "--json")
    out, _err = await process.communicate()
    assert process.returncode == 78
    assert json.loads(out)["problems"][0]["path"] == "bots[0].grid.interval"


async def test_refused_credentials_end_the_engine_with_a_clear_message(
    connector: FakeConnector, tmp_path: Path
) -> None:
    connector.refuse_hello = Exception(grpc.StatusCode.UNAUTHENTICATED, "the token is not known here")
    process = await run_engine(tmp_path)
    _out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert b"the token is not known here" in err
    assert b"Traceback" not in err
