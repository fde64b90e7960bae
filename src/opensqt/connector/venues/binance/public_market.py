"""Binance's live market without an account: what the paper venue matches on. No key is read, none is sent."""

import asyncio
from collections.abc import Mapping
from random import Random
from typing import final

import structlog

from opensqt.connector.adapter import Capabilities, MarketSink, SessionStatus
from opensqt.connector.market_types import Channel
from opensqt.connector.rate_budget import RateWindow
from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.connector.venues.binance.config import BinanceConfig, endpoints_of, public_endpoints, tls_hosts
from opensqt.connector.venues.binance.instruments_watch import InstrumentsWatch
from opensqt.connector.venues.binance.limits import KNOWN_WINDOWS
from opensqt.connector.venues.binance.market_feed import SymbolFeed
from opensqt.connector.venues.binance.market_queries import BinanceMarketQueries
from opensqt.connector.venues.binance.market_streams import MarketStreams
from opensqt.connector.venues.binance.offers import offers
from opensqt.connector.venues.binance.opening import Opening
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.rest import Credentials, RestClient
from opensqt.connector.venues.binance.routes import RouteBoard
from opensqt.connector.venues.binance.start_checks import StartChecks
from opensqt.connector.venues.binance.stream import Route
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, Clock
from opensqt.domain.errors import OpensqtError
from opensqt.domain.instrument import Instrument

CLOCK_EVERY_S = 120.0

_log = structlog.get_logger(__name__)


@final
class BinancePublicMarket:
    """The public half of the venue.

    Args:
        config: symbols and addresses; keys in it are not used.
        mode: where the venue is, unless the configuration says otherwise.
        clock: of this process.
    """

    market: BinanceMarketQueries

    def __init__(self, config: BinanceConfig, mode: str, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._urls = endpoints_of(mode, config.endpoints)
        self.tls_hosts: tuple[str, ...] = tls_hosts(public_endpoints(self._urls))
        self._sync = ClockSync()
        # Jitter must differ between processes: only a configured seed repeats.
        self._rng = Random(config.seed or clock.now_ns())  # noqa: S311  jitter, no secret
        self._routes = RouteBoard()
        self._status = SessionStatus(market_stream_up=False, private_stream_up=False)
        self._rest: RestClient | None = None
        self._streams: MarketStreams | None = None
        self.rate_windows: tuple[RateWindow, ...] = KNOWN_WINDOWS
        self.capabilities: Capabilities = offers(config, mode)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Return the instruments by canonical symbol."""
        return self._queries.listings.instruments

    @property
    def feeds(self) -> Mapping[str, SymbolFeed]:
        """Return what flows, by canonical symbol; the counts of its synchronisers are for operators and tests."""
        return {} if self._streams is None else self._streams.feeds

    async def start(self, sink: MarketSink) -> None:
        """Measure the clock, read the instruments, and be ready to stream."""
        config, clock = self._config, self._clock
        self._sink = sink
        self._rest = RestClient(
            self._urls.rest,
            Credentials(),
            sink.budget,
            clock,
            lambda: clock.now_ns() // NS_PER_MS,
            timeout_ms=config.request_timeout_ms,
        )
        self._rest.open()
        self._queries = BinanceQueries(self._rest, "", lambda: self.venue_time_ns() // NS_PER_MS)
        self._checks = StartChecks(config, self._queries, self._sync, clock)
        self._watch = InstrumentsWatch(self._queries, sink, clock, self._on_new_instruments)
        await Opening(self._queries, self._checks, self._watch, self._sync, clock).run_public(sink)
        self.market = BinanceMarketQueries(self._queries, self._watch.reload)
        self._streams = MarketStreams(
            self._urls,
            self._queries,
            self._watch,
            sink,
            clock,
            self._rng,
            on_route=self._on_route,
            max_age_ns=config.connection_max_age_s * NS_PER_S,
        )

    async def run(self) -> None:
        """Keep the streams alive until cancelled."""
        assert self._streams is not None, "run needs start"
        async with asyncio.TaskGroup() as group:
            group.create_task(self._streams.run())
            group.create_task(self._watch.run())
            while True:
                await asyncio.sleep(CLOCK_EVERY_S)
                try:
                    await self._checks.clock_samples(3)
                except OpensqtError as error:
                    _log.warning("clock_not_measured", why=str(error))

    async def stop(self) -> None:
        """Close what `start` opened."""
        if self._streams is not None:
            self._streams.close()
        if self._rest is not None:
            await self._rest.close()

    def venue_time_ns(self) -> int:
        """Return the venue's clock."""
        now_ns = self._clock.monotonic_ns()
        return self._sync.venue_ns(now_ns) if self._sync.is_known else self._clock.now_ns()

    def subscribe(self, channel: Channel) -> None:
        """Open a channel's streams."""
        assert self._streams is not None, "subscribe needs start"
        self._streams.subscribe(channel)

    def unsubscribe(self, channel: Channel) -> None:
        """Close a channel's streams."""
        assert self._streams is not None, "unsubscribe needs start"
        self._streams.unsubscribe(channel)

    def _on_route(self, route: Route, is_up: bool, why: str) -> None:
        status = self._routes.set(route, is_up, why)
        if status != self._status:
            self._status = status
            self._sink.on_session(status)

    def _on_new_instruments(self) -> None:
        if self._streams is not None:
            self._streams.use_listings()
