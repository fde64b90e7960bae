"""Naive model of the fixed kernel: the same conversions with Decimal and a regular expression."""

import re
from decimal import Context, Decimal, Inexact

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_INT64_MAX = 2**63 - 1
# Wide enough for any text a test invents; an inexact step would be a bug of the model.
_EXACT = Context(prec=400, Emax=999, Emin=-999, traps=[Inexact])


def parse(text: str, increment: str) -> int | str:
    """Return the multiple, or why there is none: "not a number", "overflow" or "off increment"."""
    if _NUMBER.fullmatch(text) is None:
        return "not a number"
    step = Decimal(increment).normalize()
    places = max(0, -int(step.as_tuple().exponent))
    scaled = _EXACT.scaleb(_EXACT.create_decimal(text), places)
    unit = int(step.scaleb(places))
    if int(abs(scaled)) > _INT64_MAX:
        return "overflow"
    if scaled != int(scaled) or int(scaled) % unit:
        return "off increment"
    quotient = abs(int(scaled)) // unit
    return -quotient if scaled < 0 else quotient


def format_multiple(n: int, increment: str) -> str:
    """Return n increments in plain notation with the increment's decimals."""
    step = Decimal(increment)
    places = max(0, -int(step.as_tuple().exponent))
    return f"{_EXACT.multiply(_EXACT.create_decimal(n), step):.{places}f}".replace("-0" * (n == 0), "0" * (n == 0))
