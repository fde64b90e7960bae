"""The connector as a process: the product's core, trade streams and upkeep; state that outlives a kill in `durable`."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from simulation.world.adapter import SimAdapter
from simulation.world.port import VenuePort
from simulation.world.timeline import MS, SECOND, Process, Timeline
from simulation.world.wires import Broken, Closed, Connection

from opensqt.connector.book_feed import BookReader
from opensqt.connector.core import ConnectorCore
from opensqt.connector.hub import Lazy, SamplingReader
from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.state_file import ConnectorState
from opensqt.connector.trade_hello import lease_of
from opensqt.connector.trade_stream import TradeStream
from opensqt.connector.upkeep import Upkeep
from opensqt.connector.veto import VetoConfig
from opensqt.domain.errors import ErrorReason, OpensqtError, UnavailableError
from opensqt.domain.order import Order
from opensqt.proto import market_data_pb2, trade_pb2

TICK_NS = 100 * MS
COMMAND_TIMEOUT_MS = 2_000
MAX_BOOK_AGE_MS = 1_500
QUERY_TIMEOUT_NS = 5 * SECOND


class ConnectorHost(Process):
    """One connector; `core` and `adapter` are those of the present run."""

    core: ConnectorCore
    adapter: SimAdapter

    def __init__(self, timeline: Timeline, port: VenuePort, rng: Random, veto: VetoConfig) -> None:
        super().__init__(timeline, "connector")
        self._port = port
        self._rng = rng
        self._veto = veto
        self.durable = b"{}"
        self.listening = False
        self.connections: list[Connection] = []
        self.on_started: Callable[[], None] = lambda: None
        self.on_refused: Callable[[str], None] = lambda _client_order_id: None

    def start(self) -> None:
        """Begin a run: what an earlier one left, then the venue, then listen."""
        self.boot()
        state = msgspec.json.decode(self.durable, type=ConnectorState)
        self._epoch = max(self.now_ns(), state.session_epoch + 1)
        self.adapter = SimAdapter(self._port, self, Random(self._rng.random()))
        adapter: Any = self.adapter
        self.core = ConnectorCore(
            self.adapter.capabilities,
            self,
            session_epoch=self._epoch,
            veto=self._veto,
            budget=RateBudget(self.adapter.rate_windows),
            command_timeout_ms=COMMAND_TIMEOUT_MS,
            subscribe=self.adapter.subscribe,
            unsubscribe=self.adapter.unsubscribe,
        )
        self.core.leases.restore(state.leases, state.bot_epochs, self.monotonic_ns())
        self._save()
        self._upkeep = Upkeep(self.core, adapter, max_book_age_ms=MAX_BOOK_AGE_MS, ask=self._ask, spawn=self.spawn)
        self.spawn(self._start())

    async def _start(self) -> None:
        try:
            await self.adapter.start(self.core)
        except OpensqtError as error:
            # The service ends with an error and its supervisor starts it anew.
            self.timeline.note("connector could not start", error.message)
            self.die()
            self.timeline.at(self.timeline.now_ns + SECOND, None, "connector start", self.start)
            return
        for symbol in self.adapter.instruments:
            self.core.book(symbol)
            for kind in (ChannelKind.BOOK, ChannelKind.TRADES, ChannelKind.MARK):
                self.core.upstreams.acquire(Channel(kind, symbol))
        self.listening = True
        self.on_started()
        self._tick()

    def crash(self, reason: str = "killed") -> None:
        """Kill it: connections reset, commands that have left stay on their way."""
        if not self.is_up:
            return
        self.listening = False
        self.die()
        if hasattr(self.adapter, "link") and self.adapter.link is not None:
            self.adapter.exchange.close_stream(self.adapter.link.number)
        self.adapter.exchange.user_streams.clear()
        self.adapter.exchange.market_streams.clear()
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.abandon_by_server(reason)

    def _tick(self) -> None:
        self._upkeep.tick()
        self._save()
        self.after(TICK_NS, "connector.tick", self._tick)

    def _save(self) -> None:
        leases = self.core.leases
        state = ConnectorState(session_epoch=self._epoch, leases=leases.leases(), bot_epochs=leases.bot_epochs())
        self.durable = msgspec.json.encode(state)

    async def _ask(self, order: Order) -> Order:
        return await self.within(self.adapter.account.order(order.symbol, order.client_order_id, ""), QUERY_TIMEOUT_NS)

    # ---- streams

    def accept(self, connection: Connection, kind: str) -> None:
        """Serve one stream."""
        if not self.listening:
            connection.abandon_by_server("connection refused")
            return
        self.connections.append(connection)
        _SERVERS[kind](self, connection)

    def forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)


class _TradeServer:
    """One Trade stream, as the gRPC shell serves it."""

    def __init__(self, host: ConnectorHost, connection: Connection) -> None:
        self._host = host
        self._life = host.life
        self._connection = connection
        self._session = host.core.trade.open(self._wake)
        self._stream: TradeStream | None = None
        self._flush_due = False
        self._over = False
        connection.to_server.receive = self._receive

    def _receive(self, message: Any) -> None:
        if self._life != self._host.life or self._over:
            self._refuse(message)
            return
        if isinstance(message, Closed):
            self._session.end(None)
            self._close(orderly=True)
        elif isinstance(message, Broken):
            self._session.end(None)
            self._close(orderly=False)
        elif self._stream is None:
            self._hello(trade_pb2.TradeRequest.FromString(message).hello)
        elif self._session.is_ended:
            self._refuse(message)
        else:
            request = trade_pb2.TradeRequest.FromString(message)
            placed = {
                command.place.client_order_id
                for command in request.commands.commands
                if command.WhichOneof("command") == "place"
            }
            submitted = self._host.adapter.orders.waiting
            try:
                self._stream.handle(request)
            except OpensqtError as error:
                self._session.end(error)
            if placed:
                sent = {
                    command.request.client_order_id
                    for command, _sent_ns in submitted.values()
                    if hasattr(command, "request")
                }
                for client_order_id in sorted(placed - sent):
                    self._host.on_refused(client_order_id)

    def _refuse(self, message: Any) -> None:
        if isinstance(message, bytes):
            self._connection.to_server.lost(message)

    def _hello(self, hello: trade_pb2.TradeHello) -> None:
        host = self._host
        adapter: Any = host.adapter
        try:
            lease = lease_of(hello, host.core.mirror)
            host.core.trade.claim(self._session, lease)
        except OpensqtError as error:
            self._over = True
            self._connection.to_client.send(error)
            self._connection.close_by_server()
            host.forget(self._connection)
            return
        self._stream = TradeStream(host.core, adapter, self._session, lease, host.spawn)
        host.spawn(self._attach(hello.since_time_ns))
        host.after(SECOND, "trade.watch", self._watch)

    async def _attach(self, since_time_ns: int) -> None:
        assert self._stream is not None, "a hello made it"
        try:
            await self._stream.attach(since_time_ns)
        except OpensqtError as error:
            self._session.end(error)
            self._wake()

    def _watch(self) -> None:
        if self._stream is not None and not self._over:
            self._stream.check_heartbeat()
            self._host.after(SECOND, "trade.watch", self._watch)

    def _wake(self) -> None:
        if not self._flush_due and not self._over:
            self._flush_due = True
            self._host.after(0, "trade.flush", self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        if self._over:
            return
        is_last = self._session.is_ended
        try:
            event = self._session.take(self._host.now_ns())
        except OpensqtError as error:
            self._connection.to_client.send(error)
            self._connection.close_by_server()
            self._close(orderly=False)
            return
        if event:
            self._connection.to_client.send(event)
        if is_last:
            self._connection.close_by_server()
            self._close(orderly=False)

    def _close(self, *, orderly: bool) -> None:
        if self._over:
            return
        self._over = True
        if self._stream is not None:
            self._stream.close(orderly=orderly)
        self._host.forget(self._connection)


class _BookServer:
    """One stream of books."""

    def __init__(self, host: ConnectorHost, connection: Connection) -> None:
        self._host = host
        self._life = host.life
        self._connection = connection
        self._due = False
        header = market_data_pb2.BookUpdates(session_epoch=host.core.session_epoch).SerializeToString()
        self._reader = BookReader(list(host.core.feeds.values()), 20, header, self._wake)
        connection.to_server.receive = self._receive

    def _wake(self) -> None:
        if not self._due:
            self._due = True
            self._host.after(0, "books.flush", self._flush)

    def _flush(self) -> None:
        self._due = False
        frame = self._reader.take()
        if frame:
            self._connection.to_client.send(frame)

    def _receive(self, message: Any) -> None:
        if self._life == self._host.life and isinstance(message, Closed | Broken):
            self._reader.close()
            self._host.forget(self._connection)


class _TradesServer:
    """One stream of public trades."""

    def __init__(self, host: ConnectorHost, connection: Connection) -> None:
        self._host = host
        self._life = host.life
        self._connection = connection
        self._due = False
        self._reader: SamplingReader[str, Lazy] = SamplingReader(self._wake, max_pending=5_000)
        host.core.topics.trades.add(self._reader, list(host.core.feeds))
        connection.to_server.receive = self._receive

    def _wake(self) -> None:
        if not self._due:
            self._due = True
            self._host.after(0, "trades.flush", self._flush)

    def _flush(self) -> None:
        self._due = False
        frame = b"".join(lazy.frame() for lazy in self._reader.take())
        if frame:
            self._connection.to_client.send(frame)

    def _receive(self, message: Any) -> None:
        if self._life == self._host.life and isinstance(message, Closed | Broken):
            self._host.core.topics.trades.remove(self._reader)
            self._host.forget(self._connection)


_SERVERS: dict[str, Callable[[ConnectorHost, Connection], object]] = {
    "trade": _TradeServer,
    "books": _BookServer,
    "trades": _TradesServer,
}


def shutting_down() -> UnavailableError:
    """Return what the connector's streams end with at a stop."""
    return UnavailableError(ErrorReason.SHUTTING_DOWN, "the connector is shutting down; attach again when it is back")
