"""F48 to F50: nothing grows for ever, logs included, and a venue that cannot be reached at all is outlived."""

import collections
import types
from collections.abc import Iterable
from enum import Enum
from typing import Any

import pytest
import structlog
from simulation.world.timeline import SECOND
from simulation.world.world import VENUE_WIRES, World

from opensqt.connector import mirror
from opensqt.domain import ledger
from opensqt.engine import orders
from opensqt.engine.risk.reasons import TradingState
from opensqt.runtime.log_flow import BURST, MAX_KINDS, PER_SECOND, LogPace

_LEAVES = (str, bytes, int, float, type, Enum, types.FunctionType, types.ModuleType, types.BuiltinFunctionType)


def census(*roots: object) -> dict[str, int]:
    """Count the elements of every container that is reachable, by the name of the attribute that holds it."""
    counts: collections.Counter[str] = collections.Counter()
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [("root", root) for root in roots]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, _LEAVES) or value is None or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            counts[name] += len(value)
            waiting.extend((name, item) for item in (*value.keys(), *value.values()))
        elif isinstance(value, (list, tuple, set, frozenset, collections.deque)):
            counts[name] += len(value)
            waiting.extend((name, item) for item in value)
        elif type(value).__module__.startswith("opensqt"):
            waiting.extend((f"{type(value).__name__}.{key}", item) for key, item in _attributes(value))
    return dict(counts)


def _attributes(value: object) -> Iterable[tuple[str, Any]]:
    names = set(getattr(value, "__dict__", ()))
    for kind in type(value).__mro__:
        slots = getattr(kind, "__slots__", ())
        names.update((slots,) if isinstance(slots, str) else slots)
    names.update(getattr(value, "__struct_fields__", ()))
    return [(name, getattr(value, name)) for name in sorted(names) if hasattr(value, name)]


def test_f48_nothing_grows_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is remembered on purpose is kept short, so that minutes show what else would grow over weeks.
    monkeypatch.setattr(orders, "REMEMBERED_ORDERS", 50)
    monkeypatch.setattr(ledger, "REMEMBERED_IDS", 100)
    monkeypatch.setattr(mirror, "MAX_ENDED_ORDERS", 50)
    monkeypatch.setattr(mirror, "MAX_RECENT_FILLS", 100)
    world = World(seed=48)
    world.start()
    world.exchange.walk.speed = 3.0
    world.run(120 * SECOND)
    roots = (
        world.engine.core,
        world.engine.books,
        world.checks.publisher,
        world.checks.replica,
        world.connector.core,
        world.connector.adapter,
    )
    world.checks.replica.take_changes()  # the page's server does, many times a second
    first, placed = census(*roots), world.checks.placements
    world.run(240 * SECOND)
    world.checks.replica.take_changes()
    second = census(*roots)
    assert world.checks.placements - placed > 200, "something must have happened"
    bounded = {"AccountMirror.fills", "Bot.recent_fills", "Bot.recent_journal", "AccountMirror.flows"}
    grown = {
        name: (first.get(name, 0), count)
        for name, count in second.items()
        if count > max(1.5 * first.get(name, 0), first.get(name, 0) + 120) and name not in bounded
    }
    assert not grown, f"these grew with what happened: {grown}"
    world.finish()


def test_f49_log_storm() -> None:
    world = World(seed=49)
    pace = LogPace(world.connector.monotonic_ns)
    written: list[dict[str, Any]] = []

    def keep(_logger: object, method: str, event: Any) -> Any:
        written.append({**event, "level": method})
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[pace, keep], cache_logger_on_first_use=False)
    try:
        world.start()
        world.run(3 * SECOND)
        storm = structlog.get_logger("storm")
        for _second in range(20):
            for number in range(2_000):
                storm.error("stream_message_undecodable", number=number)
            world.run(SECOND)
        lines = [event for event in written if event["event"] == "stream_message_undecodable"]
        assert BURST <= len(lines) <= BURST + 21 * PER_SECOND
        told = sum(event.get("dropped_before", 0) for event in lines)
        assert 40_000 - len(lines) - told < 2_000 + 1, "what was dropped is counted, all but the last second's told"
        assert pace.dropped >= 40_000 - len(lines)
        assert pace.kinds <= MAX_KINDS
        assert world.engine.bot.gate.state is TradingState.ACTIVE, "trading did not notice"
        storm.error("something_else")
        assert written[-1]["event"] == "something_else", "a storm hides no other event"
        world.finish()
    finally:
        structlog.configure(**before)


def test_f50_venue_cannot_be_reached_at_all() -> None:
    world = World(seed=50)
    world.start()
    world.run(5 * SECOND)
    assert world.engine.bot.gate.state is TradingState.ACTIVE
    # A name that does not resolve, a certificate that ran out: every wire is silent, and connecting fails.
    for name in VENUE_WIRES:
        world.weather[name].down_until_ns = world.timeline.now_ns + 30 * SECOND
    placed = world.checks.placements
    world.run(10 * SECOND)
    assert world.engine.bot.gate.state is not TradingState.ACTIVE
    world.run(15 * SECOND)
    assert world.checks.placements - placed <= world.engine.config.bots[0].grid.max_open_orders, "no storm of orders"
    world.run(20 * SECOND)
    world.finish()
    assert world.engine.bot.gate.state is TradingState.ACTIVE
