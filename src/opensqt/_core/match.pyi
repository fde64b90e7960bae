from collections.abc import Iterable, Mapping
from typing import Final, final

BUY: Final = 0
SELL: Final = 1

GTC: Final = 0
IOC: Final = 1
FOK: Final = 2

ACCEPTED: Final = 0
REJECTED: Final = 1
FILL: Final = 2
CANCELED: Final = 3
EXPIRED: Final = 4
AMENDED: Final = 5

EXPIRE_TAKER: Final = 0
EXPIRE_MAKER: Final = 1
EXPIRE_BOTH: Final = 2

NO_REASON: Final = 0
POST_ONLY_WOULD_CROSS: Final = 1
REDUCE_ONLY_REJECTED: Final = 2
SELF_TRADE: Final = 3
REMAINDER: Final = 4
FOK_NOT_FILLABLE: Final = 5
UNKNOWN_ORDER: Final = 6
DUPLICATE_ORDER_ID: Final = 7
TOO_MANY_ORDERS: Final = 8
REQUESTED: Final = 9
AMENDED_BELOW_FILLED: Final = 10

@final
class MatchEvent:
    @property
    def kind(self) -> int: ...
    @property
    def order_id(self) -> int: ...
    @property
    def owner(self) -> int: ...
    @property
    def side(self) -> int: ...
    @property
    def price_ticks(self) -> int: ...
    @property
    def lots(self) -> int: ...
    @property
    def remaining_lots(self) -> int: ...
    @property
    def is_maker(self) -> bool: ...
    @property
    def reason(self) -> int: ...
    @property
    def counterparty_id(self) -> int: ...
    def as_tuple(self) -> tuple[int, int, int, int, int, bool, int]: ...

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
    def __init__(
        self,
        *,
        max_orders: int = 2000,
        print_through_fills_all: bool = True,
        partial_fills: bool = True,
        queue_power: int = 0,
        keep_queue_on_decrease: bool = False,
    ) -> None: ...
    def __len__(self) -> int: ...
    def __contains__(self, order_id: object) -> bool: ...
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

def fee_units(notional_units: int, rate_ppb: int) -> int: ...
