"""Binance USDⓈ-M futures as an adapter: puts the sessions, the account and the order entry together.

    public route     depth diffs, best bid and ask        -> books
    market route     trades, marks, candles, listings     -> trades, marks, candles
    private route    the account's events                 -> orders, fills, positions, balances
    order API, REST  commands; questions

The account is certain while the private stream stands; the market is up while both of its routes are.
"""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import final

import structlog

from opensqt.connector.adapter import AdapterSink, Capabilities, SessionStatus
from opensqt.connector.market_types import Channel
from opensqt.connector.rate_budget import RateWindow
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.account_queries import BinanceAccountQueries
from opensqt.connector.venues.binance.api_client import ApiClient
from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.connector.venues.binance.clock_watch import ClockWatch
from opensqt.connector.venues.binance.config import BinanceConfig, endpoints_of, tls_hosts
from opensqt.connector.venues.binance.dead_man import DeadMan
from opensqt.connector.venues.binance.error_codes import Action
from opensqt.connector.venues.binance.instruments_watch import InstrumentsWatch
from opensqt.connector.venues.binance.limits import KNOWN_WINDOWS
from opensqt.connector.venues.binance.market_feed import SymbolFeed
from opensqt.connector.venues.binance.market_queries import BinanceMarketQueries
from opensqt.connector.venues.binance.market_streams import MarketStreams
from opensqt.connector.venues.binance.offers import offers
from opensqt.connector.venues.binance.opening import Opening
from opensqt.connector.venues.binance.order_entry import BinanceOrderEntry
from opensqt.connector.venues.binance.parse_user import UserContext, parse_user_event
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.requests_orders import OrderStyle
from opensqt.connector.venues.binance.rest import Credentials, RestClient
from opensqt.connector.venues.binance.routes import RouteBoard
from opensqt.connector.venues.binance.sign import signer_of
from opensqt.connector.venues.binance.start_checks import StartChecks
from opensqt.connector.venues.binance.stream import Route
from opensqt.connector.venues.binance.takeover import Takeover
from opensqt.connector.venues.binance.upkeep import Upkeep
from opensqt.connector.venues.binance.user_events import ListenKeyExpiredEvent
from opensqt.connector.venues.binance.user_stream import UserStream
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, Clock
from opensqt.domain.errors import ErrorReason, UnavailableError
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity
from opensqt.runtime.crash_points import crash_point

_PUSHED = crash_point("binance.pushed", "the venue has pushed an account event, nothing was made of it")

_log = structlog.get_logger(__name__)


@final
class BinanceAdapter:
    """The venue's session; `market`, `account` and `orders` are its roles.

    Args:
        config: of the account.
        mode: live or testnet: where the venue is, unless the configuration says otherwise.
        clock: of this process.
    """

    market: BinanceMarketQueries
    account: BinanceAccountQueries
    orders: BinanceOrderEntry

    def __init__(self, config: BinanceConfig, mode: str, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._urls = endpoints_of(mode, config.endpoints)
        self.tls_hosts: tuple[str, ...] = tls_hosts(self._urls)
        self._sync = ClockSync()
        # Jitter must differ between processes: only a configured seed repeats.
        self._rng = Random(config.seed or clock.now_ns())  # noqa: S311  jitter, no secret
        self._status = SessionStatus(market_stream_up=False, private_stream_up=False)
        self._routes = RouteBoard()
        self._streams: MarketStreams | None = None
        self._certain_ns = 0
        self._dead_man = DeadMan(config.dead_man_ms)
        self._rest: RestClient | None = None
        self._upkeep: Upkeep | None = None
        self.rate_windows: tuple[RateWindow, ...] = KNOWN_WINDOWS
        self.capabilities: Capabilities = offers(config, mode)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Return the instruments by canonical symbol."""
        return self._queries.listings.instruments

    async def start(self, sink: AdapterSink) -> None:
        """Check what must hold, take the account over, and be ready to stream."""
        self._sink = sink
        config, clock = self._config, self._clock
        credentials = self._credentials()
        rest = self._client(self._urls.rest, sink, credentials)
        rest.open()
        self._rest = rest
        self._queries = BinanceQueries(rest, config.client_id_prefix, lambda: self.venue_time_ns() // NS_PER_MS)
        self._checks = StartChecks(config, self._queries, self._sync, clock)
        self._watch = InstrumentsWatch(self._queries, sink, clock, self._on_new_instruments)
        opening = Opening(self._queries, self._checks, self._watch, self._sync, clock)
        await opening.run(sink, self._wallet_maker(sink, credentials))
        self._book = AccountBook(sink)
        self.account = BinanceAccountQueries(self._queries, self._book)
        self.market = BinanceMarketQueries(self._queries, self._watch.reload)
        self._takeover = Takeover(self.account, self._book, sink)
        self._upkeep = Upkeep(
            self._checks,
            self._sync,
            self._takeover,
            self._book,
            sink.budget,
            self._queries,
            self._dead_man,
            clock,
            self.venue_time_ns,
            ClockWatch(self._sync, config.recv_window_ms, clock.monotonic_ns()),
            lambda problem: self._show(self._routes.set_clock(problem)),
            sink.on_dead_man,
        )
        rest.on_clock_skew = self._upkeep.clock_is_wrong
        self._start_streams(sink)
        self._start_orders(sink, credentials)
        try:
            await self._user_stream.open()
        except ConnectionError as error:
            raise UnavailableError(
                ErrorReason.VENUE_UNAVAILABLE, f"{error}; check the address and the network, then start again"
            ) from error

    async def run(self) -> None:
        """Keep the sessions alive until cancelled."""
        assert self._upkeep is not None, "run needs start"
        assert self._streams is not None, "run needs start"
        async with asyncio.TaskGroup() as group:
            group.create_task(self._streams.run())
            group.create_task(self._user_stream.run())
            if self._api is not None:
                group.create_task(self._api.run())
            group.create_task(self._watch.run())
            group.create_task(self._upkeep.run())

    async def stop(self) -> None:
        """Stop the countdowns of engines that have left, and close what `start` opened."""
        if self._rest is None:
            return
        if self._upkeep is not None and self._routes.is_up(Route.PRIVATE):
            await self._upkeep.disarm()
        if self._streams is not None:
            self._streams.close()
            self.orders.close()
            self._user_stream.close()
        await self._rest.close()

    def venue_time_ns(self) -> int:
        """Return the venue's clock."""
        now_ns = self._clock.monotonic_ns()
        return self._sync.venue_ns(now_ns) if self._sync.is_known else self._clock.now_ns()

    def watch_engines(self, attended: frozenset[str], claimed: frozenset[str]) -> None:
        """Cover by the dead-man switch what is attended and has a valid book."""
        if self._upkeep is not None:
            feeds = self.feeds
            good = frozenset(s for s in attended if s in feeds and feeds[s].sync.validity is BookValidity.VALID)
            self._upkeep.watch(good, claimed)

    @property
    def feeds(self) -> Mapping[str, SymbolFeed]:
        """Return what flows, by canonical symbol; the counts of its synchronisers are for operators and tests."""
        return {} if self._streams is None else self._streams.feeds

    @property
    def rest(self) -> RestClient:
        """Return the REST client; there is one after `start` began."""
        assert self._rest is not None, "there is none before start"
        return self._rest

    @property
    def is_order_api_up(self) -> bool:
        """Return whether orders take the WebSocket API now."""
        return self._api is not None and self._api.is_up

    def armed_symbols(self) -> frozenset[str]:
        """Return the symbols whose dead-man countdown runs."""
        return self._dead_man.armed(self._clock.monotonic_ns())

    def subscribe(self, channel: Channel) -> None:
        """Open a channel's streams."""
        assert self._streams is not None, "subscribe needs start"
        self._streams.subscribe(channel)

    def unsubscribe(self, channel: Channel) -> None:
        """Close a channel's streams."""
        assert self._streams is not None, "unsubscribe needs start"
        self._streams.unsubscribe(channel)

    # ---- start

    def _credentials(self) -> Credentials:
        config = self._config
        if config.api_key is None or config.api_secret is None:
            return Credentials(recv_window_ms=config.recv_window_ms)
        signer = signer_of(config.api_secret, config.passphrase)
        return Credentials(config.api_key.reveal(), signer, config.recv_window_ms)

    def _client(self, url: str, sink: AdapterSink, credentials: Credentials) -> RestClient:
        timeout_ms = self._config.request_timeout_ms
        return RestClient(url, credentials, sink.budget, self._clock, self._stamp_ms, timeout_ms=timeout_ms)

    def _wallet_maker(self, sink: AdapterSink, credentials: Credentials) -> Callable[[], RestClient] | None:
        url = self._urls.wallet
        return (lambda: self._client(url, sink, credentials)) if url else None

    def _start_streams(self, sink: AdapterSink) -> None:
        max_age_ns = self._config.connection_max_age_s * NS_PER_S
        self._streams = MarketStreams(
            self._urls,
            self._queries,
            self._watch,
            sink,
            self._clock,
            self._rng,
            on_route=self._on_route,
            max_age_ns=max_age_ns,
        )
        self._user_stream = UserStream(
            self._urls.private,
            self._queries,
            self._clock,
            self._rng,
            on_message=self._on_user_message,
            take_over=self._take_over,
            on_status=lambda is_up, why: self._on_route(Route.PRIVATE, is_up, why),
            max_age_ns=max_age_ns,
        )

    def _start_orders(self, sink: AdapterSink, credentials: Credentials) -> None:
        self._api = None
        if self._config.order_entry == "websocket":
            self._api = ApiClient(
                self._urls.order_api,
                credentials,
                sink.budget,
                self._clock,
                self._stamp_ms,
                self._rng,
                timeout_ms=self._config.request_timeout_ms,
                max_age_ns=self._config.connection_max_age_s * NS_PER_S,
            )
        self.orders = BinanceOrderEntry(
            self._queries,
            self.account,
            self._book,
            self._api,
            sink,
            self._clock,
            OrderStyle(self_trade_prevention=self._config.self_trade_prevention),
            self._on_trouble,
        )

    # ---- events

    def _on_user_message(self, data: bytes) -> None:
        context = UserContext(self._queries.listings, self._config.client_id_prefix)
        try:
            event = parse_user_event(data, context, self._clock.now_ns())
        except PayloadError as error:
            # What it said is found by the next look at the account, which is due now.
            _log.error("user_event_unreadable", why=str(error))
            self._book.needs_refresh = True
            return
        if isinstance(event, ListenKeyExpiredEvent):
            self._user_stream.expired()
        else:
            _PUSHED()
            self._book.on_event(event)

    async def _take_over(self) -> None:
        since_ns, now_ns = self._certain_ns, self.venue_time_ns()
        await self._takeover.everything(since_ns)
        self._certain_ns = now_ns

    def _on_route(self, route: Route, is_up: bool, why: str) -> None:
        if route is Route.PRIVATE and not is_up and self._routes.is_up(route):
            self._certain_ns = self.venue_time_ns()
        self._show(self._routes.set(route, is_up, why))

    def _show(self, status: SessionStatus) -> None:
        if status != self._status:
            self._status = status
            self._sink.on_session(status)

    def _on_trouble(self, action: Action, message: str) -> None:
        if action is Action.RESYNC_CLOCK and self._upkeep is not None:
            self._upkeep.clock_is_wrong()
        elif action is Action.RELOAD_SYMBOLS:
            self._watch.hint(message)
        elif action is Action.STOP_TRADING:
            _log.error("key_refused", message=message)
            # Down until a new listen key proves that the key works.
            self._user_stream.expired()

    def _on_new_instruments(self) -> None:
        if self._streams is not None:
            self._streams.use_listings()

    def _stamp_ms(self) -> int:
        now_ns = self._clock.monotonic_ns()
        return self._sync.stamp_ms(now_ns) if self._sync.is_known else self._clock.now_ns() // NS_PER_MS
