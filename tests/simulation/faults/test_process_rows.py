"""F27 to F32, F36 to F38: processes that die, hang, fight for a bot or cannot keep up, on one virtual clock."""

import pytest
from simulation.world.exchange import ACCOUNT
from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.domain.client_id import ClientOrderId
from opensqt.domain.errors import ErrorReason, StateError
from opensqt.domain.order import Side
from opensqt.engine.risk.reasons import Code, TradingState


def trading(seed: int) -> World:
    world = World(seed=seed)
    world.start()
    world.run(6 * SECOND)
    assert world.engine.bot.gate.state is TradingState.ACTIVE
    return world


def own(world: World) -> set[str]:
    return {order.client_order_id for order in world.venue_orders()}


@pytest.mark.parametrize("seed", [27, 127, 227])
def test_f27_engine_dies_between_intent_and_send(seed: int) -> None:
    world = World(seed=seed)
    world.crash_engine_after_placements(count=3, down_ns=200 * MS)
    world.start()
    world.run(20 * SECOND)
    epochs = {name[7:11] for name in own(world)}
    assert world.engine.bot.gate.state is TradingState.ACTIVE
    assert epochs, "it quotes again"
    world.finish()


@pytest.mark.parametrize("count", [1, 2, 5, 9, 14])
def test_f28_engine_dies_between_send_and_ack(count: int) -> None:
    world = World(seed=280 + count)
    world.inject("reply.delay", seconds=10, intensity=0.3)
    world.crash_engine_after_placements(count=count, down_ns=50 * MS)
    world.start()
    world.run(12 * SECOND)
    world.finish()


@pytest.mark.parametrize("seed", [29, 129, 229])
def test_f29_connector_dies_and_what_was_not_answered_is_asked_for_and_never_sent_again(seed: int) -> None:
    world = trading(seed)
    sent = world.checks.placements
    before = own(world)
    world.inject("reply.delay", seconds=2, intensity=0.5)
    world.crash_connector(down_ns=SECOND)
    world.run(100 * MS)
    assert Code.CONNECTOR_DOWN in world.engine.bot.gate.reasons
    assert world.checks.placements == sent, "nothing is kept for later"
    world.run(10 * SECOND)
    assert before & own(world) or world.checks.placements > sent
    world.finish()


@pytest.mark.parametrize("seed", [30, 130])
def test_f30_the_engine_does_not_depend_on_who_looks(seed: int) -> None:
    # Whoever reads the state is another process: the engine's decisions are the same with no reader at all.
    watched, alone = World(seed=seed), World(seed=seed)
    for world in (watched, alone):
        world.start()
        world.run(8 * SECOND)
    assert own(watched) == own(alone)
    watched.finish()
    alone.finish()


@pytest.mark.parametrize("seed", [31, 131, 231])
def test_f31_a_connector_without_memory_finds_the_orders_by_their_ids(seed: int) -> None:
    world = trading(seed)
    before = own(world)
    world.crash_connector(down_ns=300 * MS)
    world.run(8 * SECOND)
    bot = world.engine.bot
    assert bot.gate.state is TradingState.ACTIVE
    assert not bot.orders.foreign
    filled = {fill.client_order_id for fill in world.exchange.view.fills(ACCOUNT)}
    assert all(name in own(world) | filled or name not in bot.orders.open for name in before)
    world.finish()


def test_f32_an_order_of_an_earlier_run_is_refused_by_the_connector() -> None:
    world = trading(32)
    bot = world.engine.bot
    earlier = str(ClientOrderId(bot.tag, bot.epoch - 1 if bot.epoch > 1 else 0, 1, Side.BUY, 1))
    with pytest.raises(StateError) as raised:
        world.connector.core.leases.check_id(earlier)
    assert raised.value.reason is ErrorReason.FENCED
    world.finish()


@pytest.mark.parametrize("seed", [36, 136, 236])
def test_f36_an_engine_that_reads_nothing_for_a_while_misses_no_order_event(seed: int) -> None:
    world = trading(seed)
    world.exchange.walk.speed = 4.0
    fills = len(world.exchange.view.fills(ACCOUNT))
    world.freeze_engine(4 * SECOND)
    world.run(4 * SECOND)
    world.exchange.walk.speed = 1.0
    world.run(8 * SECOND)
    assert len(world.exchange.view.fills(ACCOUNT)) > fills, "it was filled while it read nothing"
    world.finish()


@pytest.mark.parametrize("seed", [37, 137])
def test_f37_an_engine_that_hangs_counts_as_gone_after_its_heartbeats_stop(seed: int) -> None:
    world = trading(seed)
    core = world.connector.core
    assert len(core.trade) == 1
    world.freeze_engine(14 * SECOND)
    world.run(13 * SECOND)
    assert len(core.trade) == 0, "its session is over, whatever its connection says"
    assert not core.trade.attended_symbols(), "so the dead-man switch is not set again"
    world.run(15 * SECOND)
    assert len(core.trade) == 1, "it is back"
    world.finish()


@pytest.mark.parametrize("seed", [38, 138])
def test_f38_a_flood_of_market_data_delays_no_order(seed: int) -> None:
    world = trading(seed)
    world.exchange.walk.speed = 12.0
    for _ in range(40):
        world.run(100 * MS)
        # Orders travel on a stream of their own: none waits behind the market for its answer.
        assert not world.unknown_orders()
    world.exchange.walk.speed = 1.0
    world.finish()
