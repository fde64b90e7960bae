"""Every class of ccxt's hierarchy has a meaning, and nothing ambiguous ever reads as "no"."""

from collections.abc import Iterator

import pytest
from models.ccxt_exchange import BaseError, ccxt_error

from opensqt.connector.venues.ccxt_any.errors import (
    MEANINGS,
    failure_of,
    is_refused_placement,
    meaning_of,
    placement_reason,
)
from opensqt.domain.errors import ErrorReason, LimitError

# ccxt and its dependencies warn about themselves; that is not ours to judge.
pytestmark = pytest.mark.filterwarnings("default")


def hierarchy(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for kind in root.__subclasses__():
        yield from hierarchy(kind)


def test_every_exception_class_of_ccxt_has_a_meaning_of_its_own() -> None:
    errors = pytest.importorskip("ccxt.base.errors", reason="ccxt is not installed here; the extra [ccxt] has it")
    kinds = {kind.__name__ for kind in hierarchy(errors.BaseError) if kind.__module__.startswith("ccxt")}
    assert kinds - MEANINGS.keys() == set(), "classes of ccxt without a line in MEANINGS"
    assert MEANINGS.keys() - kinds == set(), "lines in MEANINGS that ccxt does not raise"


@pytest.mark.parametrize(
    "name",
    [
        "BaseError",
        "ExchangeError",
        "OperationFailed",
        "NetworkError",
        "RequestTimeout",
        "ExchangeNotAvailable",
        "OnMaintenance",
        "BadResponse",
        "NullResponse",
        "ExchangeClosedByUser",
        "CancelPending",
    ],
)
def test_failures_that_may_hide_an_executed_order_are_no_refusal(name: str) -> None:
    assert not MEANINGS[name].is_refusal


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("InsufficientFunds", ErrorReason.INSUFFICIENT_MARGIN),
        ("InvalidOrder", ErrorReason.VENUE_REJECTED),
        ("OrderImmediatelyFillable", ErrorReason.POST_ONLY_WOULD_CROSS),
        ("DuplicateOrderId", ErrorReason.DUPLICATE_CLIENT_ID),
        ("OrderNotFound", ErrorReason.UNKNOWN_ORDER),
        ("RateLimitExceeded", ErrorReason.RATE_LIMITED),
        ("DDoSProtection", ErrorReason.RATE_LIMITED),
        ("AuthenticationError", ErrorReason.BAD_CREDENTIALS),
        ("PermissionDenied", ErrorReason.VENUE_PERMISSION),
        ("BadSymbol", ErrorReason.UNKNOWN_SYMBOL),
        ("InvalidNonce", ErrorReason.CLOCK_SKEW),
    ],
)
def test_refusals_have_their_reason(name: str, reason: ErrorReason) -> None:
    assert (MEANINGS[name].reason, MEANINGS[name].is_refusal) == (reason, True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("InvalidOrder", '{"code":-5022,"msg":"the Post Only order will be rejected"}'),
        ("InvalidOrder", "order could not be executed as maker"),
        ("OrderNotFillable", "no"),
    ],
)
def test_post_only_order_that_would_cross_is_known_by_the_exchanges_words(name: str, words: str) -> None:
    failure = failure_of(ccxt_error(name)(words))
    assert placement_reason(failure, post_only=True) is ErrorReason.POST_ONLY_WOULD_CROSS
    assert placement_reason(failure, post_only=False) is ErrorReason.VENUE_REJECTED


def test_post_only_order_that_is_refused_for_another_reason_keeps_it() -> None:
    failure = failure_of(ccxt_error("InsufficientFunds")("margin is insufficient"))
    assert placement_reason(failure, post_only=True) is ErrorReason.INSUFFICIENT_MARGIN


def test_class_of_a_later_ccxt_reads_as_its_nearest_known_ancestor() -> None:
    kind = ccxt_error("MarginCallError", "InsufficientFunds", "ExchangeError")
    assert meaning_of(kind) is MEANINGS["InsufficientFunds"]


def test_exception_that_is_not_of_ccxt_is_no_refusal() -> None:
    assert not meaning_of(KeyError).is_refusal
    assert meaning_of(BaseError) is MEANINGS["BaseError"]


def test_order_not_found_is_no_answer_to_a_placement() -> None:
    assert not is_refused_placement(failure_of(ccxt_error("OrderNotFound")("no such order")))


def test_query_error_carries_the_exchanges_words_and_when_to_come_again() -> None:
    error = failure_of(ccxt_error("RateLimitExceeded")("too many\nrequests")).query_error("query book")
    assert isinstance(error, LimitError)
    assert error.retry_after_ms == 1_000
    assert "query book failed: RateLimitExceeded: too many requests" in str(error)
