"""What can be made to go wrong, as data: the kinds of faults, what each applies to, and the shape of one fault."""

from enum import StrEnum, unique
from typing import Final

import msgspec


@unique
class FaultKind(StrEnum):
    """Kinds of faults; the comment above each group says what they meet."""

    # requests: REST and WebSocket order entry
    LATENCY = "latency"
    REPLY_LATENCY = "reply_latency"
    LOST_REQUEST = "lost_request"
    LOST_REPLY = "lost_reply"
    HANG = "hang"
    UNKNOWN_503 = "unknown_503"
    UNAVAILABLE_503 = "unavailable_503"
    THROTTLED_503 = "throttled_503"
    INTERNAL_503 = "internal_503"
    TIMEOUT_408 = "timeout_408"
    BUS_UNKNOWN = "bus_unknown"
    BACKEND_TIMEOUT = "backend_timeout"
    BAD_GATEWAY_502 = "bad_gateway_502"
    RATE_LIMIT_429 = "rate_limit_429"
    BAN_418 = "ban_418"
    FIREWALL_403 = "firewall_403"
    MAINTENANCE = "maintenance"
    SHUTTING_DOWN = "shutting_down"
    UNREADABLE_REPLY = "unreadable_reply"
    # frames to the client, of streams and of order entry
    DROP_FRAME = "drop_frame"
    DUPLICATE_FRAME = "duplicate_frame"
    REORDER_FRAME = "reorder_frame"
    CORRUPT_FRAME = "corrupt_frame"
    DELAY_FRAME = "delay_frame"
    # connections
    HALF_OPEN = "half_open"
    REFUSE_CONNECTION = "refuse_connection"
    DISCONNECT = "disconnect"
    # the venue's state, for as long as the fault lasts
    CLOCK_OFFSET = "clock_offset"
    STALE_SNAPSHOT = "stale_snapshot"
    HALT = "halt"
    FILTERS = "filters"
    # things that happen once
    LISTEN_KEY_EXPIRY = "listen_key_expiry"
    SEQUENCE_GAP = "sequence_gap"
    MANUAL_ORDER = "manual_order"
    MANUAL_CANCEL_ALL = "manual_cancel_all"
    POSITION_CHANGE = "position_change"
    ADL = "adl"
    LIQUIDATION = "liquidation"
    MARK_PRICE = "mark_price"
    TRANSFER = "transfer"
    REVOKE_KEY = "revoke_key"
    SET_LEVERAGE = "set_leverage"


_K = FaultKind
REQUEST_KINDS: Final = frozenset(
    {
        _K.LATENCY,
        _K.REPLY_LATENCY,
        _K.LOST_REQUEST,
        _K.LOST_REPLY,
        _K.HANG,
        _K.UNKNOWN_503,
        _K.UNAVAILABLE_503,
        _K.THROTTLED_503,
        _K.INTERNAL_503,
        _K.TIMEOUT_408,
        _K.BUS_UNKNOWN,
        _K.BACKEND_TIMEOUT,
        _K.BAD_GATEWAY_502,
        _K.RATE_LIMIT_429,
        _K.BAN_418,
        _K.FIREWALL_403,
        _K.MAINTENANCE,
        _K.SHUTTING_DOWN,
        _K.UNREADABLE_REPLY,
    }
)
FRAME_KINDS: Final = frozenset({_K.DROP_FRAME, _K.DUPLICATE_FRAME, _K.REORDER_FRAME, _K.CORRUPT_FRAME, _K.DELAY_FRAME})
CONNECTION_KINDS: Final = frozenset({_K.HALF_OPEN, _K.REFUSE_CONNECTION})
STATE_KINDS: Final = frozenset({_K.CLOCK_OFFSET, _K.STALE_SNAPSHOT, _K.HALT, _K.FILTERS})
ACTION_KINDS: Final = frozenset(
    {
        _K.DISCONNECT,
        _K.LISTEN_KEY_EXPIRY,
        _K.SEQUENCE_GAP,
        _K.MANUAL_ORDER,
        _K.MANUAL_CANCEL_ALL,
        _K.POSITION_CHANGE,
        _K.ADL,
        _K.LIQUIDATION,
        _K.MARK_PRICE,
        _K.TRANSFER,
        _K.REVOKE_KEY,
        _K.SET_LEVERAGE,
    }
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault.

    `route` and `stream` are shell-style patterns: "POST /fapi/v1/order", "ws-api order.place", "public", "private";
    "btcusdt@depth*", "ORDER_TRADE_UPDATE". Times are ms of real time from when the fault is set; `for_ms` 0 = until it
    is removed. `count` is how often it strikes, 0 = always. `executed` says for replies of unknown outcome whether the
    request was done; left out, the seed decides each time.
    """

    kind: FaultKind
    route: str = "*"
    stream: str = "*"
    probability: float = 1.0
    count: int = 0
    after_ms: int = 0
    for_ms: int = 0
    ms: int = 0
    jitter_ms: int = 0
    retry_after_s: int = 0
    executed: bool | None = None
    account: str = ""
    symbol: str = ""
    side: str = ""
    quantity: str = ""
    price: str = ""
    amount: str = ""
    leverage: int = 0
    tick_size: str = ""
    step_size: str = ""
    min_notional: str = ""


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A seeded storm: `count` faults drawn from a list, at random moments about `every_ms` apart."""

    seed: int
    faults: tuple[Fault, ...]
    every_ms: int = 1_000
    count: int = 10
