"""Reasons, statuses and error classes: one table, complete, and the same in both directions."""

import pytest

from opensqt.domain.errors import ErrorReason, OutcomeUnknownError
from opensqt.domain.status_map import (
    STATUS_AND_CLASS,
    GrpcStatus,
    error_for,
    reason_of_status,
    status_of,
)
from opensqt.domain.wire_enum import reason_from_wire, reason_to_wire
from opensqt.proto import errors_pb2


def test_every_reason_has_a_status_and_a_class() -> None:
    assert set(STATUS_AND_CLASS) == set(ErrorReason)


def test_reasons_are_those_of_the_wire() -> None:
    names = errors_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"].values_by_name
    wire = {name.removeprefix("ERROR_REASON_") for name in names} - {"UNSPECIFIED"}
    assert wire == {reason.value for reason in ErrorReason}


@pytest.mark.parametrize("reason", list(ErrorReason))
def test_reason_survives_the_wire(reason: ErrorReason) -> None:
    assert reason_from_wire(reason_to_wire(reason)) is reason
    error = error_for(reason, "why")
    assert type(error) is STATUS_AND_CLASS[reason][1]
    assert error.reason is reason


def test_no_reason_is_unspecified_and_a_future_one_is_a_refusal() -> None:
    assert reason_from_wire(reason_to_wire(None)) is None
    assert reason_from_wire(9999) is ErrorReason.VENUE_REJECTED


def test_no_funds_and_rate_limit_share_neither_status_nor_reason() -> None:
    assert status_of(ErrorReason.INSUFFICIENT_MARGIN) is not status_of(ErrorReason.RATE_LIMITED)


def test_unknown_outcome_is_never_a_status_that_clients_retry() -> None:
    assert status_of(ErrorReason.OUTCOME_UNKNOWN) is GrpcStatus.ABORTED


@pytest.mark.parametrize("code", [1, 2, 4, 11, 15, 77])
def test_status_we_never_send_reads_as_unknown_outcome(code: int) -> None:
    reason = reason_of_status(code)
    assert reason is ErrorReason.OUTCOME_UNKNOWN
    assert isinstance(error_for(reason, ""), OutcomeUnknownError)


@pytest.mark.parametrize("status", list(GrpcStatus))
def test_fallback_reason_has_the_status_it_came_with(status: GrpcStatus) -> None:
    assert status_of(reason_of_status(status)) is status
