"""The state stream: a replica that applies it has the engine's hash after every event; slow readers are cut."""

import asyncio

import pytest
from models.grid_venue import MS, World

from opensqt.domain.clock import ManualClock
from opensqt.domain.errors import ErrorReason, LimitError, RequestError
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.domain.state_hash import combine, order_hash, position_hash, slot_hash
from opensqt.domain.wire_enum import state_from_wire
from opensqt.engine.publisher import MAX_QUEUED_EVENTS, MAX_READERS, Publisher
from opensqt.proto import engine_pb2


class Replica:
    """What a reader makes of the stream."""

    def __init__(self) -> None:
        self.slots: dict[tuple[str, int], engine_pb2.SlotState] = {}
        self.orders: dict[tuple[str, str], engine_pb2.BotOrder] = {}
        self.positions: dict[str, int] = {}
        self.sequence = 0

    def apply(self, event: engine_pb2.StateEvent) -> None:
        if event.HasField("snapshot"):
            self.slots.clear()
            self.orders.clear()
            for bot in event.snapshot.bots:
                self.slots.update({(bot.bot_id, slot.slot): slot for slot in bot.slots})
                self.orders.update({(bot.bot_id, o.order.client_order_id): o for o in bot.orders})
                self.positions[bot.bot_id] = bot.position.lots
        else:
            assert event.sequence == self.sequence + 1, "a hole"
            delta = event.delta
            self.slots.update({(delta.bot_id, slot.slot): slot for slot in delta.slots})
            self.orders.update({(delta.bot_id, o.order.client_order_id): o for o in delta.orders})
            for slot in delta.removed_slots:
                del self.slots[delta.bot_id, slot]
            for client_id in delta.removed_client_order_ids:
                del self.orders[delta.bot_id, client_id]
            if delta.HasField("position"):
                self.positions[delta.bot_id] = delta.position.lots
        self.sequence = event.sequence
        assert event.state_hash == self.hash()

    def hash(self) -> int:
        return combine(
            [
                *(slot_hash(b, k, s.held_lots, s.cost_ticks_lots, s.cycles) for (b, k), s in self.slots.items()),
                *(
                    order_hash(
                        b,
                        i,
                        o.order.price_ticks,
                        o.order.lots,
                        o.order.filled_lots,
                        state_from_wire(o.order.state).value,
                    )
                    for (b, i), o in self.orders.items()
                ),
                *(position_hash(b, lots) for b, lots in self.positions.items()),
            ]
        )


async def read_all(stream, replica: Replica) -> int:  # type: ignore[no-untyped-def]
    count = 0
    while True:
        try:
            replica.apply(await asyncio.wait_for(anext(stream), 0.01))
            count += 1
        except TimeoutError:
            return count


@pytest.mark.parametrize("bot_ids", [(), ("eth",)])
async def test_replica_has_the_engines_hash_after_every_event(bot_ids: tuple[str, ...]) -> None:
    world = World(seed=3)
    publisher = Publisher(world.core, ManualClock())
    replica = Replica()
    queue: asyncio.Queue[engine_pb2.StateEvent] = asyncio.Queue()

    async def pump() -> None:
        async for event in publisher.subscribe(bot_ids):
            queue.put_nowait(event)

    task = asyncio.create_task(pump())
    await asyncio.sleep(0)

    async def catch_up() -> None:
        publisher.after_turn()
        publisher.flush()
        for _ in range(5):
            await asyncio.sleep(0)
        while not queue.empty():
            replica.apply(queue.get_nowait())

    world.start()
    await catch_up()
    for move in (-450, 300, -800, 900, -300, 650):
        world.price(world.venue.bid + move)
        await catch_up()
        world.deliver(2)
        await catch_up()
        world.settle()
        await catch_up()
    assert replica.sequence >= 20
    bot = world.bot
    assert len(replica.orders) == len(bot.orders.open)
    assert sum(slot.held_lots for slot in replica.slots.values()) == bot.ledger.position_lots
    task.cancel()


async def test_reader_that_does_not_read_is_cut_off() -> None:
    world = World()
    world.start()
    publisher = Publisher(world.core, ManualClock())
    stream = publisher.subscribe(())
    await anext(stream)
    for number in range(MAX_QUEUED_EVENTS + 1):
        world.turn()
        world.bot.unsaid.prices = True
        world.venue.now_ns += MS * number
        publisher.flush()
    with pytest.raises(LimitError) as caught:
        await anext(stream)
    assert caught.value.reason is ErrorReason.SLOW_READER


async def test_nothing_more_is_prepared_for_a_reader_that_was_cut_off() -> None:
    world = World()
    world.start()
    publisher = Publisher(world.core, ManualClock())
    hung, brisk = publisher.open_reader(), publisher.open_reader()
    for _ in range(MAX_QUEUED_EVENTS + 1):
        world.bot.unsaid.prices = True
        publisher.flush()
        brisk.queue.clear()

    assert hung.too_slow
    assert not hung.queue
    assert publisher.readers == 1


async def test_there_is_a_bound_on_how_many_may_read() -> None:
    publisher = Publisher(World().core, ManualClock())
    for _ in range(MAX_READERS):
        publisher.open_reader()

    with pytest.raises(LimitError, match="open already"):
        publisher.open_reader()


async def test_unknown_bot_is_refused_by_name() -> None:
    world = World()
    publisher = Publisher(world.core, ManualClock())
    with pytest.raises(RequestError, match="nobody"):
        await anext(publisher.subscribe(["nobody"]))


async def test_fills_are_told_at_the_end_of_the_turn_and_prices_by_the_beat() -> None:
    world = World()
    world.start()
    publisher = Publisher(world.core, ManualClock())
    stream = publisher.subscribe(())
    await anext(stream)
    world.price()
    publisher.after_turn()
    await asyncio.sleep(0)
    assert publisher.sequence == 2 or not world.bot.unsaid.urgent
    before = publisher.sequence
    order = next(iter(world.venue.open_orders))
    world.venue.fill(order.client_order_id, 1)
    world.deliver(4)
    publisher.after_turn()
    await asyncio.sleep(0)
    assert publisher.sequence == before + 1
    event = await anext(stream)
    while not event.delta.fills:
        event = await anext(stream)
    assert event.delta.pnl.fills == 1


async def test_latency_travels_with_the_snapshot_and_once_per_second() -> None:
    world = World()
    world.start()
    board = LatencyBoard(Hop, ManualClock().monotonic_ns)
    board.recorder(Hop.DECIDE)(5_000)
    publisher = Publisher(world.core, ManualClock(), board)
    stream = publisher.subscribe(())
    snapshot = await anext(stream)
    assert [hop.hop for hop in snapshot.latency] == ["decide"]
    board.recorder(Hop.SEND)(7_000)
    publisher.tell_latency()
    for expected in (["decide", "send"], []):
        world.bot.unsaid.prices = True
        publisher.flush()
        event = await anext(stream)
        assert event.HasField("delta")
        assert [hop.hop for hop in event.latency] == expected
