"""ccxt's numbers as exact decimals, ticks and lots.

ccxt hands out texts (it is asked to), or floats where an exchange's class insists. A float is read by its shortest
text, which is the exchange's own figure as long as that has no more than 15 digits; longer ones come out off-tick and
are refused, never rounded.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from opensqt.connector.venues.ccxt_any.library import Payload
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, OpensqtError, RequestError, UnavailableError
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT, whole_multiple

ZERO = Decimal(0)


class UnreadableError(ValueError):
    """The exchange, or ccxt's reading of it, says something that cannot be expressed exactly."""


def unreadable(what: str, why: object) -> OpensqtError:
    """Return the error of a query whose answer cannot be read."""
    return UnavailableError(ErrorReason.VENUE_UNAVAILABLE, f"{what} cannot be read: {why}")


def optional(value: object, what: str) -> Decimal | None:
    """Return a number exactly, None when there is none.

    Raises:
        UnreadableError: it is something else than a finite number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise UnreadableError(f"{what} was {value!r}, not a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise UnreadableError(f"{what} was {value!r}, not a number") from None
    if not number.is_finite():
        raise UnreadableError(f"{what} was {value!r}, not a finite number")
    return number


def required(value: object, what: str) -> Decimal:
    """Return a number that must be there.

    Raises:
        UnreadableError: it is missing or no number.
    """
    number = optional(value, what)
    if number is None:
        raise UnreadableError(f"{what} was missing")
    return number


def ticks(value: object, instrument: Instrument, what: str = "price") -> int:
    """Return a price in ticks; a missing one or zero is 0 (a market order's).

    Raises:
        UnreadableError: off-tick, negative, or no number.
    """
    price = optional(value, what)
    if not price:
        return 0
    try:
        return instrument.price_to_ticks(price, what)
    except RequestError as error:
        raise UnreadableError(error.message) from None


def lots(value: object, instrument: Instrument, what: str = "amount") -> int:
    """Return an amount, which ccxt counts in contracts, in lots; a missing one is 0.

    Raises:
        UnreadableError: no multiple of the lot size, negative, or no number.
    """
    amount = optional(value, what)
    if not amount:
        return 0
    count = whole_multiple(amount, instrument.lot_size)
    if count is None:
        raise UnreadableError(f"{what} {value} is not a positive multiple of {instrument.lot_size} contracts")
    return count


def whole_lots(value: object, instrument: Instrument, what: str) -> int:
    """Return the whole lots in a sum over the market (a volume, the open interest), which need not be a multiple."""
    amount = optional(value, what)
    return 0 if amount is None or amount <= 0 else int(EXACT.divide_int(amount, instrument.lot_size))


def price_text(price_ticks: int, instrument: Instrument) -> str:
    """Return a price as ccxt takes it."""
    return format(instrument.ticks_to_price(price_ticks), "f")


def amount_text(count: int, instrument: Instrument) -> str:
    """Return a size in contracts, as ccxt takes it."""
    return format(EXACT.multiply(Decimal(count), instrument.lot_size), "f")


def time_ns(value: object) -> int:
    """Return a time of ccxt, in ms, in ns; 0 when it is not known."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        return int(Decimal(str(value))) * NS_PER_MS
    except (InvalidOperation, ValueError, OverflowError):
        return 0


def text(payload: Payload, name: str) -> str:
    """Return a text member; a number is written out, nothing is empty."""
    value = payload.get(name)
    return "" if value is None else str(value)


def payload(value: Any, what: str) -> Payload:
    """Return a structure.

    Raises:
        UnreadableError: it is none.
    """
    if not isinstance(value, dict):
        raise UnreadableError(f"{what} was {type(value).__name__}, not a structure")
    return value


def rows(value: Any, what: str) -> list[Any]:
    """Return a list; nothing else ever reads as "none".

    Raises:
        UnreadableError: it is none.
    """
    if not isinstance(value, list):
        raise UnreadableError(f"{what} was {type(value).__name__}, not a list")
    return list(value)
