"""The fault table: what can go wrong, for how long and how badly; a seed draws from it.

`world.inject(kind, seconds, intensity)` makes one happen now; `draw` plans several. Intensity is 0 to 1 and means what
the fault makes of it: a probability, a share of the longest delay, how many.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import msgspec
from simulation.world.exchange import ACCOUNT
from simulation.world.timeline import MS, SECOND
from simulation.world.wires import Weather

from opensqt.domain.order import OrderRequest, Side, TimeInForce
from opensqt.engine.events import Pause, Reconcile, Resume

if TYPE_CHECKING:
    from simulation.world.world import World

Undo = Callable[[], None]
Make = Callable[["World", int, float], Undo | None]


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong."""

    at_ns: int
    kind: str
    duration_ns: int
    intensity: float

    def __str__(self) -> str:
        return f"{self.at_ns / SECOND:6.2f} s  {self.kind:<18} {self.duration_ns / SECOND:5.2f} s  {self.intensity:.2f}"


def draw(rng: Random, first_ns: int, last_ns: int) -> list[Fault]:
    """Draw a plan: a few faults, some of them at the same time."""
    kinds, weights = zip(*((kind, weight) for kind, (weight, _make) in FAULTS.items()), strict=True)
    plan = []
    for kind in rng.choices(kinds, weights, k=rng.randint(3, 14)):
        at_ns = rng.randint(first_ns, last_ns)
        plan.append(Fault(at_ns, kind, int(rng.uniform(0.2, 6.0) * SECOND), rng.random()))
    return sorted(plan, key=lambda fault: fault.at_ns)


# ---- wires


def _weather(world: "World", wire: str) -> Weather:
    return world.link_weather if wire == "link" else world.weather[wire]


def _set(wire: str, field: str, lowest: float, highest: float) -> Make:
    def make(world: "World", _duration_ns: int, intensity: float) -> Undo:
        weather = _weather(world, wire)
        value = lowest + (highest - lowest) * intensity
        setattr(weather, field, int(value) if field.endswith("_ns") else value)
        return lambda: setattr(weather, field, 0)

    return make


def _silent(wire: str) -> Make:
    def make(world: "World", duration_ns: int, _intensity: float) -> None:
        _weather(world, wire).down_until_ns = world.timeline.now_ns + duration_ns

    return make


def _break_market(world: "World", _duration_ns: int, _intensity: float) -> None:
    if world.connector.listening and world.connector.adapter.market_up:
        world.connector.adapter.lose_market("the connection was reset")


def _break_user(world: "World", _duration_ns: int, _intensity: float) -> None:
    if world.connector.listening and world.connector.adapter.link is not None:
        world.connector.adapter.link.ended.give("the connection was reset")


def _refuse_user(world: "World", duration_ns: int, intensity: float) -> None:
    _until("account_refused_until_ns")(world, duration_ns, intensity)
    _break_user(world, duration_ns, intensity)


def _break_api(world: "World", _duration_ns: int, _intensity: float) -> None:
    if world.connector.listening:
        world.connector.adapter.orders.break_connection("the connection was reset")


def _break_link(world: "World", _duration_ns: int, _intensity: float) -> None:
    for connection in list(world.connector.connections):
        connection.break_("the connection was reset")


# ---- the venue


def _mood(field: str, highest: float) -> Make:
    def make(world: "World", _duration_ns: int, intensity: float) -> Undo:
        setattr(world.exchange.mood, field, intensity * highest)
        return lambda: setattr(world.exchange.mood, field, 0.0)

    return make


def _until(field: str) -> Make:
    def make(world: "World", duration_ns: int, _intensity: float) -> None:
        setattr(world.exchange.mood, field, world.timeline.now_ns + duration_ns)

    return make


def _cancelled_by_hand(world: "World", _duration_ns: int, intensity: float) -> None:
    orders = world.venue_orders()
    if orders:
        order = orders[int(intensity * len(orders)) % len(orders)]
        world.cancel_by_hand(order)


def _order_by_hand(world: "World", _duration_ns: int, intensity: float) -> Undo:
    """Somebody else bids far below the market for a while, on the same account and symbol."""
    request = OrderRequest(
        symbol=world.symbol,
        client_order_id=f"hand{world.timeline.happened}",
        side=Side.BUY,
        time_in_force=TimeInForce.GTC,
        price_ticks=world.exchange.walk.mid - 9_000,
        lots=10 + int(intensity * 60),
        instrument_revision=world.instrument.revision,
    )
    done = world.exchange.by_hand(lambda venue, command_id, now_ns: venue.place(ACCOUNT, request, command_id, now_ns))

    def cancel() -> None:
        if done is not None and done.order is not None:
            world.cancel_by_hand(done.order)

    return cancel


# ---- processes


def _crash_engine(world: "World", duration_ns: int, intensity: float) -> None:
    """Kill it, half of the time right behind a placement that was sent and not yet stored."""
    if intensity < 0.5:
        world.crash_engine(duration_ns)
    else:
        world.crash_engine_after_placements(1 + int(intensity * 6), duration_ns)


def _crash_connector(world: "World", duration_ns: int, _intensity: float) -> None:
    world.crash_connector(duration_ns)


def _crash_both(world: "World", duration_ns: int, intensity: float) -> None:
    world.crash_connector(duration_ns)
    world.crash_engine(int(duration_ns * intensity))


def _stall_disk(world: "World", duration_ns: int, _intensity: float) -> None:
    disk = world.engine.disk
    disk.stalled_until_ns = max(disk.stalled_until_ns, world.timeline.now_ns + duration_ns)


# ---- the market, the operator


def _jump(world: "World", _duration_ns: int, intensity: float) -> None:
    world.exchange.walk.mid += int((intensity - 0.5) * 4_000)


def _rush(world: "World", _duration_ns: int, intensity: float) -> Undo:
    walk = world.exchange.walk
    walk.speed = 1 + 3 * intensity
    return lambda: setattr(walk, "speed", 1.0)


def _pause(world: "World", _duration_ns: int, _intensity: float) -> Undo:
    world.operate(Pause("eth", "the simulation pauses it"))
    return lambda: world.operate(Resume("eth"))


def _reconcile(world: "World", _duration_ns: int, _intensity: float) -> None:
    world.operate(Reconcile("eth"))


FAULTS: dict[str, tuple[float, Make]] = {
    "market.drop": (2, _set("market", "drop", 0.02, 0.5)),
    "market.duplicate": (1, _set("market", "duplicate", 0.1, 0.8)),
    "market.reorder": (2, _set("market", "reorder", 0.05, 0.5)),
    "market.delay": (1, _set("market", "extra_ns", 20 * MS, 2 * SECOND)),
    "market.silent": (2, _silent("market")),
    "market.break": (2, _break_market),
    "user.duplicate": (2, _set("user", "duplicate", 0.1, 1.0)),
    "user.reorder": (3, _set("user", "reorder", 0.05, 0.8)),
    "user.delay": (3, _set("user", "extra_ns", 20 * MS, 3 * SECOND)),
    "user.silent": (2, _silent("user")),
    "user.drop": (2, _set("user", "drop", 0.02, 0.5)),
    "user.break": (3, _break_user),
    "user.refuse": (3, _refuse_user),
    "order.drop": (3, _set("order", "drop", 0.05, 0.9)),
    "order.delay": (3, _set("order", "extra_ns", 20 * MS, 6 * SECOND)),
    "order.reorder": (2, _set("order", "reorder", 0.05, 0.6)),
    "reply.drop": (3, _set("reply", "drop", 0.05, 0.9)),
    "reply.delay": (3, _set("reply", "extra_ns", 20 * MS, 6 * SECOND)),
    "reply.reorder": (2, _set("reply", "reorder", 0.05, 0.8)),
    "reply.duplicate": (1, _set("reply", "duplicate", 0.1, 1.0)),
    "api.break": (3, _break_api),
    "query.drop": (2, _set("query", "drop", 0.05, 0.9)),
    "query.delay": (2, _set("query", "extra_ns", 20 * MS, 2 * SECOND)),
    "query.error": (2, _mood("query_error", 0.9)),
    "venue.overloaded": (2, _mood("refuse_503", 0.9)),
    "venue.error": (3, _mood("error_unknown", 0.9)),
    "venue.limited": (1, _until("limited_until_ns")),
    "venue.banned": (1, _until("banned_until_ns")),
    "venue.maintenance": (1, _until("maintenance_until_ns")),
    "venue.cancels": (1, _cancelled_by_hand),
    "hand.order": (1, _order_by_hand),
    "link.delay": (2, _set("link", "extra_ns", 5 * MS, 2 * SECOND)),
    "link.silent": (2, _silent("link")),
    "link.break": (3, _break_link),
    "engine.crash": (4, _crash_engine),
    "connector.crash": (4, _crash_connector),
    "both.crash": (2, _crash_both),
    "disk.stall": (2, _stall_disk),
    "market.jump": (1, _jump),
    "market.rush": (2, _rush),
    "operator.pause": (1, _pause),
    "operator.reconcile": (1, _reconcile),
}
"""Every fault with its weight in a draw."""
