from collections.abc import Iterable
from typing import Final, final

MAX_PRICE_TICKS: Final[int]
"""The highest price a level may have."""

@final
class Lattice:
    """An immutable ladder of price levels: `k` is any integer, its price a pure function of the anchor and the step.

    Levels at or below zero, or above `MAX_PRICE_TICKS`, do not exist.
    """

    @property
    def anchor_ticks(self) -> int:
        """The price of level 0."""
    @property
    def interval_ticks(self) -> int:
        """The distance between levels; 0 on a geometric lattice."""
    @property
    def ratio_ppb(self) -> int:
        """The relative step in parts per billion; 0 on an arithmetic lattice."""
    @property
    def lowest_index(self) -> int:
        """The lowest level that exists."""
    def __init__(self, anchor_ticks: int, interval_ticks: int, ratio_ppb: int) -> None:
        """Make either kind: exactly one of the two steps is not 0. Prefer the named constructors."""
    @staticmethod
    def arithmetic(anchor_ticks: int, interval_ticks: int) -> Lattice:
        """Make a lattice of equal distances; ValueError unless both are positive prices."""
    @staticmethod
    def geometric(anchor_ticks: int, ratio_ppb: int) -> Lattice:
        """Make a lattice of equal ratios; ValueError unless the ratio lies in 10_000 .. 1_000_000_000 ppb."""
    def level_ticks(self, k: int) -> int:
        """Return the price of level k; ValueError where it does not exist."""
    def index_near(self, price2_ticks: int) -> int:
        """Return the existing level nearest to half of `price2_ticks`; a tie goes away from the anchor."""
    def index_at_or_below(self, price_ticks: int) -> int:
        """Return the highest level at most the price, or `lowest_index - 1` where all levels are above it."""
    def step_ticks(self, k: int) -> int:
        """Return `level(k + 1) - level(k)`; ValueError where either does not exist."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[Lattice], tuple[int, int, int]]: ...

def buy_window(lattice: Lattice, price2_ticks: int, window: int, safety_permille: int = 100) -> list[int]:
    """Return the levels to buy, nearest to the price first.

    Candidates are `centre - i` for i in 0 .. window-1 with centre = `index_near(price)`. A level is left out where
    `level >= price - safety_permille / 1000 * step(centre)` (compared exactly), or where it does not exist.
    """

def sell_window(lattice: Lattice, price2_ticks: int, window: int, filled: Iterable[int]) -> list[int]:
    """Return those filled slots whose lot should rest for sale, nearest to the price first.

    Arithmetic: `level(k) <= price + window * interval`. Geometric: `level(k) <= level(centre + window)`.
    """

def lots_for_quote(quote_units: int, price_ticks: int, units_per_tick_lot: int) -> int:
    """Return the whole lots that `quote_units` of money buy at a price (floor).

    One lot at one tick is worth `units_per_tick_lot` of the same units. ValueError on a negative amount or a price or
    unit that is not positive.
    """
