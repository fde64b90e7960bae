"""The gRPC shell of one Trade stream: reads requests into the hub, writes what the session has.

Two tasks per stream: this generator writes, a second task reads. Whatever ends one of them ends both, and the hub is
told how the engine left: by closing its side of the stream in order (its orders stay), or otherwise (it vanished).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, final

import structlog

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.core import ConnectorCore
from opensqt.connector.leases import Lease
from opensqt.connector.trade_hello import lease_of
from opensqt.connector.trade_session import TradeSession
from opensqt.connector.trade_stream import TradeStream, Work
from opensqt.connector.wakeup import Wakeup
from opensqt.domain.errors import ErrorReason, OpensqtError, StateError, invalid_field
from opensqt.proto import trade_pb2
from opensqt.runtime.crash_points import crash_point

HELLO_TIMEOUT_S = 10.0
HEARTBEAT_CHECK_S = 1.0
GOODBYE_PAUSE_S = 0.25

Requests = AsyncIterator[trade_pb2.TradeRequest]

_TELLING = crash_point("connector.telling", "events are taken from the session and not written to the engine")
_TOLD = crash_point("connector.told", "events were written to the engine")

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
                    _TELLING()
                    yield event
                    _TOLD()
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
    """The tasks of one stream: its reader, its watch, and the queries under way."""

    def __init__(
        self, core: ConnectorCore, adapter: VenueAdapter, session: TradeSession, lease: Lease, requests: Requests
    ) -> None:
        self._session = session
        self._lease = lease
        self._requests = requests
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_orderly = False
        self._stream = TradeStream(core, adapter, session, lease, self._spawn)

    async def attach(self, since_time_ns: int) -> None:
        """Read the venue's history and go live with a snapshot."""
        await self._stream.attach(since_time_ns)

    async def read(self) -> None:
        """Handle requests until the engine closes its side or the stream breaks."""
        error: OpensqtError | None = None
        watch = self._spawn(self._watch_heartbeat())
        try:
            async for request in self._requests:
                if self._session.is_ended:
                    return
                self._stream.handle(request)
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
        self._stream.close(orderly=self._is_orderly)
        _log.info("engine_detached", engine_id=self._lease.engine_id, orderly=self._is_orderly)

    async def _watch_heartbeat(self) -> None:
        while not self._session.is_ended:
            await asyncio.sleep(HEARTBEAT_CHECK_S)
            self._stream.check_heartbeat()

    def _spawn(self, work: Work) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
