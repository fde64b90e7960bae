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

def fee_units(notional_units: int, rate_ppb: int) -> int: ...
