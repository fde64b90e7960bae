"""Orders to the venue of this world. Each command has exactly one report, whatever the wires do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace
from simulation.world.exchange import ACCOUNT, RECEIVE_WINDOW_NS, Reply
from simulation.world.port import VenuePort
from simulation.world.timeline import MS, SECOND, Process

from opensqt.connector.commands import Amend, Cancel, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.domain.account import Position
from opensqt.domain.errors import ErrorReason, NotFoundError, OpensqtError
from opensqt.domain.order import Order
from opensqt.domain.status_map import error_for

if TYPE_CHECKING:
    from simulation.world.adapter import SimAdapter

ASK_AFTER_NS = (0, 200 * MS, 500 * MS, SECOND, 2 * SECOND)


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
        return self._port.told(exchange.view.position(ACCOUNT, symbol))

    # ---- at the venue

    def _arrived(self, command: VenueCommand, sent_ns: int, life: int) -> None:
        if isinstance(command, Place):
            command = replace(command, request=self._port.exchange.listed.placed(command.request))
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
            order = None if done.order is None else self._adapter.book.orders.report(self._port.told(done.order))
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
