"""F51 and F52: what the venue answers to questions lags behind its stream, or fails."""

from simulation.world.timeline import SECOND
from simulation.world.world import World

from opensqt.domain.order_state import OrderState
from opensqt.engine.risk.reasons import TradingState


def trading(seed: int) -> World:
    world = World(seed=seed)
    world.start()
    world.run(8 * SECOND)
    assert world.engine.bot.gate.state is TradingState.ACTIVE
    assert world.engine.bot.reconciler.reads >= 1
    return world


def corrections(world: World) -> list[str]:
    return [entry.message for entry in world.engine.bot.recent_journal if entry.code == "CORRECTED"]


def test_f51_stale_rest_data() -> None:
    world = trading(51)
    bot = world.engine.bot
    world.reads.hold()
    world.exchange.walk.speed = 4.0
    fills = bot.ledger.totals.fills
    world.run(20 * SECOND)
    assert bot.ledger.totals.fills > fills, "there is news that the replica does not have"
    assert bot.reconciler.stale_reads > 0
    assert not corrections(world), "a read older than the stream never wins"
    assert bot.gate.state is TradingState.ACTIVE
    world.reads.release()
    reads = bot.reconciler.reads
    world.run(12 * SECOND)
    assert bot.reconciler.reads > reads
    world.finish()


def test_f52_failed_query_is_never_an_empty_answer() -> None:
    world = trading(52)
    bot = world.engine.bot
    world.exchange.mood.query_error = 1.0
    before = {one.client_order_id for one in bot.orders.open.values()}
    position = bot.position.lots
    world.exchange.walk.stand_still()
    world.run(20 * SECOND)
    assert world.reads.failed >= 2
    assert bot.reconciler.failures >= 2
    assert "503" in bot.reconciler.last_error
    assert not corrections(world)
    gone = [bot.orders.by_id[client_id] for client_id in before - bot.orders.open.keys()]
    resting = {order.client_order_id for order in world.venue_orders()}
    assert all(order.state is OrderState.CANCELED for order in gone), "what went was cancelled, and the venue said so"
    assert not {order.client_order_id for order in gone} & resting
    assert bot.position.lots == position
    world.finish()


def test_f52_an_answer_that_really_is_empty_is_checked_order_by_order() -> None:
    world = trading(520)
    bot = world.engine.bot
    world.exchange.walk.stand_still()
    world.run(4 * SECOND)
    resting = {order.client_order_id for order in world.venue_orders()}
    placed = world.checks.placements
    world.reads.hide = True
    world.run(15 * SECOND)
    assert corrections(world), "two reads that agree are followed up"
    assert {order.client_order_id for order in world.venue_orders()} == resting, "nothing was cancelled or sent twice"
    assert world.checks.placements == placed
    assert all(one.state is not OrderState.CANCELED for one in bot.orders.open.values())
    world.finish()
