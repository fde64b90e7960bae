"""One table: machine-readable reason <-> gRPC status <-> error class. Used in both directions, and nothing else is.

"No funds" and "rate limit" never share a status and reason; an unknown outcome is ABORTED, never UNAVAILABLE, because
clients retry what is UNAVAILABLE.
"""

from collections.abc import Mapping
from enum import IntEnum, unique

from opensqt.domain.errors import (
    AuthError,
    ErrorReason,
    ExistsError,
    InternalError,
    LimitError,
    NotFoundError,
    OpensqtError,
    OutcomeUnknownError,
    RequestError,
    RoleError,
    StateError,
    UnavailableError,
    UnsupportedError,
)

ERROR_DOMAIN = "opensqt"
"""`domain` of google.rpc.ErrorInfo."""


@unique
class GrpcStatus(IntEnum):
    """Canonical gRPC status codes (github.com/grpc/grpc, doc/statuscodes.md)."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_R = ErrorReason

STATUS_AND_CLASS: Mapping[ErrorReason, tuple[GrpcStatus, type[OpensqtError]]] = {
    _R.INVALID_FIELD: (GrpcStatus.INVALID_ARGUMENT, RequestError),
    _R.UNKNOWN_SYMBOL: (GrpcStatus.INVALID_ARGUMENT, RequestError),
    _R.FILTER_REJECTED: (GrpcStatus.INVALID_ARGUMENT, RequestError),
    _R.MIN_NOTIONAL: (GrpcStatus.INVALID_ARGUMENT, RequestError),
    _R.NOT_SUPPORTED: (GrpcStatus.UNIMPLEMENTED, UnsupportedError),
    _R.INSUFFICIENT_MARGIN: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.POST_ONLY_WOULD_CROSS: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.REDUCE_ONLY_REJECTED: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.CLOCK_SKEW: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.STALE_INSTRUMENT: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.SYMBOL_NOT_TRADING: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.PRICE_BAND: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.POSITION_MODE: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.LEVERAGE_LIMIT: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.SELF_TRADE: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.VENUE_REJECTED: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.RISK_VETO: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.AMEND_REJECTED: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.FENCED: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.NOT_ATTACHED: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.LIQUIDATION: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.VERSION_CONFLICT: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.EDIT_REFUSED: (GrpcStatus.FAILED_PRECONDITION, StateError),
    _R.DUPLICATE_CLIENT_ID: (GrpcStatus.ALREADY_EXISTS, ExistsError),
    _R.UNKNOWN_ORDER: (GrpcStatus.NOT_FOUND, NotFoundError),
    _R.NOT_FOUND: (GrpcStatus.NOT_FOUND, NotFoundError),
    _R.RATE_LIMITED: (GrpcStatus.RESOURCE_EXHAUSTED, LimitError),
    _R.IP_BANNED: (GrpcStatus.RESOURCE_EXHAUSTED, LimitError),
    _R.MAX_OPEN_ORDERS: (GrpcStatus.RESOURCE_EXHAUSTED, LimitError),
    _R.SLOW_READER: (GrpcStatus.RESOURCE_EXHAUSTED, LimitError),
    _R.VENUE_UNAVAILABLE: (GrpcStatus.UNAVAILABLE, UnavailableError),
    _R.MAINTENANCE: (GrpcStatus.UNAVAILABLE, UnavailableError),
    _R.NOT_CONNECTED: (GrpcStatus.UNAVAILABLE, UnavailableError),
    _R.FEED_STALE: (GrpcStatus.UNAVAILABLE, UnavailableError),
    _R.SHUTTING_DOWN: (GrpcStatus.UNAVAILABLE, UnavailableError),
    _R.OUTCOME_UNKNOWN: (GrpcStatus.ABORTED, OutcomeUnknownError),
    _R.BAD_CREDENTIALS: (GrpcStatus.UNAUTHENTICATED, AuthError),
    _R.ROLE_REQUIRED: (GrpcStatus.PERMISSION_DENIED, RoleError),
    _R.VENUE_PERMISSION: (GrpcStatus.PERMISSION_DENIED, RoleError),
    _R.INTERNAL: (GrpcStatus.INTERNAL, InternalError),
}

_FALLBACK_REASON: Mapping[GrpcStatus, ErrorReason] = {
    GrpcStatus.INVALID_ARGUMENT: _R.INVALID_FIELD,
    GrpcStatus.NOT_FOUND: _R.NOT_FOUND,
    GrpcStatus.ALREADY_EXISTS: _R.DUPLICATE_CLIENT_ID,
    GrpcStatus.PERMISSION_DENIED: _R.ROLE_REQUIRED,
    GrpcStatus.RESOURCE_EXHAUSTED: _R.RATE_LIMITED,
    GrpcStatus.FAILED_PRECONDITION: _R.VENUE_REJECTED,
    GrpcStatus.ABORTED: _R.OUTCOME_UNKNOWN,
    GrpcStatus.UNIMPLEMENTED: _R.NOT_SUPPORTED,
    GrpcStatus.INTERNAL: _R.INTERNAL,
    GrpcStatus.UNAVAILABLE: _R.NOT_CONNECTED,
    GrpcStatus.UNAUTHENTICATED: _R.BAD_CREDENTIALS,
}


def status_of(reason: ErrorReason) -> GrpcStatus:
    """Return the gRPC status that carries a reason."""
    return STATUS_AND_CLASS[reason][0]


def error_for(
    reason: ErrorReason,
    message: str,
    *,
    metadata: Mapping[str, str] | None = None,
    retry_after_ms: int | None = None,
) -> OpensqtError:
    """Build the typed error of a reason."""
    return STATUS_AND_CLASS[reason][1](reason, message, metadata=metadata, retry_after_ms=retry_after_ms)


def reason_of_status(status_code: int) -> ErrorReason:
    """Guess a reason for a status that came without ErrorInfo (a proxy, the transport, another implementation).

    A status we never send (CANCELLED, DEADLINE_EXCEEDED, UNKNOWN, DATA_LOSS, OUT_OF_RANGE) says nothing about what
    happened on the other side, so it reads as OUTCOME_UNKNOWN: the safe reading for an order.
    """
    try:
        return _FALLBACK_REASON[GrpcStatus(status_code)]
    except ValueError:
        return ErrorReason.OUTCOME_UNKNOWN
