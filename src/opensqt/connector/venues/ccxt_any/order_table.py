"""What is known of the account's orders: which id belongs to which, their fills, the last state. Pure.

An order that ended does not open again, however late a listing arrives that was asked for before. The table holds every
open order, and the last `KEPT` ones that ended.
"""

from collections.abc import Iterator
from typing import Final, final

import msgspec

from opensqt.connector.venues.ccxt_any.parse_orders import with_prices
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order

KEPT: Final = 5_000


@final
class OrderTable:
    """Orders by the exchange's id, per symbol."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], Order] = {}
        self._by_client_id: dict[str, tuple[str, str]] = {}
        self._fills: dict[tuple[str, str], dict[str, Fill]] = {}
        self._touched_ns: dict[tuple[str, str], int] = {}
        self._changed: dict[tuple[str, str], Order] = {}

    def report(self, order: Order, now_ns: int, *, is_told_later: bool = False) -> Order:
        """Take a report and return what is known now.

        Args:
            order: as told; an empty client id is completed from what is known.
            now_ns: monotonic time at which the report was asked for.
            is_told_later: whoever reports it tells of it himself, so `take_changed` does not.
        """
        key = (order.symbol, order.exchange_order_id)
        known = self._orders.get(key)
        if known is not None:
            if known.state.is_terminal or now_ns < self._touched_ns[key]:
                same = known.instrument_revision == order.instrument_revision and known.filled_lots == order.filled_lots
                total = known.filled_ticks_lots or (order.filled_ticks_lots if same else 0)
                order = msgspec.structs.replace(known, filled_ticks_lots=total)
            elif not order.client_order_id:
                order = msgspec.structs.replace(order, client_order_id=known.client_order_id)
            is_comparable = known.instrument_revision == order.instrument_revision
            if is_comparable and known.filled_lots > order.filled_lots:
                order = msgspec.structs.replace(
                    order, filled_lots=known.filled_lots, filled_ticks_lots=known.filled_ticks_lots
                )
        fills = self._fills.get(key, {})
        order = with_prices(
            order, {i: f for i, f in fills.items() if f.instrument_revision == order.instrument_revision}
        )
        was_told = key not in self._changed
        self._keep(key, order)
        if is_told_later and was_told:
            self._changed.pop(key, None)
        self._touched_ns[key] = max(now_ns, self._touched_ns.get(key, 0))
        return order

    def add_fill(self, fill: Fill) -> bool:
        """Take a fill; return whether it is new."""
        fills = self._fills.setdefault((fill.symbol, fill.exchange_order_id), {})
        if fill.trade_id in fills:
            return False
        fills[fill.trade_id] = fill
        if len(self._fills) > 2 * KEPT:
            for old in [one for one in self._fills if one not in self._orders][:KEPT]:
                del self._fills[old]
        key = (fill.symbol, fill.exchange_order_id)
        if key in self._orders:
            self._keep(key, with_prices(self._orders[key], fills))
        return True

    def get(self, symbol: str, exchange_order_id: str) -> Order | None:
        """Return an order by the exchange's id."""
        return self._orders.get((symbol, exchange_order_id))

    def by_client_id(self, client_order_id: str) -> Order | None:
        """Return an order by its client id."""
        key = self._by_client_id.get(client_order_id)
        return None if key is None else self._orders[key]

    def open_orders(self, symbol: str) -> Iterator[Order]:
        """Yield the orders of a symbol that are not known to have ended."""
        return (o for o in list(self._orders.values()) if o.symbol == symbol and not o.state.is_terminal)

    def touched_ns(self, order: Order) -> int:
        """Return the time of the newest report of an order."""
        return self._touched_ns.get((order.symbol, order.exchange_order_id), 0)

    def take_changed(self) -> list[Order]:
        """Return the orders that changed since this was last asked, oldest change first."""
        changed = list(self._changed.values())
        self._changed.clear()
        return changed

    def _keep(self, key: tuple[str, str], order: Order) -> None:
        if self._orders.get(key) != order:
            self._changed[key] = order
        self._orders[key] = order
        if order.client_order_id:
            self._by_client_id[order.client_order_id] = key
        if len(self._orders) > 2 * KEPT:
            ended = [k for k, o in self._orders.items() if o.state.is_terminal and k != key]
            for old in ended[:KEPT]:
                self._by_client_id.pop(self._orders.pop(old).client_order_id, None)
                self._fills.pop(old, None)
                self._touched_ns.pop(old, None)
                self._changed.pop(old, None)
