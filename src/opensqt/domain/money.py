"""Money, exactly: integers in units of 10**-scale of the settle asset, `Decimal` only at the edges.

One tick-lot (one lot moved by one tick) of an instrument is a whole number of units, so profit is integer arithmetic.
Fees and funding come from the venue in decimals of the settle asset and are taken as they are; a figure finer than
the scale is an error, never rounded away.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation

from opensqt.domain.errors import invalid_field

MIN_MONEY_SCALE = 8
"""Venues book fees with 8 decimals; scales are never coarser."""

MAX_EXPONENT = 18
"""No price or size has more digits before its point; a longer one is an attack or a bug."""

MAX_DECIMALS = 18
"""No venue counts finer; with MAX_EXPONENT it keeps products of two wire decimals exact in `EXACT`."""

MAX_SHOWN = 40
"""Of a refused number, an error shows no more characters."""

EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
"""Decimal arithmetic that raises instead of rounding."""


def to_units(amount: Decimal, scale: int) -> int:
    """Convert an amount to integer units.

    Args:
        amount: of the settle asset.
        scale: decimals of one unit.

    Raises:
        RequestError: the amount is not finite, or finer than one unit.
    """
    if not amount.is_finite():
        raise invalid_field("amount", amount, "must be a finite number")
    scaled = amount.scaleb(scale, EXACT)
    units = int(scaled)
    if units != scaled:
        raise invalid_field("amount", amount, f"is finer than 10^-{scale}, the unit of this account")
    return units


def from_units(units: int, scale: int) -> Decimal:
    """Convert integer units to an exact amount with `scale` decimals."""
    return Decimal(units).scaleb(-scale, EXACT)


def decimals_of(value: Decimal) -> int:
    """Return how many decimals a value needs (0.10 -> 1, 100 -> 0)."""
    exponent = value.normalize(EXACT).as_tuple().exponent
    assert isinstance(exponent, int), "only finite values reach this"
    return max(0, -exponent)


def whole_multiple(value: Decimal, step: Decimal) -> int | None:
    """Return value / step when that is a positive whole number, else None (also for NaN and infinity)."""
    if not value.is_finite() or value <= 0 or value.adjusted() > MAX_EXPONENT:
        return None
    quotient, remainder = divmod_exact(value, step)
    return None if remainder else quotient


def divmod_exact(value: Decimal, step: Decimal) -> tuple[int, Decimal]:
    """Divide into a whole quotient and an exact remainder."""
    quotient, remainder = EXACT.divmod(value, step)
    return int(quotient), remainder


def parse_decimal(text: str, field: str) -> Decimal:
    """Parse the text of a wire decimal.

    Raises:
        RequestError: empty, not a number, NaN, infinite, or of more digits than money has; names `field`.
    """
    try:
        value = Decimal(text)
    except (InvalidOperation, ValueError):
        raise invalid_field(field, repr(text), "must be a decimal number, for example 0.001") from None
    if not value.is_finite():
        raise invalid_field(field, repr(text), "must be a finite number")
    if not value:
        return Decimal(0)
    if value.adjusted() > MAX_EXPONENT or _finest(value) > MAX_DECIMALS:
        shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
        raise invalid_field(
            field,
            repr(shown),
            f"must have at most {MAX_EXPONENT + 1} digits before the point and {MAX_DECIMALS} after it",
        )
    return value


def _finest(value: Decimal) -> int:
    """Return the place of the last digit that is not zero, without writing a long number out."""
    _sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "only finite values reach this"
    trailing = next(index for index, digit in enumerate(reversed(digits)) if digit)
    return -(exponent + trailing)


def plain(value: Decimal) -> str:
    """Write a decimal without exponent and without trailing zeros (1E+2 -> 100, 0.10 -> 0.1)."""
    text = format(value.normalize(EXACT), "f")
    return "0" if text == "-0" else text
