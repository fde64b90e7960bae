"""Market data of ccxt -> domain values."""

from array import array
from decimal import Decimal
from sys import byteorder
from typing import Final

from opensqt.connector.market_types import FundingSettlement, FundingTerms, TickerStats
from opensqt.connector.venues.ccxt_any.figures import (
    ZERO,
    UnreadableError,
    lots,
    optional,
    payload,
    required,
    rows,
    text,
    ticks,
    time_ns,
    whole_lots,
)
from opensqt.connector.venues.ccxt_any.parse_orders import SIDES
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import Candle, MarkPrice, PublicTrade
from opensqt.domain.money import EXACT

_CANDLE_MEMBERS: Final = 6


def parse_book(value: object, instrument: Instrument) -> tuple[bytes, bytes, int]:
    """Return (bids, asks, venue time in ns); levels packed as `OrderBook.load_packed` takes them.

    Raises:
        UnreadableError: a level is no pair, or not exact.
    """
    book = payload(value, "order book")
    return (
        _levels(book.get("bids"), instrument, "bids"),
        _levels(book.get("asks"), instrument, "asks"),
        time_ns(book.get("timestamp")),
    )


def _levels(value: object, instrument: Instrument, what: str) -> bytes:
    packed = array("q")
    for level in rows(value, what):
        if not isinstance(level, list | tuple) or len(level) < 2:
            raise UnreadableError(f"a level of {what} was {level!r}")
        size = lots(level[1], instrument, f"size in {what}")
        if size:
            packed.extend((ticks(level[0], instrument, f"price in {what}"), size))
    if byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def parse_trade(value: object, instrument: Instrument, receive_time_ns: int) -> PublicTrade:
    """Read one trade of the market.

    Raises:
        UnreadableError: a member is missing or not exact.
    """
    trade = payload(value, "trade")
    side = SIDES.get(text(trade, "side"))
    price_ticks = ticks(trade.get("price"), instrument, "trade price")
    size = lots(trade.get("amount"), instrument, "trade amount")
    if side is None or not price_ticks or not size:
        raise UnreadableError(f"trade {text(trade, 'id')!r} has no side, price or amount")
    venue_time_ns = time_ns(trade.get("timestamp"))
    return PublicTrade(
        symbol=instrument.symbol,
        trade_id=text(trade, "id") or f"{venue_time_ns // NS_PER_MS}-{price_ticks}-{size}-{side.name}",
        aggressor=side,
        price_ticks=price_ticks,
        lots=size,
        venue_time_ns=venue_time_ns,
        receive_time_ns=receive_time_ns,
    )


def parse_candle(value: object, instrument: Instrument, interval_ms: int, now_ms: int) -> Candle:
    """Read one bar.

    Raises:
        UnreadableError: it is no bar, or a price is off-tick.
    """
    if not isinstance(value, list | tuple) or len(value) < _CANDLE_MEMBERS:
        raise UnreadableError(f"a candle was {value!r}")
    open_time_ms = time_ns(value[0]) // NS_PER_MS
    prices = [ticks(value[index], instrument, "candle price") for index in range(1, 5)]
    return Candle(
        symbol=instrument.symbol,
        interval_ms=interval_ms,
        open_time_ms=open_time_ms,
        open_ticks=prices[0],
        high_ticks=prices[1],
        low_ticks=prices[2],
        close_ticks=prices[3],
        volume_lots=whole_lots(value[5], instrument, "candle volume"),
        is_closed=open_time_ms + interval_ms <= now_ms,
    )


def parse_ticker(value: object, instrument: Instrument, now_ms: int) -> TickerStats:
    """Read the last 24 hours. The turnover is rounded down to whole tick-lots.

    Raises:
        UnreadableError: the last price is missing, or a price is off-tick.
    """
    ticker = payload(value, "ticker")
    last_ticks = ticks(required(ticker.get("last"), "last"), instrument, "last")
    turnover = optional(ticker.get("quoteVolume"), "quoteVolume") or ZERO
    tick_lot = instrument.money(instrument.units_per_tick_lot)
    base = optional(ticker.get("baseVolume"), "baseVolume") or ZERO
    base_lot = instrument.lots_to_quantity(1)
    return TickerStats(
        symbol=instrument.symbol,
        last_ticks=last_ticks,
        open_ticks=ticks(ticker.get("open"), instrument, "open") or last_ticks,
        volume_lots=int(EXACT.divide_int(base, base_lot)) if base > 0 else 0,
        turnover_ticks_lots=int(EXACT.divide_int(turnover, tick_lot)) if turnover > 0 else 0,
        venue_time_ms=time_ns(ticker.get("timestamp")) // NS_PER_MS or now_ms,
    )


def parse_funding_rate(value: object, symbol: str, now_ms: int) -> FundingTerms:
    """Read the funding that applies next.

    Raises:
        UnreadableError: there is no rate.
    """
    row = payload(value, "funding rate")
    rate = required(row.get("fundingRate"), "fundingRate")
    return FundingTerms(
        symbol=symbol,
        rate=rate,
        predicted_rate=optional(row.get("nextFundingRate"), "nextFundingRate") or rate,
        next_funding_time_ms=(time_ns(row.get("fundingTimestamp")) or time_ns(row.get("nextFundingTimestamp")))
        // NS_PER_MS,
        venue_time_ms=time_ns(row.get("timestamp")) // NS_PER_MS or now_ms,
    )


def parse_mark(value: object, symbol: str, now_ns: int) -> MarkPrice | None:
    """Return the mark price that a funding rate carries; None when the exchange does not tell it there.

    Raises:
        UnreadableError: a member is no number, or the rate is missing.
    """
    row = payload(value, "funding rate")
    mark = optional(row.get("markPrice"), "markPrice")
    if not mark:
        return None
    terms = parse_funding_rate(value, symbol, now_ns // NS_PER_MS)
    return MarkPrice(
        symbol=symbol,
        mark_price=mark,
        index_price=optional(row.get("indexPrice"), "indexPrice") or mark,
        funding_rate=terms.rate,
        next_funding_time_ms=terms.next_funding_time_ms,
        venue_time_ns=time_ns(row.get("timestamp")) or now_ns,
    )


def parse_settlement(value: object, symbol: str) -> FundingSettlement:
    """Read one settled rate.

    Raises:
        UnreadableError: the rate is missing.
    """
    row = payload(value, "funding history")
    return FundingSettlement(
        symbol=symbol,
        rate=required(row.get("fundingRate"), "fundingRate"),
        settled_time_ms=time_ns(row.get("timestamp")) // NS_PER_MS,
    )


def parse_open_interest(value: object, instrument: Instrument) -> int:
    """Return the open interest in lots: what ccxt tells in contracts.

    Raises:
        UnreadableError: ccxt tells it in money only.
    """
    row = payload(value, "open interest")
    amount: Decimal = required(row.get("openInterestAmount"), "openInterestAmount")
    return whole_lots(amount, instrument, "openInterestAmount")
