"""The venue's folder of this world: the adapter's roles over wires that fail, with the outcomes of a real venue.

Books are kept by the synchroniser of the first real venue and its takeover reads the account after every break: they
are free of I/O, so this world runs the product's own.
"""

from collections import deque
from random import Random
from typing import Any

from msgspec.structs import replace
from simulation.world.exchange import (
    MarketNews,
    UserNews,
)
from simulation.world.order_entry import SimOrderEntry
from simulation.world.port import SimQueries, VenuePort
from simulation.world.timeline import MS, SECOND, Answer, Process

from opensqt._core.fixed import Increment
from opensqt.connector.adapter import AdapterSink, BookWriter, Capabilities, SessionStatus
from opensqt.connector.market_types import Channel
from opensqt.connector.rate_budget import RateWindow
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.book_sync import BookSync
from opensqt.connector.venues.binance.dead_man import DeadMan
from opensqt.connector.venues.binance.takeover import Takeover
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, OpensqtError, UnavailableError
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity

SILENCE_NS = 4 * SECOND
PING_NS = 1 * SECOND
HEAL_NS = 15 * SECOND
COUNTDOWN_MS = 12_000


class _Link:
    """One connection of the user stream: collects while the account is read."""

    def __init__(self, heard_ns: int) -> None:
        self.number = 0
        self.collected: deque[UserNews] | None = deque()
        self.ended: Answer[str] = Answer()
        self.heard_ns = heard_ns


class SimAdapter:
    """The session and its roles."""

    def __init__(self, port: VenuePort, process: Process, rng: Random) -> None:
        self._port = port
        self._process = process
        self._rng = rng
        self.exchange = port.exchange
        self.capabilities = Capabilities(
            exchange="sim",
            mode="testnet",
            amend=True,
            stream_order_entry=True,
            dead_man_switch=True,
            placement_window_ms=2_500,
        )
        self.rate_windows = (
            RateWindow(
                scope="account", name="orders_10s", interval_ms=10_000, limit=self.exchange.orders_per_10s,
                cancel_reserve=self.exchange.orders_per_10s // 5,
            ),
        )  # fmt: skip
        self.tls_hosts: tuple[str, ...] = ()
        self.instruments: dict[str, Instrument] = {}
        self.account = SimQueries(port, process)
        self.orders = SimOrderEntry(port, process, self)
        self.market: Any = None
        self.dead_man = DeadMan(COUNTDOWN_MS)
        self.user_up = False
        self.market_up = False
        self.reason = ""
        self.last_trade_id = 0
        self.link: _Link | None = None
        self.market_link = 0
        self._market_heard_ns = 0
        self._heal_ns = 0
        self._refresh_ns = 0
        self._healing = False

    # ---- start

    async def start(self, sink: AdapterSink) -> None:
        self.sink = sink
        instrument = self.exchange.listed.instrument
        self.exchange.on_filters = self._filters_changed
        self.instruments[instrument.symbol] = instrument
        self._port.budget = sink.budget
        sink.on_instrument(instrument)
        sink.budget.align(self.venue_time_ns() - self._process.monotonic_ns())
        self.book = self.account.book = AccountBook(sink)
        queries: Any = self.account
        self.takeover = Takeover(queries, self.book, sink)
        self.writer: BookWriter = sink.book(instrument.symbol)
        self.sync = BookSync(
            self.writer.book,
            Increment(str(instrument.tick_size)),
            Increment(str(instrument.lot_size)),
            Random(self._rng.random()),
        )
        await self._open_user_stream()
        self._open_market_stream()
        self._heal_ns = self._refresh_ns = self._process.monotonic_ns()
        self._process.spawn(self._keep_user_stream())
        self._process.after(100 * MS, "adapter.tick", self._tick)

    def venue_time_ns(self) -> int:
        """Return the venue's clock: its offset was measured."""
        return self.exchange.timeline.now_ns

    def subscribe(self, channel: Channel) -> None:
        pass

    def unsubscribe(self, channel: Channel) -> None:
        pass

    def watch_engines(self, attended: frozenset[str], claimed: frozenset[str]) -> None:
        """Set the venue's countdown again while an engine is heard of and its book is valid."""
        good = attended if self.sync.validity is BookValidity.VALID else frozenset()
        for countdown in self.dead_man.due(sorted(good), claimed, self._process.monotonic_ns()):
            self._process.spawn(self._set_countdown(countdown))

    async def _set_countdown(self, countdown: Any) -> None:
        exchange = self.exchange
        try:
            await self._port.query(self._process, "countdown", lambda: exchange.set_countdown(countdown.countdown_ms))
        except OpensqtError:
            self.dead_man.failed(countdown, self._process.monotonic_ns())
        else:
            self.dead_man.done(countdown, self._process.monotonic_ns())

    def _filters_changed(self) -> None:
        """The venue's list of instruments was read again, and says something else."""
        instrument = self.exchange.listed.instrument
        self.instruments[instrument.symbol] = instrument
        self.sink.on_instrument(instrument)
        price, lot = Increment(str(instrument.tick_size)), Increment(str(instrument.lot_size))
        self.sync.set_units(price, lot, self._process.monotonic_ns())
        self.writer.set_validity(self.sync.validity, self.sync.reason)

    # ---- user stream

    async def _open_user_stream(self) -> None:
        link = _Link(self._process.monotonic_ns())
        wire = self._port.wires["user"]

        def tell(news: UserNews) -> None:
            wire.send("user", self._process, self._on_user, link, news, in_order=True)

        link.number = self.exchange.open_user_stream(tell)
        since_ns = self.venue_time_ns() - 60 * SECOND if self.link is not None else 0
        try:
            await self.takeover.everything(since_ns)
        except OpensqtError:
            self.exchange.close_stream(link.number)
            raise
        if link.ended.is_done:
            raise UnavailableError(ErrorReason.NOT_CONNECTED, "the user stream broke while the account was read")
        collected, link.collected = link.collected, None
        self.link = link
        for news in collected or ():
            self._apply(news)
        self.user_up = True
        self._say("")

    async def _keep_user_stream(self) -> None:
        pause_ns = 100 * MS
        while True:
            assert self.link is not None, "it was opened at start"
            why = await self.link.ended
            self.exchange.close_stream(self.link.number)
            self.user_up = False
            self.orders.break_connection(f"the venue's session broke ({why})")
            self._say(why)
            while not self.user_up:
                await self._process.sleep(pause_ns, "reconnect")
                try:
                    await self._open_user_stream()
                except OpensqtError:
                    pause_ns = min(pause_ns * 2, 2 * SECOND)
                else:
                    pause_ns = 100 * MS

    def _on_user(self, link: _Link, news: UserNews) -> None:
        link.heard_ns = self._process.monotonic_ns()
        if link.ended.is_done:
            return
        if link.collected is not None:
            link.collected.append(news)
        elif link is self.link:
            self._apply(news)

    def _apply(self, news: UserNews) -> None:
        told = self._port.told
        fill = told(news.fill) if news.fill is not None else None
        if fill is not None:
            self.book.on_fill(fill)
        if news.order is not None:
            self.book.on_order(told(news.order), fill)
        if news.positions:
            self.book.on_positions([told(position) for position in news.positions])
        if news.accounts:
            self.book.on_accounts(list(news.accounts))
        if news.flow is not None:
            self.sink.on_cash_flow(news.flow)

    # ---- market stream

    def _open_market_stream(self) -> None:
        wire = self._port.wires["market"]

        def tell(news: MarketNews) -> None:
            wire.send("market data", self._process, self._on_market, number, news, in_order=True)

        number = self.exchange.open_market_stream(tell)
        self.market_link = number
        self._market_heard_ns = self._process.monotonic_ns()
        self.market_up = True
        self._say("")

    def lose_market(self, why: str) -> None:
        """The market stream broke: nothing is believed until it flows again."""
        self.exchange.close_stream(self.market_link)
        self.market_link = 0
        self.market_up = False
        self.sync.on_lost(why)
        self.writer.set_validity(self.sync.validity, self.sync.reason)
        self._say(why)
        self._process.after(int((0.1 + self._rng.random()) * SECOND), "market.reconnect", self._open_market_stream)

    def _on_market(self, number: int, news: MarketNews) -> None:
        if number != self.market_link:
            return
        now_ns = self._process.monotonic_ns()
        self._market_heard_ns = now_ns
        if news.depth:
            if self.sync.on_diff(news.depth, now_ns):
                self._updated()
            self.writer.set_validity(self.sync.validity, self.sync.reason)
            self._snapshot_when_due()
        elif news.trade is not None:
            if int(news.trade.trade_id) > self.last_trade_id:
                self.last_trade_id = int(news.trade.trade_id)
                ticks, lots = self.exchange.listed.factors(0)
                trade = news.trade
                price_ticks, size = trade.price_ticks // ticks, max(1, trade.lots // lots)
                self.sink.on_trade(replace(trade, price_ticks=price_ticks, lots=size))
        elif news.mark is not None:
            self.sink.on_mark(news.mark)

    def _updated(self) -> None:
        sync = self.sync
        self.writer.updated(sync.first_id, sync.last_id, sync.time_ms * NS_PER_MS, self._process.now_ns())

    def _snapshot_when_due(self) -> None:
        if self.sync.take_snapshot_request(self._process.monotonic_ns()):
            self._process.spawn(self._fetch_snapshot())

    async def _fetch_snapshot(self) -> None:
        exchange = self.exchange
        try:
            data = await self._port.query(self._process, "depth", exchange.snapshot)
        except OpensqtError as error:
            self.sync.on_snapshot_failed(error.message, self._process.monotonic_ns())
        else:
            if self.sync.on_snapshot(data, self._process.monotonic_ns()):
                self._updated()
        self.writer.set_validity(self.sync.validity, self.sync.reason)

    # ---- now and then

    def _tick(self) -> None:
        now_ns = self._process.monotonic_ns()
        self._snapshot_when_due()
        if self.market_up and now_ns - self._market_heard_ns > SILENCE_NS:
            self.lose_market("the market stream was silent for too long")
        link = self.link
        if link is not None and self.user_up and now_ns - link.heard_ns > SILENCE_NS:
            link.ended.give("the user stream was silent for too long")
        if self.user_up and not self._healing and now_ns - self._heal_ns > HEAL_NS:
            self._heal_ns = now_ns
            self._process.spawn(self._heal())
        self._process.after(100 * MS, "adapter.tick", self._tick)

    async def _heal(self) -> None:
        self._healing = True
        try:
            await self.takeover.everything(self.venue_time_ns() - 2 * HEAL_NS)
        except OpensqtError:
            pass
        finally:
            self._healing = False

    def _say(self, why: str) -> None:
        if not (self.user_up and self.market_up) and not why:
            why = self.reason or "a stream of the venue is down"
        self.reason = "" if self.user_up and self.market_up else why
        self.sink.on_session(
            SessionStatus(market_stream_up=self.market_up, private_stream_up=self.user_up, reason=self.reason)
        )
