"""Error codes of the venue as data: what each means, whether the outcome is known, what to do.

Source: Binance docs, USDⓈ-M futures, "Error Codes", and codes seen in recorded replies. A code that is not listed reads
as a refusal (below HTTP 500), which is what the venue's own rules say of its 4xx answers.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, unique

import msgspec

from opensqt.domain.errors import ErrorReason


@unique
class Executed(Enum):
    """What a failure says about the request."""

    NO = "no"  # certainly not executed, the state is as before
    UNKNOWN = "unknown"  # it may have been: query by client order id before anything else
    ALREADY_SO = "already so"  # nothing to change: what was asked for is the case


@unique
class Action(Enum):
    """What to do about a failure; the value is the sentence a person reads."""

    QUERY_FIRST = "Query by client order id before sending anything again."
    STOP_TRADING = "Stop trading and check the API key, its permissions and its allowed addresses."
    STOP_SYMBOL = "Stop this symbol: the account may not do this."
    WAIT = "Wait before the next request."
    BACK_OFF = "Back off, then try again; cancels may still work."
    RESYNC_CLOCK = "Synchronise with the venue's clock and send once more with a new timestamp."
    FIX_REQUEST = "This is a bug in the request: it will fail again."
    USE_ALGO_API = "Conditional orders belong to the algo order API."
    RELOAD_SYMBOLS = "Reload the symbol's rules."
    REPRICE = "Choose a price inside the allowed band, or one that does not take."
    RESIZE = "Use a bigger order, or a reduce-only one."
    READ_MESSAGE = "The venue's message says why."
    SHRINK = "Free margin or shrink the grid; repeating will not help."
    CANCEL_FIRST = "Cancel some open orders first."
    REFRESH_POSITION = "Refresh the position: a fill was probably faster."
    STOP_OPENING = "Only reduce-only orders are accepted now: stop opening."
    ALARM = "Tell a human now."
    FIX_CONFIG = "Change the account's setting or the configuration; close positions and orders first where it says so."
    ADOPT_ORDER = "An open order has this client id: adopt it."
    LEAVE_ORDER = "The order is as it was before the amendment."
    QUERY_FINAL_STATE = "Query the order: it is filled, cancelled, or never existed."
    NEW_LISTEN_KEY = "Create a new listen key and open the user stream again."
    NOTHING = "Nothing: it is as asked for."


class Meaning(msgspec.Struct, frozen=True):
    """What one code means."""

    reason: ErrorReason
    executed: Executed
    action: Action


def _no(reason: ErrorReason, action: Action) -> Meaning:
    return Meaning(reason, Executed.NO, action)


_R = ErrorReason
_A = Action

OUTCOME_UNKNOWN = Meaning(_R.OUTCOME_UNKNOWN, Executed.UNKNOWN, _A.QUERY_FIRST)
REFUSED = _no(_R.VENUE_REJECTED, _A.READ_MESSAGE)
BAD_KEY = _no(_R.BAD_CREDENTIALS, _A.STOP_TRADING)
NOT_PERMITTED = _no(_R.VENUE_PERMISSION, _A.STOP_SYMBOL)
RATE_LIMITED = _no(_R.RATE_LIMITED, _A.WAIT)
IP_BANNED = _no(_R.IP_BANNED, _A.WAIT)
OVERLOADED = _no(_R.VENUE_UNAVAILABLE, _A.BACK_OFF)
MAINTENANCE = _no(_R.MAINTENANCE, _A.BACK_OFF)
CLOCK_SKEW = _no(_R.CLOCK_SKEW, _A.RESYNC_CLOCK)
BAD_REQUEST = _no(_R.INVALID_FIELD, _A.FIX_REQUEST)
NOT_TRADING = _no(_R.SYMBOL_NOT_TRADING, _A.RELOAD_SYMBOLS)
FILTER = _no(_R.FILTER_REJECTED, _A.RELOAD_SYMBOLS)
PRICE_BAND = _no(_R.PRICE_BAND, _A.REPRICE)
MARGIN = _no(_R.INSUFFICIENT_MARGIN, _A.SHRINK)
OPEN_ORDERS = _no(_R.MAX_OPEN_ORDERS, _A.CANCEL_FIRST)
LEVERAGE = _no(_R.LEVERAGE_LIMIT, _A.SHRINK)
REDUCE_ONLY = _no(_R.REDUCE_ONLY_REJECTED, _A.REFRESH_POSITION)
REDUCING_ONLY = _no(_R.VENUE_REJECTED, _A.STOP_OPENING)
POSITION_MODE = _no(_R.POSITION_MODE, _A.FIX_CONFIG)
MARGIN_MODE = _no(_R.VENUE_REJECTED, _A.FIX_CONFIG)
ALREADY_SO = Meaning(_R.VENUE_REJECTED, Executed.ALREADY_SO, _A.NOTHING)
AMEND = _no(_R.AMEND_REJECTED, _A.LEAVE_ORDER)

# One row per meaning: codes, or (first, last) ranges counted towards zero, both inclusive.
_ROWS: tuple[tuple[Meaning, tuple[int | tuple[int, int], ...]], ...] = (
    (OUTCOME_UNKNOWN, (-1000, -1001, -1006, -1007)),
    (BAD_KEY, (-1002, -1022, -1099, -2014, -2015)),
    (NOT_PERMITTED, (-1005, -1011, -1109, -2017, -4087, -4088, -4192, -4402)),
    (RATE_LIMITED, (-1003, -1015)),
    (OVERLOADED, (-1004, -1008)),
    (MAINTENANCE, (-1016,)),
    (CLOCK_SKEW, (-1021, -5028)),
    (BAD_REQUEST, (-1013, -1023, (-1106, -1100), -1108, (-1111, -1110), (-1120, -1113), -1128, (-1131, -1130), -1136)),
    (BAD_REQUEST, (-2026, -4015, -4004, -4005, -4136, (-5041, -5037))),
    (_no(_R.UNKNOWN_SYMBOL, _A.RELOAD_SYMBOLS), (-1121,)),
    (NOT_TRADING, (-1122, -2016, -4140, -4141, -5024)),
    (FILTER, ((-4003, -4001), -4013, -4014, -4023, -4029, -4030)),
    (PRICE_BAND, (-4016, -4024, -4131)),
    (_no(_R.MIN_NOTIONAL, _A.RESIZE), (-4164, -5029)),
    (REFUSED, (-2010, -2012, -2020, -2021, -4083, -4531)),
    (MARGIN, (-2018, -2019, -2024, -4050, -4051)),
    (OPEN_ORDERS, (-2025, -4045)),
    (LEVERAGE, (-2027, -2028, -4028, -4161, (-4299, -4200))),
    (REDUCE_ONLY, (-2022, -4118)),
    (REDUCING_ONLY, ((-4107, -4105), -4189, -4400, -4401)),
    (_no(_R.LIQUIDATION, _A.ALARM), (-2023,)),
    (POSITION_MODE, ((-4062, -4060), -4067, -4068)),
    (ALREADY_SO, (-4046, -4059, -5027)),
    (MARGIN_MODE, (-4047, -4048, -4168)),
    # The request itself was not executed; the order it collided with is live.
    (_no(_R.DUPLICATE_CLIENT_ID, _A.ADOPT_ORDER), (-4116,)),
    (_no(_R.INVALID_FIELD, _A.USE_ALGO_API), (-4120,)),
    (REFUSED, (-5021,)),
    # Placement failed at once: no user event and no order record follow.
    (_no(_R.POST_ONLY_WOULD_CROSS, _A.REPRICE), (-5022,)),
    (AMEND, (-5025, -5026, -5043, -5047)),
    (_no(_R.UNKNOWN_ORDER, _A.QUERY_FINAL_STATE), (-2011,)),
    # After a place of unknown outcome this is no proof yet: the order may become visible within about two seconds.
    (_no(_R.UNKNOWN_ORDER, _A.QUERY_FIRST), (-2013,)),
    (_no(_R.NOT_FOUND, _A.NEW_LISTEN_KEY), (-1125,)),
    (MAINTENANCE, (239999,)),
)


def _expand(entries: Iterable[int | tuple[int, int]]) -> Iterable[int]:
    for entry in entries:
        first, last = entry if isinstance(entry, tuple) else (entry, entry)
        yield from range(first, last + 1)


def _build() -> Mapping[int, Meaning]:
    table: dict[int, Meaning] = {}
    for meaning, entries in _ROWS:
        for code in _expand(entries):
            assert code not in table, f"{code} is listed twice"
            table[code] = meaning
    return table


MEANINGS: Mapping[int, Meaning] = _build()
"""Meaning of every known code."""
