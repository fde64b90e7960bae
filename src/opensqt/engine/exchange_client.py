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

from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.convert_trade import fill_from_wire
from opensqt.domain.errors import ErrorReason, OpensqtError, StateError, UnavailableError
from opensqt.domain.fill import Fill
from opensqt.engine.bot import FILL_OVERLAP_NS
from opensqt.engine.commands import SendCommand, SetLeverage
from opensqt.engine.config import EngineConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Attached, Detached, Event
from opensqt.engine.wire_events import read_attached, read_items, write_batch, write_leverage
from opensqt.proto import exchange_pb2, trade_pb2
from opensqt.proto.exchange_pb2_grpc import ExchangeServiceStub
from opensqt.runtime.backoff import Backoff
from opensqt.runtime.grpc_client import call, to_typed_error

if TYPE_CHECKING:
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

HEARTBEAT_S = 1.0
SILENCE_S = 5.0
SNAPSHOT_S = 20.0
UNARY_S = 5.0
LEAVE_S = 1.0
WRITE_QUEUE = 2_000

_VANISH = {
    "cancel": trade_pb2.VANISH_POLICY_CANCEL,
    "keep": trade_pb2.VANISH_POLICY_KEEP,
    "reduce": trade_pb2.VANISH_POLICY_REDUCE,
}

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
    """

    def __init__(
        self,
        config: EngineConfig,
        channel: aio.Channel,
        core: EngineCore,
        clock: Clock,
        take: Callable[[list[Event]], None],
        rng: Random,
    ) -> None:
        self._config = config
        self._stub: ExchangeServiceAsyncStub = ExchangeServiceStub(channel)
        self._core = core
        self._clock = clock
        self._take = take
        self._backoff = Backoff(100, 2_000, rng)
        self._writes: asyncio.Queue[trade_pb2.TradeRequest] | None = None
        self._reset_reason: str | None = None
        self._call: Any = None
        self._ended = asyncio.Event()
        self._heard_ns = 0
        self._applied = 0
        self.sessions = 0

    @property
    def stub(self) -> "ExchangeServiceAsyncStub":
        """Return the connector's unary calls."""
        return self._stub

    async def run(self) -> None:
        """Hold sessions for ever. Raises OpensqtError when the connector refuses us for good."""
        while True:
            reason = await self._session()
            was_attached = self._core.attached
            self._take([Detached(reason)])
            if was_attached:
                self._backoff.reset()
                _log.warning("detached", reason=reason)
            await asyncio.sleep(self._backoff.next_ms() / 1000)

    def send(self, commands: list[SendCommand], trigger_receive_ns: int) -> None:
        """Queue one turn's commands; without a session they are lost, which the core knows by its Detached event."""
        if self._writes is None:
            return
        batch: list[Any] = []
        for command in commands:
            if isinstance(command, SetLeverage):
                self._put(write_leverage(command))
            else:
                batch.append(command)
        if batch:
            self._put(write_batch(batch, trigger_receive_ns, self._clock.now_ns()))

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
            self._writes.put_nowait(request)
        except asyncio.QueueFull:
            self.reset("the connector does not take commands fast enough")

    async def _session(self) -> str:
        """Hold one session to its end; return why it ended."""
        self._reset_reason = None
        self._writes = None
        trade = self._stub.Trade()
        self._call = trade
        self._ended.clear()
        helpers: list[asyncio.Task[None]] = []
        try:
            await trade.write(trade_pb2.TradeRequest(hello=self._hello()))
            async with asyncio.timeout(SNAPSHOT_S):
                first: Any = await trade.read()
            attached, session_epoch, sequence = await self._read_snapshot(first)
            self._writes = asyncio.Queue(WRITE_QUEUE)
            self._heard_ns = self._clock.monotonic_ns()
            self._applied = sequence - 1
            helpers = [asyncio.create_task(self._write(trade)), asyncio.create_task(self._beat())]
            self.sessions += 1
            self._take([attached, *read_items(first.items[1:])])
            _log.info("attached", exchange=attached.exchange, mode=attached.mode, session_epoch=session_epoch)
            await self._read(trade, session_epoch, sequence)
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
            if not self._was_reset() or _is_being_stopped():
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
        if self._reset_reason is not None:
            return self._reset_reason
        if error.reason is ErrorReason.FENCED and self._outlive_lost_state(error):
            return "the state file is new, the bots are not: their run number was raised"
        if error.reason in (ErrorReason.FENCED, ErrorReason.BAD_CREDENTIALS, ErrorReason.ROLE_REQUIRED):
            raise error
        return f"{error.reason.value}: {error.message}"

    def _outlive_lost_state(self, error: OpensqtError) -> bool:
        """Raise the epochs of bots whose database is gone above the ones the connector remembers.

        Only before the first session and only without any stored run: otherwise being fenced means that a newer run
        of these bots is trading, and this one must end.
        """
        needed = error.metadata.get("needed", "")
        bots = list(self._core.bots.values())
        if self.sessions or not needed.isdecimal() or not all(bot.restored.is_new for bot in bots):
            return False
        for bot in bots:
            bot.epoch = max(bot.epoch, int(needed) + 1)
        return True

    def _hello(self) -> trade_pb2.TradeHello:
        bots = list(self._core.bots.values())
        watermark_ns = self._core.watermark_ns
        return trade_pb2.TradeHello(
            engine_id=self._config.engine_id,
            lease_epoch=max(bot.epoch for bot in bots),
            symbols=[bot.symbol for bot in bots],
            on_vanish=_VANISH[self._config.on_vanish],
            vanish_grace_ms=self._config.vanish_grace_ms,
            since_time_ns=max(0, watermark_ns - FILL_OVERLAP_NS),
            bots=[trade_pb2.BotLease(bot_tag=bot.tag, epoch=bot.epoch) for bot in bots],
        )

    async def _read_snapshot(self, first: Any) -> tuple[Attached, int, int]:
        if first is aio.EOF:
            raise UnavailableError(ErrorReason.NOT_CONNECTED, "the connector closed the stream before its snapshot")
        if not first.items or first.items[0].WhichOneof("item") != "snapshot":
            raise StateError(ErrorReason.NOT_ATTACHED, "the connector's first message was not a snapshot")
        snapshot = first.items[0].snapshot
        earlier = await self._missing_fills(snapshot) if snapshot.fills_truncated else []
        attached = read_attached(snapshot, first.session_epoch, earlier)
        return attached, first.session_epoch, first.first_sequence + len(first.items)

    async def _missing_fills(self, snapshot: trade_pb2.TradeSnapshot) -> list[Fill]:
        """Fetch, page by page, the fills older than those the snapshot had room for."""
        until_ns = min((fill.venue_time_ns for fill in snapshot.fills), default=snapshot.venue_time_ns)
        found: list[Fill] = []
        for bot in self._core.bots.values():
            token = ""
            while True:
                request = exchange_pb2.GetFillsRequest(
                    symbol=bot.symbol,
                    since_time_ns=max(0, self._core.watermark_ns - FILL_OVERLAP_NS),
                    limit=1_000,
                    page_token=token,
                )
                page = await call(self._stub.GetFills, request, timeout_s=UNARY_S)
                found.extend(fill_from_wire(item) for item in page.fills)
                token = page.next_page_token
                if not token or (page.fills and page.fills[-1].venue_time_ns > until_ns):
                    break
        return sorted(found, key=lambda fill: fill.venue_time_ns)

    async def _read(self, trade: Any, session_epoch: int, sequence: int) -> None:
        while True:
            message = await trade.read()
            if message is aio.EOF:
                return
            self._heard_ns = self._clock.monotonic_ns()
            if message.session_epoch != session_epoch or message.first_sequence != sequence:
                raise StateError(
                    ErrorReason.NOT_ATTACHED,
                    f"event {message.first_sequence} of session {message.session_epoch} came where {sequence} of "
                    f"{session_epoch} was due: something was lost",
                )
            sequence += len(message.items)
            self._applied = sequence - 1
            events = read_items(message.items)
            if events:
                self._take(events)

    async def _write(self, trade: Any) -> None:
        writes = self._writes
        assert writes is not None, "a session has its queue"
        try:
            while True:
                await trade.write(await writes.get())
        except aio.AioRpcError as error:
            self.reset(f"writing failed: {error.details()}")
        except asyncio.InvalidStateError as error:
            self.reset(f"writing failed: {error}")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if self._clock.monotonic_ns() - self._heard_ns > SILENCE_S * NS_PER_S:
                self.reset(f"nothing was heard from the connector for {SILENCE_S:g} s")
                return
            heartbeat = trade_pb2.Heartbeat(sent_ns=self._clock.now_ns(), applied_sequence=self._applied)
            self._put(trade_pb2.TradeRequest(heartbeat=heartbeat))


def _is_being_stopped() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
