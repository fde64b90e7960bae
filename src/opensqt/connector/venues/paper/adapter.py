"""The paper venue as an adapter: a simulated exchange in this process that remembers like a real one.

No order session can break here and no reply can be lost, so its outcomes are never unknown; everything else behaves
like a venue: latency, queue position, refusals, fees, funding, liquidation. What it has acknowledged is durable.

Its market is built in (`market`: synthetic, or a replay), or the live market of a real venue (`live_market`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import final

import msgspec

from opensqt.connector.adapter import AdapterSink, Capabilities, MarketQueries, SessionStatus
from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.rate_budget import RateWindow
from opensqt.connector.venues.paper.config import PaperConfig
from opensqt.connector.venues.paper.driver import PaperDriver
from opensqt.connector.venues.paper.live_market import LiveMarket
from opensqt.connector.venues.paper.market import ACCOUNT, fingerprint, open_market, wallets
from opensqt.connector.venues.paper.orders import PaperOrderEntry
from opensqt.connector.venues.paper.player import PacedPlayer, Player
from opensqt.connector.venues.paper.queries import PaperAccountQueries, PaperMarketQueries
from opensqt.connector.venues.paper.store import PaperStore
from opensqt.connector.venues.paper.venue_clock import VenueClock
from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.domain.instrument import Instrument
from opensqt.matching.config import LatencyConfig, VenueConfig
from opensqt.matching.events import (
    AccountChanged,
    CashFlowHappened,
    FillHappened,
    OrderChanged,
    PositionChanged,
    VenueEvent,
)
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.venue import SimulatedVenue
from opensqt.runtime.config import ConfigError

CANDLE_PERIOD_NS = 100 * NS_PER_MS

_CAPABILITIES = Capabilities(
    exchange="paper",
    mode="paper",
    max_batch_place=200,
    max_batch_cancel=200,
    amend=True,
    amend_keeps_queue_on_size_decrease=True,
    stream_order_entry=True,
    client_order_id_pattern=r"[0-9A-Za-z_.:/\-]{1,36}",
    kline_intervals=("1m", "3m", "5m", "15m", "1h"),
    placement_window_ms=0,
)


@final
class PaperAdapter:
    """The venue's session; `market`, `account` and `orders` are its roles."""

    market: MarketQueries
    account: PaperAccountQueries
    orders: PaperOrderEntry

    def __init__(self, config: PaperConfig, clock: Clock, live: LiveMarket | None = None) -> None:
        self._config = config
        self._clock = clock
        self._live = live
        self._store = PaperStore(config.state_file)
        self._driver: PaperDriver | None = None
        self._sink: AdapterSink | None = None
        self._instruments: dict[str, Instrument] = {}
        self._candles: dict[Channel, int] = {}
        self._due_candles: set[str] = set()
        self._candles_sent_ns = 0
        self.capabilities = _CAPABILITIES if live is None else _capabilities_on(live.feed.capabilities)
        self.tls_hosts: Sequence[str] = () if live is None else live.feed.tls_hosts
        limit = config.orders_per_10s
        self.rate_windows: Sequence[RateWindow] = (
            RateWindow(
                scope="account", name="orders_10s", interval_ms=10_000, limit=limit, cancel_reserve=max(1, limit // 5)
            ),
        )

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Return the instruments by canonical symbol."""
        return self._instruments

    async def start(self, sink: AdapterSink) -> None:
        """Open the memory and the market, and push the account as it was left."""
        self._sink = sink
        self._store.open()
        live = self._live
        if live is not None:
            await live.open(sink)
        player, venue = self._open() if live is None else self._open_on(live)
        self.market = PaperMarketQueries(venue.view, self._store) if live is None else live.feed.market
        self.account = PaperAccountQueries(venue.view)
        self._venue = venue
        for instrument in venue.view.instruments():
            self._instruments[instrument.symbol] = instrument
            sink.on_instrument(instrument)
        self._driver = PaperDriver(
            venue,
            player,
            self._store,
            self._clock,
            sink,
            on_events=self._on_events,
            on_turn=self._on_turn,
        )
        self.orders = PaperOrderEntry(self._driver, venue.view, self._clock)
        self._push_account(sink, venue)
        if live is None:
            sink.on_session(SessionStatus(market_stream_up=True, private_stream_up=True))
        else:
            sink.on_session(SessionStatus(market_stream_up=False, private_stream_up=True, reason="not connected yet"))
            live.on_change = self._on_change
            live.on_event = self._driver.wake
        self._driver.start()

    async def run(self) -> None:
        """Return never; raise what stopped the venue."""
        assert self._driver is not None, "run needs start"
        if self._live is None:
            await self._driver.failure
            return
        feed = asyncio.ensure_future(self._live.feed.run())
        try:
            await asyncio.wait((feed, self._driver.failure), return_when=asyncio.FIRST_COMPLETED)
            await (feed if feed.done() else self._driver.failure)
        finally:
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)

    async def stop(self) -> None:
        """Write where the market stands and close the memory."""
        if self._driver is not None:
            self._driver.stop()
        if self._live is not None:
            await self._live.feed.stop()
        self._store.close()

    def venue_time_ns(self) -> int:
        """Return the venue's clock."""
        assert self._driver is not None, "the clock runs after start"
        return self._driver.venue_now_ns()

    def watch_engines(self, attended: frozenset[str], claimed: frozenset[str]) -> None:
        """Do nothing: this venue lives and dies with the connector, which cancels by itself."""

    def subscribe(self, channel: Channel) -> None:
        """Open a channel; of the built-in market only candles have to be asked for, the rest flows anyway."""
        if self._live is not None:
            self._live.feed.subscribe(channel)
        elif channel.kind is ChannelKind.CANDLES:
            self._candles[channel] = 0

    def unsubscribe(self, channel: Channel) -> None:
        """Close a channel."""
        if self._live is not None:
            self._live.feed.unsubscribe(channel)
        self._candles.pop(channel, None)

    # ---- events out

    def _on_events(self, events: list[VenueEvent]) -> None:
        sink = self._sink
        assert sink is not None, "events come after start"
        for event in events:
            if isinstance(event, OrderChanged):
                sink.on_order(event.order)
            elif isinstance(event, FillHappened):
                sink.on_fill(event.fill)
            elif isinstance(event, AccountChanged):
                sink.on_account(event.balances)
            elif isinstance(event, PositionChanged):
                sink.on_position(event.position)
            elif isinstance(event, CashFlowHappened):
                sink.on_cash_flow(event.cash_flow)
            else:
                report = self.orders.take_answer(event)
                if report is not None:
                    sink.on_outcome(report)

    def _on_turn(self, traded: set[str]) -> None:
        self._due_candles |= traded
        now_ns = self._clock.monotonic_ns()
        if not self._due_candles or now_ns - self._candles_sent_ns < CANDLE_PERIOD_NS:
            return
        assert self._sink is not None, "turns come after start"
        self._candles_sent_ns = now_ns
        due, self._due_candles = self._due_candles, set()
        for channel, last_open_ms in self._candles.items():
            if channel.symbol not in due:
                continue
            for candle in self._venue.view.candles(channel.symbol, channel.interval_ms, 3):
                if candle.open_time_ms >= last_open_ms:
                    self._sink.on_candle(candle)
                    self._candles[channel] = candle.open_time_ms

    def _on_change(self, instrument: Instrument) -> None:
        def take(venue: SimulatedVenue, _now_ns: int) -> list[VenueEvent]:
            venue.set_instrument(instrument)
            return []

        assert self._driver is not None, "instruments change after start"
        self._instruments[instrument.symbol] = instrument
        self._driver.do(take)

    # ---- start

    def _open(self) -> tuple[Player, SimulatedVenue]:
        config = self._config
        source = open_market(config, self._clock.now_ns())
        self._store.check_settings(fingerprint(config))
        venue = self._venue_of(source.instruments())
        state = self._store.load()
        position = self._store.position()
        if state is not None and position is not None:
            try:
                source.seek(position)
            except CaptureError as error:
                raise ConfigError.single(
                    "paper.state_file", config.state_file, str(error), "use the same market, or another state_file"
                ) from None
            venue.load_state(state)
        venue_clock = VenueClock(config.speed)
        venue_clock.start(self._clock.monotonic_ns(), max(source.start_time_ns, venue.view.clock_ns))
        return PacedPlayer(source, venue_clock, self._clock), venue

    def _open_on(self, live: LiveMarket) -> tuple[Player, SimulatedVenue]:
        self._store.check_settings(live.fingerprint())
        venue = self._venue_of(live.instruments)
        state = self._store.load()
        if state is not None:
            venue.load_state(state)
        return live, venue

    def _venue_of(self, instruments: Sequence[Instrument]) -> SimulatedVenue:
        config = self._config
        latency_ns = int(config.latency_ms * NS_PER_MS)
        return SimulatedVenue(
            VenueConfig(
                wallets=wallets(config),
                default_leverage=config.leverage,
                seed=config.seed,
                funding_rate=config.funding_rate,
                latency=LatencyConfig(
                    place_ns=latency_ns, amend_ns=latency_ns, cancel_ns=latency_ns, response_ns=latency_ns
                ),
            ),
            instruments,
        )

    def _push_account(self, sink: AdapterSink, venue: SimulatedVenue) -> None:
        view = venue.view
        for order in view.open_orders(ACCOUNT):
            sink.on_order(order)
        for symbol in self._instruments:
            sink.on_position(view.position(ACCOUNT, symbol))
        sink.on_account(view.balances(ACCOUNT))


def _capabilities_on(venue: Capabilities) -> Capabilities:
    """Return what paper orders can do on a real venue's market: client order ids and candles are the venue's."""
    return msgspec.structs.replace(
        _CAPABILITIES,
        exchange=venue.exchange,
        client_order_id_pattern=venue.client_order_id_pattern,
        kline_intervals=venue.kline_intervals,
    )
