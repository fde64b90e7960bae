"""One engine's Trade stream without I/O: what its requests do, and what its attaching asks the venue for.

Coroutines here await the adapter's queries and nothing else, so whoever holds the stream decides what drives them: the
gRPC shell (`servicer_trade`) asyncio, the simulation its virtual clock. `spawn` starts one that answers later.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final, final

from opensqt.connector import trade_frames as frames
from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.commands import Outcome, OutcomeReport
from opensqt.connector.core import ConnectorCore
from opensqt.connector.leases import Lease
from opensqt.connector.symbols import canonical
from opensqt.connector.trade_hub import Query
from opensqt.connector.trade_session import TradeSession
from opensqt.connector.trade_snapshot import MAX_SNAPSHOT_FILLS, MAX_SNAPSHOT_FLOWS
from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.errors import (
    ErrorReason,
    LimitError,
    NotFoundError,
    OpensqtError,
    OutcomeUnknownError,
    UnavailableError,
    invalid_field,
)
from opensqt.domain.fill import CashFlow, Fill
from opensqt.proto import trade_pb2
from opensqt.runtime.crash_points import crash_point

HEARTBEAT_LIMIT_NS: Final = 10 * NS_PER_S
PAGE: Final = 1000
MAX_QUERIES: Final = 500
MAX_WAIT_MS: Final = 1_000
MAX_COMMANDS: Final = 1_000

Work = Coroutine[Any, Any, None]

_RECEIVED = crash_point("connector.received", "commands were read from the stream and not looked at")
_SUBMITTING = crash_point("connector.submitting", "commands have passed the gateway and are not sent to the venue")
_SUBMITTED = crash_point("connector.submitted", "commands were handed to the venue's connection, no answer has come")


@final
class TradeStream:
    """One engine's requests.

    Args:
        core, adapter: of the connector.
        session: the outgoing side.
        lease: what the hello claimed; the hub has accepted it.
        spawn: starts a coroutine that is cancelled with the stream.
    """

    def __init__(
        self,
        core: ConnectorCore,
        adapter: VenueAdapter,
        session: TradeSession,
        lease: Lease,
        spawn: Callable[[Work], object],
    ) -> None:
        self._core = core
        self._adapter = adapter
        self._session = session
        self._lease = lease
        self._spawn = spawn
        self._queries = 0
        self._heartbeat_ns = 0

    async def attach(self, since_time_ns: int) -> None:
        """Read the venue's history and go live with a snapshot."""
        fills, truncated = await self._fills(since_time_ns)
        flows = await self._flows(since_time_ns)
        if not self._core.session.private_stream_up:
            # Nobody tells positions now, and those told before lack what the history has.
            for position in await self._adapter.account.positions():
                self._core.on_position_reply(position)
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

    def handle(self, request: trade_pb2.TradeRequest) -> None:
        """Take one request.

        Raises:
            RequestError: the engine does not keep to the protocol; the stream is to be ended with this.
        """
        kind = request.WhichOneof("request")
        if kind == "commands":
            _RECEIVED()
            if len(request.commands.commands) > MAX_COMMANDS:
                raise invalid_field(
                    "commands", f"{len(request.commands.commands)} in one batch", f"must be at most {MAX_COMMANDS}"
                )
            commands, queries = self._core.trade.handle(
                self._session, request.commands, self._core.clock.monotonic_ns()
            )
            if commands:
                _SUBMITTING()
                self._adapter.orders.submit(commands)
                _SUBMITTED()
            for query in queries:
                if self._queries >= MAX_QUERIES:
                    busy = LimitError(
                        ErrorReason.RATE_LIMITED,
                        f"{MAX_QUERIES} queries of this stream wait for their answers already; wait for some of them",
                        retry_after_ms=100,
                    )
                    self._session.push(frames.refusal_frame(query.command_id, query.client_order_id, busy))
                else:
                    self._queries += 1
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

    def check_heartbeat(self) -> None:
        """End the session of an engine that fell silent; one that never beat is watched by its connection."""
        silent_ns = self._core.clock.monotonic_ns() - self._heartbeat_ns
        if self._heartbeat_ns and silent_ns > HEARTBEAT_LIMIT_NS:
            self._session.end(
                UnavailableError(
                    ErrorReason.NOT_CONNECTED,
                    f"no heartbeat came for {silent_ns // NS_PER_S} s; the engine counts as vanished",
                )
            )
            # Whoever writes to an engine that hangs may wait for ever: its grace time begins now, not when that ends.
            self.close(orderly=False)

    def close(self, *, orderly: bool) -> None:
        """Tell the hub that the stream is over, and whether the engine took its leave."""
        self._core.trade.close(self._session, self._core.clock.monotonic_ns(), orderly=orderly)

    async def _query(self, query: Query) -> None:
        asked_ns = self._core.clock.monotonic_ns()
        try:
            order = await self._adapter.account.order(query.symbol, query.client_order_id, "")
        except NotFoundError as error:
            left_ns = self._core.gateway.arrival_left_ns(query.client_order_id, asked_ns)
            answer = _too_early(query.client_order_id, left_ns) if left_ns else error
            self._session.push(frames.refusal_frame(query.command_id, query.client_order_id, answer))
            return
        except OpensqtError as error:
            self._session.push(frames.refusal_frame(query.command_id, query.client_order_id, error))
            return
        finally:
            self._queries -= 1
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


def _too_early(client_order_id: str, left_ns: int) -> OpensqtError:
    return OutcomeUnknownError(
        ErrorReason.OUTCOME_UNKNOWN,
        f"the venue does not have {client_order_id} yet, and its placement may still be on its way; ask again",
        retry_after_ms=min(MAX_WAIT_MS, left_ns // NS_PER_MS + 1),
    )
