"""The engine's side of the Trade stream: attach, read in sequence, write in order, attach again.

A session begins with our hello and the connector's snapshot, then carries one sequence of items. A hole in it, silence,
an error, or the core's wish ends the session; after a back-off the next one starts over with a snapshot. Nothing is
kept for sending across sessions: what was in flight becomes unknown, and is asked for.
"""

import asyncio
import contextlib
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, final

import structlog
from grpc import aio

from opensqt.domain.clock import Clock
from opensqt.domain.convert_trade import fill_from_wire
from opensqt.domain.errors import OpensqtError, UnavailableError
from opensqt.domain.fill import Fill
from opensqt.engine.commands import SendCommand, SetLeverage
from opensqt.engine.config import EngineConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Detached, Event, Result
from opensqt.engine.latency import EngineLatency
from opensqt.engine.stream_end import is_being_stopped
from opensqt.engine.trade_link import HEARTBEAT_S, SNAPSHOT_S, TradeLink
from opensqt.engine.wire_events import joined
from opensqt.proto import exchange_pb2, trade_pb2
from opensqt.proto.exchange_pb2_grpc import ExchangeServiceStub
from opensqt.runtime.backoff import Backoff
from opensqt.runtime.crash_points import crash_point
from opensqt.runtime.grpc_client import call, to_typed_error

if TYPE_CHECKING:
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

UNARY_S = 5.0
LEAVE_S = 1.0
WRITE_QUEUE = 2_000
LONGEST_PAUSE_MS = 500
"""Between two tries to reach the connector. It is short: meanwhile our orders rest unattended."""

_SENDING = crash_point("engine.sending", "commands were taken from the queue and not yet written to the stream")
_SENT = crash_point("engine.sent", "commands were written to the stream, no answer has come")

_log = structlog.get_logger(__name__)


@final
class ExchangeClient:
    """Keeps one session with the connector.

    Args:
        config: hello's facts.
        channel: to the connector.
        core: asked for watermark and epochs when a session begins.
        clock: steady time.
        take: hands a turn's events to the core and sends what it answers.
        rng: jitter of the back-off.
        latency: measures the way of commands.
    """

    def __init__(
        self,
        config: EngineConfig,
        channel: aio.Channel,
        core: EngineCore,
        clock: Clock,
        take: Callable[[list[Event]], None],
        rng: Random,
        latency: EngineLatency,
    ) -> None:
        self._stub: ExchangeServiceAsyncStub = ExchangeServiceStub(channel)
        self._core = core
        self._clock = clock
        self._take = take
        self._latency = latency
        self._backoff = Backoff(100, LONGEST_PAUSE_MS, rng)
        self._writes: asyncio.Queue[trade_pb2.TradeRequest] | None = None
        self._reset_reason: str | None = None
        self._call: Any = None
        self._write_nowait: Callable[[trade_pb2.TradeRequest], bool] | None = None
        self._ended = asyncio.Event()
        self._link = TradeLink(config, core)

    @property
    def sessions(self) -> int:
        """Return how many sessions there were."""
        return self._link.sessions

    @property
    def stub(self) -> "ExchangeServiceAsyncStub":
        """Return the connector's unary calls."""
        return self._stub

    async def run(self) -> None:
        """Hold sessions for ever. Raises OpensqtError when the connector refuses us for good."""
        while True:
            reason = await self._session()
            was_attached = self._core.attached
            self._latency.detached()
            self._take([Detached(reason)])
            if was_attached:
                self._backoff.reset()
                _log.warning("detached", reason=reason)
            await asyncio.sleep(self._backoff.next_ms() / 1000)

    def send(self, commands: list[SendCommand], trigger_receive_ns: int) -> None:
        """Queue one turn's commands; without a session they are lost, which the core knows by its Detached event."""
        if self._writes is None:
            return
        ids = [command.command_id for command in commands if not isinstance(command, SetLeverage)]
        decided_ns = self._latency.decided(ids, trigger_receive_ns)
        for request in self._link.requests(commands, trigger_receive_ns, decided_ns):
            self._put(request)

    def reset(self, reason: str) -> None:
        """End the session; the next begins with a snapshot."""
        if self._call is not None and self._reset_reason is None:
            self._reset_reason = reason
            self._call.cancel()

    async def leave(self) -> None:
        """Close our side of the session, so that the connector leaves our orders as they are; then it is over.

        Vanishing instead (a cancelled call) makes the connector apply the vanish policy after its grace time.
        """
        call = self._call
        if call is None or self._writes is None:
            return
        with contextlib.suppress(aio.AioRpcError, asyncio.InvalidStateError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await call.done_writing()
                await self._ended.wait()

    def _put(self, request: trade_pb2.TradeRequest) -> None:
        assert self._writes is not None, "sending needs a session"
        try:
            if self._write_nowait is not None:
                self._write_nowait(request)
                return
            self._writes.put_nowait(request)
        except asyncio.QueueFull:
            self.reset("the connector does not take commands fast enough")

    async def _session(self) -> str:
        """Hold one session to its end; return why it ended."""
        self._reset_reason = None
        self._writes = None
        trade: Any = self._stub.Trade()
        self._call = trade
        # A connector in this process takes a request at once; over gRPC a task of its own waits for room.
        self._write_nowait = getattr(trade, "write_nowait", None)
        self._ended.clear()
        helpers: list[asyncio.Task[None]] = []
        try:
            await trade.write(trade_pb2.TradeRequest(hello=self._link.hello()))
            async with asyncio.timeout(SNAPSHOT_S):
                first: Any = await trade.read()
            received = None if first is aio.EOF else first
            snapshot = self._link.snapshot_of(received)
            earlier = await self._missing_fills(snapshot) if snapshot.fills_truncated else []
            events = self._link.begin(first, earlier, self._clock.monotonic_ns())
            self._writes = asyncio.Queue(WRITE_QUEUE)
            helpers = [asyncio.create_task(self._write(trade)), asyncio.create_task(self._beat())]
            self._take(events)
            _log.info("attached", exchange=snapshot.exchange, mode=snapshot.mode, session_epoch=first.session_epoch)
            await self._read(trade)
        except TimeoutError:
            return f"the connector sent no snapshot within {SNAPSHOT_S:g} s"
        except aio.AioRpcError as error:
            return self._judge(to_typed_error(error))
        except OpensqtError as error:
            return self._judge(error)
        except asyncio.InvalidStateError:
            return "the session ended while it began"
        except asyncio.CancelledError:
            # Our own reset cancels the call, and reading it then raises the same error as being stopped does.
            if not self._was_reset() or is_being_stopped():
                raise
        finally:
            self._writes = None
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            trade.cancel()
            self._call = None
            self._ended.set()
        return self._why_ended()

    def _was_reset(self) -> bool:
        return self._reset_reason is not None

    def _why_ended(self) -> str:
        return self._reset_reason or "the connector ended the session"

    def _judge(self, error: OpensqtError) -> str:
        return self._reset_reason if self._reset_reason is not None else self._link.judge(error)

    async def _missing_fills(self, snapshot: trade_pb2.TradeSnapshot) -> list[Fill]:
        """Fetch, page by page, the fills older than those the snapshot had room for."""
        until_ns = min((fill.venue_time_ns for fill in snapshot.fills), default=snapshot.venue_time_ns)
        found: list[Fill] = []
        for bot in self._core.bots.values():
            token = ""
            while True:
                request = exchange_pb2.GetFillsRequest(
                    symbol=bot.symbol,
                    since_time_ns=self._link.since_time_ns,
                    limit=1_000,
                    page_token=token,
                )
                page = await call(self._stub.GetFills, request, timeout_s=UNARY_S)
                found.extend(fill_from_wire(item) for item in page.fills)
                token = page.next_page_token
                if not token or (page.fills and page.fills[-1].venue_time_ns > until_ns):
                    break
        return sorted(found, key=lambda fill: fill.venue_time_ns)

    async def _read(self, trade: Any) -> None:
        while True:
            message = await trade.read()
            if message is aio.EOF:
                return
            self._latency.read()
            events = self._link.take(message, self._clock.monotonic_ns())
            for event in events:
                if isinstance(event, Result):
                    self._latency.answered(event)
            if events:
                self._take(events)

    async def _write(self, trade: Any) -> None:
        writes = self._writes
        assert writes is not None, "a session has its queue"
        try:
            while True:
                # What gathered while the last message was on its way travels together: messages cost, commands hardly.
                waiting = [await writes.get()]
                while not writes.empty():
                    waiting.append(writes.get_nowait())
                for request in joined(waiting):
                    is_order = request.WhichOneof("request") == "commands"
                    if is_order:
                        _SENDING()
                    await trade.write(request)
                    if is_order:
                        _SENT()
        except aio.AioRpcError as error:
            self.reset(f"writing failed: {error.details()}")
        except asyncio.InvalidStateError as error:
            self.reset(f"writing failed: {error}")

    async def _beat(self) -> None:
        # The first one at once: an engine that hangs with its first orders out must be missed, too.
        while True:
            try:
                self._put(self._link.heartbeat(self._clock.now_ns(), self._clock.monotonic_ns()))
            except UnavailableError as error:
                self.reset(error.message)
                return
            await asyncio.sleep(HEARTBEAT_S)
