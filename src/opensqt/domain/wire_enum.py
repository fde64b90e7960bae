"""Enums on the wire: an unspecified or unknown value in a request is an error that names the field, never a default."""

from enum import IntEnum
from typing import TypeVar

from opensqt.domain.errors import ErrorReason, invalid_field
from opensqt.domain.order_state import OrderState
from opensqt.proto import errors_pb2, types_pb2

EnumT = TypeVar("EnumT", bound=IntEnum)


def read_enum(kind: type[EnumT], value: int, field: str) -> EnumT:
    """Read an enum whose numbers are those of the wire.

    Raises:
        RequestError: INVALID_FIELD when it is unspecified (0) or unknown.
    """
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(member.name for member in kind)
        said = "unspecified" if value == 0 else str(value)
        raise invalid_field(field, said, f"must be one of {choices}") from None


def state_to_wire(state: OrderState) -> types_pb2.OrderState.ValueType:
    """Write an order state."""
    return _STATE_TO_WIRE[state]


def state_from_wire(value: int) -> OrderState:
    """Read an order state.

    Raises:
        RequestError: unspecified or unknown.
    """
    try:
        return _STATE_FROM_WIRE[value]
    except KeyError:
        raise invalid_field("state", value, "must be a known order state") from None


def reason_to_wire(reason: ErrorReason | None) -> errors_pb2.ErrorReason.ValueType:
    """Write a reason; None is UNSPECIFIED."""
    return errors_pb2.ERROR_REASON_UNSPECIFIED if reason is None else _REASON_TO_WIRE[reason]


def reason_from_wire(value: int) -> ErrorReason | None:
    """Read a reason; None when there is none. One this version does not know reads as VENUE_REJECTED."""
    if value == errors_pb2.ERROR_REASON_UNSPECIFIED:
        return None
    return _REASON_FROM_WIRE.get(value, ErrorReason.VENUE_REJECTED)


_STATE_TO_WIRE = {state: types_pb2.OrderState.Value(f"ORDER_STATE_{state.value}") for state in OrderState}
_STATE_FROM_WIRE: dict[int, OrderState] = {value: state for state, value in _STATE_TO_WIRE.items()}
_REASON_TO_WIRE = {reason: errors_pb2.ErrorReason.Value(f"ERROR_REASON_{reason.value}") for reason in ErrorReason}
_REASON_FROM_WIRE: dict[int, ErrorReason] = {value: reason for reason, value in _REASON_TO_WIRE.items()}
