"""One bot in finer units: everything it counts in ticks or lots is multiplied, in one turn, in memory and on disk.

Multiplying whole numbers loses nothing: every price, size, cost and profit stays what it was. What is derived from
them (the kernel's views of slots and orders, the grid) is made anew by whoever calls this.
"""

from collections import deque

import msgspec

from opensqt.domain.fill import Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order
from opensqt.engine.bot import KEPT_FILLS, Bot
from opensqt.engine.commands import BotRecord, RescaleRecord
from opensqt.engine.lattices import LatticeSpan
from opensqt.engine.restored import BookedFill
from opensqt.engine.risk.gate import Limits


def rescale(bot: Bot, tick_factor: int, lot_factor: int, old: Instrument, new: Instrument) -> None:
    """Count a bot in finer units.

    Args:
        bot: whose.
        tick_factor: new ticks in one old tick.
        lot_factor: new lots in one old lot.
        old: the instrument in the old units.
        new: the instrument in the new ones; limits of money count in its money units.
    """
    bot.ledger.rescale(tick_factor, lot_factor)
    for order in bot.orders.by_id.values():
        order.rescale(tick_factor, lot_factor)
    bot.orders.foreign = {key: _order(order, tick_factor, lot_factor) for key, order in bot.orders.foreign.items()}
    bot.orders.rebuild_live()
    bot.slots.relaid(bot.ledger.slots)
    bot.anchor_ticks *= tick_factor
    bot.past = bot.past.rescaled(tick_factor)
    bot.position = msgspec.structs.replace(bot.position, lots=bot.position.lots * lot_factor)
    bot.market.bid_ticks *= tick_factor
    bot.market.ask_ticks *= tick_factor
    bot.market.last_ticks *= tick_factor
    bot.watch.jumps.forget_reference()
    digits = new.money_scale - old.money_scale
    bot.gate.limits = _limits(bot.gate.limits, lot_factor, digits)
    bot.recent_fills = deque((_booked(one, tick_factor, lot_factor) for one in bot.recent_fills), maxlen=KEPT_FILLS)
    bot.unsaid.fills = [_booked(one, tick_factor, lot_factor) for one in bot.unsaid.fills]
    bot.unsaid.everything = True
    restored = bot.restored
    restored.recent_trades = tuple(_fill(fill, tick_factor, lot_factor) for fill in restored.recent_trades)
    if restored.limits is not None:
        restored.limits = _limits(restored.limits, lot_factor, digits)
    if restored.record is not None:
        restored.record = _record(restored.record, tick_factor)
    bot.outbox.record(RescaleRecord(bot.id, tick_factor, lot_factor))


def _order(order: Order, tick_factor: int, lot_factor: int) -> Order:
    return msgspec.structs.replace(
        order,
        price_ticks=order.price_ticks * tick_factor,
        lots=order.lots * lot_factor,
        filled_lots=order.filled_lots * lot_factor,
        filled_ticks_lots=order.filled_ticks_lots * tick_factor * lot_factor,
    )


def _fill(fill: Fill, tick_factor: int, lot_factor: int) -> Fill:
    return msgspec.structs.replace(
        fill,
        price_ticks=fill.price_ticks * tick_factor,
        lots=fill.lots * lot_factor,
        cumulative_filled_lots=fill.cumulative_filled_lots * lot_factor,
    )


def _booked(booked: BookedFill, tick_factor: int, lot_factor: int) -> BookedFill:
    fill = _fill(booked.fill, tick_factor, lot_factor)
    return BookedFill(fill, booked.slot, booked.profit_ticks_lots * tick_factor * lot_factor)


def _limits(limits: Limits, lot_factor: int, digits: int) -> Limits:
    return msgspec.structs.replace(
        limits,
        max_position_lots=limits.max_position_lots * lot_factor,
        max_notional_units=limits.max_notional_units * 10**digits,
        max_order_notional_units=limits.max_order_notional_units * 10**digits,
    )


def _record(record: BotRecord, tick_factor: int) -> BotRecord:
    span = LatticeSpan(0, record.anchor_ticks, record.interval_ticks, record.ratio_ppb).rescaled(tick_factor)
    return msgspec.structs.replace(
        record,
        anchor_ticks=span.anchor_ticks,
        interval_ticks=span.interval_ticks,
        lattices=tuple(one.rescaled(tick_factor) for one in record.lattices),
    )
