"""F27, F28: a process that dies at any send or persistence boundary loses nothing and doubles nothing."""

import importlib
import time

import pytest

from crash.look import Look
from crash.plan import HOOKS
from crash.referee import compare, stop_flat
from crash.report import Report
from crash.world import World, wait_until
from opensqt.runtime.crash_points import EXIT_CODE, declared

pytestmark = pytest.mark.slow

MODULES = (
    "opensqt.runtime.sqlite",
    "opensqt.engine.shell",
    "opensqt.engine.exchange_client",
    "opensqt.connector.servicer_trade",
    "opensqt.connector.trade_stream",
    "opensqt.connector.state_file",
    "opensqt.connector.venues.binance.adapter",
    "opensqt.connector.venues.binance.order_entry",
)
BEFORE_THE_SEND = ("engine.decided", "engine.intent", "engine.sending")
"""The decision is made, the order is not on its way."""
SERVICE = {name: service for service, hooks in HOOKS.items() for name, _at_most in hooks}


def test_every_declared_point_is_one_that_the_kills_know() -> None:
    for name in MODULES:
        importlib.import_module(name)
    assert set(declared()) == set(SERVICE)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", BEFORE_THE_SEND)
def test_f27_real_death_between_intent_and_send(world: World, look: Look, point: str) -> None:
    _die_and_come_back(world, look, point)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", sorted(SERVICE.keys() - set(BEFORE_THE_SEND)))
def test_f28_real_death_at_a_boundary_loses_nothing_and_doubles_nothing(world: World, look: Look, point: str) -> None:
    _die_and_come_back(world, look, point)


def _die_and_come_back(world: World, look: Look, point: str) -> None:
    service = world.services[SERVICE[point]]
    service.kill()
    service.start(point)
    look.reset()
    assert wait_until(lambda: service.code is not None, 90), f"{point} was not reached\n{service.last_words()}"
    assert service.code == EXIT_CODE, service.last_words()
    died_ns = time.time_ns()
    service.start()
    look.reset()
    assert wait_until(lambda: look.quoting(died_ns), 90), f"{look.bot()}\n{service.last_words()}"
    assert look.agreement(60), "engine and venue disagree"
    world.sim.call("DELETE", "/faults")
    report = Report(0)
    stop_flat(report, look, world)
    compare(report, world.sim.audit(), world.database)
    report.judge()
    assert not report.problems, report.text()
    assert report.orders > 0
