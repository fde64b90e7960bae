"""Bugs of the first OpenSQT that must stay impossible, numbered as in the trading rules (section 6).

Most are shown here, on the engine's core; those of other parts stand with them (12 in the gateway, 14 in the adapters,
18 in the volume halt). `test_every_bug_has_its_test` lists all twenty.
"""

from decimal import Decimal

import msgspec
import pytest
from models.grid_venue import START_NS, SYMBOL, World

from opensqt.domain.client_id import ClientOrderId, parse_client_order_id
from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.engine.commands import Cancel, Place
from opensqt.engine.events import BookTop, Detached, Outcome, Result
from opensqt.engine.risk.reasons import TradingState


def bought(world: World, price: int = 300_000, lots: int = 10) -> Order:
    order = next(o for o in world.venue.open_orders if o.price_ticks == price and o.side is Side.BUY)
    world.venue.fill(order.client_order_id, lots)
    world.settle()
    return order


def sells(world: World) -> list[Order]:
    return [o for o in world.venue.open_orders if o.side is Side.SELL]


def foreign(world: World, client_id: str = "manual-1") -> Order:
    order = Order(
        symbol=SYMBOL,
        client_order_id=client_id,
        exchange_order_id="x999",
        side=Side.BUY,
        price_ticks=299_000,
        lots=50,
        state=OrderState.LIVE,
        updated_time_ns=world.venue.now_ns,
    )
    world.venue.orders[client_id] = order
    return order


def test_bug_01_a_take_profit_belongs_to_its_slot_and_is_sent_once() -> None:
    world = World()
    world.start()
    bought(world)
    for _ in range(30):
        world.price()
        world.timer()
    assert len(sells(world)) == 1
    assert parse_client_order_id(sells(world)[0].client_order_id).slot == 0  # type: ignore[union-attr]


def test_bug_02_filled_sells_leave_the_books_and_come_back_as_buys() -> None:
    world = World()
    world.start()
    bought(world)
    world.venue.fill(sells(world)[0].client_order_id, 10)
    world.settle()
    assert world.bot.ledger.position_lots == 0
    world.check_settled()


def test_bug_03_partial_fill_then_cancel_keeps_the_quantity() -> None:
    world = World()
    world.start()
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    world.venue.fill(order.client_order_id, 4)
    world.venue.orders[order.client_order_id] = msgspec.structs.replace(
        world.venue.orders[order.client_order_id], state=OrderState.CANCELED, updated_time_ns=world.venue.tick()
    )
    world.venue.events.append(world.venue.orders[order.client_order_id])
    world.settle()
    assert world.bot.ledger.slots[0].lots == 4
    assert [o.lots for o in sells(world)] == [4]
    world.check_settled()


def test_bug_03_cancel_that_reports_a_fill_not_yet_seen_blocks_the_slot_until_it_comes() -> None:
    world = World()
    world.start()
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    fill = world.venue.fill(order.client_order_id, 4)
    world.venue.events.clear()
    cancelled = msgspec.structs.replace(
        world.venue.orders[order.client_order_id], state=OrderState.CANCELED, updated_time_ns=world.venue.tick()
    )
    world.venue.orders[order.client_order_id] = cancelled
    placed = len(world.venue.placed)
    world.turn(cancelled)
    world.timer(1_500)
    assert len(world.venue.placed) == placed, "the slot waits for the fill"
    world.turn(fill)
    assert [o.lots for o in sells(world)] == [4]


def test_bug_04_rejected_order_frees_its_slot() -> None:
    world = World()
    world.venue.refuse.extend([ErrorReason.VENUE_REJECTED] * 9)
    world.start()
    world.timer(40_000)
    world.settle()
    assert len(world.venue.open_orders) == 9


def test_bug_05_refused_take_profit_stays_post_only_and_reduce_only() -> None:
    world = World()
    world.start()
    world.venue.refuse.extend([ErrorReason.POST_ONLY_WOULD_CROSS] * 3)
    bought(world)
    world.timer(1_000)
    world.settle()
    world.timer(2_000)
    world.settle()
    tried = [c.request for c in world.sent if isinstance(c, Place) and c.request.side is Side.SELL]
    assert len(tried) >= 2
    assert all(r.reduce_only and r.time_in_force is TimeInForce.GTX and r.type is OrderType.LIMIT for r in tried)


def test_bug_06_updates_are_applied_in_order_and_old_ones_change_nothing() -> None:
    world = World()
    world.start()
    order = bought(world)
    late = msgspec.structs.replace(order, state=OrderState.LIVE, updated_time_ns=START_NS)
    world.turn(late)
    assert order.client_order_id not in world.bot.orders.open
    world.check_settled()


def test_bug_07_fill_before_the_placement_reply_is_booked() -> None:
    world = World()
    world.attach()
    world.price()
    replies = [event for event in world.venue.events if isinstance(event, Result)]
    world.venue.events.clear()
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    world.venue.fill(order.client_order_id, 10)
    world.deliver(10)
    assert world.bot.ledger.position_lots == 10
    world.venue.events.extend(replies)
    world.settle()
    world.check_settled()


def test_bug_08_a_cancel_of_ours_is_no_refusal() -> None:
    world = World()
    world.start()
    lowest = min(o.price_ticks for o in world.venue.open_orders)
    world.price(300_725)
    world.settle()
    assert any(isinstance(c, Cancel) for c in world.sent)
    slot = (lowest - 300_000) // 200
    assert world.bot.slots.is_cool(slot, Side.BUY, world.venue.now_ns)
    assert world.bot.slots.steps_back(slot, Side.BUY) == 0


def test_bug_09_one_bad_order_of_a_batch_leaves_the_others_and_keeps_its_reason() -> None:
    world = World()
    world.venue.refuse.append(ErrorReason.SELF_TRADE)
    world.attach()
    world.price()
    world.deliver(50)
    assert len(world.venue.open_orders) == 8
    reasons = [o.reason for o in world.bot.orders.by_id.values() if o.state is OrderState.REJECTED]
    assert reasons == [ErrorReason.SELF_TRADE]


def test_bug_10_a_query_that_fails_frees_no_slot() -> None:
    world = World()
    world.start()
    order = next(iter(world.bot.orders.open.values()))
    world.turn(Detached("test"))
    snapshot = msgspec.structs.replace(world.venue.snapshot(2), open_orders=())
    placed = len(world.venue.placed)
    world.turn(snapshot, BookTop(SYMBOL, world.venue.bid, world.venue.ask, True))
    queries = list(world.core.outbox.in_flight.items())
    world.venue.events.clear()
    world.turn(
        *(
            Result(
                command_id=command_id,
                client_order_id=command.client_order_id,
                outcome=Outcome.REJECTED,
                reason=ErrorReason.VENUE_UNAVAILABLE,
            )
            for command_id, command in queries
        )
    )
    assert len(world.venue.placed) == placed
    assert order.client_order_id in world.bot.orders.open


def test_bug_11_and_12_orders_of_others_are_counted_and_never_touched() -> None:
    world = World()
    manual = foreign(world)
    other = foreign(world, str(ClientOrderId("other", 1, 0, Side.BUY, 1)))
    world.start()
    assert set(world.bot.orders.foreign) == {manual.client_order_id, other.client_order_id}
    assert world.bot.orders.foreign_lots(Side.BUY) == 100
    world.core.handle_batch((), world.venue.tick())
    for price in (299_000, 301_000, 300_125):
        world.price(price)
        world.settle()
    touched = {c.client_order_id for c in world.sent if isinstance(c, Cancel)}
    assert not touched & {manual.client_order_id, other.client_order_id}


def test_bug_13_restart_keeps_the_anchor_and_every_order() -> None:
    world = World()
    world.start()
    bought(world)
    before = {o.client_order_id for o in world.venue.open_orders}
    world.kill()
    world.venue.bid, world.venue.ask = 300_065, 300_075
    world.start()
    assert world.bot.anchor_ticks == 300_000
    assert before <= {o.client_order_id for o in world.venue.open_orders}
    world.check_settled()


def test_bug_14_cancelled_is_not_filled_whatever_the_venue_calls_finished() -> None:
    world = World()
    world.start()
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    cancelled = msgspec.structs.replace(order, state=OrderState.CANCELED, updated_time_ns=world.venue.tick())
    world.venue.orders[order.client_order_id] = cancelled
    world.turn(cancelled)
    assert world.bot.orders.by_id[order.client_order_id].state is OrderState.CANCELED
    assert world.bot.ledger.position_lots == 0


def test_bug_15_venue_ids_are_text() -> None:
    world = World()
    world.start()
    assert all(o.exchange_order_id.startswith("x") for o in world.bot.orders.open.values())


@pytest.mark.parametrize("lots", [0, 10, 1_000_000, 9_000_000_000])
def test_bug_16_no_inventory_of_any_size_moves_a_price(lots: int) -> None:
    """There is no skew in raw base units: where orders rest depends on lattice and price alone."""
    world = World()
    world.start()
    expected = {o.price_ticks for o in world.venue.open_orders if o.side is Side.BUY}
    world.turn(msgspec.structs.replace(world.venue.position_record(), lots=lots, venue_time_ns=world.venue.tick()))
    grid = world.bot.grid
    grid.plan(world.bot.market.price2_ticks, world.bot.slots.holdings)
    wanted = {row[2] for row in grid.desired.rows() if not row[4] and not row[5]}
    assert wanted == expected
    assert min(wanted) > 0


def test_bug_17_an_id_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(RequestError, match="slot"):
        str(ClientOrderId("eth1", 1, 36**6, Side.BUY, 1))


def test_bug_19_quoting_stops_when_the_price_stream_stalls() -> None:
    world = World()
    world.start()
    bought(world)
    world.turn(BookTop(SYMBOL, 0, 0, False, "no message for 5 s"))
    sent = len([c for c in world.sent if isinstance(c, Place)])
    world.timer(1_000)
    world.timer(10_000)
    assert world.bot.gate.state is TradingState.REDUCING
    assert len([c for c in world.sent if isinstance(c, Place)]) == sent
    assert [o.side for o in world.venue.open_orders] == [Side.SELL], "take-profits stay, opening orders are pulled"


def test_bug_20_profit_is_money_and_not_a_count_of_sells() -> None:
    world = World()
    world.start()
    bought(world)
    world.venue.fill(sells(world)[0].client_order_id, 10)
    world.settle()
    assert world.bot.pnl().grid_profit == Decimal("0.020")
