"""Orders to the exchange: one call per command, once. What is lost on the way has an unknown outcome.

The limiter keeps the order of commands and lets them go first. It also delays them; a command that did not leave
before its deadline is taken back, and reported UNKNOWN like any other without an answer: whether it left cannot be
seen from outside.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, final

import msgspec
import structlog

from opensqt.connector.adapter import AdapterSink
from opensqt.connector.commands import Amend, Cancel, CancelAll, Outcome, OutcomeReport, Place, VenueCommand
from opensqt.connector.venues.ccxt_any.account_queries import CcxtAccountQueries
from opensqt.connector.venues.ccxt_any.client import CcxtClient
from opensqt.connector.venues.ccxt_any.errors import Failure, failure_of, is_refused_placement, placement_reason
from opensqt.connector.venues.ccxt_any.figures import UnreadableError, amount_text, lots, price_text, text
from opensqt.connector.venues.ccxt_any.order_table import OrderTable
from opensqt.connector.venues.ccxt_any.pace import Lane, in_lane
from opensqt.connector.venues.ccxt_any.parse_orders import (
    SIDE_WORDS,
    STATES,
    TYPE_WORDS,
    order_params,
    placed_order,
)
from opensqt.domain.account import Position
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, OpensqtError, StateError, UnsupportedError
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order, OrderType, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.domain.status_map import error_for

MAX_IN_FLIGHT: Final = 64
FILLS_WITHIN_S: Final = 2.0
"""How long a placement's answer waits for its executions."""

_log = structlog.get_logger(__name__)


@final
class CcxtOrderEntry:
    """The account's order entry.

    `on_change` is called when the account should be looked at soon; `push_fills` asks for a symbol's executions now.
    """

    def __init__(
        self,
        client: CcxtClient,
        account: CcxtAccountQueries,
        table: OrderTable,
        sink: AdapterSink,
        on_change: Callable[[], None],
        push_fills: Callable[[str], Awaitable[None]],
        *,
        can_amend: bool,
    ) -> None:
        self._client = client
        self._account = account
        self._table = table
        self._sink = sink
        self._clock = client.clock
        self._on_change = on_change
        self._push_fills = push_fills
        self._can_amend = can_amend
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, commands: Sequence[VenueCommand]) -> None:
        """Send commands in order."""
        loop = asyncio.get_running_loop()
        for command in commands:
            if len(self._tasks) >= MAX_IN_FLIGHT:
                report = OutcomeReport(
                    token=command.token,
                    outcome=Outcome.REJECTED,
                    reason=ErrorReason.RATE_LIMITED,
                    message=f"{MAX_IN_FLIGHT} commands wait for the exchange already; wait for some of them",
                    retry_after_ms=1_000,
                )
                # The outcome is pushed later, never from inside the call that sends.
                loop.call_soon(self._sink.on_outcome, report)
                continue
            task = loop.create_task(self._one(command))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def set_leverage(self, symbol: str, leverage: int) -> Position:
        """Set a symbol's leverage and return its position."""
        self._account.instrument(symbol)
        if not self._client.has("setLeverage"):
            raise UnsupportedError(ErrorReason.NOT_SUPPORTED, "ccxt cannot set the leverage at this exchange")
        found = await self._client.send("setLeverage", leverage, symbol)
        if isinstance(found, Failure) and not found.message.startswith("NoChange"):
            reason = found.meaning.reason
            if reason in (ErrorReason.INVALID_FIELD, ErrorReason.VENUE_REJECTED):
                raise StateError(ErrorReason.LEVERAGE_LIMIT, f"leverage {leverage} was refused: {found.message}")
            raise found.query_error("set leverage")
        self._account.leverages[symbol] = leverage
        (position,) = await self._account.positions(symbol)
        self._sink.on_position(position)
        return position

    async def close(self) -> None:
        """Drop what is on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- one command

    async def _one(self, command: VenueCommand) -> None:
        sent_ns = self._clock.now_ns()
        try:
            with in_lane(Lane.ORDER):
                result = await self._do(command)
        except OpensqtError as error:
            # Everything before the one sending call: certainly nothing was sent.
            self._report(command, Outcome.REJECTED, 0, reason=error.reason, message=error.message)
            return
        if isinstance(result, Failure):
            self._failed(command, sent_ns, result)
        else:
            self._report(command, Outcome.CONFIRMED, sent_ns, order=result)
        self._on_change()

    def _do(self, command: VenueCommand) -> Coroutine[Any, Any, Order | Failure | None]:
        if isinstance(command, Place):
            return self._place(command)
        if isinstance(command, Cancel):
            return self._cancel(command)
        return self._cancel_all(command) if isinstance(command, CancelAll) else self._amend(command)

    async def _place(self, command: Place) -> Order | Failure:
        request = command.request
        instrument = self._current(request.symbol, request.instrument_revision)
        is_limit = request.type is OrderType.LIMIT
        found = await self._client.send(
            "createOrder",
            request.symbol,
            TYPE_WORDS[request.type],
            SIDE_WORDS[request.side],
            amount_text(request.lots, instrument),
            price_text(request.price_ticks, instrument) if is_limit else None,
            order_params(request),
        )
        if isinstance(found, Failure):
            return found
        try:
            order = placed_order(found, request, instrument)
        except UnreadableError as error:
            return failure_of(error)
        order = self._table.report(order, self._clock.monotonic_ns(), is_told_later=bool(order.filled_lots))
        return await self._with_fills(order) if order.filled_lots else order

    async def _with_fills(self, order: Order) -> Order:
        """Push the executions that a reply tells of before the order they changed; without them it goes on, too."""
        try:
            # Not ahead of other orders: that would cost them the time of this query.
            with in_lane(Lane.QUERY):
                async with asyncio.timeout(FILLS_WITHIN_S):
                    await self._push_fills(order.symbol)
                    order = self._table.get(order.symbol, order.exchange_order_id) or order
                    if not order.filled_ticks_lots:
                        # Neither the reply nor the executions say at what price it was filled.
                        order = await self._account.order(order.symbol, "", order.exchange_order_id)
        except (OpensqtError, TimeoutError) as error:
            _log.warning("fills_not_known_yet", client_order_id=order.client_order_id, why=repr(error))
        return order

    async def _cancel(self, command: Cancel) -> Order | Failure | None:
        order = await self._named(command.symbol, command.client_order_id, command.exchange_order_id)
        found = await self._client.send("cancelOrder", order.exchange_order_id, command.symbol)
        if isinstance(found, Failure):
            return found
        return self._ended_by_reply(found, order)

    async def _amend(self, command: Amend) -> Order | Failure:
        if not self._can_amend:
            raise UnsupportedError(
                ErrorReason.NOT_SUPPORTED, "amendments are not offered here; cancel the order and place another one"
            )
        instrument = self._current(command.symbol, command.instrument_revision)
        order = await self._named(command.symbol, command.client_order_id, command.exchange_order_id)
        found = await self._client.send(
            "editOrder",
            order.exchange_order_id,
            command.symbol,
            "limit",
            SIDE_WORDS[command.side],
            amount_text(command.total_lots, instrument),
            price_text(command.price_ticks, instrument),
        )
        if isinstance(found, Failure):
            return found
        new_id = text(found, "id") if isinstance(found, dict) else ""
        if new_id and new_id != order.exchange_order_id:
            _log.warning("amendment_changed_order_id", before=order.exchange_order_id, after=new_id)
            ended = msgspec.structs.replace(order, state=OrderState.CANCELED)
            self._table.report(ended, self._clock.monotonic_ns())
        amended = msgspec.structs.replace(
            order,
            exchange_order_id=new_id or order.exchange_order_id,
            price_ticks=command.price_ticks,
            lots=command.total_lots,
            instrument_revision=instrument.revision,
        )
        return self._table.report(amended, self._clock.monotonic_ns())

    async def _cancel_all(self, command: CancelAll) -> Failure | None:
        if self._client.has("cancelAllOrders"):
            found = await self._client.send("cancelAllOrders", command.symbol)
            return found if isinstance(found, Failure) else None
        worst: Failure | None = None
        for order in await self._account.open_orders(command.symbol):
            found = await self._client.send("cancelOrder", order.exchange_order_id, command.symbol)
            if isinstance(found, Failure) and found.meaning.reason is not ErrorReason.UNKNOWN_ORDER:
                worst = found
        return worst

    # ---- parts

    def _ended_by_reply(self, found: object, order: Order) -> Order | None:
        """Return the order when the reply to its cancel says how it ended; accepted alone is not done."""
        if not isinstance(found, dict) or found.get("filled") is None:
            return None
        state = STATES.get(text(found, "status"))
        if state not in (OrderState.CANCELED, OrderState.EXPIRED):
            return None
        try:
            filled = lots(found["filled"], self._account.instrument(order.symbol), "order filled")
        except UnreadableError as error:
            _log.warning("cancel_reply_unreadable", why=str(error))
            return None
        # What an amendment changed while the cancel was on its way.
        order = self._table.get(order.symbol, order.exchange_order_id) or order
        ended = msgspec.structs.replace(order, state=state, filled_lots=max(filled, order.filled_lots))
        if filled > order.filled_lots:
            ended = msgspec.structs.replace(ended, filled_ticks_lots=0)
        return self._table.report(ended, self._clock.monotonic_ns())

    def _current(self, symbol: str, revision: int) -> Instrument:
        instrument = self._account.instrument(symbol)
        if revision != instrument.revision:
            raise error_for(
                ErrorReason.STALE_INSTRUMENT,
                f"ticks and lots were counted in revision {revision} of {symbol}; it is {instrument.revision} now",
            )
        return instrument

    async def _named(self, symbol: str, client_order_id: str, exchange_order_id: str) -> Order:
        known = (
            self._table.by_client_id(client_order_id) if client_order_id else self._table.get(symbol, exchange_order_id)
        )
        return known or await self._account.order(symbol, client_order_id, exchange_order_id)

    def _failed(self, command: VenueCommand, sent_ns: int, failure: Failure) -> None:
        meaning = failure.meaning
        if meaning.pause_ms:
            until_ns = self._clock.monotonic_ns() + meaning.pause_ms * NS_PER_MS
            self._sink.budget.open_circuit(until_ns, failure.message, cancels_pass=True)
        refused = is_refused_placement(failure) if isinstance(command, Place) else meaning.is_refusal
        if refused:
            reason = meaning.reason
            if isinstance(command, Place):
                reason = placement_reason(failure, post_only=command.request.time_in_force is TimeInForce.GTX)
            order = self._ended(command) if meaning.reason is ErrorReason.UNKNOWN_ORDER else None
            self._report(
                command,
                Outcome.REJECTED,
                sent_ns,
                reason=reason,
                message=failure.message,
                order=order,
                retry_after_ms=meaning.pause_ms,
            )
        else:
            message = f"{failure.message}; the exchange is being asked"
            self._report(command, Outcome.UNKNOWN, sent_ns, reason=ErrorReason.OUTCOME_UNKNOWN, message=message)

    def _ended(self, command: VenueCommand) -> Order | None:
        if not isinstance(command, Cancel | Amend):
            return None
        order = self._table.by_client_id(command.client_order_id)
        return order if order is not None and order.state.is_terminal else None

    def _report(
        self,
        command: VenueCommand,
        outcome: Outcome,
        sent_ns: int,
        *,
        reason: ErrorReason | None = None,
        message: str = "",
        order: Order | None = None,
        retry_after_ms: int = 0,
    ) -> None:
        self._sink.on_outcome(
            OutcomeReport(
                token=command.token,
                outcome=outcome,
                reason=reason,
                message=message,
                order=order,
                retry_after_ms=retry_after_ms,
                sent_ns=sent_ns,
                acknowledged_ns=self._clock.now_ns() if sent_ns else 0,
            )
        )
