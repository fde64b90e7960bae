"""Market data that is not hot: replies of the public REST endpoints -> domain values.

Depth snapshots and everything streamed is decoded by `opensqt._core.decode`; see `stream` for the rest of what a market
connection says.
"""

from decimal import Decimal

import msgspec

from opensqt.connector.market_types import FundingSettlement, FundingTerms
from opensqt.connector.venues.binance.listing import Listing
from opensqt.connector.venues.binance.payload import (
    Id,
    Ms,
    OptionalSignedText,
    PayloadError,
    SignedText,
    Symbol,
    UnsignedText,
    decimal_of,
    read,
    to_ns,
)
from opensqt.domain.market import Candle, MarkPrice, PublicTrade
from opensqt.domain.order import Side

KLINE_INTERVALS_MS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
    "1w": 604_800_000,
}
"""Candle intervals of a fixed length (1M has none)."""

INTERVAL_WORDS = {ms: word for word, ms in KLINE_INTERVALS_MS.items()}


class PremiumIndex(msgspec.Struct, frozen=True):
    """Mark price and funding of one symbol, as two views of one reply."""

    mark: MarkPrice
    funding: FundingTerms


class BestPrices(msgspec.Struct, frozen=True):
    """Best bid and ask."""

    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


class FundingSchedule(msgspec.Struct, frozen=True):
    """A symbol whose funding interval, cap or floor differs from the default."""

    venue_symbol: str
    interval_hours: int
    cap: Decimal
    floor: Decimal


class _WireKline(msgspec.Struct, array_like=True, frozen=True):
    open_time: Ms
    open: UnsignedText
    high: UnsignedText
    low: UnsignedText
    close: UnsignedText
    volume: UnsignedText
    close_time: Ms


class _WirePremium(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    mark_price: UnsignedText
    index_price: UnsignedText
    last_funding_rate: OptionalSignedText
    next_funding_time: Ms
    time: Ms


class _WireFunding(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    funding_rate: SignedText
    funding_time: Ms


class _WireFundingInfo(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    funding_interval_hours: Id
    adjusted_funding_rate_cap: SignedText
    adjusted_funding_rate_floor: SignedText


class _WireBookTicker(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    bid_price: UnsignedText
    bid_qty: UnsignedText
    ask_price: UnsignedText
    ask_qty: UnsignedText


class _WireAggTrade(msgspec.Struct, frozen=True):
    a: Id
    p: UnsignedText
    q: UnsignedText
    T: Ms
    m: bool


class _WireTime(msgspec.Struct, rename="camel", frozen=True):
    server_time: Ms


def parse_time(data: bytes) -> int:
    """Read the venue's clock, in ms.

    Raises:
        PayloadError: not a time.
    """
    return read(data, _WireTime, "time").server_time


def parse_klines(data: bytes, listing: Listing, interval_ms: int, now_ms: int) -> tuple[Candle, ...]:
    """Read candles, oldest first; the last one may be forming.

    Args:
        data: the body.
        listing: of the symbol that was asked for: the reply does not name it.
        interval_ms: that was asked for.
        now_ms: the venue's clock: a candle whose close time is past is closed.

    Raises:
        PayloadError: not candles, or prices off the tick.
    """
    candles = []
    for k in read(data, list[_WireKline], "klines"):
        counted = listing.count("klines", (k.open, k.high, k.low, k.close), (k.volume,))
        candles.append(
            Candle(
                symbol=listing.instrument.symbol,
                interval_ms=interval_ms,
                open_time_ms=k.open_time,
                open_ticks=counted.ticks[0],
                high_ticks=counted.ticks[1],
                low_ticks=counted.ticks[2],
                close_ticks=counted.ticks[3],
                volume_lots=counted.lots[0],
                is_closed=k.close_time < now_ms,
            )
        )
    return tuple(candles)


def parse_premium_index(data: bytes, listing: Listing) -> PremiumIndex:
    """Read premiumIndex of one symbol.

    Raises:
        PayloadError: not that, or of another symbol.
    """
    wire = read(data, _WirePremium, "premiumIndex")
    _check_symbol(wire.symbol, listing, "premiumIndex")
    # A symbol that is being settled has no rate: the venue sends an empty text.
    rate = decimal_of(wire.last_funding_rate or "0")
    symbol = listing.instrument.symbol
    mark = MarkPrice(
        symbol=symbol,
        mark_price=decimal_of(wire.mark_price),
        index_price=decimal_of(wire.index_price),
        funding_rate=rate,
        next_funding_time_ms=wire.next_funding_time,
        venue_time_ns=to_ns(wire.time),
    )
    funding = FundingTerms(
        symbol=symbol,
        rate=rate,
        predicted_rate=rate,
        next_funding_time_ms=wire.next_funding_time,
        venue_time_ms=wire.time,
    )
    return PremiumIndex(mark, funding)


def parse_funding_rates(data: bytes, listing: Listing) -> tuple[FundingSettlement, ...]:
    """Read settled funding rates, oldest first.

    Raises:
        PayloadError: not that, or of another symbol.
    """
    wires = read(data, list[_WireFunding], "fundingRate")
    for wire in wires:
        _check_symbol(wire.symbol, listing, "fundingRate")
    return tuple(
        FundingSettlement(
            symbol=listing.instrument.symbol, rate=decimal_of(wire.funding_rate), settled_time_ms=wire.funding_time
        )
        for wire in wires
    )


def parse_funding_info(data: bytes) -> dict[str, FundingSchedule]:
    """Read fundingInfo, by venue symbol.

    Raises:
        PayloadError: not that.
    """
    return {
        wire.symbol: FundingSchedule(
            wire.symbol,
            wire.funding_interval_hours,
            decimal_of(wire.adjusted_funding_rate_cap),
            decimal_of(wire.adjusted_funding_rate_floor),
        )
        for wire in read(data, list[_WireFundingInfo], "fundingInfo")
    }


def parse_book_ticker(data: bytes, listing: Listing) -> BestPrices:
    """Read ticker/bookTicker of one symbol.

    Raises:
        PayloadError: not that, of another symbol, or prices off the tick.
    """
    wire = read(data, _WireBookTicker, "bookTicker")
    _check_symbol(wire.symbol, listing, "bookTicker")
    counted = listing.count("bookTicker", (wire.bid_price, wire.ask_price), (wire.bid_qty, wire.ask_qty))
    return BestPrices(counted.ticks[0], counted.lots[0], counted.ticks[1], counted.lots[1])


def parse_agg_trades(data: bytes, listing: Listing) -> tuple[PublicTrade, ...]:
    """Read aggregated trades, oldest first; the reply does not name its symbol.

    Raises:
        PayloadError: not that, or prices off the tick.
    """
    trades = []
    for wire in read(data, list[_WireAggTrade], "aggTrades"):
        counted = listing.count("aggTrades", (wire.p,), (wire.q,))
        trades.append(
            PublicTrade(
                symbol=listing.instrument.symbol,
                trade_id=str(wire.a),
                # The buyer was the maker: a sell order took.
                aggressor=Side.SELL if wire.m else Side.BUY,
                price_ticks=counted.ticks[0],
                lots=counted.lots[0],
                venue_time_ns=to_ns(wire.T),
            )
        )
    return tuple(trades)


def _check_symbol(venue_symbol: str, listing: Listing, what: str) -> None:
    if venue_symbol != listing.instrument.venue_symbol:
        raise PayloadError(what, f"expected {listing.instrument.venue_symbol}, was {venue_symbol}", "symbol")
