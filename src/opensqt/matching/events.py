"""What goes into the simulated exchange and what comes out, as values.

Market events come from a source in time order; prices are ticks, sizes lots, packed levels little-endian int64 pairs
(ticks, lots) as `OrderBook` takes them, times the venue's clock in ns. Venue events are what a private stream of an
exchange would say; each names the account it belongs to and when it leaves the venue.
"""

from decimal import Decimal
from enum import StrEnum, unique

import msgspec

from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.market import BookValidity, Candle
from opensqt.domain.order import Order, Side

# ---- market, in


class BookSnapshot(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The whole book of a symbol, best levels first; it replaces what was known."""

    symbol: str
    time_ns: int
    last_id: int
    bids: bytes
    asks: bytes


class BookDelta(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Absolute sizes of changed levels, 0 removes one. The ids are the venue's, continuous within a symbol."""

    symbol: str
    time_ns: int
    first_id: int
    last_id: int
    bids: bytes
    asks: bytes


class BookLost(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The book can no longer be believed; it stays SYNCING, or STALE, until the next snapshot."""

    symbol: str
    time_ns: int
    reason: str
    validity: BookValidity = BookValidity.SYNCING


class TradePrint(msgspec.Struct, frozen=True, tag=True, gc=False):
    """One public trade."""

    symbol: str
    time_ns: int
    trade_id: str
    aggressor: Side
    price_ticks: int
    lots: int


class MarkUpdate(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Mark price and funding terms as the market published them. `next_funding_time_ms` 0 = no funding known."""

    symbol: str
    time_ns: int
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    next_funding_time_ms: int


class CandleHistory(msgspec.Struct, frozen=True, tag=True):
    """Closed one-minute candles from before the first trade of a symbol, oldest first."""

    symbol: str
    time_ns: int
    candles: tuple[Candle, ...]


MarketEvent = BookSnapshot | BookDelta | BookLost | TradePrint | MarkUpdate | CandleHistory

# ---- venue, out


@unique
class Outcome(StrEnum):
    """How a command ended."""

    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class OrderChanged(msgspec.Struct, frozen=True, tag=True):
    """An order as it is now."""

    account: str
    time_ns: int
    order: Order


class FillHappened(msgspec.Struct, frozen=True, tag=True):
    """One execution; the order it belongs to follows as `OrderChanged`."""

    account: str
    time_ns: int
    fill: Fill


class AccountChanged(msgspec.Struct, frozen=True, tag=True):
    """Balances after something was booked (not after every move of the mark: ask for those)."""

    account: str
    time_ns: int
    balances: Account


class PositionChanged(msgspec.Struct, frozen=True, tag=True):
    """A position after a fill or a change of leverage."""

    account: str
    time_ns: int
    position: Position


class CashFlowHappened(msgspec.Struct, frozen=True, tag=True):
    """Funding, a transfer or a liquidation fee was booked."""

    account: str
    time_ns: int
    cash_flow: CashFlow


class CommandDone(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The answer to one command.

    `order` is the order as the venue has it now, when there is one: for DUPLICATE_CLIENT_ID the one that exists
    already. `count` is the number of orders a cancel-all cancelled.
    """

    account: str
    time_ns: int
    command_id: int
    outcome: Outcome
    reason: ErrorReason | None = None
    message: str = ""
    client_order_id: str = ""
    order: Order | None = None
    count: int = 0


VenueEvent = OrderChanged | FillHappened | AccountChanged | PositionChanged | CashFlowHappened | CommandDone
