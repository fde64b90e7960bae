"""The engine as a process: the product's core, its link, its books, its publisher with a reader like the page's."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from simulation.world.disk import Disk
from simulation.world.timeline import MS, SECOND, Answer, Entry, Process, Timeline
from simulation.world.wires import Broken, Closed, Connection, Weather

from opensqt._core.book import BookError
from opensqt.domain.errors import OpensqtError
from opensqt.engine.bot import Bot
from opensqt.engine.carrying import ReattachPace, sort_commands
from opensqt.engine.commands import Ask, BotRecord, Command, StoreRecord
from opensqt.engine.config import EngineConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Detached, Event, Saved, Stalled, Timer
from opensqt.engine.market_books import MarketBooks
from opensqt.engine.risk.stalls import StallDetector
from opensqt.engine.steady_clock import SteadyClock
from opensqt.engine.store.store import MAX_JOBS
from opensqt.engine.store.watch import StoreReading, StoreWatch
from opensqt.engine.trade_link import HEARTBEAT_S, SNAPSHOT_S, TradeLink
from opensqt.proto import market_data_pb2, trade_pb2
from opensqt.runtime.backoff import Backoff

TIMER_NS = 200 * MS


class EngineHost(Process):
    """One engine; `core` is that of the present run. `connect(kind)` reaches for the connector."""

    core: EngineCore

    def __init__(
        self,
        timeline: Timeline,
        config: EngineConfig,
        rng: Random,
        weather: Weather,
        connect: Callable[[Connection, str], None],
        name: str = "engine",
    ) -> None:
        super().__init__(timeline, name)
        self.config = config
        self.disk = Disk(timeline)
        self._rng = rng
        self._weather = weather
        self._connect = connect
        self._unwritten: deque[tuple[int, list[StoreRecord]]] = deque()
        self.ended_with: OpensqtError | None = None
        self.last_commands: list[Command] = []
        self.on_turn: Callable[[list[Event], list[Command]], None] = lambda _events, _commands: None
        self.on_commit: Callable[[list[StoreRecord]], None] = lambda _records: None
        self.on_lost: Callable[[bytes], None] = lambda _message: None
        self.on_started: Callable[[], None] = lambda: None
        self.clock: Any = self
        self.trade: _TradeClient | None = None
        self._streams: list[_MarketStream] = []
        self._watch = StoreWatch(config.store)
        self.on_asks: Callable[[list[Ask]], None] = lambda _asks: None

    @property
    def jobs(self) -> int:
        """Return how many turns wait for the disk."""
        return len(self._unwritten)

    @property
    def bot(self) -> Bot:
        """Return the one bot."""
        return next(iter(self.core.bots.values()))

    def start(self) -> None:
        """Begin a run from what is on the disk."""
        self.boot()
        self.ended_with = None
        self._unwritten.clear()
        self._watch = StoreWatch(self.config.store)
        self.clock = SteadyClock(self)
        self.core = EngineCore(self.config, self.disk.read(self.config.bots, self.clock.now_ns()))
        self.books = MarketBooks(list(self.core.by_symbol))
        self.stalls = StallDetector(self.config.max_stall_ms)
        self.on_started()
        self.trade = _TradeClient(self, self._rng, self._weather, self._connect)
        self._streams = [_MarketStream(self, "books", self._rng, self._weather, self._connect)]
        if self.config.bots[0].grid.price_source == "last":
            self._streams.append(_MarketStream(self, "trades", self._rng, self._weather, self._connect))
        self.after(TIMER_NS, "engine.timer", self._timer)

    def crash(self, reason: str = "killed") -> None:
        """Kill it: what was not committed is gone, what was sent may still arrive."""
        if not self.is_up:
            return
        self.die()
        assert self.trade is not None, "it was started"
        self.trade.abandon(reason)
        for stream in self._streams:
            stream.abandon(reason)

    def take(self, events: list[Event]) -> None:
        """Hand one turn to the core and carry out what it answers."""
        gap_ns = self.stalls.check(self.monotonic_ns())
        if gap_ns:
            events = [Stalled(gap_ns), *events]
        commands = self.core.handle_batch(events, self.clock.now_ns())
        self.on_turn(events, commands)
        asks = self.core.outbox.take_asks()
        if asks:
            self.on_asks(asks)
        if not commands:
            return
        sends, records, reattach = sort_commands(commands)
        assert self.trade is not None, "it was started"
        if sends:
            self.trade.send(sends)
        if records:
            self._save(records)
        if reattach is not None:
            if reattach.with_market:
                for stream in self._streams:
                    stream.renew(reattach.reason)
            self.trade.reattach(reattach.reason)

    def _timer(self) -> None:
        events: list[Event] = [Timer()]
        oldest_ns = self.timeline.now_ns - self._unwritten[0][0] if self._unwritten else 0
        reading = StoreReading(error=self.disk.error, oldest_wait_ns=oldest_ns, backlog=self.jobs, room=MAX_JOBS)
        health = self._watch.judge(reading, self.clock.now_ns())
        if health is not None:
            events.append(health)
        self.take(events)
        self.after(TIMER_NS, "engine.timer", self._timer)

    def _save(self, records: list[StoreRecord]) -> None:
        self._unwritten.append((self.timeline.now_ns, records))
        self.after(self.disk.commit_delay_ns, "disk.commit", self._commit)

    def _commit(self) -> None:
        if self.disk.error or self.disk.stalled_until_ns > self.timeline.now_ns:
            self.after(self.disk.commit_delay_ns, "disk.commit", self._commit)
            return
        # Always the oldest: what was written later never becomes durable before it.
        _since_ns, records = self._unwritten.popleft()
        self.disk.commit(records)
        self.on_commit(records)
        for record in records:
            if isinstance(record, BotRecord) and not self.core.bots[record.bot_id].lattice_saved:
                self.take([Saved(record.bot_id)])


class _TradeClient:
    """Holds sessions for as long as the engine lives."""

    def __init__(
        self, host: EngineHost, rng: Random, weather: Weather, connect: Callable[[Connection, str], None]
    ) -> None:
        self._host = host
        self._life = host.life
        self._rng = rng
        self._weather = weather
        self._connect = connect
        self._link = TradeLink(host.config, host.core)
        self._backoff = Backoff(100, 2_000, Random(rng.random()))
        self._pace = ReattachPace()
        self._timer: Entry | None = None
        self._ended: Answer[str] = Answer()
        self._first: Answer[Any] = Answer()
        self.connection: Connection | None = None
        self._is_attached = False
        host.spawn(self._run())

    def send(self, commands: list[Any]) -> None:
        """Send one turn's commands; without a session they are lost."""
        requests = self._link.requests(commands, 0, self._host.clock.now_ns())
        for request in requests:
            message = request.SerializeToString()
            if self.connection is not None and self._is_attached:
                self.connection.to_server.send(message)
            else:
                self._host.on_lost(message)

    def reattach(self, reason: str) -> None:
        """End the session now, or when the last one is far enough."""
        if self._timer is not None:
            return
        wait_ns = self._pace.wait_ns(self._host.monotonic_ns())
        if wait_ns > 0:
            self._timer = self._host.after(wait_ns, "engine.reattach", self._reattach_later, reason)
        else:
            self._ended.give(reason)

    def abandon(self, reason: str) -> None:
        """The process died."""
        if self.connection is not None:
            self.connection.abandon_by_client(reason)

    def leave(self) -> None:
        """Close our side in order: our orders stay."""
        if self.connection is not None:
            self.connection.close_by_client()

    def _reattach_later(self, reason: str) -> None:
        self._timer = None
        self.reattach(reason)

    async def _run(self) -> None:
        host = self._host
        while True:
            try:
                reason = await self._session()
            except OpensqtError as error:
                host.ended_with = error
                host.timeline.note("engine ends", error.message)
                host.crash(error.message)
                return
            was_attached = host.core.attached
            self._is_attached = False
            host.take([Detached(reason)])
            if was_attached:
                self._backoff.reset()
            await host.sleep(self._backoff.next_ms() * MS, "backoff")

    async def _session(self) -> str:
        host = self._host
        self._ended, self._first = Answer(), Answer()
        connection = Connection(host.timeline, self._weather, Random(self._rng.random()), "trade")
        self.connection = connection
        connection.to_client.receive = lambda message: self._receive(connection, message)
        connection.to_server.lost = lambda message: host.on_lost(message) if isinstance(message, bytes) else None
        host.timeline.at(
            host.timeline.now_ns + self._weather.delay_ns, None, "trade.connect", self._connect, connection, "trade"
        )
        connection.to_server.send(trade_pb2.TradeRequest(hello=self._link.hello()).SerializeToString())
        try:
            first = await host.within(self._first, int(SNAPSHOT_S * SECOND))
            self._link.snapshot_of(first)
            events = self._link.begin(first, (), host.monotonic_ns())
            self._is_attached = True
            self._beat(connection)
            host.take(events)
            return await self._ended
        except TimeoutError:
            return f"the connector sent no snapshot within {SNAPSHOT_S:g} s"
        except OpensqtError as error:
            return self._link.judge(error)
        finally:
            self._is_attached = False
            if self.connection is connection:
                self.connection = None
            if host.life == self._life:
                connection.abandon_by_client("the engine ended the session")

    def _receive(self, connection: Connection, message: Any) -> None:
        if self._host.life != self._life or connection is not self.connection:
            return
        if isinstance(message, OpensqtError):
            self._fail(message)
        elif isinstance(message, Closed | Broken):
            reason = message.reason if isinstance(message, Broken) else "the connector ended the session"
            self._first.give(None)
            self._ended.give(reason)
        else:
            event = trade_pb2.TradeEvent.FromString(message)
            if not self._first.is_done:
                self._first.give(event)
            elif self._is_attached and not self._ended.is_done:
                try:
                    events = self._link.take(event, self._host.monotonic_ns())
                except OpensqtError as error:
                    self._fail(error)
                    return
                if events:
                    self._host.take(events)

    def _fail(self, error: OpensqtError) -> None:
        self._first.fail(error)
        self._ended.fail(error)

    def _beat(self, connection: Connection) -> None:
        if connection is not self.connection or not self._is_attached:
            return
        host = self._host
        try:
            beat = self._link.heartbeat(host.clock.now_ns(), host.monotonic_ns())
        except OpensqtError as error:
            self._ended.give(error.message)
            return
        connection.to_server.send(beat.SerializeToString())
        host.after(int(HEARTBEAT_S * SECOND), "engine.beat", self._beat, connection)


class _MarketStream:
    """One stream of market data, begun again whenever it ends."""

    def __init__(
        self, host: EngineHost, kind: str, rng: Random, weather: Weather, connect: Callable[[Connection, str], None]
    ) -> None:
        self._host = host
        self._life = host.life
        self._kind = kind
        self._rng = rng
        self._weather = weather
        self._connect = connect
        self._backoff = Backoff(100, 2_000, Random(rng.random()))
        self._connection: Connection | None = None
        self._open()

    def _open(self) -> None:
        timeline = self._host.timeline
        connection = Connection(timeline, self._weather, Random(self._rng.random()), self._kind)
        self._connection = connection
        connection.to_client.receive = lambda message: self._receive(connection, message)
        timeline.at(
            timeline.now_ns + self._weather.delay_ns, None, f"{self._kind}.connect", self._connect, connection,
            self._kind,
        )  # fmt: skip

    def abandon(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.abandon_by_client(reason)

    def renew(self, reason: str) -> None:
        """Begin anew."""
        if self._connection is not None:
            self._connection.abandon_by_client(reason)
            self._lose(reason)

    def _receive(self, connection: Connection, message: Any) -> None:
        host = self._host
        if host.life != self._life or connection is not self._connection:
            return
        if isinstance(message, Closed | Broken):
            self._lose(message.reason if isinstance(message, Broken) else "the stream ended")
            return
        self._backoff.reset()
        try:
            if self._kind == "books":
                events = host.books.take_books(market_data_pb2.BookUpdates.FromString(message))
            else:
                events = host.books.take_trades(market_data_pb2.PublicTrades.FromString(message))
        except BookError as error:
            connection.abandon_by_client(str(error))
            self._lose(f"a book update could not be applied: {error}")
            return
        if events:
            host.take(events)

    def _lose(self, reason: str) -> None:
        self._connection = None
        if self._kind == "books":
            self._host.take(self._host.books.lose(reason))
        self._host.after(self._backoff.next_ms() * MS, f"{self._kind}.again", self._open)
