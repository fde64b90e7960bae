"""Rows of the fault table on real processes: a simulated venue that misbehaves, and services that die or hang.

F27, F28: tests/crash/test_crash_points.py. F33, F34: tests/integration/engine/test_bad_disk.py. F57 and the vanish
policies: test_vanished_engine.py. What only the connector sees of a venue's faults: tests/integration/connector.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from crash.look import Look
from crash.referee import compare, stop_flat
from crash.report import Report
from crash.world import World, wait_until

from opensqt.domain.client_id import parse_client_order_id
from opensqt.proto import engine_pb2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ACTIVE = engine_pb2.TRADING_STATE_ACTIVE


@contextmanager
def quoting(*names: str, **changes: dict[str, Any]) -> Iterator[tuple[World, Look]]:
    """A bot that quotes; `names` are services beside connector and engine."""
    with TemporaryDirectory(prefix="opensqt-") as folder:
        world = World(Path(folder), seed=21, changes=changes)
        try:
            for name in ("connector", "engine", *names):
                world.services[name].start()
            with Look(world) as look:
                assert wait_until(lambda: look.quoting(0), 60), world.services["engine"].last_words()
                yield world, look
        finally:
            world.close()


def faults(world: World, *wanted: dict[str, Any]) -> None:
    world.sim.call("POST", "/faults", {"faults": list(wanted)})


def reasons(look: Look) -> set[str]:
    bot = look.bot()
    return {reason.code for reason in bot.reasons} if bot is not None else set()


def own_ids(world: World) -> set[str]:
    return {order["client_order_id"] for order in world.sim.audit()["open_orders"]}


def assert_books_agree(world: World, look: Look) -> Report:
    """Stop flat and compare every fill and the wallet with the venue's."""
    world.sim.call("DELETE", "/faults")
    assert wait_until(lambda: look.quoting(0), 60), look.bot()
    assert look.agreement(60), "engine and venue disagree"
    report = Report(0)
    stop_flat(report, look, world)
    compare(report, world.sim.audit(), world.database)
    report.judge()
    assert not report.problems, report.text()
    return report


def test_f01_real_market_stream_that_drops_stops_quoting_and_heals() -> None:
    with quoting() as (world, look):
        faults(
            world,
            {"kind": "refuse_connection", "route": "public", "for_ms": 8_000},
            {"kind": "disconnect", "route": "public"},
        )
        assert wait_until(lambda: {"BOOK_NOT_VALID", "MARKET_STREAM_DOWN"} & reasons(look), 5)
        # Opening orders are pulled once the data stayed unusable for the stale budget (5 s by default).
        assert wait_until(lambda: not [o for o in world.sim.audit()["open_orders"] if not o["reduce_only"]], 9)
        assert wait_until(lambda: look.quoting(0), 30), look.bot()
        assert_books_agree(world, look)


def test_f02_real_user_stream_that_drops_reduces_and_resumes_without_a_blanket_cancel() -> None:
    with quoting() as (world, look):
        before = own_ids(world)
        faults(
            world,
            {"kind": "refuse_connection", "route": "private", "for_ms": 3_000},
            {"kind": "disconnect", "route": "private"},
        )
        assert wait_until(lambda: "PRIVATE_STREAM_DOWN" in reasons(look), 5)
        truth = world.sim.audit()
        filled = {fill["client_order_id"] for fill in truth["fills"]}
        kept = before & ({order["client_order_id"] for order in truth["open_orders"]} | filled)
        assert len(kept) >= len(before) - 2, "orders were cancelled for no reason"
        assert wait_until(lambda: look.quoting(0) and not reasons(look), 30), look.bot()
        assert_books_agree(world, look)


def test_f17_real_lost_replies_leave_no_second_order_in_a_slot() -> None:
    with quoting() as (world, look):
        faults(
            world,
            {"kind": "lost_reply", "route": "ws-api order.place", "probability": 0.3, "for_ms": 12_000},
            {"kind": "lost_request", "route": "ws-api order.place", "probability": 0.2, "for_ms": 12_000},
        )
        until_s = time.monotonic() + 12
        worst = 0
        while time.monotonic() < until_s:
            parsed = [parse_client_order_id(name) for name in own_ids(world)]
            slots = Counter((item.slot, item.side) for item in parsed if item is not None)
            worst = max([worst, *slots.values()])
            time.sleep(0.1)
        assert worst == 1, "two orders rested in one slot"
        assert_books_agree(world, look)


def test_f29_real_connector_killed_is_noticed_and_nothing_is_sent_again() -> None:
    with quoting() as (world, look):
        connector = world.services["connector"]
        for _ in range(3):
            connector.kill()
            died_ns = time.time_ns()
            assert wait_until(lambda: "CONNECTOR_DOWN" in reasons(look), 6), "later than the heartbeat budget"
            connector.start()
            assert wait_until(lambda since=died_ns: look.quoting(since), 30), look.bot()
        # An order sent twice would be refused as a duplicate, or rest twice: the books would not agree.
        assert_books_agree(world, look)
        assert "DUPLICATE_CLIENT_ID" not in connector.log.read_text()


def test_f30_real_live_server_that_hangs_or_dies_is_not_noticed() -> None:
    with quoting("live_server") as (world, look):
        assert wait_until(world.page_is_up, 30)
        page = world.services["live_server"]
        assert page.process is not None
        bot = look.bot()
        assert bot is not None
        since = {item.name: item.since_ns for item in bot.connections}
        os.kill(page.process.pid, signal.SIGSTOP)
        fills = bot.pnl.fills
        until_s = time.monotonic() + 8
        while time.monotonic() < until_s:
            now = look.bot()
            assert now is not None
            assert now.state == ACTIVE
            time.sleep(0.2)
        os.kill(page.process.pid, signal.SIGKILL)
        page.process.wait(10)
        time.sleep(1)
        now = look.bot()
        assert now is not None
        assert {item.name: item.since_ns for item in now.connections} == since
        assert wait_until(lambda: (b := look.bot()) is not None and b.pnl.fills > fills, 60), "it trades no more"
        page.start()
        assert wait_until(world.page_is_up, 30)
        assert_books_agree(world, look)


def test_f31_real_ownership_is_recovered_from_client_ids_alone() -> None:
    with quoting() as (world, look):
        connector, engine = world.services["connector"], world.services["engine"]
        assert wait_until(lambda: (b := look.bot()) is not None and b.pnl.fills >= 2, 60)
        engine.kill()
        connector.kill()
        (world.folder / "connector.json").unlink()
        for path in world.folder.glob("engine.db*"):
            path.unlink()
        before = own_ids(world)
        died_ns = time.time_ns()
        connector.start()
        engine.start()
        look.reset()
        assert wait_until(lambda: look.quoting(died_ns), 40), engine.last_words()
        bot = look.bot()
        assert bot is not None
        assert not bot.pnl.history_complete, "a lost history must be said"
        assert not [item for item in bot.orders if item.foreign]
        truth = world.sim.audit()
        filled = {fill["client_order_id"] for fill in truth["fills"]}
        known = {order["client_order_id"] for order in truth["open_orders"]} | filled
        adopted = before & {item.order.client_order_id for item in bot.orders}
        assert len(adopted) >= len(before & known) // 2, "orders were replaced instead of adopted"
        assert look.agreement(30) or bot.pnl.fills <= len(truth["fills"])
        answer = look.call("Stop", engine_pb2.StopRequest(mode=engine_pb2.STOP_MODE_FLATTEN), 40.0)
        assert answer is not None
        assert (answer.verified, answer.open_orders_left, answer.position_lots_left) == (True, 0, 0), answer
        assert not world.sim.audit()["open_orders"]


def test_f36_real_engine_that_reads_nothing_for_a_while_misses_no_order_event() -> None:
    with quoting() as (world, look):
        engine = world.services["engine"]
        assert engine.process is not None
        for pause_s in (1.5, 4.0):
            os.kill(engine.process.pid, signal.SIGSTOP)
            time.sleep(pause_s)
            os.kill(engine.process.pid, signal.SIGCONT)
            assert wait_until(lambda: look.quoting(0), 40), look.bot()
        assert_books_agree(world, look)


@pytest.mark.parametrize("mode", ["cancel", "flatten"])
def test_f55_real_sigterm_during_a_storm_leaves_nothing_and_the_exit_code_says_so(mode: str) -> None:
    with quoting(engine={"on_stop": mode}) as (world, look):
        assert wait_until(lambda: (bot := look.bot()) is not None and bot.pnl.fills >= 1, 60)
        faults(
            world,
            {"kind": "latency", "route": "ws-api order.*", "ms": 50, "jitter_ms": 300},
            {"kind": "lost_reply", "route": "ws-api order.*", "probability": 0.2},
            {"kind": "duplicate_frame", "route": "private", "probability": 0.2},
        )
        time.sleep(3)
        engine = world.services["engine"]
        code = engine.stop(60)
        truth = world.sim.audit()
        if code == 0:
            assert not truth["open_orders"], engine.last_words()
            if mode == "flatten":
                assert not truth["positions"], engine.last_words()
        else:
            # It could not: then the code says so, and something is left.
            assert truth["open_orders"] or truth["positions"], engine.last_words()
        assert code != -signal.SIGKILL, "it did not end by itself"
