from typing import Final, final

from opensqt._core.order_sets import BUY as BUY
from opensqt._core.order_sets import CANCELLING as CANCELLING
from opensqt._core.order_sets import PENDING as PENDING
from opensqt._core.order_sets import SELL as SELL
from opensqt._core.order_sets import UNKNOWN as UNKNOWN
from opensqt._core.order_sets import WORKING as WORKING
from opensqt._core.order_sets import Desired as Desired
from opensqt._core.order_sets import Live as Live

PLACE: Final = 0
CANCEL: Final = 1
AMEND: Final = 2

UNLIMITED: Final[int]

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
