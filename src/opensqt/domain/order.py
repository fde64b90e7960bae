"""Orders: sides, kinds, what was asked for, and what is known of it."""

from enum import IntEnum, unique

import msgspec

from opensqt.domain.errors import ErrorReason
from opensqt.domain.order_state import OrderState


@unique
class Side(IntEnum):
    """Side of an order or a fill; the numbers are those of the wire."""

    BUY = 1
    SELL = 2

    @property
    def sign(self) -> int:
        """Return +1 for a buy, -1 for a sell: what a fill does to the position."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """Return the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


@unique
class OrderType(IntEnum):
    """Kind of an order."""

    LIMIT = 1
    MARKET = 2


@unique
class TimeInForce(IntEnum):
    """How long an order may rest. GTX = post-only: rest or be refused."""

    GTC = 1
    IOC = 2
    FOK = 3
    GTX = 4


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One order to be placed, in ticks and lots of `instrument_revision`; a market order has price 0."""

    symbol: str
    client_order_id: str
    side: Side
    type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTX
    price_ticks: int
    lots: int
    reduce_only: bool = False
    instrument_revision: int

    @property
    def post_only(self) -> bool:
        """Return whether the order may only rest."""
        return self.time_in_force is TimeInForce.GTX


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one order. `filled_lots` is cumulative; times are the venue's clock, 0 = not known."""

    symbol: str
    client_order_id: str
    exchange_order_id: str = ""
    side: Side
    type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTX
    price_ticks: int
    lots: int
    filled_lots: int = 0
    reduce_only: bool = False
    state: OrderState
    reason: ErrorReason | None = None
    created_time_ns: int = 0
    updated_time_ns: int = 0
    instrument_revision: int = 0
    filled_ticks_lots: int = 0
    """Sum of price_ticks * lots over the fills: the average fill price without rounding; 0 = not known."""

    @property
    def remaining_lots(self) -> int:
        """Return what can still be filled."""
        return self.lots - self.filled_lots

    @property
    def post_only(self) -> bool:
        """Return whether the order may only rest."""
        return self.time_in_force is TimeInForce.GTX
