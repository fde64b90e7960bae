"""Every order of the account that was heard of lately, each as the merger of all reports of it. Pure.

Open orders are kept for as long as they are open; ended ones until `MAX_ENDED` later ones. Executions in replies name
only the venue's order id: the ids of ended orders are remembered longer than the orders.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Final, final

from opensqt.connector.venues.binance import order_map
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order
from opensqt.domain.packed import PackedHistory, Packer

MAX_ENDED: Final = 20_000
MAX_IDS: Final = 100_000

_ORDERS: Final = Packer(Order)


@final
class OrderTable:
    """Orders by symbol and the venue's id."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Order] = {}
        self._ended: PackedHistory[tuple[str, str], Order] = PackedHistory(_ORDERS)
        self._client_ids: OrderedDict[str, str] = OrderedDict()

    @property
    def client_ids(self) -> Mapping[str, str]:
        """Return our ids by the venue's."""
        return self._client_ids

    def get(self, symbol: str, exchange_order_id: str) -> Order | None:
        """Return an order by the venue's id."""
        key = (symbol, exchange_order_id)
        return self._open.get(key) or self._ended.get(key)

    def open_orders(self, symbol: str = "") -> Iterator[Order]:
        """Yield the orders that are open as far as is known."""
        return (order for order in list(self._open.values()) if not symbol or order.symbol == symbol)

    def report(self, report: Order, fill: Fill | None = None, *, is_amendment: bool = False) -> Order:
        """Take one report of an order, of any age, and return what is known of it now."""
        key = (report.symbol, report.exchange_order_id)
        known = self._open.get(key) or self._ended.get(key)
        order = report if known is None else order_map.merge(known, report, fill, is_amendment=is_amendment)
        if order.client_order_id:
            self._client_ids[order.exchange_order_id] = order.client_order_id
            if len(self._client_ids) > MAX_IDS:
                self._client_ids.popitem(last=False)
        if order.state.is_terminal:
            self._open.pop(key, None)
            self._ended[key] = order
            if len(self._ended) > MAX_ENDED:
                self._ended.pop_oldest()
        else:
            self._ended.pop(key, None)
            self._open[key] = order
        return order
