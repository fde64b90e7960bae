"""The orders an exchange knows: working ones, and a bounded history of ended ones, by exchange id and by client id.

Ended orders are many and seldom asked for: they are kept packed.
"""

from collections.abc import Iterator
from typing import final

import msgspec

from opensqt.domain.order import Order, Side
from opensqt.domain.packed import PackedHistory, Packer


class StoredOrder(msgspec.Struct):
    """An order, whose it is, and its rank: of its arrival in the queue, or of its end in the history."""

    account: str
    order: Order
    rank: int = 0


_ORDERS = Packer(StoredOrder)


@final
class OrderStore:
    """Keeps orders; a client id finds the newest order that used it."""

    def __init__(self, ended_limit: int, *, keep_changes: bool) -> None:
        self._keep_changes = keep_changes
        self._ended_limit = ended_limit
        self._working: dict[int, StoredOrder] = {}
        self._ended: PackedHistory[int, StoredOrder] = PackedHistory(_ORDERS)
        self._by_client_id: dict[tuple[str, str], int] = {}
        self._groups: dict[tuple[str, str], dict[int, None]] = {}
        # Tick-lots of opening orders per group and side, kept up to date: margin checks ask for them all the time.
        self._opening: dict[tuple[str, str, Side], int] = {}
        self.changed: dict[int, None] = {}
        self.forgotten: list[int] = []

    def put(self, number: int, stored: StoredOrder) -> None:
        """Add an order or replace what was known of it; an ended one moves to the history."""
        if self._keep_changes:
            self.changed[number] = None
        self._by_client_id[stored.account, stored.order.client_order_id] = number
        group = self._groups.setdefault((stored.account, stored.order.symbol), {})
        before = self._working.get(number)
        if before is not None:
            self._count_opening(before, -1)
        if not stored.order.state.is_terminal:
            self._working[number] = stored
            self._count_opening(stored, 1)
            group[number] = None
            return
        self._working.pop(number, None)
        group.pop(number, None)
        self._ended[number] = stored
        while len(self._ended) > self._ended_limit:
            self._forget_oldest()

    def get(self, number: int) -> StoredOrder | None:
        """Return an order by number (its exchange id), working or ended."""
        return self._working.get(number) or self._ended.get(number)

    def by_client_id(self, account: str, client_order_id: str) -> StoredOrder | None:
        """Return the newest order with a client id."""
        number = self._by_client_id.get((account, client_order_id))
        return None if number is None else self.get(number)

    def working(self, account: str, symbol: str) -> list[tuple[int, StoredOrder]]:
        """Return the working orders of an account in a symbol, oldest first."""
        return [(number, self._working[number]) for number in self._groups.get((account, symbol), ())]

    def working_count(self, account: str, symbol: str) -> int:
        """Return how many orders of an account work in a symbol."""
        return len(self._groups.get((account, symbol), ()))

    def opening_ticks_lots(self, account: str, symbol: str, side: Side) -> int:
        """Return the sum of price_ticks * remaining lots over working orders that are not reduce-only."""
        return self._opening.get((account, symbol, side), 0)

    def ended(self) -> Iterator[StoredOrder]:
        """Yield ended orders, newest first."""
        return (self._ended[number] for number in reversed(self._ended))

    def items(self) -> Iterator[tuple[int, StoredOrder]]:
        """Yield every order kept, ended ones first, each group in its own order."""
        yield from self._ended.items()
        yield from self._working.items()

    def clear(self) -> None:
        """Forget everything."""
        for held in (
            self._working,
            self._ended,
            self._by_client_id,
            self._groups,
            self._opening,
            self.changed,
            self.forgotten,
        ):
            held.clear()

    def _count_opening(self, stored: StoredOrder, sign: int) -> None:
        order = stored.order
        if order.reduce_only:
            return
        key = stored.account, order.symbol, order.side
        self._opening[key] = self._opening.get(key, 0) + sign * order.price_ticks * order.remaining_lots

    def _forget_oldest(self) -> None:
        number, stored = self._ended.pop_oldest()
        key = stored.account, stored.order.client_order_id
        if self._by_client_id.get(key) == number:
            del self._by_client_id[key]
        self.changed.pop(number, None)
        if self._keep_changes:
            self.forgotten.append(number)
