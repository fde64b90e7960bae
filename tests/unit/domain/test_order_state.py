"""The order table: terminal states need the venue, stale evidence changes nothing, late fills are believed."""

import pytest

from opensqt.domain.order_state import TERMINAL, TRANSITIONS, Cause, OrderState, next_state, state_with_fills

OURS = (Cause.SEND_AMEND, Cause.SEND_CANCEL, Cause.TIMEOUT)


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(OrderState)


@pytest.mark.parametrize("state", [state for state in OrderState if state not in TERMINAL])
@pytest.mark.parametrize("cause", OURS)
def test_nothing_of_ours_ends_an_order(state: OrderState, cause: Cause) -> None:
    following = next_state(state, cause)
    assert following is None or following not in TERMINAL


@pytest.mark.parametrize("state", sorted(TERMINAL))
@pytest.mark.parametrize("cause", [Cause.VENUE_LIVE, Cause.TIMEOUT, Cause.SEND_CANCEL, Cause.VENUE_CANCELED])
def test_over_is_over(state: OrderState, cause: Cause) -> None:
    assert next_state(state, cause) is state


@pytest.mark.parametrize("state", [OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED])
def test_a_complete_fill_after_the_end_is_believed(state: OrderState) -> None:
    assert next_state(state, Cause.VENUE_FILLED) is OrderState.FILLED


def test_fill_before_the_acknowledgement_is_legal() -> None:
    after_fill = next_state(OrderState.PENDING_NEW, Cause.VENUE_PARTIAL)
    assert after_fill is OrderState.PARTIALLY_FILLED
    assert next_state(after_fill, Cause.VENUE_LIVE) is OrderState.PARTIALLY_FILLED


def test_unknown_ends_only_by_the_venues_word() -> None:
    row = TRANSITIONS[OrderState.UNKNOWN]
    for cause, following in row.items():
        if following is not OrderState.UNKNOWN:
            assert cause.value.startswith("VENUE_")


def test_refused_cancel_of_a_partly_filled_order_leaves_it_partly_filled() -> None:
    state = next_state(OrderState.PENDING_CANCEL, Cause.VENUE_CANCEL_REFUSED)
    assert state is OrderState.LIVE
    assert state_with_fills(state, 3) is OrderState.PARTIALLY_FILLED
    assert state_with_fills(state, 0) is OrderState.LIVE
