"""Order states and their legal transitions, as data.

Two kinds of event move an order: what we do (`Cause.SEND_*`, `Cause.TIMEOUT`) and what the venue proves
(`Cause.VENUE_*`). Terminal states are reached only by the latter. A pair that is not in the table is illegal; the
holder keeps its state, counts it and raises an alarm. A fill is booked in *any* state: the table says only what the
fill does to the state.

The venue's evidence may come in any order (a fill before the acknowledgement, an acknowledgement after the fill), so
evidence that is older than what is known leaves the state as it is instead of being illegal.
"""

from collections.abc import Mapping
from enum import StrEnum, unique


@unique
class OrderState(StrEnum):
    """Where an order stands."""

    PENDING_NEW = "PENDING_NEW"
    LIVE = "LIVE"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_AMEND = "PENDING_AMEND"
    PENDING_CANCEL = "PENDING_CANCEL"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_terminal(self) -> bool:
        """Return whether the order can never trade again."""
        return self in TERMINAL


TERMINAL = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED})


@unique
class Cause(StrEnum):
    """What moves an order."""

    SEND_AMEND = "SEND_AMEND"
    SEND_CANCEL = "SEND_CANCEL"
    TIMEOUT = "TIMEOUT"  # sent, and nobody knows
    VENUE_LIVE = "VENUE_LIVE"  # acknowledged, or seen open
    VENUE_PARTIAL = "VENUE_PARTIAL"  # a fill that leaves something
    VENUE_FILLED = "VENUE_FILLED"
    VENUE_CANCELED = "VENUE_CANCELED"
    VENUE_REJECTED = "VENUE_REJECTED"  # the placement was refused
    VENUE_EXPIRED = "VENUE_EXPIRED"
    VENUE_AMENDED = "VENUE_AMENDED"
    VENUE_AMEND_REFUSED = "VENUE_AMEND_REFUSED"  # the order is unchanged
    VENUE_CANCEL_REFUSED = "VENUE_CANCEL_REFUSED"  # and the order is known to be open still


_S = OrderState
_C = Cause

_VENUE_ENDINGS: dict[Cause, OrderState] = {
    _C.VENUE_FILLED: _S.FILLED,
    _C.VENUE_CANCELED: _S.CANCELED,
    _C.VENUE_EXPIRED: _S.EXPIRED,
}

TRANSITIONS: Mapping[OrderState, Mapping[Cause, OrderState]] = {
    _S.PENDING_NEW: {
        _C.SEND_CANCEL: _S.PENDING_CANCEL,
        _C.TIMEOUT: _S.UNKNOWN,
        _C.VENUE_LIVE: _S.LIVE,
        _C.VENUE_PARTIAL: _S.PARTIALLY_FILLED,
        _C.VENUE_REJECTED: _S.REJECTED,
        **_VENUE_ENDINGS,
    },
    _S.LIVE: {
        _C.SEND_AMEND: _S.PENDING_AMEND,
        _C.SEND_CANCEL: _S.PENDING_CANCEL,
        _C.TIMEOUT: _S.UNKNOWN,
        _C.VENUE_LIVE: _S.LIVE,
        _C.VENUE_PARTIAL: _S.PARTIALLY_FILLED,
        _C.VENUE_AMENDED: _S.LIVE,
        **_VENUE_ENDINGS,
    },
    _S.PARTIALLY_FILLED: {
        _C.SEND_AMEND: _S.PENDING_AMEND,
        _C.SEND_CANCEL: _S.PENDING_CANCEL,
        _C.TIMEOUT: _S.UNKNOWN,
        _C.VENUE_LIVE: _S.PARTIALLY_FILLED,
        _C.VENUE_PARTIAL: _S.PARTIALLY_FILLED,
        _C.VENUE_AMENDED: _S.PARTIALLY_FILLED,
        **_VENUE_ENDINGS,
    },
    _S.PENDING_AMEND: {
        _C.SEND_CANCEL: _S.PENDING_CANCEL,
        _C.TIMEOUT: _S.UNKNOWN,
        _C.VENUE_LIVE: _S.PENDING_AMEND,
        _C.VENUE_PARTIAL: _S.PENDING_AMEND,
        _C.VENUE_AMENDED: _S.LIVE,
        _C.VENUE_AMEND_REFUSED: _S.LIVE,
        **_VENUE_ENDINGS,
    },
    _S.PENDING_CANCEL: {
        _C.SEND_CANCEL: _S.PENDING_CANCEL,
        _C.TIMEOUT: _S.UNKNOWN,
        _C.VENUE_LIVE: _S.PENDING_CANCEL,
        _C.VENUE_PARTIAL: _S.PENDING_CANCEL,
        _C.VENUE_AMENDED: _S.PENDING_CANCEL,
        _C.VENUE_CANCEL_REFUSED: _S.LIVE,
        _C.VENUE_REJECTED: _S.REJECTED,
        **_VENUE_ENDINGS,
    },
    _S.UNKNOWN: {
        _C.SEND_CANCEL: _S.UNKNOWN,
        _C.TIMEOUT: _S.UNKNOWN,
        _C.VENUE_LIVE: _S.LIVE,
        _C.VENUE_PARTIAL: _S.PARTIALLY_FILLED,
        _C.VENUE_AMENDED: _S.LIVE,
        _C.VENUE_REJECTED: _S.REJECTED,
        **_VENUE_ENDINGS,
    },
    # A terminal state stays: later evidence is stale. A late fill is booked by the ledger and changes no state, except
    # that it may complete an order that ended with less.
    _S.FILLED: dict.fromkeys(_C, _S.FILLED),
    _S.CANCELED: {**dict.fromkeys(_C, _S.CANCELED), _C.VENUE_FILLED: _S.FILLED},
    _S.REJECTED: {
        **dict.fromkeys(_C, _S.REJECTED),
        # The venue contradicts its own refusal: believe the trade.
        _C.VENUE_PARTIAL: _S.PARTIALLY_FILLED,
        _C.VENUE_FILLED: _S.FILLED,
    },
    _S.EXPIRED: {**dict.fromkeys(_C, _S.EXPIRED), _C.VENUE_FILLED: _S.FILLED},
}


def next_state(state: OrderState, cause: Cause) -> OrderState | None:
    """Return the state after `cause`, or None when the pair is illegal."""
    return TRANSITIONS[state].get(cause)


def state_with_fills(state: OrderState, filled_lots: int) -> OrderState:
    """Refine LIVE into PARTIALLY_FILLED when something was filled: a refused cancel or an amendment ends in LIVE."""
    return OrderState.PARTIALLY_FILLED if state is OrderState.LIVE and filled_lots > 0 else state
