"""Orders by unary calls: each waits for its outcome and says it with the right status.

Batches are sent in one turn, in order; every item has its own outcome, and a bad one never stops the rest.
"""

import asyncio
from decimal import Decimal
from typing import Any, final

from google.type.decimal_pb2 import Decimal as DecimalMessage

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.commands import Outcome, OutcomeReport, VenueCommand
from opensqt.connector.core import ConnectorCore
from opensqt.connector.gateway import Reply
from opensqt.connector.order_checks import duplicate_error
from opensqt.connector.symbols import canonical
from opensqt.domain.convert_exchange import order_message
from opensqt.domain.errors import ErrorReason, OpensqtError, invalid_field
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import parse_decimal
from opensqt.domain.order import OrderRequest, OrderType, Side, TimeInForce
from opensqt.domain.status_map import error_for, status_of
from opensqt.domain.wire_enum import read_enum, reason_to_wire
from opensqt.proto import exchange_pb2, resources_pb2, types_pb2

Context = Any

MAX_BATCH = 200
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@final
class OrderServicer:
    """Unary RPCs that trade."""

    def __init__(self, core: ConnectorCore, adapter: VenueAdapter) -> None:
        self._core = core
        self._adapter = adapter
        self._generated = 0

    async def place_order(self, request: resources_pb2.PlaceOrderRequest, _context: Context) -> resources_pb2.Order:
        """Place one order and return it as the venue acknowledged it."""
        commands: list[VenueCommand] = []
        order, waiting = self._place(request, commands)
        self._adapter.orders.submit(commands)
        return self._placed(order, await waiting)

    async def batch_place_orders(
        self, request: exchange_pb2.BatchPlaceOrdersRequest, _context: Context
    ) -> exchange_pb2.BatchPlaceOrdersResponse:
        """Place several orders; the answer has one entry per request, in order."""
        _check_batch("orders", len(request.orders))
        commands: list[VenueCommand] = []
        sent: list[tuple[OrderRequest, asyncio.Future[OutcomeReport]] | OpensqtError] = []
        for item in request.orders:
            try:
                sent.append(self._place(item, commands))
            except OpensqtError as error:
                sent.append(error)
        self._adapter.orders.submit(commands)
        response = exchange_pb2.BatchPlaceOrdersResponse()
        for index, entry in enumerate(sent):
            item = request.orders[index]
            try:
                if isinstance(entry, OpensqtError):
                    raise entry
                order, waiting = entry
                response.orders.append(self._placed(order, await waiting))
            except OpensqtError as error:
                response.orders.append(_refused(item, error))
                response.errors.append(_batch_error(index, item.client_order_id, error))
        response.all_success = not response.errors
        return response

    async def cancel_order(
        self, request: exchange_pb2.CancelOrderRequest, _context: Context
    ) -> exchange_pb2.CancelOrderResponse:
        """Cancel one order, named by any of its ids."""
        symbol = canonical(self._core.mirror, request.symbol)
        exchange_order_id = request.exchange_order_id or (str(request.order_id) if request.order_id else "")
        if not request.client_order_id and not exchange_order_id:
            raise invalid_field(
                "order_id", "missing", "name the order by order_id, client_order_id or exchange_order_id"
            )
        await self._cancel(symbol, request.client_order_id, exchange_order_id)
        return exchange_pb2.CancelOrderResponse()

    async def batch_cancel_orders(
        self, request: exchange_pb2.BatchCancelOrdersRequest, _context: Context
    ) -> exchange_pb2.BatchCancelOrdersResponse:
        """Cancel several orders; an error's index counts order_ids, client_order_ids, exchange_order_ids in a row."""
        symbol = canonical(self._core.mirror, request.symbol)
        names = [("", str(number)) for number in request.order_ids]
        names += [(client_order_id, "") for client_order_id in request.client_order_ids]
        names += [("", exchange_order_id) for exchange_order_id in request.exchange_order_ids]
        _check_batch("order_ids", len(names))
        results = await asyncio.gather(
            *(self._cancel(symbol, client_id, exchange_id) for client_id, exchange_id in names),
            return_exceptions=True,
        )
        response = exchange_pb2.BatchCancelOrdersResponse()
        for index, result in enumerate(results):
            if isinstance(result, OpensqtError):
                client_id, exchange_id = names[index]
                response.errors.append(_batch_error(index, client_id, result, exchange_id))
            elif isinstance(result, BaseException):
                raise result
        return response

    async def cancel_all_orders(
        self, request: exchange_pb2.CancelAllOrdersRequest, _context: Context
    ) -> exchange_pb2.CancelAllOrdersResponse:
        """Cancel every open order of one symbol; other symbols are not touched."""
        symbol = canonical(self._core.mirror, request.symbol)
        waiting, reply = _promise()
        commands = self._core.gateway.cancel_all(symbol, "", reply, self._core.clock.monotonic_ns())
        self._adapter.orders.submit(commands)
        _raise_unless_confirmed(await waiting)
        return exchange_pb2.CancelAllOrdersResponse()

    async def amend_order(self, request: exchange_pb2.AmendOrderRequest, _context: Context) -> resources_pb2.Order:
        """Change price and total quantity of one order."""
        symbol = canonical(self._core.mirror, request.symbol)
        instrument = self._core.mirror.instruments[symbol]
        if not request.client_order_id and not request.exchange_order_id:
            raise invalid_field("client_order_id", "missing", "name the order by client_order_id or exchange_order_id")
        lots = instrument.quantity_to_lots(_required(request.quantity, "quantity"))
        price_ticks = instrument.price_to_ticks(_required(request.price, "price"))
        order = self._core.gateway.open_order(symbol, request.client_order_id, request.exchange_order_id)
        waiting, reply = _promise()
        command = self._core.gateway.amend(
            symbol,
            order.client_order_id,
            price_ticks,
            lots,
            instrument.revision,
            reply,
            self._core.clock.monotonic_ns(),
        )
        self._adapter.orders.submit([command])
        report = await waiting
        _raise_unless_confirmed(report)
        amended = report.order or self._core.mirror.order(order.client_order_id) or order
        return order_message(amended, instrument)

    # ---- inside

    def _place(
        self, message: resources_pb2.PlaceOrderRequest, commands: list[VenueCommand]
    ) -> tuple[OrderRequest, "asyncio.Future[OutcomeReport]"]:
        symbol = canonical(self._core.mirror, message.symbol)
        instrument = self._core.mirror.instruments[symbol]
        request = order_request_of(message, instrument, message.client_order_id or self._new_id())
        waiting, reply = _promise()
        commands.append(self._core.gateway.place(request, reply, self._core.clock.monotonic_ns()))
        return request, waiting

    def _placed(self, request: OrderRequest, report: OutcomeReport) -> resources_pb2.Order:
        _raise_unless_confirmed(report, request.client_order_id)
        order = report.order or self._core.mirror.order(request.client_order_id)
        if order is None:
            raise error_for(
                ErrorReason.OUTCOME_UNKNOWN,
                f"the venue confirmed {request.client_order_id} without showing it; ask with GetOrder",
                metadata={"client_order_id": request.client_order_id},
            )
        return order_message(order, self._core.mirror.instrument_of(request.symbol, order.instrument_revision))

    async def _cancel(self, symbol: str, client_order_id: str, exchange_order_id: str) -> None:
        waiting, reply = _promise()
        command = self._core.gateway.cancel(
            symbol, client_order_id, exchange_order_id, reply, self._core.clock.monotonic_ns()
        )
        self._adapter.orders.submit([command])
        _raise_unless_confirmed(await waiting, client_order_id)

    def _new_id(self) -> str:
        self._generated += 1
        return f"cx{_base36(self._core.session_epoch // 1_000_000)}{_base36(self._generated)}"


def order_request_of(
    message: resources_pb2.PlaceOrderRequest, instrument: Instrument, client_order_id: str
) -> OrderRequest:
    """Read a placement of the original's kind.

    Raises:
        RequestError: a field is unspecified, missing, off-filter or contradicts another; names it.
    """
    side = read_enum(Side, message.side, "side")
    type_ = read_enum(OrderType, message.type, "type")
    time_in_force = read_enum(TimeInForce, message.time_in_force, "time_in_force")
    lots = instrument.quantity_to_lots(_required(message.quantity, "quantity"))
    price_ticks = 0
    if type_ is OrderType.LIMIT:
        price_ticks = instrument.price_to_ticks(_required(message.price, "price"))
    elif message.price.value and parse_decimal(message.price.value, "price"):
        raise invalid_field("price", message.price.value, "a market order has no price; leave it out")
    if message.post_only:
        if type_ is OrderType.MARKET or time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
            raise invalid_field(
                "post_only", "true", f"contradicts {type_.name} {time_in_force.name}: such an order never rests"
            )
        time_in_force = TimeInForce.GTX
    if type_ is OrderType.MARKET and time_in_force is TimeInForce.GTC:
        time_in_force = TimeInForce.IOC
    return OrderRequest(
        symbol=instrument.symbol,
        client_order_id=client_order_id,
        side=side,
        type=type_,
        time_in_force=time_in_force,
        price_ticks=price_ticks,
        lots=lots,
        reduce_only=message.reduce_only,
        instrument_revision=instrument.revision,
    )


def _required(message: DecimalMessage, field: str) -> Decimal:
    if not message.value:
        raise invalid_field(field, "missing", "is required")
    return parse_decimal(message.value, field)


def _promise() -> tuple["asyncio.Future[OutcomeReport]", Reply]:
    future: asyncio.Future[OutcomeReport] = asyncio.get_running_loop().create_future()

    def reply(report: OutcomeReport) -> None:
        # A caller that gave up has cancelled it; the outcome still reaches the streams.
        if not future.done():
            future.set_result(report)

    return future, reply


def _raise_unless_confirmed(report: OutcomeReport, client_order_id: str = "") -> None:
    if report.outcome is Outcome.CONFIRMED:
        return
    if report.reason is ErrorReason.DUPLICATE_CLIENT_ID and report.order is not None:
        raise duplicate_error(report.order)
    reason = report.reason or (
        ErrorReason.OUTCOME_UNKNOWN if report.outcome is Outcome.UNKNOWN else ErrorReason.VENUE_REJECTED
    )
    raise error_for(
        reason,
        report.message or f"the venue refused: {reason.value}",
        metadata={"client_order_id": client_order_id} if client_order_id else None,
        retry_after_ms=report.retry_after_ms or None,
    )


def _check_batch(field: str, count: int) -> None:
    if not 1 <= count <= MAX_BATCH:
        raise invalid_field(field, f"{count} entries", f"must have between 1 and {MAX_BATCH}")


def _refused(request: resources_pb2.PlaceOrderRequest, error: OpensqtError) -> resources_pb2.Order:
    is_unknown = error.reason is ErrorReason.OUTCOME_UNKNOWN
    return resources_pb2.Order(
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        price=request.price,
        quantity=request.quantity,
        status=types_pb2.ORDER_STATUS_UNSPECIFIED if is_unknown else types_pb2.ORDER_STATUS_REJECTED,
        state=types_pb2.ORDER_STATE_UNKNOWN if is_unknown else types_pb2.ORDER_STATE_REJECTED,
        reason=reason_to_wire(error.reason),
    )


def _batch_error(
    index: int, client_order_id: str, error: OpensqtError, exchange_order_id: str = ""
) -> exchange_pb2.BatchOrderError:
    return exchange_pb2.BatchOrderError(
        index=index,
        client_order_id=client_order_id,
        error_message=error.message,
        code=int(status_of(error.reason)),
        reason=reason_to_wire(error.reason),
        exchange_order_id=exchange_order_id,
    )


def _base36(value: int) -> str:
    digits = []
    while value:
        value, digit = divmod(value, 36)
        digits.append(_BASE36[digit])
    return "".join(reversed(digits))
