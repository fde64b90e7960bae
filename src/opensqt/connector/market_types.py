"""What can be subscribed to upstream, and market figures that only queries carry."""

from decimal import Decimal
from enum import StrEnum, unique

import msgspec


@unique
class ChannelKind(StrEnum):
    """Kinds of market data a venue publishes per symbol."""

    BOOK = "book"
    TRADES = "trades"
    CANDLES = "candles"
    MARK = "mark"


class Channel(msgspec.Struct, frozen=True):
    """One upstream subscription; `interval_ms` is of candles only."""

    kind: ChannelKind
    symbol: str
    interval_ms: int = 0


class TickerStats(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol's last 24 hours, as far back as the venue remembers. Sizes in lots, prices in ticks."""

    symbol: str
    last_ticks: int
    open_ticks: int
    volume_lots: int
    turnover_ticks_lots: int
    """Sum of price_ticks * lots."""
    venue_time_ms: int


class FundingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's funding: what applies next. `next_funding_time_ms` 0 = not applicable."""

    symbol: str
    rate: Decimal
    predicted_rate: Decimal
    next_funding_time_ms: int
    venue_time_ms: int


class FundingSettlement(msgspec.Struct, frozen=True, kw_only=True):
    """One funding rate that was settled."""

    symbol: str
    rate: Decimal
    settled_time_ms: int


INTERVAL_MS: dict[str, int] = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
}
"""Candle intervals by the name that clients use. A venue's capabilities name those it offers."""
