from collections.abc import Iterable, Mapping
from typing import final

from opensqt._core.match_event import ACCEPTED as ACCEPTED
from opensqt._core.match_event import AMENDED as AMENDED
from opensqt._core.match_event import AMENDED_BELOW_FILLED as AMENDED_BELOW_FILLED
from opensqt._core.match_event import BUY as BUY
from opensqt._core.match_event import CANCELED as CANCELED
from opensqt._core.match_event import DUPLICATE_ORDER_ID as DUPLICATE_ORDER_ID
from opensqt._core.match_event import EXPIRE_BOTH as EXPIRE_BOTH
from opensqt._core.match_event import EXPIRE_MAKER as EXPIRE_MAKER
from opensqt._core.match_event import EXPIRE_TAKER as EXPIRE_TAKER
from opensqt._core.match_event import EXPIRED as EXPIRED
from opensqt._core.match_event import FILL as FILL
from opensqt._core.match_event import FOK as FOK
from opensqt._core.match_event import FOK_NOT_FILLABLE as FOK_NOT_FILLABLE
from opensqt._core.match_event import GTC as GTC
from opensqt._core.match_event import IOC as IOC
from opensqt._core.match_event import NO_REASON as NO_REASON
from opensqt._core.match_event import POST_ONLY_WOULD_CROSS as POST_ONLY_WOULD_CROSS
from opensqt._core.match_event import REDUCE_ONLY_REJECTED as REDUCE_ONLY_REJECTED
from opensqt._core.match_event import REJECTED as REJECTED
from opensqt._core.match_event import REMAINDER as REMAINDER
from opensqt._core.match_event import REQUESTED as REQUESTED
from opensqt._core.match_event import SELF_TRADE as SELF_TRADE
from opensqt._core.match_event import SELL as SELL
from opensqt._core.match_event import TOO_MANY_ORDERS as TOO_MANY_ORDERS
from opensqt._core.match_event import UNKNOWN_ORDER as UNKNOWN_ORDER
from opensqt._core.match_event import MatchEvent as MatchEvent
from opensqt._core.match_event import fee_units as fee_units

@final
class Matcher:
    @property
    def max_orders(self) -> int: ...
    @property
    def queue_power(self) -> int: ...
    @property
    def print_through_fills_all(self) -> bool: ...
    @property
    def partial_fills(self) -> bool: ...
    @property
    def keep_queue_on_decrease(self) -> bool: ...
    def __new__(
        cls,
        *,
        max_orders: int = 2000,
        print_through_fills_all: bool = True,
        partial_fills: bool = True,
        queue_power: int = 0,
        keep_queue_on_decrease: bool = False,
    ) -> Matcher: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object, /) -> bool: ...
    def submit(
        self,
        order_id: int,
        owner: int,
        side: int,
        price_ticks: int,
        lots: int,
        *,
        tif: int = 0,
        post_only: bool = False,
        reduce_only: bool = False,
        opposite: bytes = b"",
        displayed_lots: int = 0,
        stp: int = 0,
    ) -> list[MatchEvent]: ...
    def cancel(self, order_id: int) -> list[MatchEvent]: ...
    def cancel_all(self, owner: int | None = None) -> list[MatchEvent]: ...
    def amend(
        self,
        order_id: int,
        price_ticks: int,
        lots: int,
        *,
        opposite: bytes = b"",
        displayed_lots: int = 0,
        stp: int = 0,
    ) -> list[MatchEvent]: ...
    def set_position(self, owner: int, lots: int) -> list[MatchEvent]: ...
    def position(self, owner: int) -> int: ...
    def on_trade(self, price_ticks: int, lots: int, aggressor_side: int) -> list[MatchEvent]: ...
    def on_depth(self, side: int, price_ticks: int, lots: int) -> None: ...
    def on_best(self, best_bid_ticks: int, best_ask_ticks: int) -> list[MatchEvent]: ...
    def on_book(self, bids: bytes, asks: bytes, best_bid_ticks: int, best_ask_ticks: int) -> list[MatchEvent]: ...
    def dump(self) -> list[tuple[int, int, int, int, int, int, int, int, int, bool, bool]]: ...
    def positions(self) -> dict[int, int]: ...
    def load(
        self,
        orders: Iterable[tuple[int, int, int, int, int, int, int, int, int, bool, bool]],
        positions: Mapping[int, int],
    ) -> None: ...
