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

PLACE: Final = 0
CANCEL: Final = 1
AMEND: Final = 2

UNLIMITED: Final[int]

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

@final
class Action:
    """One thing to send. PLACE: everything but the handle (0). CANCEL: the order as it is. AMEND: its new values."""

    @property
    def kind(self) -> int: ...
    @property
    def handle(self) -> int: ...
    @property
    def slot(self) -> int: ...
    @property
    def side(self) -> int: ...
    @property
    def price_ticks(self) -> int: ...
    @property
    def lots(self) -> int: ...
    @property
    def reduce_only(self) -> bool: ...

@final
class Differ:
    """Computes the actions from live orders to desired ones, within limits; reusable, keeps its buffers.

    `max_open_orders` bounds our open orders, `max_actions` the length of one list. With `allow_amend` a changed price or
    size is amended in place; without it the order is cancelled and its slot placed again once the cancel is confirmed.
    """

    @property
    def max_open_orders(self) -> int: ...
    @property
    def max_actions(self) -> int: ...
    @property
    def allow_amend(self) -> bool: ...
    def __init__(self, max_open_orders: int = 100, max_actions: int = ..., allow_amend: bool = False) -> None: ...
    def run(self, desired: Desired, live: Live, buy_room_lots: int = ..., sell_room_lots: int = ...) -> list[Action]:
        """Return the actions in sending order.

        Cancels of opening orders, other cancels, reducing orders, opening orders; within each the nearest to the
        reference price first. The room is how many lots of opening orders each side may hold open, pending and unknown
        ones included; the outermost levels go first.
        """
    def compute(self, desired: Desired, live: Live, buy_room_lots: int = ..., sell_room_lots: int = ...) -> int:
        """Do the work of `run`, but return only the number of actions."""
    @property
    def withheld(self) -> int:
        """Placements and amendments of the last run that would have met one of our own opposite orders."""
    @property
    def deferred(self) -> int:
        """Actions of the last run that a limit postponed."""
