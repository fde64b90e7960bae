"""Why a bot trades less than it could: every code and what it does while it holds.

This enum is the only vocabulary for it: the gate, the state stream, the journal, the metric labels, the page and
docs/risk.md all use these codes. What people read for each stands in `reason_texts`. Codes that refuse one order only
(`Policy.state` ACTIVE) never change the bot's state.
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
    """What is taken off the market."""

    KEEP = "keep"
    WHEN_STALE = "when_stale"  # opening orders, once the reason has lasted longer than the stale budget
    NOW = "now"  # opening orders
    ALL = "all"  # every order of ours
    FLATTEN = "flatten"  # every order of ours, then the position


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
    LOOP_STALLED = "LOOP_STALLED"
    CLOCK_SKEW = "CLOCK_SKEW"
    PRICE_JUMP = "PRICE_JUMP"
    SYMBOL_NOT_TRADING = "SYMBOL_NOT_TRADING"
    INSTRUMENT_CHANGED = "INSTRUMENT_CHANGED"
    OPERATOR_PAUSE = "OPERATOR_PAUSE"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    POSITION_MISMATCH = "POSITION_MISMATCH"
    OVERSOLD = "OVERSOLD"
    LEVERAGE_REFUSED = "LEVERAGE_REFUSED"
    SETTINGS_CHANGED = "SETTINGS_CHANGED"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    RATE_LIMITED = "RATE_LIMITED"
    FILL_RATE = "FILL_RATE"
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    LIQUIDATION_NEAR = "LIQUIDATION_NEAR"
    VOLUME_HALT = "VOLUME_HALT"
    LIQUIDATED = "LIQUIDATED"
    CREDENTIALS_REFUSED = "CREDENTIALS_REFUSED"
    UNKNOWN_ORDERS = "UNKNOWN_ORDERS"
    STORE_STALLED = "STORE_STALLED"
    STORE_LOST = "STORE_LOST"
    FENCED = "FENCED"
    # These refuse single orders.
    MAX_POSITION = "MAX_POSITION"
    MAX_NOTIONAL = "MAX_NOTIONAL"
    MAX_ORDER_NOTIONAL = "MAX_ORDER_NOTIONAL"
    MAX_OPEN_ORDERS = "MAX_OPEN_ORDERS"
    ORDER_RATE = "ORDER_RATE"
    PRICE_COLLAR = "PRICE_COLLAR"
    SELF_TRADE = "SELF_TRADE"
    FILTER_REJECTED = "FILTER_REJECTED"


class Policy(NamedTuple):
    """What a reason does while it holds."""

    state: TradingState
    pull: Pull


@unique
class Action(StrEnum):
    """What a reached limit does; the configuration chooses."""

    PAUSE_OPENING = "pause_opening"  # nothing new opens; what rests stays
    REDUCE_ONLY = "reduce_only"  # nothing opens, opening orders go; take-profits stay
    CANCEL_ALL = "cancel_all"  # every order of ours goes
    FLATTEN = "flatten"  # every order of ours goes, then the position is closed


ACTION_POLICIES: dict[Action, Policy] = {
    Action.PAUSE_OPENING: Policy(TradingState.REDUCING, Pull.KEEP),
    Action.REDUCE_ONLY: Policy(TradingState.REDUCING, Pull.NOW),
    Action.CANCEL_ALL: Policy(TradingState.HALTED, Pull.ALL),
    Action.FLATTEN: Policy(TradingState.HALTED, Pull.FLATTEN),
}

WITHHOLD = Policy(TradingState.ACTIVE, Pull.KEEP)

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
    Code.LOOP_STALLED: Policy(TradingState.REDUCING, Pull.WHEN_STALE),
    Code.CLOCK_SKEW: ACTION_POLICIES[Action.PAUSE_OPENING],
    Code.PRICE_JUMP: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.SYMBOL_NOT_TRADING: Policy(TradingState.HALTED, Pull.NOW),
    Code.INSTRUMENT_CHANGED: Policy(TradingState.HALTED, Pull.NOW),
    Code.OPERATOR_PAUSE: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.OUT_OF_RANGE: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.POSITION_MISMATCH: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.OVERSOLD: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.LEVERAGE_REFUSED: Policy(TradingState.HALTED, Pull.NOW),
    Code.SETTINGS_CHANGED: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.INSUFFICIENT_MARGIN: ACTION_POLICIES[Action.PAUSE_OPENING],
    Code.RATE_LIMITED: ACTION_POLICIES[Action.PAUSE_OPENING],
    Code.FILL_RATE: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.DAILY_LOSS: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.DRAWDOWN: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.LIQUIDATION_NEAR: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.VOLUME_HALT: ACTION_POLICIES[Action.REDUCE_ONLY],
    Code.LIQUIDATED: Policy(TradingState.HALTED, Pull.NOW),
    Code.CREDENTIALS_REFUSED: Policy(TradingState.HALTED, Pull.NOW),
    Code.UNKNOWN_ORDERS: ACTION_POLICIES[Action.CANCEL_ALL],
    Code.STORE_STALLED: ACTION_POLICIES[Action.PAUSE_OPENING],
    Code.STORE_LOST: ACTION_POLICIES[Action.CANCEL_ALL],
    Code.FENCED: Policy(TradingState.HALTED, Pull.KEEP),
    Code.MAX_POSITION: WITHHOLD,
    Code.MAX_NOTIONAL: WITHHOLD,
    Code.MAX_ORDER_NOTIONAL: WITHHOLD,
    Code.MAX_OPEN_ORDERS: WITHHOLD,
    Code.ORDER_RATE: WITHHOLD,
    Code.PRICE_COLLAR: WITHHOLD,
    Code.SELF_TRADE: WITHHOLD,
    Code.FILTER_REJECTED: WITHHOLD,
}
"""What each code does unless the configuration names another action for it."""

ACTION_KEYS: dict[Code, str] = {
    Code.PRICE_JUMP: "risk.jumps.action",
    Code.CLOCK_SKEW: "risk.clock.action",
    Code.SETTINGS_CHANGED: "risk.settings_action",
    Code.FILL_RATE: "risk.fill_rate.action",
    Code.DAILY_LOSS: "risk.daily_loss.action",
    Code.DRAWDOWN: "risk.drawdown.action",
    Code.LIQUIDATION_NEAR: "risk.liquidation.action",
    Code.VOLUME_HALT: "volume_halt.action",
}
"""Where the configuration names another action for a code."""
