"""F10 to F16: fills that come twice, early, late or with other data. Each is booked once, whatever the order says."""

import msgspec
from simulation.world.exchange import ACCOUNT
from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.connector.commands import OutcomeReport
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order, OrderRequest, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.engine.events import Pause, Reconcile, Resume


def best(world: World, side: Side = Side.BUY) -> Order:
    """Return our order nearest to the price."""
    return world.own(side)[0]


def last_fill(world: World) -> Fill:
    return list(world.exchange.fills.values())[-1]


def test_f10_fill_told_twice_on_every_channel_and_over_restarts_is_booked_once() -> None:
    world = World.trading(201)
    world.inject("user.duplicate", 30, 1.0)
    for _ in range(4):
        world.exchange.trade_with(best(world), 20)
        world.run(SECOND)
    for fill in list(world.exchange.fills.values()):
        world.connector.core.on_fill(fill)
        world.engine.take([fill])
    booked = world.bot.ledger.totals.fills
    world.run(SECOND)
    world.crash_engine()
    world.engine.start()
    world.run(2 * SECOND)
    world.crash_connector()
    world.connector.start()
    world.run(4 * SECOND)
    world.operate(Reconcile("eth"))
    world.settle()
    assert world.bot.ledger.totals.fills == len(world.exchange.fills) >= booked
    assert world.engine.disk.trade_ids == set(world.exchange.fills)
    world.finish()


def test_f11_fill_with_a_known_id_and_other_data_is_dropped_with_an_alarm_and_everything_is_read_again() -> None:
    world = World.trading(202)
    world.exchange.trade_with(best(world), 10)
    world.run(500 * MS)
    true = last_fill(world)
    lots = world.bot.ledger.position_lots
    sessions = world.connector.core.trade._next_number
    world.connector.core.on_fill(msgspec.structs.replace(true, lots=true.lots + 5))
    world.run(100 * MS)
    assert world.bot.ledger.position_lots == lots, "the first report stands"
    assert world.journal("FILL_CONFLICT")
    world.wait_until(lambda: world.connector.core.trade._next_number > sessions, 12.0, what="the engine attaches anew")
    world.finish()


def test_f12_fill_before_the_answer_to_its_placement_is_booked_and_proves_the_order() -> None:
    world = World.trading(203)
    world.weather["reply"].extra_ns = 1_500 * MS
    known = {order.client_order_id for order in world.venue_orders()}
    world.exchange.walk.mid += 400

    def fresh() -> list[Order]:
        return [order for order in world.own(Side.BUY) if order.client_order_id not in known and order.lots > 9]

    world.wait_until(lambda: bool(fresh()), 10.0, what="a new order rests at the venue")
    order = fresh()[0]
    world.exchange.trade_with(order, 1)
    world.run(100 * MS)
    tracked = world.bot.orders.by_id[order.client_order_id]
    assert tracked.client_order_id in {sent.client_order_id for sent in world.engine.core.outbox.in_flight.values()}
    assert tracked.booked_lots > 0
    assert tracked.state in (OrderState.PARTIALLY_FILLED, OrderState.FILLED)
    world.finish()


def test_f13_fill_told_after_the_cancel_was_confirmed_is_booked() -> None:
    world = World.trading(204)
    world.weather["user"].extra_ns = 1_200 * MS
    order = best(world)
    world.exchange.trade_with(order, 7)
    fill = last_fill(world)
    assert fill.client_order_id == order.client_order_id
    world.operate(Pause("eth", "cancel what opens"))
    world.wait_until(
        lambda: world.bot.orders.by_id[order.client_order_id].state.is_terminal, 1.0, what="the cancel is confirmed"
    )
    tracked = world.bot.orders.by_id[order.client_order_id]
    assert not world.bot.ledger.knows_trade(fill.trade_id), "its fill is still on its way"
    assert tracked.owes_fills, "the answer said how much was filled"
    assert tracked.is_open, "its slot is not quoted before the lot is known"
    world.wait_until(lambda: world.bot.ledger.knows_trade(fill.trade_id), 2.0, what="the late fill is booked")
    assert not tracked.is_open
    world.operate(Resume("eth"))
    world.finish()


def test_f14_fill_of_an_order_that_was_rejected_is_booked_all_the_same() -> None:
    world = World.trading(205)
    world.weather["order"].extra_ns = 300 * MS
    world.inject("market.rush", 10, 1.0)
    rejected: list[str] = []

    def has_rejected() -> bool:
        orders = world.bot.orders
        rejected[:] = [
            key for key, one in orders.by_id.items() if one.state is OrderState.REJECTED and one.side is Side.BUY
        ]
        return bool(rejected)

    world.wait_until(has_rejected, 20.0, what="the venue refuses a post-only order")
    client_order_id = rejected[0]
    # The venue contradicts itself here on purpose: the order it refused trades.
    world.checks.ended.discard(client_order_id)
    request = OrderRequest(
        symbol=world.symbol,
        client_order_id=client_order_id,
        side=Side.BUY,
        time_in_force=TimeInForce.IOC,
        price_ticks=max(world.exchange.walk.asks),
        lots=6,
        instrument_revision=world.instrument.revision,
    )
    world.exchange.by_hand(lambda venue, command_id, now_ns: venue.place(ACCOUNT, request, command_id, now_ns))
    fill = last_fill(world)
    assert fill.client_order_id == client_order_id
    world.wait_until(lambda: world.bot.ledger.knows_trade(fill.trade_id), 2.0, what="it is booked")
    assert world.bot.orders.by_id[client_order_id].booked_lots == fill.lots
    world.finish()


def test_f15_partial_fill_races_the_cancel_and_the_cumulative_size_decides() -> None:
    world = World.trading(206)
    world.weather["order"].extra_ns = 500 * MS
    order = best(world)
    world.operate(Pause("eth", "cancel what opens"))
    world.run(100 * MS)
    assert world.bot.orders.by_id[order.client_order_id].state is OrderState.PENDING_CANCEL
    world.exchange.trade_with(order, 9)
    filled = last_fill(world).cumulative_filled_lots
    assert 0 < filled < order.lots
    world.wait_until(lambda: not world.bot.orders.by_id[order.client_order_id].is_open, 5.0, what="the cancel arrives")
    tracked = world.bot.orders.by_id[order.client_order_id]
    assert (tracked.state, tracked.booked_lots, tracked.venue_filled_lots) == (OrderState.CANCELED, filled, filled)
    world.operate(Resume("eth"))
    world.finish()


def test_f16_partial_fill_races_an_amendment_which_names_the_total_and_the_engine_follows() -> None:
    world = World.trading(207)
    world.weather["order"].extra_ns = 300 * MS
    order = best(world)
    reports: list[OutcomeReport] = []
    core = world.connector.core
    command = core.gateway.amend(
        world.symbol, order.client_order_id, order.price_ticks, order.lots - 12, world.instrument.revision,
        reports.append, core.clock.monotonic_ns(),
    )  # fmt: skip
    world.connector.adapter.orders.submit([command])
    world.run(50 * MS)
    world.exchange.trade_with(order, 10)
    filled = last_fill(world).cumulative_filled_lots
    world.wait_until(lambda: bool(reports), 2.0, what="the amendment is answered")
    amended = world.exchange.view.order(ACCOUNT, world.symbol, client_order_id=order.client_order_id)
    assert amended is not None
    assert (amended.lots, amended.filled_lots) == (order.lots - 12, filled), "a total, what was filled included"
    world.run(50 * MS)
    tracked = world.bot.orders.by_id[order.client_order_id]
    assert tracked.lots == amended.lots, "clamped to what the venue confirmed"
    assert tracked.exchange_order_id == amended.exchange_order_id
    assert world.journal("AMENDED_BY_OTHERS")
    world.finish()
