import os
from pathlib import Path

import pytest
from models.fake_world import BOT_ID, FakeWorld

from opensqt.live_server.replica import EngineReplica, ReplicaDivergedError
from opensqt.proto import engine_pb2 as engine


def snapshot(world: FakeWorld, sequence: int = 1, state_hash: int | None = None) -> engine.StateEvent:
    return engine.StateEvent(
        sequence=sequence,
        state_hash=world.state_hash() if state_hash is None else state_hash,
        snapshot=engine.StateSnapshot(bots=[world.bot_state()]),
    )


def delta(world: FakeWorld, sequence: int, change: engine.BotDelta, state_hash: int | None = None) -> engine.StateEvent:
    return engine.StateEvent(
        sequence=sequence, state_hash=world.state_hash() if state_hash is None else state_hash, delta=change
    )


def test_replica_follows_the_engine_through_hundreds_of_events() -> None:
    world = FakeWorld(seed=3)
    replica = EngineReplica()
    replica.apply(snapshot(world))
    fills = 0
    for sequence in range(2, 600):
        step = world.step()
        fills += step.fills
        replica.apply(delta(world, sequence, step.delta))
    assert fills > 20
    assert replica.is_verified
    bot = replica.bots[BOT_ID]
    assert set(bot.orders) == set(world.orders)
    assert {k: slot.held_lots for k, slot in bot.slots.items() if slot.held_lots} == {
        k: lots for k, lots in world.held.items() if lots
    }


def test_hole_in_the_sequence_is_an_error() -> None:
    world = FakeWorld()
    replica = EngineReplica()
    replica.apply(snapshot(world))
    with pytest.raises(ReplicaDivergedError, match="lost"):
        replica.apply(delta(world, 3, world.step().delta))


def test_delta_before_a_snapshot_is_an_error() -> None:
    world = FakeWorld()
    with pytest.raises(ReplicaDivergedError, match="before any snapshot"):
        EngineReplica().apply(delta(world, 1, world.step().delta))


def test_delta_after_a_reconnect_needs_a_new_snapshot() -> None:
    world = FakeWorld()
    replica = EngineReplica()
    replica.apply(snapshot(world))
    replica.expect_snapshot()
    assert BOT_ID in replica.bots
    with pytest.raises(ReplicaDivergedError):
        replica.apply(delta(world, 2, world.step().delta))


def test_other_state_than_the_engines_is_an_error() -> None:
    world = FakeWorld()
    replica = EngineReplica()
    replica.apply(snapshot(world))
    lost = world.step().delta
    del lost.slots[:]
    del lost.orders[:]
    lost.position.lots = 77
    with pytest.raises(ReplicaDivergedError, match="hash"):
        replica.apply(delta(world, 2, lost))


def test_engine_that_hashes_otherwise_is_followed_unverified() -> None:
    world = FakeWorld()
    replica = EngineReplica()
    replica.apply(snapshot(world, state_hash=12345))
    replica.apply(delta(world, 2, world.step().delta, state_hash=999))
    assert not replica.is_verified


def test_change_of_an_unknown_bot_is_an_error() -> None:
    world = FakeWorld()
    replica = EngineReplica()
    replica.apply(snapshot(world))
    with pytest.raises(ReplicaDivergedError, match="nobody"):
        replica.apply(delta(world, 2, engine.BotDelta(bot_id="nobody")))


def test_bot_missing_from_a_new_snapshot_is_removed() -> None:
    world = FakeWorld()
    replica = EngineReplica()
    replica.apply(snapshot(world))
    replica.take_changes()
    replica.apply(engine.StateEvent(sequence=9, snapshot=engine.StateSnapshot()))
    changes, removed = replica.take_changes()
    assert not changes
    assert removed == {BOT_ID}


def test_changes_of_several_events_become_one() -> None:
    world = FakeWorld()
    replica = EngineReplica()
    replica.apply(snapshot(world))
    replica.take_changes()
    order = engine.BotOrder(order=world.bot_order(next(iter(world.orders.values()))).order, slot=1)
    order.order.client_order_id = "passing"
    replica.is_verified = False
    replica.apply(delta(world, 2, engine.BotDelta(bot_id=BOT_ID, orders=[order])))
    replica.apply(delta(world, 3, engine.BotDelta(bot_id=BOT_ID, removed_client_order_ids=["passing"])))
    changes, _ = replica.take_changes()
    assert changes[BOT_ID].orders == set()
    assert changes[BOT_ID].removed_orders == {"passing"}
    assert replica.take_changes() == ({}, set())


def test_new_instrument_makes_the_browser_replace_the_bot() -> None:
    world = FakeWorld()
    replica = EngineReplica()
    replica.apply(snapshot(world))
    replica.take_changes()
    spec = world.instrument()
    spec.tick_size.value = "0.1"
    replica.apply(delta(world, 2, engine.BotDelta(bot_id=BOT_ID, instrument=spec)))
    changes, _ = replica.take_changes()
    assert changes[BOT_ID].full
    assert replica.bots[BOT_ID].scale.price(1) == "0.1"


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def test_weeks_of_changes_take_no_memory() -> None:
    world = FakeWorld(seed=3)
    replica = EngineReplica()
    replica.apply(snapshot(world))
    state_hash = world.state_hash()

    def change(sequence: int) -> engine.BotDelta:
        number = str(sequence)
        told = engine.BotDelta(bot_id=BOT_ID, limits=[engine.RiskLimit(title=f"{number}{i}") for i in range(10)])
        for field in ("grid_profit", "fees", "equity", "turnover", "funding"):
            getattr(told.pnl, field).value = number
        told.last_price.value = number
        return told

    def tell(first: int, last: int) -> None:
        for sequence in range(first, last):
            replica.apply(delta(world, sequence, change(sequence), state_hash))

    tell(2, 3_000)
    before = resident_kb()
    tell(3_000, 18_000)
    assert replica.bots[BOT_ID].head.pnl.equity.value == "17999"
    assert [limit.title for limit in replica.bots[BOT_ID].head.limits][:1] == ["179990"]
    assert resident_kb() - before < 3_000
