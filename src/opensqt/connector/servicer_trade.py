"""The gRPC shell of one Trade stream: reads requests into the hub, writes what the session has.

Two tasks per stream: this generator writes, a second task reads. Whatever ends one of them ends both, and the hub is
told how the engine left: by closing its side of the stream in order (its orders stay), or otherwise (it vanished).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, final

import structlog

from opensqt.connector import trade_frames as frames
from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.commands import Outcome, OutcomeReport
from opensqt.connector.core import ConnectorCore
from opensqt.connector.leases import Lease
from opensqt.connector.symbols import canonical
from opensqt.connector.trade_hello import lease_of
from opensqt.connector.trade_hub import Query
from opensqt.connector.trade_session import TradeSession
from opensqt.connector.trade_snapshot import MAX_SNAPSHOT_FILLS, MAX_SNAPSHOT_FLOWS
from opensqt.connector.wakeup import Wakeup
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import ErrorReason, LimitError, OpensqtError, StateError, UnavailableError, invalid_field
from opensqt.domain.fill import CashFlow, Fill
from opensqt.proto import trade_pb2

HELLO_TIMEOUT_S = 10.0
HEARTBEAT_LIMIT_NS = 10 * NS_PER_S
GOODBYE_PAUSE_S = 0.25
PAGE = 1000
MAX_QUERIES = 500

Requests = AsyncIterator[trade_pb2.TradeRequest]

_log = structlog.get_logger(__name__)


@final
class TradeServicer:
    """The bidirectional order path."""

    def __init__(self, core: ConnectorCore, adapter: VenueAdapter) -> None:
        self._core = core
        self._adapter = adapter

    async def trade(self, requests: Requests, _context: Any) -> AsyncIterator[bytes]:
        """Serve one engine until it leaves, vanishes, is fenced or falls behind."""
        requests = aiter(requests)
        hello = await _read_hello(requests)
        lease = lease_of(hello, self._core.mirror)
        wakeup = Wakeup()
        session = self._core.trade.open(wakeup.set)
        self._core.trade.claim(session, lease)
        stream = _Stream(self._core, self._adapter, session, lease, requests)
        reader: asyncio.Task[None] | None = None
        try:
            await stream.attach(hello.since_time_ns)
            _log.info("engine_attached", engine_id=lease.engine_id, epoch=lease.epoch, symbols=lease.symbols)
            reader = asyncio.create_task(stream.read(), name=f"trade-{lease.engine_id}")
            is_last = False
            while not is_last:
                await wakeup.wait()
                is_last = session.is_ended
                event = session.take(self._core.clock.now_ns())
                if event:
                    yield event
        finally:
            if reader is not None:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reader
            stream.close()


async def _read_hello(requests: Requests) -> trade_pb2.TradeHello:
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            first = await anext(requests)
    except StopAsyncIteration:
        raise invalid_field("hello", "missing", "the first message of a Trade stream must be the hello") from None
    except TimeoutError:
        raise invalid_field("hello", "missing", f"no hello came within {HELLO_TIMEOUT_S:g} s") from None
    if first.WhichOneof("request") != "hello":
        raise StateError(
            ErrorReason.NOT_ATTACHED, "the first message of a Trade stream must be the hello; nothing was done"
        )
    return first.hello


@final
class _Stream:
    """One engine's requests, until they end."""

    def __init__(
        self, core: ConnectorCore, adapter: VenueAdapter, session: TradeSession, lease: Lease, requests: Requests
    ) -> None:
        self._core = core
        self._adapter = adapter
        self._session = session
        self._lease = lease
        self._requests = requests
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_orderly = False
        self._heartbeat_ns = 0

    async def attach(self, since_time_ns: int) -> None:
        """Read the venue's history and go live with a snapshot."""
        fills, truncated = await self._fills(since_time_ns)
        flows = await self._flows(since_time_ns)
        if self._session.is_ended:
            return
        self._core.trade.attach(
            self._session,
            self._lease,
            since_time_ns,
            fills,
            flows,
            truncated=truncated,
            venue_time_ns=self._adapter.venue_time_ns(),
        )

    async def read(self) -> None:
        """Handle requests until the engine closes its side or the stream breaks."""
        error: OpensqtError | None = None
        watch = self._spawn(self._watch_heartbeat())
        try:
            async for request in self._requests:
                if self._session.is_ended:
                    return
                self._handle(request)
            # A broken connection looks like the end of the requests, too; its cancellation comes right behind.
            await asyncio.sleep(GOODBYE_PAUSE_S)
            self._is_orderly = True
        except OpensqtError as raised:
            error = raised
        finally:
            watch.cancel()
            self._session.end(error)

    def close(self) -> None:
        """Tell the hub that the stream is over."""
        for task in self._tasks:
            task.cancel()
        self._core.trade.close(self._session, self._core.clock.monotonic_ns(), orderly=self._is_orderly)
        _log.info("engine_detached", engine_id=self._lease.engine_id, orderly=self._is_orderly)

    def _handle(self, request: trade_pb2.TradeRequest) -> None:
        kind = request.WhichOneof("request")
        if kind == "commands":
            commands, queries = self._core.trade.handle(
                self._session, request.commands, self._core.clock.monotonic_ns()
            )
            if commands:
                self._adapter.orders.submit(commands)
            for query in queries:
                if len(self._tasks) >= MAX_QUERIES:
                    busy = LimitError(
                        ErrorReason.RATE_LIMITED,
                        f"{MAX_QUERIES} queries of this stream wait for their answers already; wait for some of them",
                        retry_after_ms=100,
                    )
                    self._session.push(frames.refusal_frame(query.command_id, query.client_order_id, busy))
                else:
                    self._spawn(self._query(query))
        elif kind == "heartbeat":
            self._heartbeat_ns = self._core.clock.monotonic_ns()
            self._session.push(frames.heartbeat_frame(request.heartbeat))
        elif kind == "set_leverage":
            self._spawn(self._set_leverage(request.set_leverage))
        elif kind == "hello":
            raise invalid_field("hello", "sent twice", "comes once, as the first message of a stream")
        else:
            raise invalid_field("request", "empty", "must be commands, heartbeat or set_leverage")

    async def _query(self, query: Query) -> None:
        try:
            order = await self._adapter.account.order(query.symbol, query.client_order_id, "")
        except OpensqtError as error:
            self._session.push(frames.refusal_frame(query.command_id, query.client_order_id, error))
            return
        report = OutcomeReport(token=0, outcome=Outcome.CONFIRMED, order=order)
        self._core.on_order(order)
        self._session.push(frames.result_frame(query.command_id, query.client_order_id, report))

    async def _set_leverage(self, request: trade_pb2.SetLeverageRequest) -> None:
        try:
            symbol = canonical(self._core.mirror, request.symbol, "set_leverage.symbol")
            if request.leverage < 1:
                raise invalid_field("set_leverage.leverage", request.leverage, "must be at least 1")
            position = await self._adapter.orders.set_leverage(symbol, request.leverage)
        except OpensqtError as error:
            # The request has no command id to answer to; 0 says so.
            self._session.push(frames.refusal_frame(0, "", error))
            return
        self._session.push(frames.position_frame(position))

    async def _watch_heartbeat(self) -> None:
        # An engine that never sent one is watched by the connection alone.
        while True:
            await asyncio.sleep(1.0)
            silent_ns = self._core.clock.monotonic_ns() - self._heartbeat_ns
            if self._heartbeat_ns and silent_ns > HEARTBEAT_LIMIT_NS:
                self._session.end(
                    UnavailableError(
                        ErrorReason.NOT_CONNECTED,
                        f"no heartbeat came for {silent_ns // NS_PER_S} s; the engine counts as vanished",
                    )
                )
                return

    async def _fills(self, since_time_ns: int) -> tuple[list[Fill], bool]:
        found: list[Fill] = []
        truncated = False
        token = ""
        while True:
            page = await self._adapter.account.fills("", since_time_ns, "", PAGE, token)
            found = [*found, *page.fills]
            if len(found) > MAX_SNAPSHOT_FILLS:
                found, truncated = found[-MAX_SNAPSHOT_FILLS:], True
            token = page.next_token
            if not token:
                return found, truncated

    async def _flows(self, since_time_ns: int) -> list[CashFlow]:
        found: list[CashFlow] = []
        token = ""
        while True:
            page = await self._adapter.account.cash_flows("", since_time_ns, PAGE, token)
            found = [*found, *page.flows][-MAX_SNAPSHOT_FLOWS:]
            token = page.next_token
            if not token:
                return found

    def _spawn(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
