"""The lattice rules written as plainly as possible, over exact fractions."""

from fractions import Fraction
from math import floor


def round_half_away(value: Fraction) -> int:
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


class LatticeModel:
    """Levels of an arithmetic (interval) or geometric (ratio in parts per billion) lattice."""

    def __init__(self, anchor: int, interval: int = 0, ratio_ppb: int = 0) -> None:
        self.anchor = anchor
        self.interval = interval
        self.ratio = 1 + Fraction(ratio_ppb, 10**9)
        self.geometric = ratio_ppb > 0
        self.known: dict[int, int | None] = {}

    def level(self, k: int) -> int | None:
        """Return the price of level k, None where it does not exist."""
        if not self.geometric:
            level = self.anchor + k * self.interval
            return level if level > 0 else None
        if k == 0:
            return self.anchor
        step = 1 if k > 0 else -1
        if k not in self.known:
            nearer = self.level(k - step)
            if nearer is None:
                return None
            exact = round_half_away(self.anchor * self.ratio**k)
            level = max(exact, nearer + 1) if step > 0 else min(exact, nearer - 1)
            self.known[k] = level if level > 0 else None
        return self.known[k]

    def at_or_below(self, price: int) -> int:
        """Return the highest index whose level is at most the price, one below the lowest where there is none."""
        k = 0
        while (above := self.level(k + 1)) is not None and above <= price:
            k += 1
        while (level := self.level(k)) is not None and level > price:
            k -= 1
        return k

    def near(self, price: Fraction) -> int:
        """Return the nearest existing level; a tie goes away from the anchor."""
        if not self.geometric:
            k = round_half_away((price - self.anchor) / self.interval)
            while self.level(k) is None:
                k += 1
            return k
        low = self.at_or_below(floor(price))
        candidates = [k for k in (low, low + 1) if self.level(k) is not None]
        return min(candidates, key=lambda k: (abs(self.level(k) - price), -abs(k)))  # type: ignore[operator]


def buy_window(lattice: LatticeModel, price: Fraction, window: int, safety_permille: int) -> list[int]:
    centre = lattice.near(price)
    here, above = lattice.level(centre), lattice.level(centre + 1)
    assert here is not None
    assert above is not None
    bound = price - Fraction(safety_permille, 1000) * (above - here)
    levels = [(centre - i, lattice.level(centre - i)) for i in range(window)]
    return [k for k, level in levels if level is not None and level < bound]


def sell_window(lattice: LatticeModel, price: Fraction, window: int, filled: list[int]) -> list[int]:
    if lattice.geometric:
        top = lattice.level(lattice.near(price) + window)
        assert top is not None
        bound = Fraction(top)
    else:
        bound = price + window * lattice.interval
    held = [(k, lattice.level(k)) for k in filled]
    inside = [(abs(level - price), k) for k, level in held if level is not None and level <= bound]
    return [k for _, k in sorted(inside)]


def lots_for_quote(quote: int, price: int, units: int) -> int:
    return floor(Fraction(quote, price * units))
