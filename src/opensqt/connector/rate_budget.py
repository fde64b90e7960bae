"""Rate limits of a venue as windows, spent in lanes: whoever is less urgent leaves room for whoever is more.

A window counts what was sent in the current interval (aligned to multiples of it, as venues do). Each has a reserve
that only cancels may use, so a storm of new orders can never leave us unable to pull them. The venue's own counters
(response headers) overrule ours when they are higher. A ban opens the circuit: nothing passes until it ends.

Pure: time is handed in, in ns of a monotonic clock.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum, unique
from typing import final

import msgspec

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, LimitError


@unique
class Lane(IntEnum):
    """What a request is, most urgent first. Orders that only reduce a position travel with the amendments."""

    CANCEL = 0
    AMEND = 1
    NEW = 2
    QUERY = 3


_ORDER_LANES = frozenset({Lane.CANCEL, Lane.AMEND, Lane.NEW})
_ALL_LANES = frozenset(Lane)

# Of the room outside the reserve, how much (in percent) each lane may fill.
_LANE_SHARE_PERCENT = {Lane.CANCEL: 100, Lane.AMEND: 100, Lane.NEW: 95, Lane.QUERY: 80}


class RateWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a venue: `limit` requests per `interval_ms` in `scope` (ip, account, or a symbol)."""

    scope: str
    name: str
    interval_ms: int
    limit: int
    cancel_reserve: int = 0
    orders_only: bool = True


class WindowUse(msgspec.Struct, frozen=True):
    """A limit and how much of it is used."""

    window: RateWindow
    used: int


@final
class _Counter:
    def __init__(self, window: RateWindow) -> None:
        self.window = window
        self.lanes = _ORDER_LANES if window.orders_only else _ALL_LANES
        self.interval_ns = window.interval_ms * NS_PER_MS
        self.interval = -1
        self.used = 0

    def roll(self, now_ns: int) -> None:
        interval = now_ns // self.interval_ns
        if interval != self.interval:
            self.interval = interval
            self.used = 0

    def room(self, lane: Lane) -> int:
        limit = self.window.limit
        if lane is not Lane.CANCEL:
            limit = (limit - self.window.cancel_reserve) * _LANE_SHARE_PERCENT[lane] // 100
        return limit - self.used

    def wait_ms(self, now_ns: int) -> int:
        return -(-(self.interval_ns - now_ns % self.interval_ns) // NS_PER_MS)


@final
class RateBudget:
    """All windows of one venue session."""

    def __init__(self, windows: Iterable[RateWindow]) -> None:
        self._counters = [_Counter(window) for window in windows]
        self._circuit_until_ns = 0
        self._circuit_reason = ""

    def take(self, lane: Lane, now_ns: int, weight: int = 1) -> None:
        """Spend `weight` of every window that counts this lane, or nothing at all.

        Raises:
            LimitError: RATE_LIMITED with the time to wait, or IP_BANNED while the circuit is open.
        """
        if now_ns < self._circuit_until_ns:
            wait_ms = -(-(self._circuit_until_ns - now_ns) // NS_PER_MS)
            raise LimitError(
                ErrorReason.IP_BANNED,
                f"nothing may be sent for {wait_ms} ms: {self._circuit_reason}",
                retry_after_ms=wait_ms,
            )
        for counter in self._counters:
            if lane in counter.lanes:
                counter.roll(now_ns)
                if counter.room(lane) < weight:
                    window = counter.window
                    raise LimitError(
                        ErrorReason.RATE_LIMITED,
                        f"{window.name} ({window.scope}) allows {window.limit} per {window.interval_ms} ms and "
                        f"{counter.used} are used; {window.cancel_reserve} are kept for cancels",
                        metadata={"window": window.name, "limit": str(window.limit), "used": str(counter.used)},
                        retry_after_ms=counter.wait_ms(now_ns),
                    )
        for counter in self._counters:
            if lane in counter.lanes:
                counter.used += weight

    def feed(self, name: str, used: int, now_ns: int) -> None:
        """Believe the venue's own count of a window when it is higher than ours."""
        for counter in self._counters:
            if counter.window.name == name:
                counter.roll(now_ns)
                counter.used = max(counter.used, used)

    def open_circuit(self, until_ns: int, reason: str) -> None:
        """Let nothing pass until a time; a later end wins."""
        if until_ns > self._circuit_until_ns:
            self._circuit_until_ns = until_ns
            self._circuit_reason = reason

    def circuit(self, now_ns: int) -> tuple[int, str]:
        """Return how long the circuit stays open, in ns, and why; (0, "") when it is closed."""
        left_ns = self._circuit_until_ns - now_ns
        return (left_ns, self._circuit_reason) if left_ns > 0 else (0, "")

    def usage(self, now_ns: int) -> Sequence[WindowUse]:
        """Return every window and what is used of it."""
        for counter in self._counters:
            counter.roll(now_ns)
        return [WindowUse(counter.window, counter.used) for counter in self._counters]
