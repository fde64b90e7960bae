"""Names of enum values as people and browsers know them: `ORDER_SIDE_BUY` is `BUY`."""

from collections.abc import Iterable

from opensqt.proto.engine_pb2 import GridStepKind, TradingState
from opensqt.proto.errors_pb2 import ErrorReason
from opensqt.proto.trade_pb2 import DeadManState
from opensqt.proto.types_pb2 import FillOrigin, InstrumentStatus, OrderSide, OrderState, OrderStatus, OrderType


def _table(items: Iterable[tuple[str, int]], prefix: str) -> dict[int, str]:
    return {value: name.removeprefix(prefix) for name, value in items}


_TRADING_STATES = _table(TradingState.items(), "TRADING_STATE_")
_GRID_STEPS = _table(GridStepKind.items(), "GRID_STEP_KIND_")
_DEAD_MAN_STATES = _table(DeadManState.items(), "DEAD_MAN_STATE_")
_SIDES = _table(OrderSide.items(), "ORDER_SIDE_")
_ORDER_TYPES = _table(OrderType.items(), "ORDER_TYPE_")
_ORDER_STATES = _table(OrderState.items(), "ORDER_STATE_")
_ORDER_STATUSES = _table(OrderStatus.items(), "ORDER_STATUS_")
_REASONS = _table(ErrorReason.items(), "ERROR_REASON_")
_ORIGINS = _table(FillOrigin.items(), "FILL_ORIGIN_")
_INSTRUMENT_STATUSES = _table(InstrumentStatus.items(), "INSTRUMENT_STATUS_")


def _lookup(table: dict[int, str], value: int) -> str:
    # A peer newer than this page may send values we have no name for; their number still tells something.
    return table.get(value) or str(value)


def trading_state(value: int) -> str:
    """Return the name of a trading state, for example ACTIVE."""
    return _lookup(_TRADING_STATES, value)


def side(value: int) -> str:
    """Return BUY or SELL."""
    return _lookup(_SIDES, value)


def grid_step(value: int) -> str:
    """Return what an edit does with an order: ADD, MOVE or CANCEL."""
    return _lookup(_GRID_STEPS, value)


def dead_man(value: int) -> str:
    """Return the name of a dead-man switch's state, for example ARMED."""
    return _lookup(_DEAD_MAN_STATES, value)


def order_type(value: int) -> str:
    """Return LIMIT or MARKET."""
    return _lookup(_ORDER_TYPES, value)


def order_state(value: int) -> str:
    """Return the name of an order's state in the engine, for example LIVE."""
    return _lookup(_ORDER_STATES, value)


def order_status(value: int) -> str:
    """Return the name of an order's status at the venue, for example NEW."""
    return _lookup(_ORDER_STATUSES, value)


def error_reason(value: int) -> str:
    """Return the name of an error reason, for example POST_ONLY_WOULD_CROSS."""
    return _lookup(_REASONS, value)


def fill_origin(value: int) -> str:
    """Return whose doing a fill was, for example OURS."""
    return _lookup(_ORIGINS, value)


def instrument_status(value: int) -> str:
    """Return whether an instrument trades, for example TRADING."""
    return _lookup(_INSTRUMENT_STATUSES, value)
