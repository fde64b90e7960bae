"""What is wrong with an order before it is sent: one check per rule, each naming field, value and rule. Pure."""

import re
from functools import lru_cache

from opensqt.connector.mirror import AccountMirror
from opensqt.domain.errors import (
    ErrorReason,
    ExistsError,
    NotFoundError,
    OpensqtError,
    RequestError,
    StateError,
    invalid_field,
)
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.order import Order, OrderRequest, OrderType, TimeInForce
from opensqt.domain.order_state import OrderState


def instrument_of(mirror: AccountMirror, symbol: str) -> Instrument:
    """Return the instrument of a canonical symbol.

    Raises:
        RequestError: INVALID_FIELD when it is empty, UNKNOWN_SYMBOL when this connector does not serve it.
    """
    instrument = mirror.instruments.get(symbol)
    if instrument is None:
        raise unknown_symbol(symbol, mirror)
    return instrument


def unknown_symbol(symbol: str, mirror: AccountMirror) -> RequestError:
    """Build the error for a symbol that is empty or not served."""
    served = ", ".join(sorted(mirror.instruments))
    if not symbol:
        return invalid_field("symbol", "empty", f"must be one of {served}")
    return RequestError(
        ErrorReason.UNKNOWN_SYMBOL,
        f"symbol {symbol!r} is not served here; it must be one of {served}",
        metadata={"field": "symbol", "value": symbol},
    )


def check_place(instrument: Instrument, request: OrderRequest, id_pattern: str) -> None:
    """Check a placement against the instrument and the venue's rules for client ids.

    Raises:
        RequestError: INVALID_FIELD, FILTER_REJECTED or MIN_NOTIONAL.
        StateError: STALE_INSTRUMENT, SYMBOL_NOT_TRADING.
    """
    _check_instrument(instrument, request.instrument_revision)
    if not _compiled(id_pattern).fullmatch(request.client_order_id):
        raise invalid_field("client_order_id", repr(request.client_order_id), f"must match {id_pattern}")
    if request.type is OrderType.MARKET:
        if request.price_ticks:
            raise invalid_field("price", request.price_ticks, "a market order has no price; leave it out")
        if request.time_in_force is TimeInForce.GTX:
            raise invalid_field("time_in_force", "GTX", "a market order cannot be post-only")
    elif request.price_ticks <= 0:
        raise invalid_field("price", request.price_ticks, "a limit order needs a positive price")
    if request.lots <= 0:
        raise invalid_field("quantity", request.lots, "must be positive")
    instrument.check_order(request.price_ticks, request.lots, reduce_only=request.reduce_only)


def check_amend(
    instrument: Instrument, order: Order, price_ticks: int, total_lots: int, instrument_revision: int
) -> None:
    """Check an amendment of an open order.

    Raises:
        RequestError: INVALID_FIELD, FILTER_REJECTED or MIN_NOTIONAL.
        StateError: STALE_INSTRUMENT, SYMBOL_NOT_TRADING, or AMEND_REJECTED when it asks for less than is filled.
    """
    _check_instrument(instrument, instrument_revision)
    if price_ticks <= 0:
        raise invalid_field("price", price_ticks, "must be positive")
    if total_lots <= order.filled_lots:
        raise StateError(
            ErrorReason.AMEND_REJECTED,
            f"order {order.client_order_id} has {order.filled_lots} lots filled and was to be amended to {total_lots} "
            "in all; cancel it instead",
            metadata={"filled_lots": str(order.filled_lots)},
        )
    instrument.check_order(price_ticks, total_lots, reduce_only=order.reduce_only)


def duplicate_error(existing: Order) -> OpensqtError:
    """Build the error for a client id that is in use, with the order that has it."""
    return ExistsError(
        ErrorReason.DUPLICATE_CLIENT_ID,
        f"client order id {existing.client_order_id} is in use by an order that is {existing.state.value}; "
        "nothing was sent",
        metadata={
            "client_order_id": existing.client_order_id,
            "exchange_order_id": existing.exchange_order_id,
            "symbol": existing.symbol,
            "side": existing.side.name,
            "state": existing.state.value,
            "price_ticks": str(existing.price_ticks),
            "lots": str(existing.lots),
            "filled_lots": str(existing.filled_lots),
        },
    )


def pending_order(request: OrderRequest, state: OrderState) -> Order:
    """Return what can be said of an order that the venue has not shown yet."""
    return Order(
        symbol=request.symbol,
        client_order_id=request.client_order_id,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        price_ticks=request.price_ticks,
        lots=request.lots,
        reduce_only=request.reduce_only,
        state=state,
        instrument_revision=request.instrument_revision,
    )


def ended_error(order: Order) -> NotFoundError:
    """Build the error for an order that is over, saying how it ended."""
    return NotFoundError(
        ErrorReason.UNKNOWN_ORDER,
        f"order {order.client_order_id or order.exchange_order_id} of {order.symbol} is {order.state.value} already "
        f"({order.filled_lots} of {order.lots} lots were filled)",
        metadata={
            "client_order_id": order.client_order_id,
            "exchange_order_id": order.exchange_order_id,
            "state": order.state.value,
            "filled_lots": str(order.filled_lots),
        },
    )


def _check_instrument(instrument: Instrument, revision: int) -> None:
    if revision != instrument.revision:
        raise StateError(
            ErrorReason.STALE_INSTRUMENT,
            f"the order counts in revision {revision} of {instrument.symbol}, the instrument is at revision "
            f"{instrument.revision}; read it again and recompute ticks and lots",
            metadata={"field": "instrument_revision", "revision": str(instrument.revision)},
        )
    if instrument.status is not InstrumentStatus.TRADING:
        raise StateError(
            ErrorReason.SYMBOL_NOT_TRADING,
            f"{instrument.symbol} is {instrument.status.name} at the venue; orders are refused until it trades again",
            metadata={"symbol": instrument.symbol, "status": instrument.status.name},
        )


@lru_cache(maxsize=8)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
