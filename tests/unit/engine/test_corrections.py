"""What a bot does about what reads find: it goes the ways that exist, and says so with the evidence."""

import msgspec
from models.grid_venue import START_NS, SYMBOL, World, config

from opensqt.domain.account import Position
from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.engine.commands import Ask, AskKind, Query
from opensqt.engine.config import ReconcileConfig
from opensqt.engine.events import VenueRead
from opensqt.engine.risk.reasons import Code, TradingState

SETTLED_MS = 5_000


def started() -> World:
    world = World()
    world.start()
    world.timer(SETTLED_MS)
    return world


def read(world: World, **changes: object) -> VenueRead:
    venue = world.venue
    whole = VenueRead(symbol=SYMBOL, orders=tuple(venue.open_orders), position=venue.position_record())
    return msgspec.structs.replace(whole, **changes)


def read_when_asked(world: World, **changes: object) -> None:
    """Let time pass until the core asks, then answer."""
    for _ in range(400):
        world.timer()
        if Ask(AskKind.READ, SYMBOL) in world.core.outbox.take_asks():
            world.turn(read(world, **changes))
            return
    raise AssertionError("no read was asked for")


def codes(world: World) -> list[str]:
    return [entry.code for entry in world.bot.recent_journal]


def test_reads_are_asked_for_on_schedule_and_agreement_changes_nothing() -> None:
    world = started()
    before = dict(world.venue.orders)
    for _ in range(3):
        read_when_asked(world)
    assert world.bot.reconciler.reads == 3
    assert world.venue.orders == before
    assert "CORRECTED" not in codes(world)


def test_an_order_two_reads_do_not_list_is_proven_by_query_and_its_slot_quoted_again() -> None:
    world = started()
    lost = world.venue.open_orders[0]
    # The venue dropped it and its word never came.
    world.venue.orders[lost.client_order_id] = msgspec.structs.replace(lost, state=OrderState.CANCELED)
    read_when_asked(world)
    assert world.bot.orders.by_id[lost.client_order_id].state is OrderState.LIVE, "one read corrects nothing"
    world.sent.clear()
    read_when_asked(world)
    world.settle()
    assert any(isinstance(sent, Query) and sent.client_order_id == lost.client_order_id for sent in world.sent)
    assert world.bot.orders.by_id[lost.client_order_id].state is OrderState.CANCELED
    world.check_settled()
    (entry,) = [entry for entry in world.bot.recent_journal if entry.code == "CORRECTED"]
    assert lost.client_order_id in entry.message
    assert "two reads" in entry.message


def test_a_failed_read_frees_no_slot() -> None:
    world = started()
    before = {order.client_order_id for order in world.bot.orders.open.values()}
    for _ in range(4):
        read_when_asked(world, orders=(), position=None, error="VENUE_UNAVAILABLE: timeout")
    assert {order.client_order_id for order in world.bot.orders.open.values()} == before
    assert all(order.state is OrderState.LIVE for order in world.bot.orders.open.values())
    assert codes(world).count("RECONCILE_FAILS") == 1
    assert world.bot.gate.state is TradingState.ACTIVE


def foreign_order(client_order_id: str = "web_77", lots: int = 5) -> Order:
    return Order(
        symbol=SYMBOL,
        client_order_id=client_order_id,
        exchange_order_id="x900",
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        price_ticks=290_000,
        lots=lots,
        reduce_only=False,
        state=OrderState.LIVE,
        created_time_ns=START_NS,
        updated_time_ns=START_NS,
        instrument_revision=1,
    )


def test_an_order_of_others_is_counted_at_once_never_touched_and_forgotten_after_two_reads() -> None:
    world = started()
    world.venue.orders["web_77"] = foreign_order()
    read_when_asked(world)
    assert world.bot.orders.foreign_lots(Side.BUY) == 5
    for _ in range(3):
        read_when_asked(world)
    assert world.venue.orders["web_77"].state is OrderState.LIVE
    del world.venue.orders["web_77"]
    read_when_asked(world)
    assert world.bot.orders.foreign_lots(Side.BUY) == 5
    read_when_asked(world)
    assert world.bot.orders.foreign_lots(Side.BUY) == 0


def test_an_order_of_ours_that_nobody_knew_is_adopted() -> None:
    world = started()
    stranger = msgspec.structs.replace(
        foreign_order(),
        client_order_id=world.bot.next_client_order_id(-40, Side.BUY),
        price_ticks=289_991,
    )
    world.venue.orders[stranger.client_order_id] = stranger
    read_when_asked(world)
    assert stranger.client_order_id not in world.bot.orders.by_id
    read_when_asked(world)
    assert stranger.client_order_id in world.bot.orders.by_id
    world.settle()
    assert world.venue.orders[stranger.client_order_id].state is OrderState.CANCELED, "its slot does not want it"
    world.check_settled()


def test_a_position_two_reads_report_otherwise_is_taken_and_everything_fetched_anew() -> None:
    world = started()
    world.venue.position, world.venue.entry_cost = 7, world.venue.entry_cost + 21
    read_when_asked(world)
    suspected_ns = world.venue.now_ns
    while Code.POSITION_MISMATCH not in world.bot.gate.reasons:
        read_when_asked(world)
        assert world.venue.now_ns - suspected_ns < 10 * NS_PER_S
    # Its fill could have been on its way.
    assert world.venue.now_ns - suspected_ns >= world.settings.reconcile.grace_ms * NS_PER_MS
    assert Code.POSITION_MISMATCH in world.bot.gate.reasons
    assert world.bot.gate.state is TradingState.REDUCING
    assert world.reattach_wanted
    assert world.bot.corrections[-1][1] == "the venue's position is taken"


def free_a_slot(world: World) -> None:
    """Have the venue cancel an order of ours by itself, so that another is sent at once."""
    order = world.venue.open_orders[0]
    world.venue.orders[order.client_order_id] = msgspec.structs.replace(order, state=OrderState.CANCELED)
    world.turn(world.venue.orders[order.client_order_id])
    world.price()
    for _ in range(4):
        world.timer()


def test_an_unknown_order_is_escalated_step_by_step_and_only_evidence_ends_it() -> None:
    world = started()
    world.venue.lose_commands = 10_000  # from now on nobody answers
    free_a_slot(world)
    asks: list[Ask] = []
    for _ in range(400):
        world.timer(250)
        asks += world.core.outbox.take_asks()
    cancels = [ask for ask in asks if ask.kind is AskKind.CANCEL_ALL]
    assert len(cancels) >= 2
    assert Code.UNKNOWN_ORDERS in world.bot.gate.reasons
    assert world.bot.gate.state is TradingState.HALTED
    assert any(one.state is OrderState.UNKNOWN for one in world.bot.orders.open.values()), "no timer ends an order"
    alarms = [e.message for e in world.bot.recent_journal if e.code == "UNKNOWN_ORDERS" and e.level == "alarm"]
    assert any("cancelled" in text for text in alarms)
    assert any("countdown" in text for text in alarms)
    world.venue.lose_commands = 0
    world.settle(rounds=400)
    assert Code.UNKNOWN_ORDERS not in world.bot.gate.reasons
    world.check_settled()


def test_orders_of_others_forbid_cancelling_all() -> None:
    world = started()
    world.venue.orders["web_77"] = foreign_order()
    read_when_asked(world)
    world.venue.lose_commands = 10_000
    free_a_slot(world)
    asks: list[Ask] = []
    for _ in range(200):
        world.timer(250)
        asks += world.core.outbox.take_asks()
    assert not [ask for ask in asks if ask.kind is AskKind.CANCEL_ALL]
    assert any("forbid" in entry.message for entry in world.bot.recent_journal)


def fill_highest_buy(world: World) -> Position:
    """Fill an order; its events wait for delivery, all but the position it makes, which is returned."""
    order = max((o for o in world.venue.open_orders if o.side is Side.BUY), key=lambda buy: buy.price_ticks)
    world.venue.fill(order.client_order_id, order.lots)
    position = next(event for event in world.venue.events if isinstance(event, Position))
    world.venue.events.remove(position)
    return position


def test_a_position_that_comes_before_its_fill_or_after_it_brings_no_read_forward() -> None:
    world = started()
    position = fill_highest_buy(world)
    world.deliver(50)
    world.timer()
    assert world.bot.position.lots != world.bot.ledger.position_lots
    world.turn(position)
    assert not world.bot.reconciler.is_due(world.venue.now_ns + 2 * NS_PER_S)
    world.turn(fill_highest_buy(world))
    assert world.bot.position.lots != world.bot.ledger.position_lots
    world.deliver(50)
    assert world.bot.position.lots == world.bot.ledger.position_lots
    assert not world.bot.reconciler.is_due(world.venue.now_ns + 2 * NS_PER_S)


def test_a_position_nobody_told_is_taken_from_the_first_read_that_our_fills_confirm() -> None:
    world = started()
    fill_highest_buy(world)
    world.deliver(50)
    read_when_asked(world)
    assert world.bot.position.lots == world.bot.ledger.position_lots
    for _ in range(20):
        world.timer()
    assert Code.POSITION_MISMATCH not in world.bot.gate.reasons
    assert not world.reattach_wanted


def test_a_difference_that_lasts_is_an_alarm_and_not_a_read_of_the_venue_every_second() -> None:
    settings = msgspec.structs.replace(config(), reconcile=ReconcileConfig(interval_s=60, position_tolerance_lots=10))
    world = World(settings=settings)
    world.start()
    world.timer(SETTLED_MS)
    world.turn(msgspec.structs.replace(world.bot.position, lots=2))
    reads = 0
    for _ in range(4 * 50):
        world.timer()
        if Ask(AskKind.READ, SYMBOL) in world.core.outbox.take_asks():
            reads += 1
            world.turn(read(world, position=world.bot.position))
    assert Code.POSITION_MISMATCH in world.bot.gate.reasons
    assert 1 <= reads <= 4
