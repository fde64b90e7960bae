from typing import final

from opensqt._core.grid import Lattice
from opensqt._core.order_sets import Desired

@final
class Holdings:
    """The lots each slot of a long grid has bought and not yet sold."""

    def __init__(self) -> None: ...
    def set(self, slot: int, lots: int) -> None:
        """Set what a slot holds; 0 empties it. ValueError on a negative number."""
    def get(self, slot: int) -> int:
        """Return what a slot holds, 0 for an empty one."""
    def items(self) -> list[tuple[int, int]]:
        """Return (slot, lots) of the slots that hold something, by slot."""
    @property
    def total_lots(self) -> int: ...
    def clear(self) -> None: ...
    def __len__(self) -> int: ...

@final
class GridPlanner:
    """Fills a desired set with the classic long grid around a price.

    Each level buys either `quote_units` of money (floored to lots; one lot at one tick is worth `units_per_tick_lot` of
    those units) or `fixed_lots`. Levels below `min_lots` are left out. Live buys up to `hysteresis` levels outside the
    window are kept, and so are live take-profits up to `hysteresis` levels beyond the sell window.
    """

    @property
    def lattice(self) -> Lattice: ...
    @property
    def buy_window(self) -> int: ...
    @property
    def sell_window(self) -> int: ...
    @property
    def hysteresis(self) -> int: ...
    @property
    def safety_permille(self) -> int: ...
    @property
    def min_lots(self) -> int: ...
    @property
    def quote_units(self) -> int: ...
    @property
    def units_per_tick_lot(self) -> int: ...
    @property
    def fixed_lots(self) -> int: ...
    def __init__(
        self,
        lattice: Lattice,
        *,
        buy_window: int,
        sell_window: int,
        quote_units: int = 0,
        units_per_tick_lot: int = 1,
        fixed_lots: int = 0,
        min_lots: int = 1,
        hysteresis: int = 1,
        safety_permille: int = 100,
    ) -> None: ...
    def lots_at(self, k: int) -> int:
        """Return the size of a buy at level k; ValueError where the level does not exist."""
    def plan(self, price2_ticks: int, holdings: Holdings, desired: Desired) -> int:
        """Replace the rows and keep ranges of `desired` by the grid around half of `price2_ticks`; return the centre.

        Calling it again with nothing changed costs next to nothing.
        """
