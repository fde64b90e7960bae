"""The one recovery path, taken by start, reconnect, restart and reconcile alike.

attach -> book the fills and cash flows of the snapshot -> match open orders by client id -> ask for every order of ours
that is not among them -> trade. Doing it twice changes nothing: fills are booked by trade id, orders are matched by id.
Ownership comes from client ids alone, so orders of earlier runs, and of a bot whose database is gone, are ours again.
"""

from opensqt.domain.account import Position
from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import Cause, OrderState
from opensqt.engine import filters
from opensqt.engine.answers import take_order
from opensqt.engine.bot import FLATTEN_SLOT, Bot
from opensqt.engine.commands import OrderRecord
from opensqt.engine.events import Attached
from opensqt.engine.orders import TrackedOrder
from opensqt.engine.risk.reasons import Code
from opensqt.engine.starting import ask_leverage, finish
from opensqt.engine.strategy.classic_grid import snap_to_ticks
from opensqt.engine.units import Units

_ON_THEIR_WAY = (OrderState.PENDING_NEW, OrderState.UNKNOWN)
"""What the connector lists without the venue's word. No command of this session waits for an answer to it."""


def restore_orders(bot: Bot) -> None:
    """Take the orders an earlier run had open; their fate is unknown until the venue tells."""
    for record in bot.restored.open_orders:
        order = record.order
        tracked = TrackedOrder(
            order, slot=record.slot, rule=record.rule, inputs=record.inputs, config_version=record.config_version
        )
        tracked.history.extend(record.history)
        tracked.booked_lots = order.filled_lots
        tracked.booked_ticks_lots = order.filled_ticks_lots
        tracked.venue_filled_lots = order.filled_lots
        tracked.live_price_ticks = int(record.inputs.get("level_ticks", order.price_ticks)) or order.price_ticks
        tracked.state = OrderState.UNKNOWN
        bot.orders.add(tracked, "the engine was restarted")
    for fill in bot.restored.recent_trades:
        bot.ledger.remember_trade(fill.trade_id, fill.side, fill.price_ticks, fill.lots)
    for flow_id in bot.restored.recent_cash_flow_ids:
        bot.ledger.remember_cash_flow(flow_id)


def order_record(bot: Bot, order: TrackedOrder) -> OrderRecord:
    """Return an order as it is stored."""
    return OrderRecord(
        bot_id=bot.id,
        order=order.to_order(),
        slot=order.slot,
        rule=order.rule,
        inputs=order.inputs,
        config_version=order.config_version,
        history=tuple(order.history),
        is_open=order.is_open,
    )


def take_snapshot(bot: Bot, event: Attached, now_ns: int) -> None:
    """Bring one bot in line with what the venue says."""
    bot.attached, bot.mode = True, event.mode
    for code in (Code.CONNECTOR_DOWN, Code.LOOP_STALLED):
        bot.gate.lift(code)
    bot.gate.add(Code.RECOVERING, "matching orders and fills with the venue", now_ns)
    instrument = next((item for item in event.instruments if item.symbol == bot.symbol), None)
    if instrument is not None:
        filters.take_instrument(bot, instrument, now_ns)
    positions = [position for position in event.positions if position.symbol == bot.symbol]
    found = [one for one in (filters.counted(bot, Units.position, each, now_ns) for each in positions) if one]
    # A flat symbol may be left out; its leverage is then not known.
    bot.position = found[0] if found else Position(symbol=bot.symbol, lots=0, leverage=0)
    orders = [order for order in event.open_orders if order.symbol == bot.symbol]
    open_orders = [one for one in (filters.counted(bot, Units.order, each, now_ns) for each in orders) if one]
    _book_missed(bot, event, now_ns)
    if bot.is_new:
        _remember_past(bot, open_orders, now_ns)
        bot.is_new = False
    _match_orders(bot, open_orders, now_ns)
    if bot.units is not None and not bot.units.is_plain:
        bot.mark_leaving()  # also what was only now adopted
    bot.watermark_ns = max(bot.watermark_ns, event.venue_time_ns)
    bot.position_differs_since_ns = 0
    bot.reconciler.begin(now_ns)
    bot.gate.set(Code.BOOK_NOT_VALID, not bot.market.valid and bot.start_checked, bot.market.invalid_reason, now_ns)
    bot.gate.lift(Code.FENCED)
    ask_leverage(bot, now_ns)
    bot.next_start_check_ns = 0
    finish(bot, now_ns)


def _book_missed(bot: Bot, event: Attached, now_ns: int) -> None:
    """Book what the snapshot has and the ledger not. A new bot takes only its own fills, and cash flows after them."""
    reported = [f for f in event.fills if f.symbol == bot.symbol and f.venue_time_ns >= bot.ignore_before_ns]
    if bot.is_new:
        reported = [fill for fill in reported if bot.owner(fill.client_order_id) is not None]
    fills = [one for one in (filters.counted(bot, Units.fill, each, now_ns) for each in reported) if one]
    since_ns = bot.ignore_before_ns
    if bot.is_new:
        since_ns = min((fill.venue_time_ns for fill in fills), default=event.venue_time_ns)
        bot.ignore_before_ns = since_ns
        bot.complete_since_ns = event.venue_time_ns
    for fill in fills:
        bot.book_fill(fill, now_ns)
    for flow in event.cash_flows:
        if flow.symbol == bot.symbol and flow.venue_time_ns >= since_ns:
            bot.book_cash_flow(flow)


def _remember_past(bot: Bot, open_orders: list[Order], now_ns: int) -> None:
    """A bot without stored state finds out whether it has a past at the venue."""
    own_orders = [order for order in open_orders if bot.owner(order.client_order_id) is not None]
    ids = [order.client_order_id for order in own_orders] + [booked.fill.client_order_id for booked in bot.recent_fills]
    bot.epoch = max([bot.epoch, *(owner.epoch + 1 for client_id in ids if (owner := bot.owner(client_id)))])
    if not own_orders and not bot.ledger.totals.fills and not bot.restored.lost_past:
        return
    bot.history_complete = False
    bot.had_past = True
    if bot.ledger.position_lots != bot.position.lots or any(lot.lots < 0 for lot in bot.ledger.slots.values()):
        # The fills do not reach back far enough. What rests for sale says what its slots hold.
        bot.forget_bookings()
        entry_ticks = snap_to_ticks(bot.position.entry_price, bot.instrument) if bot.instrument is not None else 0
        left = bot.position.lots
        for order in own_orders:
            owner = bot.owner(order.client_order_id)
            if owner is not None and order.side is Side.SELL and order.reduce_only and owner.slot != FLATTEN_SLOT:
                lots = min(order.remaining_lots, left)
                if lots > 0:
                    bot.ledger.adopt(owner.slot, lots, lots * entry_ticks)
                    bot.slots.refresh(owner.slot)
                    left -= lots
    bot.journal(
        "alarm",
        "HISTORY_INCOMPLETE",
        f"{bot.restored.lost_past or 'no stored state'}; the venue has {len(own_orders)} orders and "
        f"{bot.ledger.totals.fills} usable fills of this bot: they are adopted; profit before the oldest of them is "
        "not known",
        now_ns,
    )


def _match_orders(bot: Bot, open_orders: list[Order], now_ns: int) -> None:
    bot.orders.foreign.clear()
    seen = set()
    for order in open_orders:
        if order.state not in _ON_THEIR_WAY:
            seen.add(order.client_order_id)
        take_order(bot, order, now_ns, "open in the snapshot")
    bot.proving.clear()
    for tracked in list(bot.orders.open.values()):
        tracked.owing_since_ns = now_ns if tracked.owes_fills else 0
        if tracked.client_order_id not in seen:
            prove(bot, tracked, "the snapshot does not say that it is open", now_ns)


def prove(bot: Bot, order: TrackedOrder, evidence: str, now_ns: int) -> None:
    """Have the venue say what became of an order."""
    if not order.state.is_terminal:
        bot.orders.move(order, Cause.TIMEOUT, evidence)
        order.queries = 0
        order.absent_reads = 0
        order.query_at_ns = now_ns
        bot.proving.add(order.client_order_id)
