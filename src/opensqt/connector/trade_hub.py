"""All Trade streams of the connector: attach, commands in, events out, vanish. Pure; the shell is `servicer_trade`.

An event is serialised once and pushed to every stream that trades its symbol. Snapshots come from the mirror in the
same turn in which a stream goes live, so nothing lies between a snapshot and the first event.
"""

from collections.abc import Callable, Iterable
from typing import final

import msgspec

from opensqt.connector import trade_frames as frames
from opensqt.connector.commands import OutcomeReport, VenueCommand
from opensqt.connector.gateway import OrderGateway, Reply
from opensqt.connector.leases import REMEDY, Lease, LeaseBook, orders_to_cancel
from opensqt.connector.mirror import AccountMirror
from opensqt.connector.symbols import canonical
from opensqt.connector.trade_session import TradeSession
from opensqt.connector.trade_snapshot import SnapshotBuilder
from opensqt.domain import convert_trade as convert
from opensqt.domain.client_id import bot_prefix
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.errors import ErrorReason, OpensqtError, StateError, invalid_field
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.proto import trade_pb2

RETRY_PAUSE_NS = NS_PER_S


class Query(msgspec.Struct, frozen=True):
    """A question of an engine about one order; `command_id` is what its result answers."""

    command_id: int
    symbol: str
    client_order_id: str


@final
class TradeHub:
    """The streams and their leases."""

    def __init__(
        self,
        mirror: AccountMirror,
        gateway: OrderGateway,
        leases: LeaseBook,
        snapshots: SnapshotBuilder,
        *,
        session_epoch: int,
        now_ns: Callable[[], int],
        latency: LatencyBoard,
    ) -> None:
        self._mirror = mirror
        self._gateway = gateway
        self._leases = leases
        self._snapshots = snapshots
        self._session_epoch = session_epoch
        self._now_ns = now_ns
        self._record_submit = latency.recorder(Hop.SUBMIT)
        self._record_send = latency.recorder(Hop.SEND)
        self._record_acknowledge = latency.recorder(Hop.ACKNOWLEDGE)
        self._record_tick_to_order = latency.recorder(Hop.TICK_TO_ORDER)
        self._sessions: dict[int, TradeSession] = {}
        self._clearing: dict[str, _Clearing] = {}
        self._next_number = 1

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def has_pending(self) -> bool:
        """Return whether any stream has items to send."""
        return any(session.has_pending for session in self._sessions.values())

    def open(self, wake: Callable[[], None]) -> TradeSession:
        """Return a new stream; it is told nothing before `attach`."""
        session = TradeSession(self._next_number, self._session_epoch, wake)
        self._next_number += 1
        return session

    def claim(self, session: TradeSession, lease: Lease) -> None:
        """Check an engine's claim and end the streams it replaces.

        Raises:
            StateError: FENCED.
        """
        replaced_numbers = self._leases.attach(lease, session.number)
        self._clearing.pop(lease.engine_id, None)
        self._sessions[session.number] = session
        for number in replaced_numbers:
            replaced = self._sessions.pop(number, None)
            if replaced is not None:
                replaced.end(
                    StateError(
                        ErrorReason.FENCED,
                        f"engine {lease.engine_id} attached with epoch {lease.epoch} and the same bots; this stream is "
                        f"replaced: stop this engine, or the other one. {REMEDY}",
                    )
                )

    def attach(
        self,
        session: TradeSession,
        lease: Lease,
        since_time_ns: int,
        fills: Iterable[Fill],
        flows: Iterable[CashFlow],
        *,
        truncated: bool,
        venue_time_ns: int,
    ) -> None:
        """Go live: push the snapshot; `fills` and `flows` are the venue's history since the asked time."""
        symbols = frozenset(lease.symbols)
        snapshot = self._snapshots.build(
            symbols, since_time_ns, fills, flows, truncated=truncated, venue_time_ns=venue_time_ns
        )
        session.begin(symbols, frames.item_frame(trade_pb2.TradeItem(snapshot=snapshot)))

    def close(self, session: TradeSession, now_ns: int, *, orderly: bool) -> None:
        """Forget a stream. Unless the engine took its leave, its grace time begins."""
        self._sessions.pop(session.number, None)
        session.end()
        if orderly:
            self._leases.release(session.number)
        else:
            self._leases.detach(session.number, now_ns)

    def attended_symbols(self) -> frozenset[str]:
        """Return the symbols of the streams that are live: their engines are heard of."""
        return frozenset(symbol for session in self._sessions.values() for symbol in session.symbols)

    def end_all(self, error: OpensqtError) -> None:
        """End every stream."""
        for session in list(self._sessions.values()):
            session.end(error)

    def vanished(self, now_ns: int) -> list[VenueCommand]:
        """Return the cancels for engines that have been gone for longer than their grace time.

        Called again and again: what was not cancelled is tried anew, until nothing of the engine is left.
        """
        commands: list[VenueCommand] = []
        for lease in self._leases.due(now_ns):
            clearing = self._clearing.setdefault(lease.engine_id, _Clearing())
            if clearing.waiting or now_ns < clearing.again_ns:
                continue
            sent = self._clear(lease, clearing, now_ns)
            if not clearing.found:
                self._leases.drop(lease.engine_id)
                del self._clearing[lease.engine_id]
            commands += sent
        return commands

    def _clear(self, lease: Lease, clearing: "_Clearing", now_ns: int) -> list[VenueCommand]:
        commands: list[VenueCommand] = []
        clearing.found = 0
        clearing.again_ns = now_ns + RETRY_PAUSE_NS
        for symbol in lease.symbols:
            orders = [*self._mirror.open_orders(symbol), *self._gateway.pending_orders(symbol)]
            ids = list(dict.fromkeys(order.client_order_id for order in orders_to_cancel(lease, orders)))
            if ids:
                clearing.found += len(ids)
                clearing.waiting += 1
                commands += self._gateway.cancel_many(symbol, ids, clearing.one_done, now_ns)
        return commands

    def publish(self, symbol: str, frame: Callable[[], bytes]) -> None:
        """Push one item to every stream that trades its symbol; an empty symbol means all streams."""
        encoded: bytes | None = None
        for session in list(self._sessions.values()):
            if not symbol or symbol in session.symbols:
                if encoded is None:
                    encoded = frame()
                session.push(encoded)

    # ---- commands

    def handle(
        self, session: TradeSession, batch: trade_pb2.CommandBatch, now_ns: int
    ) -> tuple[list[VenueCommand], list[Query]]:
        """Turn a batch into commands for the venue and queries to be made; results are pushed to the stream."""
        commands: list[VenueCommand] = []
        queries: list[Query] = []
        received_ns = self._now_ns()
        if batch.decided_ns:
            self._record_submit(received_ns - batch.decided_ns)
        for command in batch.commands:
            try:
                if command.WhichOneof("command") == "query":
                    query = command.query
                    self._check_symbol(session, query.symbol)
                    queries.append(Query(command.command_id, query.symbol, query.client_order_id))
                else:
                    reply = self._replier(session, command, received_ns, batch.trigger_receive_ns)
                    commands += self._command(session, command, reply, now_ns)
            except OpensqtError as error:
                client_order_id = _client_id_of(command)
                order = self._mirror.order(client_order_id) if client_order_id else None
                session.push(frames.refusal_frame(command.command_id, client_order_id, error, order))
        return commands, queries

    def _command(
        self, session: TradeSession, command: trade_pb2.Command, reply: Reply, now_ns: int
    ) -> list[VenueCommand]:
        kind = command.WhichOneof("command")
        if kind == "place":
            request = convert.place_from_wire(command.place)
            if request.symbol not in session.symbols:
                raise _not_attached(request.symbol)
            return [self._gateway.place(request, reply, now_ns)]
        if kind == "amend":
            amend = command.amend
            self._check_symbol(session, amend.symbol)
            return [
                self._gateway.amend(
                    amend.symbol,
                    amend.client_order_id,
                    amend.price_ticks,
                    amend.total_lots,
                    amend.instrument_revision,
                    reply,
                    now_ns,
                )
            ]
        if kind == "cancel":
            cancel = command.cancel
            self._check_symbol(session, cancel.symbol)
            return [
                self._gateway.cancel(cancel.symbol, cancel.client_order_id, cancel.exchange_order_id, reply, now_ns)
            ]
        if kind == "cancel_all":
            prefix = bot_prefix(command.cancel_all.bot_tag) if command.cancel_all.bot_tag else ""
            return self._gateway.cancel_all(canonical(self._mirror, command.cancel_all.symbol), prefix, reply, now_ns)
        raise invalid_field("command", kind or "empty", "must be one of place, amend, cancel, cancel_all, query")

    def _replier(self, session: TradeSession, command: trade_pb2.Command, received_ns: int, trigger_ns: int) -> Reply:
        """Return what answers a command, and measures the way of one that was sent."""
        command_id = command.command_id
        client_order_id = _client_id_of(command)

        def reply(report: OutcomeReport) -> None:
            session.push(frames.result_frame(command_id, client_order_id, report, received_ns))
            if report.sent_ns:
                self._record_send(report.sent_ns - received_ns)
                if trigger_ns:
                    self._record_tick_to_order(report.sent_ns - trigger_ns)
                if report.acknowledged_ns:
                    self._record_acknowledge(report.acknowledged_ns - report.sent_ns)

        return reply

    def _check_symbol(self, session: TradeSession, symbol: str) -> None:
        if symbol not in session.symbols:
            raise _not_attached(canonical(self._mirror, symbol))


@final
class _Clearing:
    """A vanished engine's orders being cancelled: how many answers are awaited, and when to look again."""

    def __init__(self) -> None:
        self.found = 0
        self.waiting = 0
        self.again_ns = 0

    def one_done(self, _report: OutcomeReport) -> None:
        """Take the outcome of one symbol's cancels; whether anything is left is seen in the mirror."""
        self.waiting -= 1


def _client_id_of(command: trade_pb2.Command) -> str:
    kind = command.WhichOneof("command")
    if kind is None or kind == "cancel_all":
        return ""
    client_order_id: str = getattr(command, kind).client_order_id
    return client_order_id


def _not_attached(symbol: str) -> StateError:
    return StateError(
        ErrorReason.NOT_ATTACHED,
        f"{symbol or 'an empty symbol'} is not among the symbols of this stream's hello; attach with it first",
        metadata={"field": "symbol", "value": symbol},
    )
