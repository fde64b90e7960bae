"""From what a try of an edit sent to what a person reads: which orders go, move, come, and why."""

from collections.abc import Iterable
from typing import NamedTuple

from opensqt.domain.order import OrderType, Side
from opensqt.engine.bot import Bot
from opensqt.engine.commands import Cancel, Place
from opensqt.engine.grid_values import Step, StepKind
from opensqt.engine.orders import TrackedOrder


class Resting(NamedTuple):
    """An order as it rested before the edit, its slot counted on the lattice of that time."""

    side: Side
    slot: int
    price_ticks: int
    lots: int
    reduce_only: bool


def steps_between(bot: Bot, resting: dict[str, Resting], sent: Iterable[Place | Cancel]) -> tuple[list[Step], int]:
    """Return the steps (cancels, moves, additions, each in sending order) and how many orders were not touched.

    Args:
        bot: the copy after it played the edit.
        resting: the orders it began with.
        sent: what it sent.
    """
    gone: list[TrackedOrder] = []
    came: dict[str, TrackedOrder] = {}
    for command in sent:
        if isinstance(command, Cancel):
            if command.client_order_id in resting:
                gone.append(bot.orders.by_id[command.client_order_id])
            else:
                came.pop(command.client_order_id, None)  # placed and cancelled on the way
        elif command.request.type is OrderType.LIMIT:
            came[command.request.client_order_id] = bot.orders.by_id[command.request.client_order_id]
    cancels, moves = [], []
    for order in gone:
        successor = _successor(order, came)
        if successor is None:
            cancels.append(_cancel(bot, order, resting[order.client_order_id]))
        else:
            del came[successor.client_order_id]
            moves.append(_move(order, successor))
    untouched = sum(1 for client_id in resting if client_id in bot.orders.open)
    return [*cancels, *moves, *(_add(order) for order in came.values())], untouched


def _successor(gone: TrackedOrder, came: dict[str, TrackedOrder]) -> TrackedOrder | None:
    """Return the new order of the same slot and side; of one slot's old orders the first one gets it."""
    return next((order for order in came.values() if (order.slot, order.side) == (gone.slot, gone.side)), None)


def _cancel(bot: Bot, order: TrackedOrder, was: Resting) -> Step:
    return Step(
        kind=StepKind.CANCEL,
        side=was.side,
        slot=order.slot,
        price_ticks=was.price_ticks,
        lots=was.lots,
        reduce_only=was.reduce_only,
        client_order_id=order.client_order_id,
        reason=_why_gone(bot, order),
    )


def _move(order: TrackedOrder, successor: TrackedOrder) -> Step:
    reasons = []
    if order.price_ticks != successor.price_ticks:
        reasons.append("its level has another price")
    if order.lots != successor.lots:
        reasons.append("its size is another" if order.side is Side.BUY else "its slot holds another lot")
    return Step(
        kind=StepKind.MOVE,
        side=successor.side,
        slot=successor.slot,
        price_ticks=successor.price_ticks,
        lots=successor.lots,
        reduce_only=successor.reduce_only,
        client_order_id=order.client_order_id,
        old_price_ticks=order.price_ticks,
        old_lots=order.lots,
        reason=" and ".join(reasons) or "it is placed anew",
    )


def _add(order: TrackedOrder) -> Step:
    why = "level inside the buy window" if order.side is Side.BUY else "take-profit of a held lot"
    return Step(
        kind=StepKind.ADD,
        side=order.side,
        slot=order.slot,
        price_ticks=order.price_ticks,
        lots=order.lots,
        reduce_only=order.reduce_only,
        reason=why,
    )


def _why_gone(bot: Bot, order: TrackedOrder) -> str:
    grid = bot.grid
    assert grid is not None, "the copy has a lattice"
    if order.client_order_id in bot.leaving or order.live_price_ticks != grid.price_of(order.slot, order.side):
        return "its price is no level of the edited lattice"
    if order.side is Side.SELL:
        return "outside of the sell window, or over max_open_orders"
    low, high = grid.range_slots
    if not low <= order.slot <= high:
        return "outside of the range"
    low, high = grid.window(bot.market.price2_ticks)
    if not low <= order.slot <= high:
        return "outside of the buy window"
    if bot.slots.get(order.slot).lots:
        return "its slot holds a lot already"
    return "over a limit: max_open_orders, max_position or max_notional"
