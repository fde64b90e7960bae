"""The bot's orders: what was sent, what the venue proved, and why each exists.

States move only along `domain.order_state`. Two counts are kept apart: `booked_lots`, the fills the ledger has, and
`venue_filled_lots`, what the venue says was filled. While the venue is ahead the order *owes* fills and keeps blocking
its slot even when it is over, so that a slot is never quoted again before its lot is known.

`live` is the kernel's view for the diff. An order there carries the price its slot wants as long as it rests at it or
one interval behind it (a post-only order moved away from the touch), so that moving it once does not move it for ever.
"""

from collections import deque
from typing import final

from opensqt._core.diff import BUY as LIVE_BUY
from opensqt._core.diff import CANCELLING, PENDING, UNKNOWN, WORKING, Live
from opensqt._core.diff import SELL as LIVE_SELL
from opensqt.domain.errors import ErrorReason
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import Cause, OrderState, next_state, state_with_fills

REMEMBERED_ORDERS = 2_000
HISTORY_LINES = 24

_LIVE_STATE = {
    OrderState.PENDING_NEW: PENDING,
    OrderState.PENDING_AMEND: PENDING,
    OrderState.PENDING_CANCEL: CANCELLING,
    OrderState.UNKNOWN: UNKNOWN,
    OrderState.LIVE: WORKING,
    OrderState.PARTIALLY_FILLED: WORKING,
}


def rescaled_inputs(inputs: dict[str, str], tick_factor: int, lot_factor: int) -> dict[str, str]:
    """Return what an order was decided from, its ticks and lots in finer units."""
    factors = {"ticks": tick_factor, "lots": lot_factor}
    return {
        name: str(int(text) * factors[unit]) if (unit := name.rpartition("_")[2]) in factors else text
        for name, text in inputs.items()
    }


@final
class TrackedOrder:
    """One of our orders. `created_ns` and `updated_ns` are the venue's time, the others ours."""

    __slots__ = (
        "absent_reads", "acked", "booked_lots", "booked_ticks_lots", "cancel_at_ns", "client_order_id",
        "config_version", "created_ns", "exchange_order_id", "handle", "history", "inputs", "live_price_ticks",
        "lost_cancels", "lots", "order_type", "owing_since_ns", "price_ticks", "queries", "query_at_ns", "reason",
        "reduce_only", "revision", "rule", "sent_ns", "side", "slot", "state", "symbol", "time_in_force", "updated_ns",
        "venue_filled_lots",
    )  # fmt: skip

    def __init__(self, order: Order, *, slot: int, rule: str, inputs: dict[str, str], config_version: int) -> None:
        self.handle = 0
        self.symbol = order.symbol
        self.client_order_id = order.client_order_id
        self.exchange_order_id = order.exchange_order_id
        self.slot = slot
        self.side = order.side
        self.order_type = order.type
        self.time_in_force = order.time_in_force
        self.price_ticks = order.price_ticks
        self.live_price_ticks = order.price_ticks
        self.lots = order.lots
        self.reduce_only = order.reduce_only
        self.revision = order.instrument_revision
        self.state = order.state
        self.reason: ErrorReason | None = order.reason
        self.created_ns = order.created_time_ns
        self.updated_ns = order.updated_time_ns
        self.venue_filled_lots = 0
        self.booked_lots = 0
        self.booked_ticks_lots = 0
        self.rule = rule
        self.inputs = inputs
        self.config_version = config_version
        self.history: deque[str] = deque(maxlen=HISTORY_LINES)
        self.acked = bool(order.exchange_order_id)
        self.sent_ns = 0
        self.cancel_at_ns = 0
        self.lost_cancels = 0
        self.query_at_ns = 0
        self.queries = 0
        self.absent_reads = 0
        self.owing_since_ns = 0

    @property
    def remaining_lots(self) -> int:
        """Return what the ledger can still receive."""
        return self.lots - self.booked_lots

    @property
    def owes_fills(self) -> bool:
        """Return whether the venue filled more than the ledger has."""
        return self.venue_filled_lots > self.booked_lots

    @property
    def is_open(self) -> bool:
        """Return whether it can still change the position: not over, or over with fills still to come."""
        return not self.state.is_terminal or self.owes_fills

    def rescale(self, tick_factor: int, lot_factor: int) -> None:
        """Count in finer units: every tick becomes `tick_factor` ticks, every lot `lot_factor` lots."""
        self.price_ticks *= tick_factor
        self.live_price_ticks *= tick_factor
        self.lots *= lot_factor
        self.venue_filled_lots *= lot_factor
        self.booked_lots *= lot_factor
        self.booked_ticks_lots *= tick_factor * lot_factor
        self.inputs = rescaled_inputs(self.inputs, tick_factor, lot_factor)

    def to_order(self) -> Order:
        """Return it as a domain value."""
        return Order(
            symbol=self.symbol,
            client_order_id=self.client_order_id,
            exchange_order_id=self.exchange_order_id,
            side=self.side,
            type=self.order_type,
            time_in_force=self.time_in_force,
            price_ticks=self.price_ticks,
            lots=self.lots,
            filled_lots=self.booked_lots,
            reduce_only=self.reduce_only,
            state=self.state,
            reason=self.reason,
            created_time_ns=self.created_ns,
            updated_time_ns=self.updated_ns,
            instrument_revision=self.revision,
            filled_ticks_lots=self.booked_ticks_lots,
        )


@final
class OrderTable:
    """All orders of one bot: those that live, the newest that ended, and what of them changed since last asked."""

    def __init__(self) -> None:
        self.by_id: dict[str, TrackedOrder] = {}
        self.open: dict[str, TrackedOrder] = {}
        self.by_handle: dict[int, TrackedOrder] = {}
        self.live = Live()
        self.foreign: dict[str, Order] = {}
        self.dirty: set[str] = set()
        self.dirty_slots: set[int] = set()
        self.illegal_transitions = 0
        self._handles = 0
        # Ended orders by the time of their end; a dict, because it is asked for one of them at every change of one.
        self._ended: dict[str, None] = {}

    def add(self, order: TrackedOrder, evidence: str) -> None:
        """Take an order in; it must be new."""
        if order.client_order_id in self.by_id:
            raise ValueError(f"order {order.client_order_id} is in the table already")
        self._handles += 1
        order.handle = self._handles
        self.by_id[order.client_order_id] = order
        self.by_handle[order.handle] = order
        order.history.append(f"{order.state.value}: {evidence}")
        self.sync(order)

    def move(self, order: TrackedOrder, cause: Cause, evidence: str) -> bool:
        """Apply a cause; returns whether the state changed. An illegal one is counted and changes nothing."""
        following = next_state(order.state, cause)
        if following is None:
            self.illegal_transitions += 1
            order.history.append(f"{order.state.value}: ignored {cause.value} ({evidence})")
            self.dirty.add(order.client_order_id)
            return False
        following = state_with_fills(following, order.booked_lots)
        if following is order.state:
            return False
        order.state = following
        order.history.append(f"{following.value}: {evidence}")
        self.sync(order)
        return True

    def sync(self, order: TrackedOrder) -> None:
        """Bring the kernel's view and the index of open orders up to date with an order that changed."""
        client_id = order.client_order_id
        self.dirty.add(client_id)
        self.dirty_slots.add(order.slot)
        if not order.is_open:
            if order.handle in self.live:
                self.live.remove(order.handle)
            if self.open.pop(client_id, None) is not None or client_id not in self._ended:
                self._remember_ended(client_id)
            return
        self.open[client_id] = order
        state = UNKNOWN if order.state.is_terminal else _LIVE_STATE[order.state]
        # An opening order keeps its whole size here: its slot wants that size until the order is over.
        lots = max(1, order.remaining_lots) if order.reduce_only else order.lots
        side = LIVE_BUY if order.side is Side.BUY else LIVE_SELL
        if order.order_type is OrderType.LIMIT and order.time_in_force is not TimeInForce.IOC:
            self.live.put(order.handle, order.slot, side, order.live_price_ticks, lots, order.reduce_only, state)

    def open_lots(self, side: Side, *, reducing: bool) -> int:
        """Return what the open orders of a side can still execute, opening or reducing ones."""
        return sum(
            max(order.remaining_lots, 0)
            for order in self.open.values()
            if order.side is side and order.reduce_only is reducing
        )

    def foreign_lots(self, side: Side) -> int:
        """Return what orders of others on our symbol can still open on a side."""
        return sum(
            order.remaining_lots for order in self.foreign.values() if order.side is side and not order.reduce_only
        )

    def rebuild_live(self) -> None:
        """Compute the kernel's view anew, after the lattice gave the slots other prices."""
        self.live.clear()
        for order in self.open.values():
            self.sync(order)

    def _remember_ended(self, client_id: str) -> None:
        self._ended[client_id] = None
        while len(self._ended) > REMEMBERED_ORDERS:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            old = self.by_id.get(oldest)
            if old is not None and not old.is_open:
                self.by_id.pop(old.client_order_id, None)
                self.by_handle.pop(old.handle, None)


def new_order(
    *,
    symbol: str,
    client_order_id: str,
    side: Side,
    price_ticks: int,
    lots: int,
    reduce_only: bool,
    revision: int,
    order_type: OrderType = OrderType.LIMIT,
    time_in_force: TimeInForce = TimeInForce.GTX,
) -> Order:
    """Return an order that is about to be sent."""
    return Order(
        symbol=symbol,
        client_order_id=client_order_id,
        side=side,
        type=order_type,
        time_in_force=time_in_force,
        price_ticks=price_ticks,
        lots=lots,
        reduce_only=reduce_only,
        state=OrderState.PENDING_NEW,
        instrument_revision=revision,
    )
