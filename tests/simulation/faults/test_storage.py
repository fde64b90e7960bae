"""F33 to F35: a disk that is full, damaged or slow."""

from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.domain.order import Side
from opensqt.engine.config import StoreConfig
from opensqt.engine.risk.reasons import Code, TradingState

QUICK = {"store": StoreConfig(stall_ms=1_000, halt_after_s=25)}


def trading(seed: int) -> World:
    world = World(seed=seed, engine=QUICK)
    world.start()
    world.run(6 * SECOND)
    assert world.engine.bot.gate.state is TradingState.ACTIVE
    return world


def alarms(world: World, code: Code) -> int:
    return sum(entry.code == code.value and entry.level == "alarm" for entry in world.engine.bot.recent_journal)


def test_f33_disk_full() -> None:
    world = trading(33)
    bot = world.engine.bot
    for _ in range(240):  # until it holds something that a take-profit can sell
        if bot.position.lots:
            break
        world.run(250 * MS)
    known = bot.ledger.totals.fills
    world.engine.disk.error = "database or disk is full"
    world.exchange.walk.speed = 4.0
    durable = len(world.engine.disk.trade_ids)
    world.run(SECOND)
    assert bot.gate.state is TradingState.REDUCING
    assert alarms(world, Code.STORE_STALLED) == 1
    began_ns = world.engine.clock.now_ns()
    world.run(20 * SECOND)
    assert bot.gate.state is TradingState.REDUCING, "it goes on in memory for a while"
    assert bot.ledger.totals.fills > known, "fills are booked in memory"
    assert len(world.engine.disk.trade_ids) == durable
    opened = [one for one in bot.orders.by_id.values() if one.side is Side.BUY and one.sent_ns > began_ns]
    assert not opened, "nothing new opens"
    world.run(6 * SECOND)
    assert bot.gate.state is TradingState.HALTED
    assert alarms(world, Code.STORE_LOST) == 1
    world.run(2 * SECOND)
    assert not world.venue_orders(), "cancels always pass"
    world.engine.disk.error = ""
    world.run(3 * SECOND)
    assert bot.gate.state is TradingState.ACTIVE
    world.finish()
    assert len(world.engine.disk.trade_ids) == len(world.exchange.fills), "every fill became durable"


def test_f33_disk_full_and_killed_before_anything_was_saved() -> None:
    world = trading(333)
    world.engine.disk.error = "database or disk is full"
    world.exchange.walk.speed = 4.0
    world.run(5 * SECOND)
    world.engine.disk.error = ""
    world.crash_engine(down_ns=500 * MS)
    world.finish()
    assert world.engine.bot.history_complete


def test_f34_corrupted_database() -> None:
    world = trading(34)
    resting = {order.client_order_id for order in world.venue_orders()}
    assert resting
    world.exchange.walk.stand_still()
    world.run(SECOND)
    world.crash_engine()
    world.engine.disk.damage()
    # What the lost file had booked is booked again from the venue.
    world.checks.forget_durable()
    placed = world.checks.placements
    world.start_engine()
    world.run(3 * SECOND)
    bot = world.engine.bot
    assert list(world.engine.disk.path.parent.glob("*.damaged-*"))
    assert not bot.history_complete
    (told,) = [entry for entry in bot.recent_journal if entry.code == "HISTORY_INCOMPLETE"]
    assert told.level == "alarm"
    assert "damaged" in told.message
    assert {order.client_order_id for order in world.venue_orders()} >= resting, "its orders are adopted, not replaced"
    assert world.checks.placements == placed
    world.finish()


def test_f35_fsync_stalls() -> None:
    world = trading(35)
    bot = world.engine.bot
    turns = world.checks.counts["replica_hash_equals_engine_hash"]
    world.engine.disk.stalled_until_ns = world.timeline.now_ns + 5 * SECOND
    world.exchange.walk.speed = 3.0
    world.run(2_500 * MS)
    assert bot.gate.state is TradingState.REDUCING
    assert alarms(world, Code.STORE_STALLED) == 1
    assert world.engine.jobs > 0
    assert world.checks.counts["replica_hash_equals_engine_hash"] > turns, "the engine goes on, nothing waits"
    world.run(5 * SECOND)
    assert bot.gate.state is TradingState.ACTIVE
    assert Code.STORE_LOST not in bot.gate.reasons
    world.finish()
    assert world.engine.jobs == 0
