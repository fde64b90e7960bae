"""What is true, whatever anybody believes: the orders that can still trade, and the sums of what was booked."""

from decimal import Decimal

import msgspec

from opensqt.domain.client_id import parse_client_order_id
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order, Side
from opensqt.engine.commands import Place

ZERO = Decimal(0)


class Alive(msgspec.Struct):
    """One order of ours that rests at the venue, or may yet get there."""

    slot: int
    side: Side
    price_ticks: int
    lots: int
    reduce_only: bool
    is_open: bool = False


class Truth:
    """Every order of ours that can still trade."""

    def __init__(self) -> None:
        self.alive: dict[str, Alive] = {}

    def sent(self, place: Place) -> None:
        """The engine sent a placement."""
        request = place.request
        owner = parse_client_order_id(request.client_order_id)
        assert owner is not None, "ours describe themselves"
        self.alive[request.client_order_id] = Alive(
            owner.slot, request.side, request.price_ticks, request.lots, request.reduce_only
        )

    def never(self, client_order_id: str) -> None:
        """Nothing carries the placement any more, and the venue does not have it."""
        alive = self.alive.get(client_order_id)
        if alive is not None and not alive.is_open:
            del self.alive[client_order_id]

    def at_venue(self, order: Order) -> None:
        """The venue's own word."""
        alive = self.alive.get(order.client_order_id)
        if order.state.is_terminal:
            self.alive.pop(order.client_order_id, None)
        elif alive is not None:
            alive.is_open = True
            alive.lots = order.remaining_lots
            alive.price_ticks = order.price_ticks


class NaiveLedger:
    """Sums of what was booked, in integers: the twin of the product's ledger."""

    def __init__(self) -> None:
        self.lots = 0
        self.cash_ticks_lots = 0
        self.fees: Decimal = ZERO
        self.flows: Decimal = ZERO
        self.trade_ids: set[str] = set()

    def book(self, fill: Fill) -> None:
        signed = fill.side.sign * fill.lots
        self.lots += signed
        self.cash_ticks_lots -= signed * fill.price_ticks
        self.fees -= fill.fee
        self.trade_ids.add(fill.trade_id)

    def copy(self) -> "NaiveLedger":
        twin = NaiveLedger()
        twin.lots, twin.cash_ticks_lots, twin.fees, twin.flows = self.lots, self.cash_ticks_lots, self.fees, self.flows
        twin.trade_ids = set(self.trade_ids)
        return twin
