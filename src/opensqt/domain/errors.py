"""Everything that can go wrong, as one tree by what the caller can do about it.

    OpensqtError
    ├── RequestError          fix the request; sending it again as it is will fail again
    ├── StateError            the request is right, the state is not (margin, post-only, clock, fencing)
    ├── ExistsError           the thing exists already: adopt it
    ├── NotFoundError         the thing does not exist (any more): ask how it ended
    ├── LimitError            a limit, ours or the venue's: wait `retry_after_ms`
    ├── UnavailableError      certainly not done; may be tried again
    ├── OutcomeUnknownError   may have been done: query, never send again
    ├── AuthError             credentials were refused: stop and tell a human
    ├── RoleError             the caller lacks the role
    ├── UnsupportedError      this service does not offer it
    └── InternalError         a bug of ours

Which reason belongs to which class and gRPC status is a table in `status_map`; construct errors with
`status_map.error_for` or the class itself.
"""

from collections.abc import Mapping
from enum import StrEnum, unique


@unique
class ErrorReason(StrEnum):
    """Why, for machines. Names equal those of the proto enum `ErrorReason` without its prefix."""

    INVALID_FIELD = "INVALID_FIELD"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    FILTER_REJECTED = "FILTER_REJECTED"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    POST_ONLY_WOULD_CROSS = "POST_ONLY_WOULD_CROSS"
    REDUCE_ONLY_REJECTED = "REDUCE_ONLY_REJECTED"
    CLOCK_SKEW = "CLOCK_SKEW"
    STALE_INSTRUMENT = "STALE_INSTRUMENT"
    SYMBOL_NOT_TRADING = "SYMBOL_NOT_TRADING"
    PRICE_BAND = "PRICE_BAND"
    POSITION_MODE = "POSITION_MODE"
    LEVERAGE_LIMIT = "LEVERAGE_LIMIT"
    SELF_TRADE = "SELF_TRADE"
    VENUE_REJECTED = "VENUE_REJECTED"
    RISK_VETO = "RISK_VETO"
    AMEND_REJECTED = "AMEND_REJECTED"
    FENCED = "FENCED"
    NOT_ATTACHED = "NOT_ATTACHED"
    LIQUIDATION = "LIQUIDATION"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    EDIT_REFUSED = "EDIT_REFUSED"
    DUPLICATE_CLIENT_ID = "DUPLICATE_CLIENT_ID"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    NOT_FOUND = "NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"
    IP_BANNED = "IP_BANNED"
    MAX_OPEN_ORDERS = "MAX_OPEN_ORDERS"
    SLOW_READER = "SLOW_READER"
    VENUE_UNAVAILABLE = "VENUE_UNAVAILABLE"
    MAINTENANCE = "MAINTENANCE"
    NOT_CONNECTED = "NOT_CONNECTED"
    FEED_STALE = "FEED_STALE"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    BAD_CREDENTIALS = "BAD_CREDENTIALS"
    ROLE_REQUIRED = "ROLE_REQUIRED"
    VENUE_PERMISSION = "VENUE_PERMISSION"
    INTERNAL = "INTERNAL"


class OpensqtError(Exception):
    """Base of every error OpenSQT raises on purpose.

    Args:
        reason: the machine-readable cause.
        message: what happened, why, and what to do; shown to people as it is.
        metadata: facts for machines (field, limit, value, an order id); never a secret.
        retry_after_ms: when trying again makes sense; None = not known.
    """

    def __init__(
        self,
        reason: ErrorReason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: dict[str, str] = dict(metadata or {})
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason.value}: {self.message})"


class RequestError(OpensqtError):
    """The request is wrong and will stay wrong."""


class StateError(OpensqtError):
    """The request is right, the state of the account, the market or the session is not."""


class ExistsError(OpensqtError):
    """The thing exists already."""


class NotFoundError(OpensqtError):
    """The thing does not exist, or no longer."""


class LimitError(OpensqtError):
    """A limit was reached."""


class UnavailableError(OpensqtError):
    """Certainly not done; may be tried again."""


class OutcomeUnknownError(OpensqtError):
    """May have been done. Query by client order id; never send again."""


class AuthError(OpensqtError):
    """Credentials were refused."""


class RoleError(OpensqtError):
    """The caller's role does not allow it."""


class UnsupportedError(OpensqtError):
    """This service or venue does not offer it."""


class InternalError(OpensqtError):
    """A bug of ours."""


def invalid_field(field: str, value: object, rule: str) -> RequestError:
    """Build the error for one bad field of a request: names the field, its value and the rule it broke."""
    return RequestError(
        ErrorReason.INVALID_FIELD,
        f"{field} was {value!s}: {rule}",
        metadata={"field": field, "value": str(value), "rule": rule},
    )
