"""A copy of a bot to try an edit on: the same objects decide, at a venue that does what it is told, in a still market.

That is what makes a preview exact: nobody computes by other rules what the engine would do; the engine's own decisions
are taken on the copy, and what it sends is written down. Orders in flight count as settled the way they were meant.
"""

import copy
from collections import deque
from typing import Any

import msgspec

from opensqt.domain.clock import NS_PER_S
from opensqt.domain.ledger import Ledger, SlotLot
from opensqt.domain.order_state import Cause, OrderState
from opensqt.engine import starting
from opensqt.engine.bot import Bot, Unsaid
from opensqt.engine.commands import BotRecord, Cancel, Place
from opensqt.engine.orders import HISTORY_LINES, OrderTable, TrackedOrder
from opensqt.engine.outbox import Outbox
from opensqt.engine.quoting import quote
from opensqt.engine.risk import price_range
from opensqt.engine.upkeep import merge_remnants

MAX_ROUNDS = 400
"""Rounds until nothing is left to send; each is a second, so that the pace of opening orders does not hide any."""

_SETTLED = {
    OrderState.PENDING_NEW: Cause.VENUE_LIVE,
    OrderState.PENDING_AMEND: Cause.VENUE_AMENDED,
    OrderState.PENDING_CANCEL: Cause.VENUE_CANCELED,
}


def copy_of(bot: Bot) -> Bot:
    """Return a bot that decides like this one and shares nothing that deciding changes."""
    ledger = Ledger(
        bot.ledger.copy_totals(), {slot: _copy_lot(lot) for slot, lot in bot.ledger.slots.items() if not lot.is_blank}
    )
    slots = bot.slots.copy(ledger)
    outbox, orders = Outbox(), _copy_orders(bot.orders)
    # What is large, or shared, or a kernel's object is given; the rest is copied by itself, whatever it may be.
    shared: tuple[Any, ...] = (bot.config, bot.instrument, bot.grid, bot.restored, bot.past, bot.differ, bot.market)
    memo: dict[int, Any] = {id(one): one for one in shared if one is not None}
    memo.update(
        {
            id(bot.ledger): ledger,
            id(bot.orders): orders,
            id(bot.outbox): outbox,
            id(bot.slots): slots,
            id(bot.unsaid): Unsaid(),
            id(bot.recent_fills): deque(maxlen=1),
            id(bot.recent_journal): deque(maxlen=1),
            id(bot.versions): deque(maxlen=1),
            id(bot.corrections): deque(maxlen=1),
            id(bot.edit_answer): None,
        }
    )
    return copy.deepcopy(bot, memo)


def settle_in_flight(bot: Bot) -> None:
    """Let everything that was sent have happened."""
    for order in list(bot.orders.open.values()):
        cause = _SETTLED.get(order.state)
        if cause is not None:
            bot.orders.move(order, cause, "assumed")


def play(bot: Bot, now_ns: int) -> list[Place | Cancel]:
    """Let the copy decide until it has nothing more to send; returns what it sent."""
    sent: list[Place | Cancel] = []
    for _round in range(MAX_ROUNDS):
        if bot.gate.reasons:
            starting.finish(bot, now_ns)
        price_range.judge(bot, now_ns)
        quote(bot, bot.differ, now_ns)
        quiet = True
        for command in bot.outbox.take():
            if isinstance(command, BotRecord):
                quiet = quiet and bot.lattice_saved
            elif isinstance(command, (Place, Cancel)):
                quiet = False
                sent.append(command)
        if quiet and bot.lattice_saved and not merge_remnants(bot, now_ns):
            break
        bot.lattice_saved = True
        settle_in_flight(bot)
        now_ns += NS_PER_S
    return sent


def _copy_lot(lot: SlotLot) -> SlotLot:
    return msgspec.structs.replace(lot)


def _copy_orders(orders: OrderTable) -> OrderTable:
    twin = OrderTable()
    twin.foreign = dict(orders.foreign)
    for order in orders.open.values():
        tracked: TrackedOrder = copy.copy(order)
        tracked.history = deque(order.history, maxlen=HISTORY_LINES)
        twin.add(tracked, "copied")
    return twin
