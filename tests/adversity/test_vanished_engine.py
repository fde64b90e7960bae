"""An engine that is gone: the connector does what it asked for, and the venue when the connector is gone too."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest
from crash.look import Look
from crash.world import SYMBOL, World, wait_until

from opensqt.proto import exchange_pb2, exchange_pb2_grpc, trade_pb2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

GRACE_MS = 2_000
DEAD_MAN_MS = 10_000


@contextmanager
def quoting(dead_man_ms: int, on_vanish: str, grace_ms: int = GRACE_MS) -> Iterator[tuple[World, Look]]:
    """A bot that quotes and holds something."""
    changes = {
        "connector": {"binance": {"dead_man_ms": dead_man_ms}},
        "engine": {"on_vanish": on_vanish, "vanish_grace_ms": grace_ms},
    }
    with TemporaryDirectory(prefix="opensqt-") as folder:
        world = World(Path(folder), seed=5, changes=changes)
        try:
            for name in ("connector", "engine"):
                world.services[name].start()
            with Look(world) as look:
                assert wait_until(lambda: look.quoting(0), 60), world.services["engine"].last_words()
                assert wait_until(lambda: closing(world), 60), "no take-profit rests"
                yield world, look
        finally:
            world.close()


def open_orders(world: World) -> list[dict[str, Any]]:
    return list(world.sim.audit()["open_orders"])


def opening(world: World) -> list[dict[str, Any]]:
    return [order for order in open_orders(world) if not order["reduce_only"]]


def closing(world: World) -> list[dict[str, Any]]:
    return [order for order in open_orders(world) if order["reduce_only"]]


def dead_man(world: World) -> int:
    with grpc.insecure_channel(f"unix:{world.connector_socket}") as channel:
        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        reply = stub.GetRateBudget(exchange_pb2.GetRateBudgetRequest(), timeout=5)
    states = {item.symbol: int(item.state) for item in reply.dead_man}
    return states[SYMBOL]


@pytest.mark.alone
def test_without_a_dead_man_switch_the_connector_cancels_within_the_grace_time() -> None:
    with quoting(0, "cancel") as (world, _look):
        assert dead_man(world) == trade_pb2.DEAD_MAN_STATE_DISARMED
        world.services["engine"].kill()
        died_s = time.monotonic()
        time.sleep(GRACE_MS / 1000 * 0.6)
        assert open_orders(world), "the grace time is not over"
        assert wait_until(lambda: not open_orders(world), 10), "orders are left"
        assert time.monotonic() - died_s < GRACE_MS / 1000 + 4


def test_reduce_leaves_what_closes_the_position() -> None:
    with quoting(0, "reduce") as (world, _look):
        world.services["engine"].kill()
        profits = {order["client_order_id"] for order in closing(world)}
        assert wait_until(lambda: not opening(world), 10), "opening orders are left"
        time.sleep(2)
        truth = world.sim.audit()
        left = {order["client_order_id"] for order in truth["open_orders"]}
        filled = {fill["client_order_id"] for fill in truth["fills"]}
        assert profits
        assert profits <= left | filled, "a take-profit was cancelled"


def test_keep_leaves_everything() -> None:
    with quoting(0, "keep") as (world, _look):
        world.services["engine"].kill()
        time.sleep(GRACE_MS / 1000 + 2)
        assert len(open_orders(world)) >= 8


def test_f57_an_engine_that_hangs_counts_as_vanished() -> None:

    with quoting(0, "cancel") as (world, _look):
        process = world.services["engine"].process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        try:
            assert wait_until(lambda: not open_orders(world), 30), "orders of a hung engine are left"
        finally:
            os.kill(process.pid, signal.SIGCONT)


@pytest.mark.alone
def test_the_venue_cancels_when_engine_and_connector_are_gone() -> None:
    with quoting(DEAD_MAN_MS, "cancel", grace_ms=60_000) as (world, look):

        def both_say_armed() -> bool:
            bot = look.bot()
            armed = trade_pb2.DEAD_MAN_STATE_ARMED
            return dead_man(world) == armed and bot is not None and bot.dead_man == armed

        assert wait_until(both_say_armed, 10), "the switch is not shown as armed"
        for name in ("engine", "connector"):
            world.services[name].kill()
        died_s = time.monotonic()
        time.sleep(DEAD_MAN_MS / 1000 * 0.5)
        assert open_orders(world), "the countdown is not over"
        assert wait_until(lambda: not open_orders(world), 15), "orders are left"
        assert time.monotonic() - died_s < DEAD_MAN_MS / 1000 + 4


def test_the_switch_is_not_set_again_while_the_book_is_not_valid() -> None:
    with quoting(DEAD_MAN_MS, "cancel", grace_ms=60_000) as (world, _look):
        armed = trade_pb2.DEAD_MAN_STATE_ARMED
        assert wait_until(lambda: dead_man(world) == armed, 10)
        world.sim.call("POST", "/faults", {"faults": [{"kind": "half_open", "route": "public"}]})
        assert wait_until(lambda: dead_man(world) != armed, DEAD_MAN_MS / 1000 + 10), "it was set again"
        assert not open_orders(world)
        world.sim.call("DELETE", "/faults")
        world.sim.call("POST", "/faults", {"faults": [{"kind": "disconnect", "route": "public"}]})
        assert wait_until(lambda: dead_man(world) == armed, 20), "it was not set again with a valid book"
