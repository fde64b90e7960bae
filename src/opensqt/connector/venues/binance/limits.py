"""The venue's rate limits: which windows there are, and how much of them a reply says is used.

Two counters of orders belong to the account (300 per 10 s, 1200 per minute), the request weight (2400 per minute) to
the IP address; all are shared with the venue's coin-margined market. A reply to an order carries no weight (-1), and
rejected orders may lack the counters: what is negative or missing says nothing.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from opensqt.connector.rate_budget import RateWindow

WEIGHT_1M = "weight_1m"
ORDERS_10S = "orders_10s"
ORDERS_1M = "orders_1m"

ORDER_RESERVE_PERCENT = 15
"""Part of every order window that only cancels may use."""

_INTERVAL_MS = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_LETTERS = {"SECOND": "s", "MINUTE": "m", "HOUR": "h", "DAY": "d"}
_HEADERS = {
    "x-mbx-used-weight-1m": WEIGHT_1M,
    "x-mbx-order-count-10s": ORDERS_10S,
    "x-mbx-order-count-1m": ORDERS_1M,
}


class WireLimit(msgspec.Struct, rename="camel", frozen=True):
    """One member of `rateLimits`, in exchangeInfo (without count) and in WebSocket API replies."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int
    count: int = -1


class Used(msgspec.Struct, frozen=True):
    """How much of a window the venue has counted."""

    name: str
    used: int


def window_name(limit: WireLimit) -> str:
    """Return our name of a window (weight_1m, orders_10s, orders_1m)."""
    kind = "weight" if limit.rate_limit_type == "REQUEST_WEIGHT" else limit.rate_limit_type.lower()
    return f"{kind}_{limit.interval_num}{_LETTERS.get(limit.interval, limit.interval.lower())}"


def windows_of(limits: Iterable[WireLimit]) -> tuple[RateWindow, ...]:
    """Build the windows of `rateLimits`; limits that are negative or of an unknown interval are left out."""
    windows = []
    for limit in limits:
        unit_ms = _INTERVAL_MS.get(limit.interval)
        if unit_ms is None or limit.limit <= 0 or limit.interval_num <= 0:
            continue
        counts_orders = limit.rate_limit_type == "ORDERS"
        windows.append(
            RateWindow(
                scope="account" if counts_orders else "ip",
                name=window_name(limit),
                interval_ms=unit_ms * limit.interval_num,
                limit=limit.limit,
                cancel_reserve=limit.limit * ORDER_RESERVE_PERCENT // 100,
                orders_only=counts_orders,
            )
        )
    return tuple(windows)


def used_by_reply(limits: Iterable[WireLimit]) -> tuple[Used, ...]:
    """Return what a WebSocket API reply says is used."""
    return tuple(Used(window_name(limit), limit.count) for limit in limits if limit.count >= 0)


def used_by_headers(headers: Mapping[str, str]) -> tuple[Used, ...]:
    """Return what the headers of a REST reply say is used; names in any case."""
    found = []
    for name, value in headers.items():
        window = _HEADERS.get(name.lower())
        if window is not None and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
            found.append(Used(window, int(value)))
    return tuple(found)


KNOWN_WINDOWS: tuple[RateWindow, ...] = windows_of(
    (
        WireLimit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
        WireLimit("ORDERS", "SECOND", 10, 300),
        WireLimit("ORDERS", "MINUTE", 1, 1200),
    )
)
"""What holds until exchangeInfo has told the limits of today."""
