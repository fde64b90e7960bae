"""What the connector told: candles, prices, account, positions and open orders, newest value of each.

A pure store without clock or I/O. Prices and sizes stay the decimal text they came as. Everything that changed since
changes were last taken is remembered by key, so that a burst becomes one message.
"""

from bisect import bisect_left
from collections.abc import Iterable
from operator import itemgetter
from typing import Any, Final, final

from opensqt.live_server import market_view
from opensqt.proto.events_pb2 import OrderUpdate, PriceChange
from opensqt.proto.exchange_pb2 import Capabilities, RateBudget
from opensqt.proto.resources_pb2 import Account, Candle, Order, Position
from opensqt.proto.types_pb2 import OrderStatus

Json = dict[str, Any]

VenueOrder = Order | OrderUpdate

_CLOSED_STATUSES: Final = frozenset(
    {
        OrderStatus.ORDER_STATUS_FILLED,
        OrderStatus.ORDER_STATUS_CANCELED,
        OrderStatus.ORDER_STATUS_REJECTED,
        OrderStatus.ORDER_STATUS_EXPIRED,
    }
)


@final
class CandleSeries:
    """Candles of one symbol in time order, at most `limit`, the oldest leave first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._times: list[int] = []
        self._candles: list[Candle] = []

    def __len__(self) -> int:
        return len(self._candles)

    def apply(self, candle: Candle) -> None:
        """Insert a candle, or replace the one that opened at the same time."""
        index = bisect_left(self._times, candle.timestamp)
        if index < len(self._times) and self._times[index] == candle.timestamp:
            self._candles[index] = candle
            return
        self._times.insert(index, candle.timestamp)
        self._candles.insert(index, candle)
        if len(self._times) > self._limit:
            del self._times[0], self._candles[0]

    def newest(self, count: int) -> list[Candle]:
        """Return up to `count` newest candles, oldest first."""
        return self._candles[-count:]


@final
class MarketStore:
    """Newest market data and account state by symbol, as the connector's messages.

    Args:
        candle_limit: candles kept per symbol.
    """

    def __init__(self, candle_limit: int) -> None:
        self._candle_limit = candle_limit
        self.candles: dict[str, CandleSeries] = {}
        self.prices: dict[str, PriceChange] = {}
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, VenueOrder] = {}
        self.account: Account | None = None
        self.budget: RateBudget | None = None
        self.capabilities: Capabilities | None = None
        self._new_candles: dict[tuple[str, int], Candle] = {}
        self._new_prices: set[str] = set()
        self._new_positions: set[str] = set()
        self._new_orders: set[str] = set()
        self._removed_orders: set[str] = set()
        self._reset_candles: set[str] = set()
        self._reset_orders = False
        self._new_account = False
        self._new_venue: set[str] = set()

    def load_candles(self, symbol: str, candles: Iterable[Candle]) -> None:
        """Take history as fetched: it fills what was missed while nobody listened."""
        series = self._series(symbol)
        for candle in candles:
            series.apply(candle)
        self._reset_candles.add(symbol)

    def apply_candle(self, candle: Candle) -> None:
        """Take a candle that forms or closed."""
        self._series(candle.symbol).apply(candle)
        self._new_candles[candle.symbol, candle.timestamp] = candle

    def apply_price(self, change: PriceChange) -> None:
        """Take a last price."""
        self.prices[change.symbol] = change
        self._new_prices.add(change.symbol)

    def apply_account(self, account: Account) -> None:
        """Take the account's state."""
        self.account = account
        self._new_account = True

    def apply_position(self, position: Position) -> None:
        """Take a position; size zero means flat."""
        self.positions[position.symbol] = position
        self._new_positions.add(position.symbol)

    def apply_budget(self, budget: RateBudget) -> None:
        """Take the use of the venue's rate limits."""
        if budget != self.budget:
            self.budget = budget
            self._new_venue.add("budget")

    def apply_capabilities(self, capabilities: Capabilities) -> None:
        """Take what the venue can do."""
        if capabilities != self.capabilities:
            self.capabilities = capabilities
            self._new_venue.add("capabilities")

    def load_orders(self, orders: Iterable[Order]) -> None:
        """Replace all open orders by a fresh list of the venue's."""
        self.orders = {market_view.order_id(order): order for order in orders}
        self._reset_orders = True

    def apply_order(self, update: OrderUpdate) -> None:
        """Take an order's change; a closed order leaves the table."""
        order_id = market_view.order_id(update)
        if update.status in _CLOSED_STATUSES:
            self.orders.pop(order_id, None)
            self._new_orders.discard(order_id)
            self._removed_orders.add(order_id)
        else:
            self.orders[order_id] = update
            self._removed_orders.discard(order_id)
            self._new_orders.add(order_id)

    def history(self, symbol: str, count: int) -> list[Candle]:
        """Return up to `count` newest candles of a symbol, oldest first."""
        series = self.candles.get(symbol)
        return [] if series is None else series.newest(count)

    def render(self) -> Json:
        """Return all of it."""
        return {
            "candles": {symbol: self._rows(symbol) for symbol in self.candles},
            "prices": [market_view.price(item) for item in self.prices.values()],
            "positions": [market_view.position(item) for item in self.positions.values()],
            "account": None if self.account is None else market_view.account(self.account),
            "orders": [market_view.order(item) for item in self.orders.values()],
            "budget": None if self.budget is None else market_view.budget(self.budget),
            "capabilities": None if self.capabilities is None else market_view.capabilities(self.capabilities),
        }

    @property
    def changed(self) -> bool:
        """Whether changes wait to be taken."""
        return bool(
            self._new_candles
            or self._new_prices
            or self._new_positions
            or self._new_orders
            or self._removed_orders
            or self._reset_candles
            or self._reset_orders
            or self._new_account
            or self._new_venue
        )

    def take_changes(self) -> Json:
        """Return what changed and start afresh.

        Keys as in `render`, which replace; and `candle_updates`, `order_updates`, `removed_orders`, which add to it.
        """
        changes: Json = {}
        if self._reset_candles:
            changes["candles"] = {symbol: self._rows(symbol) for symbol in sorted(self._reset_candles)}
        updates: dict[str, list[list[Any]]] = {}
        for (symbol, _), candle in sorted(self._new_candles.items(), key=itemgetter(0)):
            if symbol not in self._reset_candles:
                updates.setdefault(symbol, []).append(market_view.candle_row(candle))
        if updates:
            changes["candle_updates"] = updates
        if self._new_prices:
            changes["prices"] = [market_view.price(self.prices[symbol]) for symbol in sorted(self._new_prices)]
        if self._new_positions:
            changes["positions"] = [
                market_view.position(self.positions[symbol]) for symbol in sorted(self._new_positions)
            ]
        if self._new_account and self.account is not None:
            changes["account"] = market_view.account(self.account)
        if self.budget is not None and "budget" in self._new_venue:
            changes["budget"] = market_view.budget(self.budget)
        if self.capabilities is not None and "capabilities" in self._new_venue:
            changes["capabilities"] = market_view.capabilities(self.capabilities)
        self._take_order_changes(changes)
        self._forget_changes()
        return changes

    def _take_order_changes(self, changes: Json) -> None:
        if self._reset_orders:
            changes["orders"] = [market_view.order(item) for item in self.orders.values()]
            return
        if self._new_orders:
            changes["order_updates"] = [market_view.order(self.orders[key]) for key in sorted(self._new_orders)]
        if self._removed_orders:
            changes["removed_orders"] = sorted(self._removed_orders)

    def _forget_changes(self) -> None:
        self._new_candles.clear()
        for pending in (
            self._new_prices,
            self._new_positions,
            self._new_orders,
            self._removed_orders,
            self._reset_candles,
            self._new_venue,
        ):
            pending.clear()
        self._reset_orders = self._new_account = False

    def _rows(self, symbol: str) -> list[list[Any]]:
        return [market_view.candle_row(candle) for candle in self.history(symbol, self._candle_limit)]

    def _series(self, symbol: str) -> CandleSeries:
        return self.candles.setdefault(symbol, CandleSeries(self._candle_limit))
