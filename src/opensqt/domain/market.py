"""What the market says: trades, candles, marks, and whether the data can be believed."""

from decimal import Decimal
from enum import IntEnum, unique

import msgspec

from opensqt.domain.order import Side


@unique
class BookValidity(IntEnum):
    """Whether a book may price; the numbers are those of the wire. Only VALID may."""

    VALID = 1
    SYNCING = 2
    STALE = 3


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of the market."""

    symbol: str
    trade_id: str
    aggressor: Side
    price_ticks: int
    lots: int
    venue_time_ns: int
    receive_time_ns: int = 0


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """One bar, keyed by its open time; prices in ticks, volume in lots."""

    symbol: str
    interval_ms: int
    open_time_ms: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    is_closed: bool


class MarkPrice(msgspec.Struct, frozen=True, kw_only=True):
    """Mark price and funding terms: a state, newest wins. `next_funding_time_ms` 0 = not applicable."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    next_funding_time_ms: int
    venue_time_ns: int


@unique
class DeadManState(IntEnum):
    """Whether the venue cancels a symbol's orders by itself when we fall silent; the numbers are those of the wire.

    UNSPECIFIED: nobody has told.
    """

    UNSPECIFIED = 0
    NOT_OFFERED = 1
    ARMED = 2
    DISARMED = 3
    NEEDS_APPROVAL = 4


class FeedHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the data behind one symbol (or, with an empty symbol, the private stream) can be believed."""

    symbol: str
    book: BookValidity
    reason: str = ""
    market_stream_up: bool = False
    private_stream_up: bool = False
    last_market_data_ns: int = 0
    dead_man: DeadManState = DeadManState.UNSPECIFIED
