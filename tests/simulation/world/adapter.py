"""The venue's folder of this world: the adapter's roles over wires that fail, with the outcomes of a real venue.

Books are kept by the synchroniser of the first real venue and its takeover reads the account after every break: they
are free of I/O, so this world runs the product's own.
"""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from simulation.world.exchange import (
    ACCOUNT,
    RECEIVE_WINDOW_NS,
    Exchange,
    MarketNews,
    Reply,
    UserNews,
)
from simulation.world.timeline import MS, SECOND, START_NS, Answer, Process
from simulation.world.wires import Wire

from opensqt._core.fixed import Increment
from opensqt.connector.adapter import AdapterSink, BookWriter, Capabilities, CashFlowPage, FillPage, SessionStatus
from opensqt.connector.commands import Amend, Cancel, CancelAll, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.connector.market_types import Channel
from opensqt.connector.rate_budget import Lane, RateBudget, RateWindow
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.book_sync import BookSync
from opensqt.connector.venues.binance.dead_man import DeadMan
from opensqt.connector.venues.binance.takeover import Takeover
from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, LimitError, NotFoundError, OpensqtError, UnavailableError
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity
from opensqt.domain.order import Order
from opensqt.domain.status_map import error_for

T = TypeVar("T")

QUERY_TIMEOUT_NS = 3 * SECOND
SILENCE_NS = 4 * SECOND
PING_NS = 1 * SECOND
HEAL_NS = 15 * SECOND
ASK_AFTER_NS = (0, 200 * MS, 500 * MS, SECOND, 2 * SECOND)
COUNTDOWN_MS = 12_000


class VenuePort:
    """How the connector's machine reaches the venue: one wire per purpose, so that each can fail alone."""

    def __init__(self, exchange: Exchange, wires: dict[str, Wire]) -> None:
        self.exchange = exchange
        self.wires = wires
        self.budget: RateBudget | None = None
        self.on_never: Callable[[VenueCommand], None] = lambda _command: None
        """Told of a command that did not and will never take effect."""

    def query(self, process: Process, name: str, read: Callable[[], T]) -> "Answer[T]":
        """Ask; `read` looks at the venue when the question arrives there. What it finds travels back."""
        answer: Answer[T] = Answer()
        exchange, wire = self.exchange, self.wires["query"]
        if self.budget is not None:
            try:
                self.budget.take(Lane.QUERY, process.monotonic_ns(), {})
            except LimitError as error:
                answer.fail(error)  # the circuit is open: no request leaves
                return answer

        def arrived() -> None:
            exchange.requests += 1
            mood, now_ns = exchange.mood, exchange.timeline.now_ns
            bad = now_ns < mood.maintenance_until_ns or now_ns < mood.banned_until_ns
            if bad or (mood.query_error and wire._rng.random() < mood.query_error):
                error = UnavailableError(ErrorReason.VENUE_UNAVAILABLE, "the venue answered 503 to a question")
                wire.send(f"query.{name} error", process, answer.fail, error)
                return
            try:
                found = read()
            except OpensqtError as error:
                wire.send(f"query.{name} no", process, answer.fail, error)
                return
            wire.send(f"query.{name} reply", process, answer.give, found)

        wire.send(f"query.{name}", None, arrived)
        late = UnavailableError(ErrorReason.VENUE_UNAVAILABLE, f"the venue did not answer the question {name}")
        process.after(QUERY_TIMEOUT_NS, f"query.{name} timeout", answer.fail, late)
        return answer


class SimQueries:
    """The account as the venue has it when the question arrives."""

    def __init__(self, port: VenuePort, process: Process) -> None:
        self._port = port
        self._process = process

    async def order(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        view = self._port.exchange.view

        def read() -> Order:
            found = view.order(
                ACCOUNT,
                symbol,
                client_order_id=client_order_id,
                exchange_order_id="" if client_order_id else exchange_order_id,
            )
            if found is None:
                name = client_order_id or exchange_order_id
                raise NotFoundError(ErrorReason.UNKNOWN_ORDER, f"the venue has no order {name!r} in {symbol}")
            return found

        return await self._port.query(self._process, "order", read)

    async def open_orders(self, symbol: str = "") -> list[Order]:
        view = self._port.exchange.view
        return await self._port.query(self._process, "open_orders", lambda: view.open_orders(ACCOUNT, symbol or None))

    async def accounts(self) -> list[Account]:
        view = self._port.exchange.view
        return await self._port.query(self._process, "accounts", lambda: [view.balances(ACCOUNT)])

    async def positions(self, symbol: str = "") -> list[Position]:
        view, names = self._port.exchange.view, [symbol or self._port.exchange.symbol]
        return await self._port.query(
            self._process, "positions", lambda: [view.position(ACCOUNT, name) for name in names]
        )

    async def fills(
        self, symbol: str, since_time_ns: int, after_trade_id: str, limit: int, page_token: str = ""
    ) -> FillPage:
        view = self._port.exchange.view
        after = page_token or after_trade_id

        def read() -> FillPage:
            since = 0 if after_trade_id else since_time_ns
            found = view.fills(ACCOUNT, symbol or None, since_ns=since, after_trade_id=after, limit=limit + 1)
            page = found[:limit]
            return FillPage(page, page[-1].trade_id if len(found) > limit else "")

        return await self._port.query(self._process, "fills", read)

    async def cash_flows(self, symbol: str, since_time_ns: int, limit: int, page_token: str = "") -> CashFlowPage:
        view = self._port.exchange.view

        def read() -> CashFlowPage:
            flows = [f for f in view.cash_flows(ACCOUNT, since_ns=since_time_ns) if not symbol or f.symbol == symbol]
            return CashFlowPage(flows)

        return await self._port.query(self._process, "cash_flows", read)


class SimOrderEntry:
    """Orders to the venue. Each command has exactly one report, whatever the wires do."""

    def __init__(self, port: VenuePort, process: Process, adapter: "SimAdapter") -> None:
        self._port = port
        self._process = process
        self._adapter = adapter
        self.waiting: dict[int, tuple[VenueCommand, int]] = {}

    def submit(self, commands: Sequence[VenueCommand]) -> None:
        process, wire = self._process, self._port.wires["order"]
        for command in commands:
            sent_ns = process.now_ns()
            self.waiting[command.token] = (command, sent_ns)
            if isinstance(command, Place):
                # From then on the venue refuses it.
                timeline = self._port.exchange.timeline
                ends_ns = timeline.now_ns + RECEIVE_WINDOW_NS + 1
                timeline.at(ends_ns, None, "placement over", self._port.on_never, command)
            kind = type(command).__name__.lower()
            wire.send(
                f"api.{kind}",
                None,
                self._arrived,
                command,
                self._port.exchange.timeline.now_ns,
                process.life,
                lost=lambda command=command: self._port.on_never(command),
                in_order=True,
            )

    def break_connection(self, why: str) -> None:
        """Let every answer that is awaited be lost: nobody knows what became of the commands."""
        waiting, self.waiting = self.waiting, {}
        for command, sent_ns in waiting.values():
            self._report(command, sent_ns, Outcome.UNKNOWN, ErrorReason.OUTCOME_UNKNOWN, why)
            self._learn_later(command)

    async def set_leverage(self, symbol: str, leverage: int) -> Position:
        exchange = self._port.exchange
        done = await self._port.query(self._process, "set_leverage", lambda: exchange.set_leverage(leverage))
        if done.reason is not None:
            raise error_for(done.reason, done.message)
        return exchange.view.position(ACCOUNT, symbol)

    # ---- at the venue

    def _arrived(self, command: VenueCommand, sent_ns: int, life: int) -> None:
        reply = self._port.exchange.command(command, sent_ns)
        if isinstance(command, Place):
            request = command.request
            placed = self._port.exchange.view.order(ACCOUNT, request.symbol, client_order_id=request.client_order_id)
            if placed is None:
                self._port.on_never(command)
        if life == self._process.life:
            label = f"api.{type(command).__name__.lower()} reply"
            self._port.wires["reply"].send(label, self._process, self._answered, command.token, reply)

    # ---- back at the connector

    def _answered(self, token: int, reply: Reply) -> None:
        entry = self.waiting.pop(token, None)
        if entry is None:
            return  # it was given up, or this is the reply's duplicate
        command, sent_ns = entry
        budget, now_ns = self._adapter.sink.budget, self._process.monotonic_ns()
        if reply.used:
            budget.feed("orders_10s", reply.used, now_ns)
        if reply.status == 418:
            budget.open_circuit(now_ns + reply.retry_after_ms * MS, "the venue banned us (418)")
            self._report(command, sent_ns, Outcome.REJECTED, ErrorReason.IP_BANNED, "418", reply.retry_after_ms)
        elif reply.status == 429:
            until_ns = now_ns + reply.retry_after_ms * MS
            budget.open_circuit(until_ns, "the venue's limit was overrun (429)", cancels_pass=True)
            self._report(command, sent_ns, Outcome.REJECTED, ErrorReason.RATE_LIMITED, "429", reply.retry_after_ms)
        elif reply.status == 400:
            self._report(command, sent_ns, Outcome.REJECTED, ErrorReason.CLOCK_SKEW, "outside of the receive window")
        elif reply.status == 401:
            self._report(command, sent_ns, Outcome.REJECTED, ErrorReason.BAD_CREDENTIALS, "the key is not valid")
        elif reply.status == 529:
            self._report(command, sent_ns, Outcome.REJECTED, ErrorReason.VENUE_UNAVAILABLE, "overloaded, not executed")
        elif reply.done is None:
            self._report(command, sent_ns, Outcome.UNKNOWN, ErrorReason.OUTCOME_UNKNOWN, f"HTTP {reply.status}")
            self._learn_later(command)
        elif reply.done.reason in (ErrorReason.UNKNOWN_ORDER, ErrorReason.DUPLICATE_CLIENT_ID):
            self._process.spawn(self._refuse_with_order(command, sent_ns, reply.done.reason, reply.done.message))
        else:
            done = reply.done
            order = None if done.order is None else self._adapter.book.orders.report(done.order)
            outcome = Outcome[done.outcome.name]
            self._report(command, sent_ns, outcome, done.reason, done.message, order=order)

    def _report(
        self,
        command: VenueCommand,
        sent_ns: int,
        outcome: Outcome,
        reason: ErrorReason | None = None,
        message: str = "",
        retry_after_ms: int = 0,
        order: Order | None = None,
    ) -> None:
        self._adapter.sink.on_outcome(
            OutcomeReport(
                token=command.token,
                outcome=outcome,
                reason=reason,
                message=message,
                order=order,
                retry_after_ms=retry_after_ms,
                sent_ns=sent_ns,
                acknowledged_ns=self._process.now_ns(),
            )
        )

    async def _refuse_with_order(self, command: VenueCommand, sent_ns: int, reason: ErrorReason, message: str) -> None:
        """The venue's refusal does not say how the order stands: ask before reporting."""
        order = None
        if isinstance(command, Place | Cancel | Amend):
            symbol, client_id, exchange_id = _named(command)
            try:
                order = await self._adapter.account.order(symbol, client_id, exchange_id)
                order = self._adapter.book.orders.report(order)
            except OpensqtError:
                pass
        self._report(command, sent_ns, Outcome.REJECTED, reason, message, order=order)

    def _learn_later(self, command: VenueCommand) -> None:
        if isinstance(command, Cancel | Amend):
            self._process.spawn(self._learn(command))

    async def _learn(self, command: Cancel | Amend) -> None:
        for pause_ns in ASK_AFTER_NS:
            await self._process.sleep(pause_ns, "learn")
            try:
                self._adapter.book.on_order(await self._adapter.account.order(*_named(command)))
            except NotFoundError:
                return
            except OpensqtError:
                continue
            return


def _named(command: Place | Cancel | Amend) -> tuple[str, str, str]:
    if isinstance(command, Place):
        return command.request.symbol, command.request.client_order_id, ""
    return command.symbol, command.client_order_id, command.exchange_order_id


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
        instrument = self.exchange.instrument
        self.instruments[instrument.symbol] = instrument
        self._port.budget = sink.budget
        sink.on_instrument(instrument)
        sink.budget.align(self.venue_time_ns() - self._process.monotonic_ns())
        self.book = AccountBook(sink)
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
        if news.fill is not None:
            self.book.on_fill(news.fill)
        if news.order is not None:
            self.book.on_order(news.order, news.fill)
        if news.positions:
            self.book.on_positions(list(news.positions))
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
                self.sink.on_trade(news.trade)
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


__all__ = ["START_NS", "CancelAll", "SimAdapter", "VenuePort"]
