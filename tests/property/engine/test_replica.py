"""The page's replica of the engine has the engine's hash after every event, whatever happens to the bot."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models.grid_venue import SYMBOL, World

from opensqt.domain.clock import ManualClock
from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import OrderState
from opensqt.engine.events import Detached, Pause, Resume
from opensqt.engine.publisher import Publisher
from opensqt.live_server.replica import EngineReplica

STEP = st.one_of(
    st.tuples(st.just("price"), st.integers(-900, 900)),
    st.tuples(st.just("partial"), st.integers(1, 9)),
    st.tuples(st.just("deliver"), st.integers(1, 6)),
    st.tuples(st.just("timer"), st.integers(50, 3_000)),
    st.tuples(st.just("lose_reply"), st.integers(1, 3)),
    st.tuples(st.just("foreign"), st.integers(0, 2)),
    st.tuples(st.just("reconnect"), st.just(0)),
    st.tuples(st.just("pause"), st.just(0)),
    st.tuples(st.just("resume"), st.just(0)),
    st.tuples(st.just("flush"), st.just(0)),
)


def act(world: World, kind: str, value: int) -> None:
    venue = world.venue
    if kind == "price":
        world.price(max(250_000, venue.bid + value))
    elif kind == "partial":
        buys = [order for order in venue.open_orders if not order.reduce_only]
        if buys:
            venue.fill(world.random.choice(buys).client_order_id, value)
    elif kind == "deliver":
        world.deliver(value)
    elif kind == "timer":
        world.timer(value)
    elif kind == "lose_reply":
        venue.lose_replies = value
    elif kind == "foreign":
        world.turn(
            Order(
                symbol=SYMBOL,
                client_order_id="",
                exchange_order_id=f"manual{value}",
                side=Side.BUY,
                price_ticks=290_000,
                lots=5,
                state=OrderState.LIVE if world.turns % 2 else OrderState.CANCELED,
            )
        )
    elif kind == "reconnect":
        world.turn(Detached("test"))
        world.attach()
        world.price()
    elif kind == "pause":
        world.turn(Pause("eth", "test"))
    elif kind == "resume":
        world.turn(Resume("eth"))


async def live(steps: list[tuple[str, int]], seed: int) -> None:
    world = World(seed=seed)
    publisher = Publisher(world.core, ManualClock())
    replica = EngineReplica()
    stream = publisher.subscribe(())
    replica.apply(await anext(stream))
    world.start()
    for kind, value in steps:
        if kind == "flush":
            publisher.flush()
        else:
            act(world, kind, value)
            publisher.after_turn()
            await asyncio.sleep(0)
        while replica.sequence < publisher.sequence:
            replica.apply(await anext(stream))
    publisher.flush()
    while replica.sequence < publisher.sequence:
        replica.apply(await anext(stream))
    assert replica.is_verified
    bot, mine = replica.bots["eth"], world.bot
    assert set(bot.orders) == set(mine.orders.open) | set(mine.orders.foreign)
    assert {k: slot.held_lots for k, slot in bot.slots.items() if slot.held_lots} == dict(mine.slots.holdings.items())
    await stream.aclose()


@given(steps=st.lists(STEP, max_size=30), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replica_hash_equals_the_engines(steps: list[tuple[str, int]], seed: int) -> None:
    asyncio.run(live(steps, seed))
