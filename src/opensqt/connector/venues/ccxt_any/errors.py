"""What ccxt raises -> why, and whether a request that changes something may have been done nevertheless.

The table names every class of ccxt's hierarchy; a class it does not know (of a later ccxt) reads as the nearest
ancestor it does. Refused are only those classes that mean "this request, for this reason, no". The general
`ExchangeError` is not among them: ccxt raises it for every answer it cannot place, also for "outcome unknown".
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.domain.status_map import error_for

_R = ErrorReason

CRASHES: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What ccxt lets through when an exchange answers something it did not expect."""


class Meaning(msgspec.Struct, frozen=True):
    """Why a request failed; `is_refusal`: certainly not done. `pause_ms`: when to come again, 0 = not said."""

    reason: ErrorReason
    is_refusal: bool
    pause_ms: int = 0


def _no(reason: ErrorReason, pause_ms: int = 0) -> Meaning:
    return Meaning(reason, True, pause_ms)


def _maybe(reason: ErrorReason = _R.VENUE_UNAVAILABLE) -> Meaning:
    return Meaning(reason, False)


MEANINGS: Final[Mapping[str, Meaning]] = {
    "BaseError": _maybe(),
    "ExchangeError": _maybe(_R.VENUE_REJECTED),
    "AuthenticationError": _no(_R.BAD_CREDENTIALS),
    "PermissionDenied": _no(_R.VENUE_PERMISSION),
    "AccountNotEnabled": _no(_R.VENUE_PERMISSION),
    "AccountSuspended": _no(_R.VENUE_PERMISSION),
    "ArgumentsRequired": _no(_R.INVALID_FIELD),
    "BadRequest": _no(_R.INVALID_FIELD),
    "BadSymbol": _no(_R.UNKNOWN_SYMBOL),
    "OperationRejected": _no(_R.VENUE_REJECTED),
    "NoChange": _no(_R.VENUE_REJECTED),
    "MarginModeAlreadySet": _no(_R.VENUE_REJECTED),
    "MarketClosed": _no(_R.SYMBOL_NOT_TRADING),
    "ManualInteractionNeeded": _no(_R.VENUE_PERMISSION),
    "RestrictedLocation": _no(_R.VENUE_PERMISSION),
    "InsufficientFunds": _no(_R.INSUFFICIENT_MARGIN),
    "InvalidAddress": _no(_R.INVALID_FIELD),
    "AddressPending": _no(_R.INVALID_FIELD),
    "InvalidOrder": _no(_R.VENUE_REJECTED),
    "OrderNotFound": _no(_R.UNKNOWN_ORDER),
    # It is ccxt's own cache that misses it, before anything is sent.
    "OrderNotCached": _no(_R.NOT_SUPPORTED),
    "OrderImmediatelyFillable": _no(_R.POST_ONLY_WOULD_CROSS),
    "OrderNotFillable": _no(_R.VENUE_REJECTED),
    "DuplicateOrderId": _no(_R.DUPLICATE_CLIENT_ID),
    "ContractUnavailable": _no(_R.SYMBOL_NOT_TRADING),
    "NotSupported": _no(_R.NOT_SUPPORTED),
    "InvalidProxySettings": _no(_R.NOT_CONNECTED),
    "ExchangeClosedByUser": _maybe(_R.SHUTTING_DOWN),
    "OperationFailed": _maybe(),
    "NetworkError": _maybe(),
    "DDoSProtection": _no(_R.RATE_LIMITED, 60_000),
    "RateLimitExceeded": _no(_R.RATE_LIMITED, 1_000),
    "ExchangeNotAvailable": _maybe(),
    # A subclass of "not available": a gateway's page may say so of a request that was passed on.
    "OnMaintenance": _maybe(_R.MAINTENANCE),
    "InvalidNonce": _no(_R.CLOCK_SKEW),
    "ChecksumError": _maybe(),
    "RequestTimeout": _maybe(),
    "BadResponse": _maybe(),
    "NullResponse": _maybe(),
    "CancelPending": _maybe(),
    "UnsubscribeError": _maybe(),
}

_UNEXPECTED: Final = _maybe()
_POST_ONLY_WORDS: Final = re.compile(r"post.?only|as (a )?maker|OrderNotFillable", re.IGNORECASE)


class Failure(msgspec.Struct, frozen=True):
    """A call that failed: what it means, and the exchange's words."""

    meaning: Meaning
    message: str

    def query_error(self, what: str) -> OpensqtError:
        """Return the typed error of a query."""
        return error_for(
            self.meaning.reason,
            f"{what} failed: {self.message}",
            retry_after_ms=self.meaning.pause_ms or None,
        )


def meaning_of(kind: type[BaseException]) -> Meaning:
    """Return the meaning of an exception class: its own, or its nearest known ancestor's."""
    return next((MEANINGS[base.__name__] for base in kind.__mro__ if base.__name__ in MEANINGS), _UNEXPECTED)


def failure_of(error: BaseException) -> Failure:
    """Return what an exception says."""
    words = " ".join(str(error).split())[:400]
    return Failure(meaning_of(type(error)), f"{type(error).__name__}: {words}" if words else type(error).__name__)


def placement_reason(failure: Failure, *, post_only: bool) -> ErrorReason:
    """Return why a placement was refused.

    ccxt has several classes for a post-only order that would have crossed; the exchange's words tell it from the rest.
    """
    if post_only and _POST_ONLY_WORDS.search(failure.message):
        return ErrorReason.POST_ONLY_WOULD_CROSS
    return failure.meaning.reason


def is_refused_placement(failure: Failure) -> bool:
    """Return whether a placement certainly made no order.

    "Order not found" is no answer to a placement: ccxt asked for the order after sending it.
    """
    return failure.meaning.is_refusal and failure.meaning.reason is not ErrorReason.UNKNOWN_ORDER
