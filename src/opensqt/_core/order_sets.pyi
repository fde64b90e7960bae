from typing import Final, final

BUY: Final = 0
SELL: Final = 1

WORKING: Final = 0
"""The venue has the order; it may be amended or cancelled."""
PENDING: Final = 1
"""A placement or an amendment is in flight."""
UNKNOWN: Final = 2
"""The outcome of a command is not known."""
CANCELLING: Final = 3
"""A cancel is in flight."""

@final
class Desired:
    """The orders we want: at most one per (slot, side)."""

    price2_ticks: int
    """Twice the reference price; rows nearest to it come first. 0 until set."""
    def __init__(self) -> None: ...
    def clear(self) -> None:
        """Forget all rows, the reference price and both keep ranges."""
    def add(
        self, slot: int, side: int, price_ticks: int, lots: int, reduce_only: bool = False, keep_only: bool = False
    ) -> None:
        """Want an order.

        A `keep_only` row is satisfied by an order that exists and never asks for a new one. ValueError if the slot
        already wants an order of that side, or a number is out of range.
        """
    def keep(self, side: int, low_slot: int, high_slot: int) -> None:
        """Leave live orders of these slots alone although no row wants them (hysteresis); empty if low > high."""
    def rows(self) -> list[tuple[int, int, int, int, bool, bool]]:
        """Return (slot, side, price_ticks, lots, reduce_only, keep_only), buys then sells, each by slot."""
    def __len__(self) -> int: ...

@final
class Live:
    """Our orders that are not terminal, each under a handle of the caller's choice (any int64)."""

    def __init__(self) -> None: ...
    def put(
        self,
        handle: int,
        slot: int,
        side: int,
        price_ticks: int,
        lots: int,
        reduce_only: bool = False,
        state: int = 0,
    ) -> None:
        """Add an order or replace the one with this handle; `lots` is what remains of it."""
    def set_state(self, handle: int, state: int) -> None:
        """Set WORKING, PENDING, UNKNOWN or CANCELLING; KeyError for a handle that is not here."""
    def set_remaining(self, handle: int, lots: int) -> None:
        """Set the remaining lots, at least 1; KeyError for a handle that is not here."""
    def remove(self, handle: int) -> None:
        """Forget an order that became terminal; KeyError for a handle that is not here."""
    def clear(self) -> None: ...
    @property
    def best_buy_ticks(self) -> int:
        """Our highest bid in any state, 0 for none."""
    @property
    def best_sell_ticks(self) -> int:
        """Our lowest ask in any state, 0 for none."""
    def rows(self) -> list[tuple[int, int, int, int, int, bool, int]]:
        """Return (handle, slot, side, price_ticks, lots, reduce_only, state), buys then sells, each by slot."""
    def __contains__(self, handle: object) -> bool: ...
    def __len__(self) -> int: ...

