"""F55 to F57: leaving in two phases during a storm, a paused machine, a loop that stands still."""

import pytest
from simulation.world.exchange import ACCOUNT
from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.domain.order import TimeInForce
from opensqt.engine.commands import Place
from opensqt.engine.events import Leave, StopMode
from opensqt.engine.risk.reasons import Code, TradingState
from opensqt.engine.winding import is_wound_down
from opensqt.runtime.watchdog import StuckJudge


def trading(seed: int) -> World:
    world = World(seed=seed)
    world.start()
    world.run(8 * SECOND)
    assert world.engine.bot.gate.state is TradingState.ACTIVE
    return world


def own(world: World) -> list[str]:
    bot = world.engine.bot
    return [order.client_order_id for order in world.venue_orders() if bot.owner(order.client_order_id) is not None]


@pytest.mark.parametrize("mode", [StopMode.CANCEL, StopMode.FLATTEN])
@pytest.mark.parametrize("seed", [55, 155, 255])
def test_f55_a_sigterm_during_a_storm_leaves_nothing_that_the_venue_knows_of(seed: int, mode: StopMode) -> None:
    world = trading(seed)
    world.exchange.walk.speed = 3.0
    world.inject("order.delay", seconds=4, intensity=0.2)
    world.inject("reply.drop", seconds=4, intensity=0.5)
    world.inject("venue.error", seconds=4, intensity=0.5)
    world.run(SECOND)
    world.operate(Leave("eth", mode))
    opened = world.checks.placements
    for _ in range(600):
        world.run(100 * MS)
        if is_wound_down(world.engine.bot) and not own(world):
            break
    assert own(world) == [], "verified by the venue's own books"
    if mode is StopMode.FLATTEN:
        assert world.exchange.view.position(ACCOUNT, world.symbol).lots == 0
        closing = [one for one in world.engine.bot.orders.by_id.values() if one.rule == "flatten"]
        assert all(one.reduce_only and one.time_in_force is TimeInForce.IOC and one.price_ticks > 0 for one in closing)
        assert world.checks.placements - opened == len(closing)
    else:
        assert world.checks.placements == opened, "stop new comes first"
    # A SIGTERM is no operator's stop: the next run goes on.
    world.run(2 * SECOND)
    world.crash_engine(down_ns=100 * MS)
    world.finish()


@pytest.mark.parametrize("seed", [56, 156, 256])
def test_f56_after_a_pause_of_the_machine_every_stream_is_stale_first(seed: int) -> None:
    world = trading(seed)
    placed = world.checks.placements
    world.freeze_engine(10 * SECOND)
    world.exchange.walk.speed = 4.0
    world.run(10 * SECOND - 1)
    assert world.checks.placements == placed, "nothing runs"
    stalls = world.engine.stalls.stalls
    seen: list[bool] = []
    real = world.engine.core.handle_batch

    def watched(events: object, now_ns: int) -> object:
        commands = real(events, now_ns)  # type: ignore[arg-type]
        bot = world.engine.bot
        if Code.LOOP_STALLED in bot.gate.reasons:
            assert not any(isinstance(command, Place) for command in commands)
            if bot.market.distrusted:
                seen.append(bot.market.valid)
        return commands

    world.engine.core.handle_batch = watched  # type: ignore[method-assign, assignment]
    world.run(5 * SECOND)
    assert world.engine.stalls.stalls == stalls + 1
    assert seen, "the pause was noticed before anything else was decided"
    assert not any(seen), "no book of before the pause priced anything"
    assert not world.engine.bot.market.distrusted
    assert Code.LOOP_STALLED not in world.engine.bot.gate.reasons
    world.finish()


def test_f57_a_stalled_loop_is_noticed_by_itself_and_by_its_watchdog() -> None:
    world = trading(57)
    judge = StuckJudge(3 * SECOND, 60 * SECOND, 3 * SECOND)
    judge.beat(world.engine.monotonic_ns())
    world.freeze_engine(5 * SECOND)
    verdicts = []
    for _ in range(10):
        world.run(500 * MS)
        verdicts.append(judge.look(world.engine.monotonic_ns()))
    assert verdicts.count("alarm") == 1, "the thread beside the loop raises the alarm while it stands still"
    world.run(100 * MS)
    lines = [line for line in world.engine.bot.recent_journal if line.code == "LOOP_STALLED"]
    assert [line.level for line in lines] == ["alarm"]
    world.finish()


def test_f57_a_loop_that_hangs_for_good_loses_its_lease_and_its_orders() -> None:
    """Heartbeats stop with the loop, so the connector's grace ends and the vanish policy is applied."""
    world = trading(157)
    world.freeze_engine(30 * SECOND)
    world.run(18 * SECOND)  # ten without a heartbeat, five of grace
    assert own(world) == [], "the connector cancelled after the grace time"
    world.run(13 * SECOND)
    world.finish()
