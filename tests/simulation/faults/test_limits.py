"""F21 to F23: refusals that are no trouble, limits, and a ban."""

from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.domain.market import BookValidity
from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState
from opensqt.engine.commands import Command, Place
from opensqt.engine.events import Event, Pause, Resume
from opensqt.engine.risk.reasons import TradingState


def test_f21_post_only_refusal_is_normal_steps_back_and_rests_before_the_next_try() -> None:
    world = World.trading(401)
    tries: dict[tuple[int, Side], list[tuple[int, int]]] = {}
    turn = world.engine.on_turn

    def watch(events: list[Event], commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Place):
                owner = world.bot.owner(command.request.client_order_id)
                assert owner is not None
                key = (owner.slot, owner.side)
                tries.setdefault(key, []).append((world.timeline.now_ns, world.bot.slots.steps_back(*key)))
        turn(events, commands)

    world.engine.on_turn = watch
    world.weather["order"].extra_ns = 250 * MS
    world.inject("market.rush", 8, 1.0)
    world.run(8 * SECOND)
    refused = [one for one in world.bot.orders.by_id.values() if one.state is OrderState.REJECTED]
    assert refused, "the market ran over some orders on their way"
    assert not [record for record in world.bot.recent_journal if record.level == "alarm"]
    assert not [record for record in world.bot.recent_journal if record.code == "POST_ONLY_WOULD_CROSS"]
    again = [row for rows in tries.values() for row in rows if row[1] > 0]
    assert again, "the next try stands a tick further back"
    rest_ns = world.engine.config.bots[0].risk.reject_cooldown_ms * MS
    for one in refused:
        at = [time_ns for time_ns, _steps in tries.get((one.slot, one.side), ())]
        later = [time_ns for time_ns in at if time_ns > one.sent_ns]
        assert not later or min(later) - one.sent_ns >= rest_ns, "the level rests first"
    world.finish()


def test_f22_limit_of_the_venue_is_never_overrun_and_cancels_keep_their_reserve() -> None:
    world = World.trading(402, orders_per_10s=30)
    world.inject("market.rush", 12, 1.0)
    world.run(12 * SECOND)
    usage = world.connector.core.budget.usage(world.connector.monotonic_ns())
    assert usage[0].window.limit == 30
    assert usage[0].window.cancel_reserve == 6
    # Everything but the reserve is used up, also by somebody else on the account, as the venue's replies say.
    world.connector.core.budget.feed("orders_10s", 24, world.connector.monotonic_ns())
    cancelled = world.checks.counts["cancel_never_blocked_by_limiter"]
    left = len(world.own(Side.BUY))
    world.operate(Pause("eth", "cancel what opens"))
    world.run(200 * MS)
    assert world.own(Side.BUY) == []
    assert world.checks.counts["cancel_never_blocked_by_limiter"] >= cancelled + left
    world.operate(Resume("eth"))
    world.finish()


def test_f22_too_many_requests_closes_everything_but_cancels_until_the_venue_takes_orders_again() -> None:
    world = World.trading(403)
    world.inject("venue.limited", 4)
    world.exchange.walk.mid += 450
    budget = world.connector.core.budget
    world.wait_until(lambda: budget.circuit(world.connector.monotonic_ns())[0] > 0, 5.0, what="the circuit is open")
    world.operate(Pause("eth", "cancel what opens"))
    world.wait_until(lambda: not world.own(Side.BUY), 1.0, what="cancels pass")
    world.operate(Resume("eth"))
    world.finish()


def test_f23_ban_stops_every_request_until_its_end_while_streams_and_the_dead_man_switch_go_on() -> None:
    world = World.trading(404)
    assert world.exchange.countdown_ends_ns > world.timeline.now_ns, "armed before anything happened"
    world.inject("venue.banned", 6)
    banned_until_ns = world.timeline.now_ns + 6 * SECOND
    budget = world.connector.core.budget
    world.exchange.walk.mid += 450
    world.wait_until(lambda: budget.circuit(world.connector.monotonic_ns())[0] > 0, 4.0, what="the ban is understood")
    world.run(50 * MS)
    requests, trades = world.exchange.requests, world.connector.adapter.last_trade_id
    world.run(banned_until_ns - world.timeline.now_ns - 100 * MS)
    assert world.exchange.requests == requests, "nothing was sent meanwhile"
    assert world.connector.adapter.last_trade_id > trades, "the streams go on"
    assert world.connector.adapter.writer.validity is BookValidity.VALID  # type: ignore[attr-defined]
    assert world.bot.gate.state is not TradingState.ACTIVE
    world.finish()
