"""Random lives of a grid: prices, partial fills, shuffled events, lost replies and commands, kills at any step.

Whatever happens, once the dust settles the engine knows what the venue knows: same position, every fill booked once,
the same open orders, nothing unexplained; the invariants in `World.check` hold after every turn.
"""

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models.grid_venue import World, config

from opensqt.domain.errors import ErrorReason
from opensqt.domain.order import Side
from opensqt.engine.events import Detached

REFUSALS = [
    ErrorReason.POST_ONLY_WOULD_CROSS,
    ErrorReason.RATE_LIMITED,
    ErrorReason.INSUFFICIENT_MARGIN,
    ErrorReason.VENUE_REJECTED,
]

STEP = st.one_of(
    st.tuples(st.just("price"), st.integers(-900, 900)),
    st.tuples(st.just("partial"), st.integers(1, 9)),
    st.tuples(st.just("deliver"), st.integers(1, 6)),
    st.tuples(st.just("shuffle"), st.just(0)),
    st.tuples(st.just("timer"), st.integers(50, 3_000)),
    st.tuples(st.just("lose_reply"), st.integers(1, 3)),
    st.tuples(st.just("lose_command"), st.integers(1, 3)),
    st.tuples(st.just("refuse"), st.sampled_from(REFUSALS)),
    st.tuples(st.just("reconnect"), st.just(0)),
    st.tuples(st.just("write"), st.integers(1, 9)),
    st.tuples(st.just("kill"), st.just(0)),
)


def act(world: World, step: tuple[str, object]) -> None:
    kind, value = step
    venue = world.venue
    if kind == "price":
        world.price(max(250_000, venue.bid + int(value)))  # type: ignore[call-overload]
    elif kind == "partial":
        resting = [o for o in venue.open_orders if not o.reduce_only or o.remaining_lots <= venue.position]
        if resting:
            order = world.random.choice(resting)
            venue.fill(order.client_order_id, int(value))  # type: ignore[call-overload]
    elif kind == "deliver":
        world.deliver(int(value))  # type: ignore[call-overload]
    elif kind == "shuffle":
        world.deliver_shuffled()
    elif kind == "timer":
        world.timer(int(value))  # type: ignore[call-overload]
    elif kind == "lose_reply":
        venue.lose_replies = int(value)  # type: ignore[call-overload]
    elif kind == "lose_command":
        venue.lose_commands = int(value)  # type: ignore[call-overload]
    elif kind == "refuse":
        venue.refuse.append(value)  # type: ignore[arg-type]
    elif kind == "write":
        world.write_out(int(value))  # type: ignore[call-overload]
    elif kind == "reconnect":
        world.turn(Detached("test"))
        world.attach()
        world.price()
    else:
        world.kill()
        world.attach()
        world.price()


def finish(world: World) -> None:
    venue = world.venue
    venue.lose_replies = venue.lose_commands = 0
    venue.refuse.clear()
    world.timer(6_000)
    world.settle()
    world.turn(Detached("end of test"))
    world.attach()
    world.price()
    world.settle(200)
    world.timer(35_000)
    world.settle(200)
    world.check_settled()


@given(steps=st.lists(STEP, max_size=40), seed=st.integers(0, 1000))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_life_ends_with_the_venues_books(steps: list[tuple[str, object]], seed: int) -> None:
    world = World(seed=seed, settings=config(risk={"max_position": Decimal("0.2")}))
    world.start()
    world.slow_disk = True
    for step in steps:
        act(world, step)
    finish(world)


@given(steps=st.lists(STEP, max_size=25), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_database_lost_at_the_end_adopts_what_the_venue_has(steps: list[tuple[str, object]], seed: int) -> None:
    world = World(seed=seed)
    world.start()
    for step in steps:
        act(world, step)
    finish(world)
    before = {(o.side, o.price_ticks) for o in world.venue.open_orders}
    lots = {slot: lot.lots for slot, lot in world.bot.ledger.slots.items() if lot.lots}
    world.kill(lost_database=True)
    world.start()
    assert {(o.side, o.price_ticks) for o in world.venue.open_orders} == before
    assert {slot: lot.lots for slot, lot in world.bot.ledger.slots.items() if lot.lots} == lots
    assert not world.bot.history_complete
    assert world.bot.anchor_ticks == 300_000
    world.check_settled()


@given(steps=st.lists(STEP, max_size=20), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_restart_is_idempotent(steps: list[tuple[str, object]], seed: int) -> None:
    world = World(seed=seed)
    world.start()
    for step in steps:
        act(world, step)
    finish(world)
    before = {(o.client_order_id, o.price_ticks) for o in world.venue.open_orders}
    for _ in range(2):
        world.kill()
        world.start()
        assert {(o.client_order_id, o.price_ticks) for o in world.venue.open_orders} == before
        world.check_settled()


def test_same_events_give_the_same_commands() -> None:
    logs = []
    for _ in range(2):
        world = World(seed=7)
        world.start()
        for move in (-300, 500, -700, 200, -100):
            world.price(world.venue.bid + move)
            world.settle()
        logs.append([str(command) for command in world.sent])
    assert logs[0] == logs[1]
    assert any(o.side is Side.SELL for o in world.venue.placed)
