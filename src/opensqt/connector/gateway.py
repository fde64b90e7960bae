"""The order gateway: between whoever wants an order and the venue's order entry. Pure; time is handed in.

Rules it keeps:

- A client order id is used once. A second placement with it is refused with the order that exists, whether that is
  open, ended, or on its way; nothing is ever sent twice.
- Every command gets exactly one result: CONFIRMED, REJECTED (nothing happened) or UNKNOWN (nobody knows). A command
  without an answer after `timeout_ns` is UNKNOWN.
- What is UNKNOWN stays counted until the venue's evidence settles it: the order shows up in a push or a query, or the
  venue denies it repeatedly (`settle`). Never a timer alone, never a second send.
- Nothing is kept for later: a command passes now or is refused now.

Methods return the commands to send; whoever calls hands them to the venue in the same turn.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import final

import msgspec

from opensqt.connector.commands import Amend, Cancel, CancelAll, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.connector.exposure import PendingExposure
from opensqt.connector.mirror import AccountMirror
from opensqt.connector.order_checks import (
    check_amend,
    check_place,
    duplicate_error,
    ended_error,
    instrument_of,
    pending_order,
)
from opensqt.connector.outcome_group import OutcomeGroup
from opensqt.connector.rate_budget import CommandCosts, Lane, RateBudget
from opensqt.connector.settle import Unsettled
from opensqt.connector.veto import Veto
from opensqt.domain.errors import ErrorReason, LimitError, NotFoundError, invalid_field
from opensqt.domain.order import Order, OrderRequest
from opensqt.domain.order_state import OrderState

Reply = Callable[[OutcomeReport], None]

MAX_IN_FLIGHT = 10_000
MAX_LOST_CANCELS = 6


class _InFlight(msgspec.Struct):
    command: VenueCommand
    reply: Reply
    deadline_ns: int


@final
class OrderGateway:
    """All commands of all streams and calls of one venue account."""

    def __init__(
        self,
        mirror: AccountMirror,
        veto: Veto,
        budget: RateBudget,
        *,
        id_pattern: str,
        timeout_ns: int,
        costs: CommandCosts = CommandCosts(),  # noqa: B008  frozen
        window_ns: int = 0,
        started_ns: int = 0,
        check_id: Callable[[str], None] = lambda _client_order_id: None,
    ) -> None:
        self._mirror = mirror
        self._veto = veto
        self._budget = budget
        self._id_pattern = id_pattern
        self._timeout_ns = timeout_ns
        self._costs = costs
        self._check_id = check_id
        self._next_token = 1
        self._in_flight: dict[int, _InFlight] = {}
        self._placing: dict[str, Place] = {}
        self.unsettled = Unsettled(window_ns)
        self._window_ns = window_ns
        self._started_ns = started_ns
        self._pending: dict[str, PendingExposure] = {}
        self._lost_cancels: dict[str, int] = {}

    # ---- in: what is wanted

    def place(self, request: OrderRequest, reply: Reply, now_ns: int) -> Place:
        """Check a placement and take it in charge.

        Raises:
            RequestError, StateError, ExistsError, LimitError: refused; nothing happened and nothing will.
        """
        instrument = instrument_of(self._mirror, request.symbol)
        check_place(instrument, request, self._id_pattern)
        self._check_id(request.client_order_id)
        self._refuse_duplicate(request)
        pending = self._pending.setdefault(request.symbol, PendingExposure())
        self._veto.check_place(instrument, request, pending, now_ns)
        self._take(Lane.AMEND if request.reduce_only else Lane.NEW, self._costs.place, now_ns)
        self._veto.sent(now_ns)
        command = Place(self._token(), request)
        self._placing[request.client_order_id] = command
        pending.count(request, 1)
        self._track(command, reply, now_ns)
        return command

    def amend(
        self,
        symbol: str,
        client_order_id: str,
        price_ticks: int,
        total_lots: int,
        instrument_revision: int,
        reply: Reply,
        now_ns: int,
    ) -> Amend:
        """Check an amendment and take it in charge.

        Raises:
            RequestError, StateError, NotFoundError, LimitError: refused; nothing happened and nothing will.
        """
        instrument = instrument_of(self._mirror, symbol)
        order = self.open_order(symbol, client_order_id, "")
        check_amend(instrument, order, price_ticks, total_lots, instrument_revision)
        pending = self._pending.setdefault(symbol, PendingExposure())
        self._veto.check_amend(instrument, order, price_ticks, total_lots, pending, now_ns)
        self._take(Lane.AMEND, self._costs.amend, now_ns)
        self._veto.sent(now_ns)
        command = Amend(
            token=self._token(),
            symbol=symbol,
            client_order_id=order.client_order_id,
            exchange_order_id=order.exchange_order_id,
            side=order.side,
            price_ticks=price_ticks,
            total_lots=total_lots,
            instrument_revision=instrument_revision,
        )
        if total_lots > order.lots:
            pending.amending(order.client_order_id, command.token, total_lots)
        self._track(command, reply, now_ns)
        return command

    def cancel(self, symbol: str, client_order_id: str, exchange_order_id: str, reply: Reply, now_ns: int) -> Cancel:
        """Take a cancel in charge. One whose fate is not known to us goes to the venue: it knows.

        Raises:
            NotFoundError: UNKNOWN_ORDER with how it ended, when the venue has told us that already.
            RequestError, LimitError: refused.
        """
        instrument_of(self._mirror, symbol)
        if not client_order_id and not exchange_order_id:
            raise invalid_field("client_order_id", "empty", "name the order by client_order_id or exchange_order_id")
        known = self._mirror.order(client_order_id, symbol, exchange_order_id)
        if known is not None and known.state.is_terminal:
            raise ended_error(known)
        self._take(Lane.CANCEL, self._costs.cancel, now_ns)
        command = Cancel(
            self._token(),
            symbol,
            known.client_order_id if known else client_order_id,
            known.exchange_order_id if known else exchange_order_id,
        )
        self._track(command, reply, now_ns)
        return command

    def cancel_all(self, symbol: str, prefix: str, reply: Reply, now_ns: int) -> list[VenueCommand]:
        """Cancel every open order of a symbol, or with `prefix` those whose client id starts with it.

        The one reply comes when the last of them has its outcome; an order that ended by itself counts as cancelled.

        Raises:
            RequestError, LimitError: refused.
        """
        instrument_of(self._mirror, symbol)
        if not prefix:
            self._take(Lane.CANCEL, self._costs.cancel_all, now_ns)
            command = CancelAll(self._token(), symbol)
            self._track(command, reply, now_ns)
            return [command]
        ids = [o.client_order_id for o in self._mirror.open_orders(symbol) if o.client_order_id.startswith(prefix)]
        ids += [i for i, p in self._placing.items() if p.request.symbol == symbol and i.startswith(prefix)]
        ids += [o.client_order_id for o in self.unsettled.orders(symbol) if o.client_order_id.startswith(prefix)]
        return self.cancel_many(symbol, list(dict.fromkeys(ids)), reply, now_ns)

    def cancel_many(self, symbol: str, client_order_ids: list[str], reply: Reply, now_ns: int) -> list[VenueCommand]:
        """Cancel several orders with one reply for all of them."""
        if not client_order_ids:
            reply(OutcomeReport(token=0, outcome=Outcome.CONFIRMED))
            return []
        group = OutcomeGroup(len(client_order_ids), reply)
        commands: list[VenueCommand] = []
        for client_order_id in client_order_ids:
            try:
                commands.append(self.cancel(symbol, client_order_id, "", group.one_done, now_ns))
            except NotFoundError:
                group.one_done(OutcomeReport(token=0, outcome=Outcome.CONFIRMED))
            except LimitError as error:
                group.one_done(
                    OutcomeReport(
                        token=0,
                        outcome=Outcome.REJECTED,
                        reason=error.reason,
                        message=error.message,
                        retry_after_ms=error.retry_after_ms or 0,
                    )
                )
        return commands

    # ---- in: what the venue says

    def on_outcome(self, report: OutcomeReport, now_ns: int) -> Order | None:
        """Give a command its result.

        Returns:
            The order that a late refusal settles as never placed, when its result UNKNOWN was given before.
        """
        entry = self._in_flight.pop(report.token, None)
        if entry is None:
            return self._late(report)
        command = entry.command
        if isinstance(command, Place):
            self._placed(command, report, now_ns)
        elif isinstance(command, Amend):
            self._amended(command, report)
        self._count_lost_cancels(command, report)
        entry.reply(report)
        return None

    def on_order(self, order: Order) -> None:
        """Learn from a push: an order that the venue shows is settled."""
        self.unsettled.seen(order.client_order_id)

    def _count_lost_cancels(self, command: VenueCommand, report: OutcomeReport) -> None:
        symbol = command.request.symbol if isinstance(command, Place) else command.symbol
        if report.outcome is Outcome.CONFIRMED:
            self._lost_cancels.pop(symbol, None)
        elif report.outcome is Outcome.UNKNOWN and isinstance(command, Cancel | CancelAll):
            self._lost_cancels[symbol] = self._lost_cancels.get(symbol, 0) + 1

    def expire(self, now_ns: int) -> None:
        """Give the result UNKNOWN to every command whose answer did not come in time."""
        # Deadlines rise with tokens, and dicts keep their order.
        while self._in_flight:
            token, entry = next(iter(self._in_flight.items()))
            if entry.deadline_ns > now_ns:
                return
            self.on_outcome(
                OutcomeReport(
                    token=token,
                    outcome=Outcome.UNKNOWN,
                    reason=ErrorReason.OUTCOME_UNKNOWN,
                    message=f"the venue did not answer within {self._timeout_ns // 1_000_000} ms; it is being asked",
                ),
                now_ns,
            )

    def connection_lost(self, now_ns: int, why: str) -> None:
        """Give the result UNKNOWN to everything on its way: it may have arrived, and its answer will not."""
        for token in list(self._in_flight):
            self.on_outcome(
                OutcomeReport(token=token, outcome=Outcome.UNKNOWN, reason=ErrorReason.OUTCOME_UNKNOWN, message=why),
                now_ns,
            )

    # ---- out: what there is

    @property
    def in_flight_count(self) -> int:
        """Return how many commands wait for their outcome."""
        return len(self._in_flight)

    def cancels_arrive(self, symbol: str) -> bool:
        """Return whether cancels of a symbol seem to reach the venue: not when many in a row have no known outcome."""
        return self._lost_cancels.get(symbol, 0) < MAX_LOST_CANCELS

    def arrival_left_ns(self, client_order_id: str, now_ns: int) -> int:
        """Return for how long an order that the venue denies now may still reach it; 0 = the denial is proof.

        It may be on its way from here, or have been sent by the run before this one, whose table is lost.
        """
        if client_order_id in self._placing:
            return self._timeout_ns
        former_ns = self._started_ns + self._window_ns - now_ns
        return max(0, former_ns, self.unsettled.arrival_left_ns(client_order_id, now_ns))

    def pending_orders(self, symbol: str) -> Iterator[Order]:
        """Yield orders of a symbol that may exist at the venue and are in no push yet: on their way, or unknown."""
        for client_order_id, place in self._placing.items():
            # One whose answer is late may have been told, and have ended, by the account's stream.
            if place.request.symbol == symbol and self._mirror.order(client_order_id, symbol, "") is None:
                yield pending_order(place.request, OrderState.PENDING_NEW)
        yield from self.unsettled.orders(symbol)

    def open_order(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        """Return an open order.

        Raises:
            NotFoundError: UNKNOWN_ORDER; with how it ended when that is known.
        """
        order = self._mirror.order(client_order_id, symbol, exchange_order_id)
        if order is None or order.symbol != symbol:
            name = client_order_id or exchange_order_id
            raise NotFoundError(
                ErrorReason.UNKNOWN_ORDER,
                f"no order {name!r} is known in {symbol}; check the id and the symbol",
                metadata={"symbol": symbol, "order": name},
            )
        if order.state.is_terminal:
            raise ended_error(order)
        return order

    # ---- inside

    def _refuse_duplicate(self, request: OrderRequest) -> None:
        client_order_id = request.client_order_id
        existing = self._mirror.order(client_order_id) or self.unsettled.get(client_order_id)
        if existing is None and client_order_id in self._placing:
            existing = pending_order(self._placing[client_order_id].request, OrderState.PENDING_NEW)
        if existing is not None:
            raise duplicate_error(existing)

    def _placed(self, command: Place, report: OutcomeReport, now_ns: int) -> None:
        request = command.request
        self._placing.pop(request.client_order_id, None)
        if report.outcome is Outcome.UNKNOWN and self._mirror.order(request.client_order_id) is None:
            # It stays counted at its worst case.
            order = pending_order(request, OrderState.UNKNOWN)
            pending = self._pending[request.symbol]
            self.unsettled.add(order, now_ns, token=command.token, on_settled=lambda: pending.count(request, -1))
            return
        self._pending[request.symbol].count(request, -1)

    def _amended(self, command: Amend, report: OutcomeReport) -> None:
        known = self._mirror.order(command.client_order_id)
        is_shown = known is not None and known.lots == command.total_lots
        # Of unknown outcome, or confirmed and not shown: it counts until the order is over.
        if report.outcome is Outcome.REJECTED or is_shown:
            self._pending[command.symbol].amended(command.client_order_id, command.token)

    def _late(self, report: OutcomeReport) -> Order | None:
        order = self.unsettled.order_of_token(report.token)
        if order is None or report.outcome is not Outcome.REJECTED:
            return None
        self.unsettled.seen(order.client_order_id)
        return msgspec.structs.replace(order, state=OrderState.REJECTED, reason=report.reason)

    def _take(self, lane: Lane, amounts: Mapping[str, int] | None, now_ns: int) -> None:
        if len(self._in_flight) >= MAX_IN_FLIGHT:
            raise LimitError(
                ErrorReason.RATE_LIMITED,
                f"{MAX_IN_FLIGHT} commands wait for the venue's answer already; wait for some of them",
                retry_after_ms=100,
            )
        self._budget.take(lane, now_ns, amounts)

    def _token(self) -> int:
        token = self._next_token
        self._next_token += 1
        return token

    def _track(self, command: VenueCommand, reply: Reply, now_ns: int) -> None:
        self._in_flight[command.token] = _InFlight(command, reply, now_ns + self._timeout_ns)
