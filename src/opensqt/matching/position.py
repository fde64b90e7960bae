"""One account's position in one symbol: signed lots and what they cost, one-way mode, average-price accounting.

Money is integer units. A reduction takes its share of the cost out, rounded half to even to one unit; the rounding
stays in the cost of what is left, so realized and unrealized profit always sum to the same exact total.
"""

from typing import final

from opensqt.matching.exact import divide_half_even


@final
class PositionState:
    """Signed lots, their signed cost in money units, and the leverage chosen for the symbol."""

    __slots__ = ("cost_units", "leverage", "lots")

    def __init__(self, leverage: int, lots: int = 0, cost_units: int = 0) -> None:
        self.leverage = leverage
        self.lots = lots
        self.cost_units = cost_units

    def apply(self, signed_lots: int, units_per_lot: int) -> int:
        """Book a fill of `signed_lots` (negative sells) at a price worth `units_per_lot`; return the realized units."""
        if self.lots == 0 or (self.lots > 0) == (signed_lots > 0):
            self.lots += signed_lots
            self.cost_units += signed_lots * units_per_lot
            return 0
        sign = 1 if self.lots > 0 else -1
        closing = min(abs(signed_lots), abs(self.lots))
        closed_cost = divide_half_even(self.cost_units * closing, abs(self.lots))
        realized = sign * closing * units_per_lot - closed_cost
        opening = signed_lots + sign * closing
        self.lots += signed_lots
        self.cost_units = self.cost_units - closed_cost + opening * units_per_lot
        return realized
