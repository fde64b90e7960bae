"""Why a bot trades less than it could: every code, what it does to the state, and what to tell people.

The codes are the vocabulary of the state stream, the journal and metrics; this table is the only place that knows them.
"""

from enum import Enum, IntEnum, StrEnum, unique
from typing import NamedTuple


@unique
class TradingState(IntEnum):
    """What a bot may send; the numbers are those of the wire."""

    STARTING = 1  # attaching, recovering, checking
    ACTIVE = 2
    REDUCING = 3  # nothing that opens
    HALTED = 4  # nothing but cancels
    STOPPED = 5


@unique
class Pull(Enum):
    """What happens to resting opening orders."""

    NOW = "now"
    WHEN_STALE = "when_stale"  # once the reason has lasted longer than the stale budget
    KEEP = "keep"


@unique
class Code(StrEnum):
    """The reasons."""

    CONNECTOR_DOWN = "CONNECTOR_DOWN"
    RECOVERING = "RECOVERING"
    WAITING_FOR_PRICE = "WAITING_FOR_PRICE"
    WAITING_FOR_DISK = "WAITING_FOR_DISK"
    WAITING_FOR_LEVERAGE = "WAITING_FOR_LEVERAGE"
    START_CHECK = "START_CHECK"
    BOOK_NOT_VALID = "BOOK_NOT_VALID"
    MARKET_STREAM_DOWN = "MARKET_STREAM_DOWN"
    PRIVATE_STREAM_DOWN = "PRIVATE_STREAM_DOWN"
    SYMBOL_NOT_TRADING = "SYMBOL_NOT_TRADING"
    INSTRUMENT_CHANGED = "INSTRUMENT_CHANGED"
    OPERATOR_PAUSE = "OPERATOR_PAUSE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    POSITION_MISMATCH = "POSITION_MISMATCH"
    OVERSOLD = "OVERSOLD"
    LEVERAGE_REFUSED = "LEVERAGE_REFUSED"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    RATE_LIMITED = "RATE_LIMITED"
    LIQUIDATED = "LIQUIDATED"
    STORE_STALLED = "STORE_STALLED"
    FENCED = "FENCED"


class Policy(NamedTuple):
    """What a reason does while it holds."""

    state: TradingState
    pull: Pull


POLICIES: dict[Code, Policy] = {
    Code.CONNECTOR_DOWN: Policy(TradingState.REDUCING, Pull.KEEP),
    Code.RECOVERING: Policy(TradingState.STARTING, Pull.KEEP),
    Code.WAITING_FOR_PRICE: Policy(TradingState.STARTING, Pull.KEEP),
    Code.WAITING_FOR_DISK: Policy(TradingState.STARTING, Pull.KEEP),
    Code.WAITING_FOR_LEVERAGE: Policy(TradingState.STARTING, Pull.KEEP),
    Code.START_CHECK: Policy(TradingState.HALTED, Pull.NOW),
    Code.BOOK_NOT_VALID: Policy(TradingState.REDUCING, Pull.WHEN_STALE),
    Code.MARKET_STREAM_DOWN: Policy(TradingState.REDUCING, Pull.WHEN_STALE),
    Code.PRIVATE_STREAM_DOWN: Policy(TradingState.REDUCING, Pull.WHEN_STALE),
    Code.SYMBOL_NOT_TRADING: Policy(TradingState.HALTED, Pull.NOW),
    Code.INSTRUMENT_CHANGED: Policy(TradingState.HALTED, Pull.NOW),
    Code.OPERATOR_PAUSE: Policy(TradingState.REDUCING, Pull.NOW),
    Code.OUT_OF_RANGE: Policy(TradingState.REDUCING, Pull.NOW),
    Code.POSITION_MISMATCH: Policy(TradingState.REDUCING, Pull.NOW),
    Code.OVERSOLD: Policy(TradingState.REDUCING, Pull.NOW),
    Code.LEVERAGE_REFUSED: Policy(TradingState.HALTED, Pull.NOW),
    Code.INSUFFICIENT_MARGIN: Policy(TradingState.REDUCING, Pull.KEEP),
    Code.RATE_LIMITED: Policy(TradingState.REDUCING, Pull.KEEP),
    Code.LIQUIDATED: Policy(TradingState.HALTED, Pull.NOW),
    Code.STORE_STALLED: Policy(TradingState.REDUCING, Pull.KEEP),
    Code.FENCED: Policy(TradingState.HALTED, Pull.KEEP),
}
