"""Desired against live orders, written as plainly as possible: dictionaries, lists and the rules in their order."""

from dataclasses import dataclass
from typing import NamedTuple

BUY, SELL = 0, 1
WORKING, PENDING, UNKNOWN, CANCELLING = range(4)
PLACE, CANCEL, AMEND = range(3)


class Want(NamedTuple):
    slot: int
    side: int
    price: int
    lots: int
    reduce_only: bool
    keep_only: bool


class Order(NamedTuple):
    handle: int
    slot: int
    side: int
    price: int
    lots: int
    reduce_only: bool
    state: int


class Step(NamedTuple):
    kind: int
    handle: int
    slot: int
    side: int
    price: int
    lots: int
    reduce_only: bool


@dataclass(frozen=True)
class Limits:
    max_open_orders: int = 100
    max_actions: int = 10**9
    allow_amend: bool = False
    rooms: tuple[int | None, int | None] = (None, None)


def diff(
    wants: list[Want], live: list[Order], keep: dict[int, range], price2: int, limits: Limits
) -> tuple[list[Step], int, int]:
    """Return the actions in order, how many were withheld, how many deferred."""
    allowed = _within_limits(wants, price2, limits)
    by_place: dict[tuple[int, int], list[Order]] = {}
    for order in live:
        by_place.setdefault((order.slot, order.side), []).append(order)
    steps: list[Step] = []
    old_lots: dict[int, int] = {}
    kept: list[Order] = []
    would_be_open = 0

    def cancel(order: Order) -> None:
        steps.append(Step(CANCEL, order.handle, order.slot, order.side, order.price, order.lots, order.reduce_only))

    for want in wants:
        orders = by_place.pop((want.slot, want.side), [])
        if want not in allowed:
            for order in orders:
                if order.state == WORKING:
                    cancel(order)
                else:
                    would_be_open += 1
            continue
        if not orders:
            if not want.keep_only:
                would_be_open += 1
                steps.append(Step(PLACE, 0, want.slot, want.side, want.price, want.lots, want.reduce_only))
            continue
        right = [o for o in orders if o.state == WORKING and o[3:6] == want[2:5]]
        match = (right or orders)[0]
        would_be_open += 1
        if not right and match.state == WORKING:
            if limits.allow_amend and match.reduce_only == want.reduce_only:
                steps.append(Step(AMEND, match.handle, want.slot, want.side, want.price, want.lots, want.reduce_only))
                old_lots[match.handle] = match.lots
            else:
                cancel(match)
        for order in orders:
            if order is match:
                continue
            if order.state == WORKING:
                cancel(order)
            else:
                would_be_open += 1
    for orders in by_place.values():
        for i, order in enumerate(orders):
            if order.state != WORKING:
                would_be_open += 1
            elif i == 0 and order.slot in keep[order.side]:
                would_be_open += 1
                kept.append(order)
            else:
                cancel(order)
    excess = would_be_open - limits.max_open_orders
    kept.sort(key=lambda o: (abs(2 * o.price - price2), o.side, o.slot, o.handle))
    while excess > 0 and kept:
        cancel(kept.pop())
        excess -= 1

    steps.sort(key=lambda s: (_rank(s), abs(2 * s.price - price2), s.side, s.slot, s.handle))
    return _admit(steps, live, old_lots, limits)


def _rank(step: Step) -> int:
    if step.kind == CANCEL:
        return 1 if step.reduce_only else 0
    return 2 if step.reduce_only else 3


def _within_limits(wants: list[Want], price2: int, limits: Limits) -> set[Want]:
    def importance(want: Want) -> tuple[int, int, int, int]:
        group = 2 if want.keep_only else 0 if want.reduce_only else 1
        return group, abs(2 * want.price - price2), want.side, want.slot

    left = list(limits.rooms)
    allowed: set[Want] = set()
    for want in sorted(wants, key=importance):
        if len(allowed) >= limits.max_open_orders:
            continue
        room = left[want.side]
        if not want.reduce_only and room is not None:
            if want.lots > room:
                left[want.side] = 0
                continue
            left[want.side] = room - want.lots
        allowed.add(want)
    return allowed


def _admit(
    steps: list[Step], live: list[Order], old_lots: dict[int, int], limits: Limits
) -> tuple[list[Step], int, int]:
    bids = [o.price for o in live if o.side == BUY]
    asks = [o.price for o in live if o.side == SELL]
    opening = [sum(o.lots for o in live if o.side == side and not o.reduce_only) for side in (BUY, SELL)]
    open_orders = len(live)
    sent: list[Step] = []
    withheld = deferred = 0
    for step in steps:
        if step.kind != CANCEL:
            if step.side == BUY and asks and step.price >= min(asks):
                withheld += 1
                continue
            if step.side == SELL and bids and step.price <= max(bids):
                withheld += 1
                continue
        if len(sent) >= limits.max_actions:
            deferred += 1
            continue
        if step.kind != CANCEL:
            extra = step.lots - old_lots.get(step.handle, 0)
            room = limits.rooms[step.side]
            if step.kind == PLACE and open_orders >= limits.max_open_orders:
                deferred += 1
                continue
            if extra > 0 and room is not None and not step.reduce_only and opening[step.side] + extra > room:
                deferred += 1
                continue
            open_orders += step.kind == PLACE
            if not step.reduce_only:
                opening[step.side] += max(extra, 0)
            (asks if step.side else bids).append(step.price)
        sent.append(step)
    return sent, withheld, deferred
