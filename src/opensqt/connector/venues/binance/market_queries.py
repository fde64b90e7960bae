"""Questions about the market over REST. A failed question is an error, never an empty list."""

from collections.abc import Awaitable, Callable
from typing import final

from opensqt.connector.market_types import FundingSettlement, FundingTerms, TickerStats
from opensqt.connector.venues.binance import requests_market as ask
from opensqt.connector.venues.binance.parse_history import parse_day_ticker, parse_open_interest
from opensqt.connector.venues.binance.parse_market import (
    INTERVAL_WORDS,
    parse_funding_rates,
    parse_klines,
    parse_premium_index,
)
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.domain.errors import ErrorReason, UnsupportedError
from opensqt.domain.market import Candle


@final
class BinanceMarketQueries:
    """What the venue says of the market when asked."""

    def __init__(self, queries: BinanceQueries, reload: Callable[[], Awaitable[None]]) -> None:
        self._q = queries
        self._reload = reload

    async def refresh_instruments(self) -> None:
        """Read exchangeInfo again."""
        await self._reload()

    async def candles(self, symbol: str, interval_ms: int, limit: int, end_time_ms: int) -> list[Candle]:
        """Return candles, oldest first."""
        listing = self._q.listing(symbol)
        word = INTERVAL_WORDS.get(interval_ms)
        if word is None:
            raise UnsupportedError(ErrorReason.NOT_SUPPORTED, f"Binance has no candles of {interval_ms} ms")
        end_ms = end_time_ms - 1 if end_time_ms else 0
        request = ask.klines(listing.instrument.venue_symbol, word, min(limit, ask.MAX_KLINES), end_ms=end_ms)
        now_ms = self._q.now_ms()
        found = await self._q.ask(
            request, "query candles", lambda body: parse_klines(body, listing, interval_ms, now_ms)
        )
        return list(found)

    async def ticker(self, symbol: str) -> TickerStats:
        """Return the last 24 hours."""
        listing = self._q.listing(symbol)
        request = ask.day_ticker(listing.instrument.venue_symbol)
        return await self._q.ask(request, "query ticker", lambda body: parse_day_ticker(body, listing))

    async def funding(self, symbol: str) -> FundingTerms:
        """Return the funding that applies next."""
        listing = self._q.listing(symbol)
        request = ask.premium_index(listing.instrument.venue_symbol)
        return (await self._q.ask(request, "query funding", lambda body: parse_premium_index(body, listing))).funding

    async def funding_history(self, symbol: str, limit: int) -> list[FundingSettlement]:
        """Return settled funding rates, oldest first."""
        listing = self._q.listing(symbol)
        request = ask.funding_rates(listing.instrument.venue_symbol, min(limit, ask.MAX_FUNDING_RATES))
        return list(await self._q.ask(request, "query funding", lambda body: parse_funding_rates(body, listing)))

    async def open_interest_lots(self, symbol: str) -> int:
        """Return the open interest."""
        listing = self._q.listing(symbol)
        request = ask.open_interest(listing.instrument.venue_symbol)
        return await self._q.ask(request, "query open interest", lambda body: parse_open_interest(body, listing))
