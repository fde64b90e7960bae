"""What the exchange says of the market when asked."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, final

from opensqt.connector.market_types import INTERVAL_MS, FundingSettlement, FundingTerms, TickerStats
from opensqt.connector.venues.ccxt_any.client import CcxtClient
from opensqt.connector.venues.ccxt_any.figures import rows
from opensqt.connector.venues.ccxt_any.parse_market import (
    parse_candle,
    parse_funding_rate,
    parse_open_interest,
    parse_settlement,
    parse_ticker,
)
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, UnsupportedError
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import Candle

INTERVAL_NAMES: Mapping[int, str] = {ms: name for name, ms in INTERVAL_MS.items()}


@final
class CcxtMarketQueries:
    """The market's queries."""

    def __init__(
        self, client: CcxtClient, instruments: Mapping[str, Instrument], reload: Callable[[], Awaitable[None]]
    ) -> None:
        self._client = client
        self._instruments = instruments
        self._reload = reload

    async def refresh_instruments(self) -> None:
        """Load the markets again."""
        await self._reload()

    async def candles(self, symbol: str, interval_ms: int, limit: int, end_time_ms: int) -> list[Candle]:
        """Return up to `limit` candles that opened before a time (0 = now), oldest first."""
        name = INTERVAL_NAMES.get(interval_ms, "")
        if name not in (self._client.exchange.timeframes or {}):
            raise UnsupportedError(
                ErrorReason.NOT_SUPPORTED, f"the exchange has no candles of {interval_ms} ms; see kline_intervals"
            )
        instrument = self._instruments[symbol]
        now_ms = self._now_ms()
        # Without a start some exchanges answer from the beginning of time.
        since = (end_time_ms or now_ms) // interval_ms * interval_ms - (limit - (0 if end_time_ms else 1)) * interval_ms

        def read(value: Any) -> list[Candle]:
            return [parse_candle(row, instrument, interval_ms, now_ms) for row in rows(value, "candles")]

        found = await self._client.ask("fetchOHLCV", "query candles", read, symbol, name, since, limit)
        found.sort(key=lambda candle: candle.open_time_ms)
        return [candle for candle in found if not end_time_ms or candle.open_time_ms < end_time_ms][-limit:]

    async def ticker(self, symbol: str) -> TickerStats:
        """Return the last 24 hours of a symbol."""
        return await self._client.ask(
            "fetchTicker",
            "query ticker",
            lambda value: parse_ticker(value, self._instruments[symbol], self._now_ms()),
            symbol,
        )

    async def funding(self, symbol: str) -> FundingTerms:
        """Return the funding that applies next."""
        return await self._client.ask(
            "fetchFundingRate",
            "query funding",
            lambda value: parse_funding_rate(value, symbol, self._now_ms()),
            symbol,
        )

    async def funding_history(self, symbol: str, limit: int) -> list[FundingSettlement]:
        """Return settled funding rates, oldest first."""
        found = await self._client.ask(
            "fetchFundingRateHistory",
            "query funding history",
            lambda value: [parse_settlement(row, symbol) for row in rows(value, "funding history")],
            symbol,
            None,
            limit,
        )
        return sorted(found, key=lambda settled: settled.settled_time_ms)[-limit:]

    async def open_interest_lots(self, symbol: str) -> int:
        """Return the open interest."""
        return await self._client.ask(
            "fetchOpenInterest",
            "query open interest",
            lambda value: parse_open_interest(value, self._instruments[symbol]),
            symbol,
        )

    def _now_ms(self) -> int:
        return self._client.clock.now_ns() // NS_PER_MS
