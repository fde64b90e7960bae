"""The venue's words for orders <-> the domain's, as tables, and how several reports of one order become one.

Reports of one order come from replies, queries and the user stream, in any order: a fill may be known before the order
is. `merge` only moves forward: the larger filled size wins, a terminal state stays (a late fill may complete it), and
price and size are those of the newer report. States follow the domain's transition table.

Words we never send (conditional types, GTD, RPI) appear on orders somebody else placed in the account. They map to the
nearest of ours, so that such an order is seen; unknown words never make an order invisible.
"""

from collections.abc import Mapping

import msgspec

from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import Fill, FillOrigin
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import Cause, OrderState, next_state, state_with_fills

SIDES: Mapping[str, Side] = {"BUY": Side.BUY, "SELL": Side.SELL}
SIDE_WORDS: Mapping[Side, str] = {side: word for word, side in SIDES.items()}

TYPES: Mapping[str, OrderType] = {
    "LIMIT": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP": OrderType.LIMIT,
    "TAKE_PROFIT": OrderType.LIMIT,
    "STOP_MARKET": OrderType.MARKET,
    "TAKE_PROFIT_MARKET": OrderType.MARKET,
    "TRAILING_STOP_MARKET": OrderType.MARKET,
    "LIQUIDATION": OrderType.LIMIT,
}
TYPE_WORDS: Mapping[OrderType, str] = {OrderType.LIMIT: "LIMIT", OrderType.MARKET: "MARKET"}

TIMES_IN_FORCE: Mapping[str, TimeInForce] = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTX": TimeInForce.GTX,
    "GTD": TimeInForce.GTC,
    "GTE_GTC": TimeInForce.GTC,
    "RPI": TimeInForce.GTX,  # rests or is refused, like post-only; matches only orders of the venue's own app
}
TIME_IN_FORCE_WORDS: Mapping[TimeInForce, str] = {tif: tif.name for tif in TimeInForce}

# NEW_INSURANCE and NEW_ADL are the forms in which a liquidation is taken over: what was filled says how they stand.
STATES: Mapping[str, OrderState] = {
    "NEW": OrderState.LIVE,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "NEW_INSURANCE": OrderState.LIVE,
    "NEW_ADL": OrderState.LIVE,
}

# `er` of ORDER_TRADE_UPDATE. 0, 2 and 9 are the ordinary end of an order that may not rest.
EXPIRY_REASONS: Mapping[str, ErrorReason] = {
    "1": ErrorReason.SELF_TRADE,
    "3": ErrorReason.SELF_TRADE,
    "4": ErrorReason.REDUCE_ONLY_REJECTED,
    "5": ErrorReason.LIQUIDATION,
    "6": ErrorReason.VENUE_REJECTED,
    "7": ErrorReason.SYMBOL_NOT_TRADING,
    "8": ErrorReason.VENUE_REJECTED,
}

_CAUSES: Mapping[OrderState, Cause] = {
    OrderState.LIVE: Cause.VENUE_LIVE,
    OrderState.PARTIALLY_FILLED: Cause.VENUE_PARTIAL,
    OrderState.FILLED: Cause.VENUE_FILLED,
    OrderState.CANCELED: Cause.VENUE_CANCELED,
    OrderState.REJECTED: Cause.VENUE_REJECTED,
    OrderState.EXPIRED: Cause.VENUE_EXPIRED,
}

_OPEN = (OrderState.LIVE, OrderState.PARTIALLY_FILLED)

# How the venue names the orders it places itself.
_ORIGINS: tuple[tuple[str, FillOrigin], ...] = (
    ("settlement_autoclose-", FillOrigin.SETTLEMENT),
    ("adl_autoclose", FillOrigin.ADL),
    ("autoclose-", FillOrigin.LIQUIDATION),
)


def order_type_of(word: str, *, has_price: bool) -> OrderType:
    """Return the kind of an order; a word the venue invents later reads as what its price makes it."""
    return TYPES.get(word, OrderType.LIMIT if has_price else OrderType.MARKET)


def time_in_force_of(word: str) -> TimeInForce:
    """Return the time in force; a word the venue invents later reads as resting."""
    return TIMES_IN_FORCE.get(word, TimeInForce.GTC)


def state_of(status: str, filled_lots: int, lots: int) -> OrderState:
    """Return where an order stands by the venue's status and sizes; an unknown status is UNKNOWN until filled."""
    state = STATES.get(status, OrderState.UNKNOWN)
    if state.is_terminal:
        return state
    if 0 < lots <= filled_lots:
        return OrderState.FILLED
    return OrderState.PARTIALLY_FILLED if filled_lots > 0 else state


def expiry_reason(status: str, expiry_code: str) -> ErrorReason | None:
    """Return why an order expired, where it was not its own time in force."""
    if status == "EXPIRED_IN_MATCH":
        return ErrorReason.SELF_TRADE
    return EXPIRY_REASONS.get(expiry_code) if status == "EXPIRED" else None


def origin_of(client_order_id: str, own_prefix: str) -> FillOrigin:
    """Return whose doing the fill of an order was: the venue's (by its ids), ours (by our prefix), else by hand."""
    for prefix, origin in _ORIGINS:
        if client_order_id.startswith(prefix):
            return origin
    return FillOrigin.OURS if client_order_id.startswith(own_prefix) else FillOrigin.MANUAL


def merge(known: Order, report: Order, fill: Fill | None = None, *, is_amendment: bool = False) -> Order:
    """Return what is known of an order after one more report of it.

    Args:
        known: so far.
        report: of the same order, from any source, of any age.
        fill: the execution that the report tells of, if it does.
        is_amendment: whether the report tells of an amendment that was done.
    """
    is_newer = report.updated_time_ns >= known.updated_time_ns
    if report.instrument_revision != known.instrument_revision:
        # Lots of two revisions do not compare: the newer report is the whole truth about sizes.
        sizes = report if is_newer else known
        filled, filled_ticks_lots = sizes.filled_lots, sizes.filled_ticks_lots
    else:
        filled = max(known.filled_lots, report.filled_lots)
        filled_ticks_lots = _filled_ticks_lots(known, report, fill)
    terms = report if is_newer and not known.state.is_terminal else known
    return msgspec.structs.replace(
        known,
        exchange_order_id=known.exchange_order_id or report.exchange_order_id,
        price_ticks=terms.price_ticks,
        lots=terms.lots,
        instrument_revision=terms.instrument_revision,
        filled_lots=filled,
        filled_ticks_lots=filled_ticks_lots,
        state=_merged_state(known, report, filled, is_newer=is_newer, is_amendment=is_amendment),
        reason=known.reason or report.reason,
        created_time_ns=known.created_time_ns or report.created_time_ns,
        updated_time_ns=max(known.updated_time_ns, report.updated_time_ns),
    )


def _merged_state(known: Order, report: Order, filled: int, *, is_newer: bool, is_amendment: bool) -> OrderState:
    cause = Cause.VENUE_AMENDED if is_amendment and not report.state.is_terminal else _CAUSES.get(report.state)
    is_old_news = not is_newer and not report.state.is_terminal and known.state is not OrderState.PENDING_NEW
    if cause is None or is_old_news:
        return state_with_fills(known.state, filled)
    state = next_state(known.state, cause) or known.state
    # Only the larger filled size says whether an open order is partly filled.
    return state_with_fills(OrderState.LIVE, filled) if state in _OPEN else state


def _filled_ticks_lots(known: Order, report: Order, fill: Fill | None) -> int:
    """Keep the exact sum of the fills: as reported, or as the last fill adds to it; 0 when it cannot be known."""
    if report.filled_lots <= known.filled_lots:
        same = report.filled_lots == known.filled_lots
        return known.filled_ticks_lots or (report.filled_ticks_lots if same else 0)
    if report.filled_ticks_lots:
        return report.filled_ticks_lots
    was_known = known.filled_ticks_lots > 0 or known.filled_lots == 0
    if fill is not None and was_known and known.filled_lots + fill.lots == report.filled_lots:
        return known.filled_ticks_lots + fill.price_ticks * fill.lots
    return 0
