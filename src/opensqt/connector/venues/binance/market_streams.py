"""The two public routes and what they feed: books with their snapshots, trades, marks, candles.

    public route     depth diffs, best bid and ask        -> books
    market route     trades, marks, candles, listings     -> trades, marks, candles

No key is needed. The adapter of an account has them, and so has the market under paper trading.
"""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Final, final

from opensqt.connector.adapter import MarketSink
from opensqt.connector.market_types import Channel
from opensqt.connector.venues.binance.config import Endpoints
from opensqt.connector.venues.binance.instruments_watch import InstrumentsWatch
from opensqt.connector.venues.binance.market_feed import MarketFeed, SymbolFeed
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.session import StreamSession
from opensqt.connector.venues.binance.snapshots import SnapshotFetcher
from opensqt.connector.venues.binance.stream import CONTRACT_INFO, Route, route_of
from opensqt.connector.venues.binance.stream_runner import StreamRunner
from opensqt.domain.clock import Clock

FEED_TICK_S: Final = 0.05


@final
class MarketStreams:
    """Sessions of the public routes. Made once the instruments are known.

    Args:
        urls: where the routes are.
        queries: fetches snapshots; its listings are served.
        watch: reads the instruments again when a message hints at a change.
        sink: where the market goes.
        clock, rng: of the sessions.
        on_route: told when a route comes up or goes down, and why.
        max_age_ns: after which a connection is replaced by plan.
    """

    def __init__(
        self,
        urls: Endpoints,
        queries: BinanceQueries,
        watch: InstrumentsWatch,
        sink: MarketSink,
        clock: Clock,
        rng: Random,
        *,
        on_route: Callable[[Route, bool, str], None],
        max_age_ns: int,
    ) -> None:
        self._queries = queries
        self._on_route = on_route
        self._channels: dict[Channel, dict[str, int]] = {}
        self._snapshots = SnapshotFetcher(queries)
        self._feed = MarketFeed(
            sink,
            clock,
            rng,
            snapshot_due=lambda feed: self._snapshots.fetch(self._feed, feed),
            rules_changed=watch.hint,
        )
        self._runners: dict[Route, StreamRunner] = {}
        for route, url in ((Route.PUBLIC, urls.public), (Route.MARKET, urls.market)):
            self._runners[route] = StreamRunner(
                url,
                StreamSession(rng, max_age_ns),
                clock,
                self._feed.on_message,
                lambda is_up, why, route=route: self._on_status(route, is_up, why),  # type: ignore[misc]
            )
        self.use_listings()
        self._runners[Route.MARKET].want({CONTRACT_INFO: 0})

    @property
    def feeds(self) -> Mapping[str, SymbolFeed]:
        """Return what flows, by canonical symbol."""
        return self._feed.feeds

    def use_listings(self) -> None:
        """Serve the listings of the queries: call it after they changed."""
        self._feed.set_listings(self._queries.listings)

    def subscribe(self, channel: Channel) -> None:
        """Open a channel's streams."""
        streams = self._feed.streams_of(channel)
        self._channels[channel] = streams
        for name, limit_ns in streams.items():
            self._runners[route_of(name)].want({name: limit_ns})

    def unsubscribe(self, channel: Channel) -> None:
        """Close a channel's streams."""
        for name, limit_ns in self._channels.pop(channel, {}).items():
            self._runners[route_of(name)].drop({name: limit_ns})

    async def run(self) -> None:
        """Keep both routes alive until cancelled."""
        async with asyncio.TaskGroup() as group:
            for runner in self._runners.values():
                group.create_task(runner.run())
            while True:
                await asyncio.sleep(FEED_TICK_S)
                self._feed.tick()

    def close(self) -> None:
        """Stop fetching snapshots."""
        self._snapshots.close()

    def _on_status(self, route: Route, is_up: bool, why: str) -> None:
        if route is Route.PUBLIC and not is_up:
            self._feed.on_lost(f"the market stream is down: {why}")
        self._on_route(route, is_up, why)
