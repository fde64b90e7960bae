"""Fetches the book snapshots that the market feed asks for."""

import asyncio
from typing import Final, final

from opensqt.connector.venues.binance import requests_market as ask
from opensqt.connector.venues.binance.market_feed import MarketFeed, SymbolFeed
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.domain.errors import OpensqtError

LEVELS: Final = 1000


@final
class SnapshotFetcher:
    """At most one snapshot per symbol is under way: the feed asks again only after an answer."""

    def __init__(self, queries: BinanceQueries) -> None:
        self._q = queries
        self._tasks: set[asyncio.Task[None]] = set()

    def fetch(self, market: MarketFeed, feed: SymbolFeed) -> None:
        """Fetch one; the answer, or that there is none, goes to the feed."""
        task = asyncio.get_running_loop().create_task(self._fetch(market, feed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop fetching."""
        for task in self._tasks:
            task.cancel()

    async def _fetch(self, market: MarketFeed, feed: SymbolFeed) -> None:
        request = ask.depth(feed.listing.instrument.venue_symbol, LEVELS)
        try:
            data = await self._q.rest.query(request, "query book")
        except OpensqtError as error:
            market.on_snapshot_failed(feed, str(error), error.retry_after_ms or 0)
        else:
            market.on_snapshot(feed, data)
