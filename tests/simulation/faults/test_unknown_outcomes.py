"""F17 to F20 and F24: answers that are lost, late or say nothing. UNKNOWN is asked for, never guessed or sent again."""

from simulation.world.exchange import ACCOUNT
from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState
from opensqt.engine.bot import Bot
from opensqt.engine.events import Pause, Resume


def unknown(bot: Bot) -> list[str]:
    return [key for key, one in bot.orders.open.items() if one.state is OrderState.UNKNOWN]


def make_unknown(world: World) -> str:
    """Move the market until the outcome of a placement is not known; return its id."""
    known = set(world.bot.orders.by_id)
    world.exchange.walk.mid += 450

    def is_there() -> bool:
        return bool(set(unknown(world.bot)) - known)

    world.wait_until(is_there, 15.0, what="a placement has an unknown outcome")
    return next(iter(set(unknown(world.bot)) - known))


def test_f17_lost_acknowledgement_is_unknown_counted_at_its_worst_asked_for_and_never_sent_again() -> None:
    world = World.trading(301)
    world.weather["reply"].drop = 1.0
    world.weather["user"].extra_ns = 5 * SECOND
    world.weather["query"].drop = 1.0
    client_order_id = make_unknown(world)
    order = world.bot.orders.open[client_order_id]
    assert order.client_order_id in world.checks.truth.alive
    counted = world.bot.orders.open_lots(order.side, reducing=order.reduce_only)
    assert counted >= order.lots, "an unknown order counts in full"
    assert any(
        one.client_order_id == client_order_id for one in world.connector.core.gateway.pending_orders(world.symbol)
    )
    world.run(1_500 * MS)
    slot = [one for one in world.bot.orders.open.values() if (one.slot, one.side) == (order.slot, order.side)]
    assert slot == [order], "its level is not quoted again"
    world.weather["query"].drop = 0.0
    world.wait_until(lambda: client_order_id not in unknown(world.bot), 8.0, what="a query proves it")
    assert world.bot.orders.by_id[client_order_id].state in (
        OrderState.LIVE,
        OrderState.PENDING_CANCEL,
        OrderState.FILLED,
    )
    world.finish()


def test_f17_placement_that_was_lost_on_its_way_is_proven_absent_before_its_level_is_quoted_again() -> None:
    world = World.trading(302)
    world.weather["order"].drop = 1.0
    client_order_id = make_unknown(world)
    sent_ns = world.bot.orders.open[client_order_id].sent_ns
    world.weather["order"].drop = 0.0
    world.wait_until(
        lambda: world.bot.orders.by_id[client_order_id].state is OrderState.REJECTED, 10.0, what="it is proven absent"
    )
    window_ms = world.connector.adapter.capabilities.placement_window_ms
    assert world.engine.clock.now_ns() - sent_ns >= window_ms * MS, "not before it could no longer arrive"
    assert world.exchange.view.order(ACCOUNT, world.symbol, client_order_id=client_order_id) is None
    world.finish()


def test_f18_lost_cancels_are_sent_again_then_for_all_orders_then_the_dead_man_switch_runs_out() -> None:
    world = World.trading(303)
    assert world.exchange.countdown_ends_ns > 0, "the switch is armed"
    resting = {order.client_order_id for order in world.own(Side.BUY)}
    world.weather["order"].drop = 1.0
    world.operate(Pause("eth", "cancel what opens"))
    world.run(3 * SECOND)
    assert {order.client_order_id for order in world.own(Side.BUY)} == resting, "no cancel arrives"
    open_orders = world.bot.orders.open
    assert all(not open_orders[key].state.is_terminal for key in resting), "they live until the venue says otherwise"
    world.wait_until(lambda: bool(world.journal("CANCELS_LOST")), 20.0, what="the cancel of all orders is tried")
    world.wait_until(lambda: not world.connector.core.gateway.cancels_arrive(world.symbol), 10.0, what="it is given up")
    world.wait_until(lambda: not world.venue_orders(), 20.0, what="the venue's countdown has cancelled everything")
    world.wait_until(lambda: not resting & world.bot.orders.open.keys(), 10.0, what="and the engine knows it")
    world.weather["order"].drop = 0.0
    world.operate(Resume("eth"))
    world.finish()
    assert world.connector.core.gateway.cancels_arrive(world.symbol)


def test_f18_one_lost_cancel_is_repeated_and_does_no_harm() -> None:
    world = World.trading(304)
    world.weather["reply"].drop = 1.0
    world.weather["user"].extra_ns = 4 * SECOND
    world.operate(Pause("eth", "cancel what opens"))
    world.run(2_500 * MS)
    world.weather["reply"].drop = 0.0
    world.weather["user"].extra_ns = 0
    world.wait_until(lambda: not world.own(Side.BUY), 5.0, what="they are cancelled")
    world.operate(Resume("eth"))
    world.finish()


def test_f19_unknown_order_on_a_cancel_is_no_proof_of_how_it_ended() -> None:
    world = World.trading(305)
    world.weather["user"].extra_ns = 6 * SECOND
    cancelled, filled = world.own(Side.BUY)[:2][::-1]
    world.cancel_by_hand(cancelled)
    world.exchange.trade_with(filled, 400)
    world.run(100 * MS)
    assert not world.bot.orders.by_id[filled.client_order_id].state.is_terminal, "nobody has told yet"
    world.operate(Pause("eth", "cancel what opens"))

    def both_known() -> bool:
        orders = world.bot.orders.by_id
        return all(orders[one.client_order_id].state.is_terminal for one in (cancelled, filled))

    world.wait_until(both_known, 4.0, what="both were asked for")
    orders = world.bot.orders.by_id
    assert orders[cancelled.client_order_id].state is OrderState.CANCELED
    assert orders[filled.client_order_id].state is OrderState.FILLED
    world.weather["user"].extra_ns = 0
    world.operate(Resume("eth"))
    world.finish()


def test_f20_duplicate_client_id_means_that_the_first_send_arrived() -> None:
    world = World.trading(306)
    wire = world.weather["order"]
    wire.reorder_ns = 2 * MS
    wire.duplicate = 1.0
    world.weather["reply"].reorder = 0.7
    world.inject("market.rush", 6, 0.6)
    world.run(6 * SECOND)
    wire.duplicate = 0.0
    said = [
        line for one in world.bot.orders.by_id.values() for line in one.history if "client order id already" in line
    ]
    assert said, "the refusal was read as an acknowledgement to be proven"
    world.finish()


def test_f24_what_proves_that_nothing_was_done_is_a_refusal_and_everything_else_is_unknown() -> None:
    world = World.trading(307)
    world.exchange.mood.refuse_503 = 1.0
    placements = world.checks.placements
    world.exchange.walk.mid += 450
    world.wait_until(lambda: world.checks.placements > placements + 1, 15.0, what="orders are tried")
    world.run(100 * MS)
    assert unknown(world.bot) == [], "an overloaded venue has said that it did nothing"
    world.exchange.mood.refuse_503 = 0.0
    world.exchange.mood.error_unknown = 1.0
    world.weather["user"].extra_ns = 3 * SECOND
    client_order_id = make_unknown(world)
    world.exchange.mood.error_unknown = 0.0
    world.wait_until(
        lambda: client_order_id not in unknown(world.bot), 10.0, what="it is settled by what the venue has"
    )
    found = world.exchange.view.order(ACCOUNT, world.symbol, client_order_id=client_order_id)
    tracked = world.bot.orders.by_id[client_order_id]
    assert (found is None) is (tracked.state is OrderState.REJECTED)
    world.finish()
