"""Exact integer helpers shared by the venue's arithmetic, and the seeded generator it draws from."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import final

WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""For quotients that are shown, never booked."""

_MASK = (1 << 64) - 1


def divide_half_even(numerator: int, denominator: int) -> int:
    """Divide integers, rounding halves to even; the denominator is positive."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and whole & 1):
        whole += 1
    return whole


def round_decimals(value: Decimal, decimals: int) -> Decimal:
    """Round a decimal half to even."""
    return value.quantize(Decimal(1).scaleb(-decimals), context=WIDE)


@final
class SplitMix64:
    """A 64-bit generator whose whole state is one integer: the same numbers on every machine.

    Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), figure 17.
    """

    __slots__ = ("state",)

    def __init__(self, seed: int) -> None:
        self.state = seed & _MASK

    def next64(self) -> int:
        """Return 64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """Return an integer in 0 .. bound-1 (bound up to 2**32: the bias is below 2**-32)."""
        return ((self.next64() >> 32) * bound) >> 32
