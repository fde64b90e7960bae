"""The dead-man switch on a simulated Binance: set while an engine is heard of, and what happens when nobody sets it."""

import asyncio
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

from models.binance_rig import trading, until
from models.binance_sim import BinanceSim, running_sim
from models.connector_rig import SYMBOL, Engine, client_of, running_connector
from models.venue_orders import Maker, new_id

from opensqt.domain.order_state import OrderState
from opensqt.proto import trade_pb2


async def test_countdown_is_set_while_an_engine_is_heard_of(tmp_path: Path) -> None:
    async with trading(tmp_path, dead_man_ms=10_000) as rig:
        engine = Engine(rig.client)
        await engine.hello(symbols=[SYMBOL])
        await until(lambda: rig.adapter.armed_symbols() == {SYMBOL})


async def test_countdown_is_stopped_for_an_engine_that_takes_its_leave(tmp_path: Path) -> None:
    async with trading(tmp_path, dead_man_ms=10_000) as rig:
        engine = Engine(rig.client)
        await engine.hello(symbols=[SYMBOL])
        await until(lambda: rig.adapter.armed_symbols() == {SYMBOL})
        await engine.call.done_writing()
        await until(lambda: rig.adapter.armed_symbols() == set())


def _trade_and_never_end(sim_ready: dict[str, Any], folder: Path, placed: Any) -> None:
    """Run a connector with an engine that has one order resting; says so, and goes on until it is killed."""

    async def main() -> None:
        config = BinanceSim(sim_ready).connector_config(folder, dead_man_ms=10_000)
        async with running_connector(config) as connector, asyncio.timeout(60):
            await until(lambda: connector.core.is_serving)
            async with client_of(connector) as client:
                engine = Engine(client)
                await engine.hello(symbols=[SYMBOL])
                (command,) = await engine.send(await (await Maker.of(client, SYMBOL)).command(new_id()))
                assert (await engine.result(command)).outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
                await until(lambda: bool(connector.adapter.armed_symbols()))  # type: ignore[attr-defined]
                placed.set()
                await asyncio.Event().wait()

    asyncio.run(main())


def test_f29_venue_cancels_by_itself_when_the_connector_is_killed(tmp_path: Path) -> None:
    with running_sim("--symbols", "BTCUSDT") as sim:
        context = multiprocessing.get_context("spawn")
        placed = context.Event()
        child = context.Process(target=_trade_and_never_end, args=(sim.ready, tmp_path, placed), daemon=True)
        child.start()
        try:
            assert placed.wait(60), "the connector traded"
            assert len(sim.signed("/fapi/v1/openOrders", symbol="BTCUSDT")) == 1
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            child.join(10)
            # Nobody is left to cancel: what ends the order is the venue's countdown.
            assert len(sim.signed("/fapi/v1/openOrders", symbol="BTCUSDT")) == 1
            deadline = time.monotonic() + 20
            while sim.signed("/fapi/v1/openOrders", symbol="BTCUSDT"):
                assert time.monotonic() < deadline, "the venue never cancelled"
                time.sleep(0.5)
            (order,) = sim.signed("/fapi/v1/allOrders", symbol="BTCUSDT")
            assert order["status"] == "CANCELED"
        finally:
            if child.is_alive():
                child.kill()
                child.join(10)


async def test_partitioned_connector_loses_its_orders_to_the_countdown_and_learns_it_on_return(tmp_path: Path) -> None:
    async with trading(tmp_path, dead_man_ms=10_000) as rig:
        engine = Engine(rig.client)
        await engine.hello(symbols=[SYMBOL])
        placed = await rig.place()
        await until(lambda: rig.adapter.armed_symbols() == {SYMBOL})
        for route in ("public", "market", "private", "ws-api"):
            rig.sim.fault("refuse_connection", route=route, for_ms=13_000)
            rig.sim.fault("disconnect", route=route)
        rig.sim.fault("lost_request", route="* /fapi/*", for_ms=13_000)
        await until(lambda: not rig.core.session.private_stream_up)
        assert rig.state(placed.client_order_id) is OrderState.LIVE, "nothing proves that it ended"
        await until(lambda: rig.core.session.private_stream_up, timeout_s=40)
        assert rig.state(placed.client_order_id) is OrderState.CANCELED
