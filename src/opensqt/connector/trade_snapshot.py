"""The snapshot a Trade stream starts with, from the mirror, the gateway and the venue's history. Pure.

Built in the turn of the loop in which its stream goes live. Fills that were pushed while the history was being asked
for are merged in by trade id; orders on their way, or of unknown outcome, stand among the open ones in that state.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import final

from opensqt.connector.adapter import Capabilities
from opensqt.connector.book_feed import BookFeed
from opensqt.connector.gateway import OrderGateway
from opensqt.connector.mirror import AccountMirror
from opensqt.domain import convert_trade as convert
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.market import DeadManState, FeedHealth
from opensqt.domain.order import Order
from opensqt.proto import trade_pb2

MAX_SNAPSHOT_FILLS = 2_000
MAX_SNAPSHOT_FLOWS = 1_000


@final
class SnapshotBuilder:
    """Builds snapshots of one account."""

    def __init__(
        self,
        mirror: AccountMirror,
        gateway: OrderGateway,
        feeds: Mapping[str, BookFeed],
        capabilities: Capabilities,
        feed_health: Callable[[BookFeed], FeedHealth],
    ) -> None:
        self._mirror = mirror
        self._gateway = gateway
        self._feeds = feeds
        self._capabilities = capabilities
        self._feed_health = feed_health

    def build(
        self,
        symbols: frozenset[str],
        since_time_ns: int,
        fills: Iterable[Fill],
        flows: Iterable[CashFlow],
        *,
        truncated: bool,
        venue_time_ns: int,
    ) -> trade_pb2.TradeSnapshot:
        """Return the snapshot of some symbols; `truncated` says that `fills` lack the oldest ones."""
        mirror, can = self._mirror, self._capabilities
        found = self._fills(symbols, since_time_ns, fills)
        return trade_pb2.TradeSnapshot(
            exchange=can.exchange,
            mode=can.mode,
            instruments=[convert.instrument_to_wire(mirror.instruments[s]) for s in sorted(symbols)],
            open_orders=[convert.order_to_wire(order) for order in self._orders(symbols)],
            positions=[convert.position_to_wire(p) for p in mirror.positions.values() if p.symbol in symbols],
            accounts=[convert.account_to_wire(a) for a in mirror.accounts.values()],
            fills=[convert.fill_to_wire(f) for f in found[-MAX_SNAPSHOT_FILLS:]],
            cash_flows=[convert.cash_flow_to_wire(f) for f in self._flows(symbols, since_time_ns, flows)],
            feeds=[convert.feed_to_wire(self._feed_health(self._feeds[s])) for s in sorted(symbols)],
            marks=[convert.mark_to_wire(m) for m in mirror.marks.values() if m.symbol in symbols],
            venue_time_ns=venue_time_ns,
            dead_man=self._dead_man(symbols),
            fills_truncated=truncated or len(found) > MAX_SNAPSHOT_FILLS,
        )

    def _dead_man(self, symbols: frozenset[str]) -> trade_pb2.DeadManState.ValueType:
        # Of the whole session: armed only when every symbol is. Each feed has its own.
        states = {self._feed_health(self._feeds[symbol]).dead_man for symbol in symbols}
        state = states.pop() if len(states) == 1 else DeadManState.DISARMED
        return trade_pb2.DeadManState.ValueType(state)

    def _orders(self, symbols: frozenset[str]) -> list[Order]:
        orders = [order for symbol in symbols for order in self._mirror.open_orders(symbol)]
        known = {order.client_order_id for order in orders}
        pending = [order for symbol in symbols for order in self._gateway.pending_orders(symbol)]
        return orders + [order for order in pending if order.client_order_id not in known]

    def _fills(self, symbols: frozenset[str], since_time_ns: int, fills: Iterable[Fill]) -> list[Fill]:
        by_id = {(fill.symbol, fill.trade_id): fill for fill in fills}
        by_id.update({(f.symbol, f.trade_id): f for f in self._mirror.fills if f.venue_time_ns >= since_time_ns})
        return sorted((fill for fill in by_id.values() if fill.symbol in symbols), key=lambda fill: fill.venue_time_ns)

    def _flows(self, symbols: frozenset[str], since_time_ns: int, flows: Iterable[CashFlow]) -> list[CashFlow]:
        by_id = {flow.id: flow for flow in flows}
        by_id.update({flow.id: flow for flow in self._mirror.flows if flow.venue_time_ns >= since_time_ns})
        wanted = [flow for flow in by_id.values() if not flow.symbol or flow.symbol in symbols]
        return sorted(wanted, key=lambda flow: flow.venue_time_ns)[-MAX_SNAPSHOT_FLOWS:]
