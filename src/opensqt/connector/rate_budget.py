"""Rate limits of a venue as windows, spent in lanes: whoever is less urgent leaves room for whoever is more.

A window counts what was sent in the current interval (aligned to multiples of it, as venues do). Each has a reserve
that only cancels may use, so a storm of new orders can never leave us unable to pull them. The venue's own counters
(response headers) overrule ours when they are higher. A ban opens the circuit: nothing passes until it ends; a limit
that was overrun opens it for everything but cancels.

Pure: time is handed in, in ns of a monotonic clock.
"""

from collections.abc import Iterable, Mapping, Sequence
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


class CommandCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What each command adds to each window, by the window's name; a window that is not named is not charged.

    None = 1 in every window that counts the command's lane.
    """

    place: Mapping[str, int] | None = None
    amend: Mapping[str, int] | None = None
    cancel: Mapping[str, int] | None = None
    cancel_all: Mapping[str, int] | None = None


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

    def amount(self, lane: Lane, amounts: Mapping[str, int] | None) -> int:
        if amounts is None:
            return 1 if lane in self.lanes else 0
        return amounts.get(self.window.name, 0)

    def wait_ms(self, now_ns: int) -> int:
        return -(-(self.interval_ns - now_ns % self.interval_ns) // NS_PER_MS)


class _Circuit(msgspec.Struct):
    until_ns: int = 0
    reason: str = ""


@final
class RateBudget:
    """All windows of one venue session."""

    def __init__(self, windows: Iterable[RateWindow]) -> None:
        self._counters = [_Counter(window) for window in windows]
        self._offset_ns = 0
        self._ban = _Circuit()
        self._pause = _Circuit()

    def align(self, offset_ns: int) -> None:
        """Count in the venue's intervals: `offset_ns` is the venue's clock minus the one that is handed in."""
        self._offset_ns = offset_ns

    def replace_windows(self, windows: Iterable[RateWindow]) -> None:
        """Take the limits the venue names now; what was counted in a window of the same name and length stays."""
        known = {(counter.window.name, counter.window.interval_ms): counter for counter in self._counters}
        counters = []
        for window in windows:
            counter = _Counter(window)
            before = known.get((window.name, window.interval_ms))
            if before is not None:
                counter.interval, counter.used = before.interval, before.used
            counters.append(counter)
        self._counters = counters

    def take(self, lane: Lane, now_ns: int, amounts: Mapping[str, int] | None = None) -> None:
        """Spend a request's amount of every window, or nothing at all.

        Args:
            lane: how urgent it is.
            now_ns: monotonic clock.
            amounts: by the window's name; None = 1 of every window that counts this lane.

        Raises:
            LimitError: RATE_LIMITED with the time to wait, or IP_BANNED while the circuit is open.
        """
        self._check_circuits(lane, now_ns)
        venue_ns = now_ns + self._offset_ns
        charged = [(counter, counter.amount(lane, amounts)) for counter in self._counters]
        for counter, amount in charged:
            if amount:
                counter.roll(venue_ns)
                if counter.room(lane) < amount:
                    window = counter.window
                    raise LimitError(
                        ErrorReason.RATE_LIMITED,
                        f"{window.name} ({window.scope}) allows {window.limit} per {window.interval_ms} ms and "
                        f"{counter.used} are used; {window.cancel_reserve} are kept for cancels",
                        metadata={"window": window.name, "limit": str(window.limit), "used": str(counter.used)},
                        retry_after_ms=counter.wait_ms(venue_ns),
                    )
        for counter, amount in charged:
            counter.used += amount

    def feed(self, name: str, used: int, now_ns: int) -> None:
        """Believe the venue's own count of a window when it is higher than ours."""
        for counter in self._counters:
            if counter.window.name == name:
                counter.roll(now_ns + self._offset_ns)
                counter.used = max(counter.used, used)

    def open_circuit(self, until_ns: int, reason: str, *, cancels_pass: bool = False) -> None:
        """Let nothing pass until a time, or nothing but cancels; a later end wins."""
        circuit = self._pause if cancels_pass else self._ban
        if until_ns > circuit.until_ns:
            circuit.until_ns = until_ns
            circuit.reason = reason

    def circuit(self, now_ns: int) -> tuple[int, str]:
        """Return how long the circuit stays open, in ns, and why; (0, "") when it is closed."""
        circuit = max(self._ban, self._pause, key=lambda one: one.until_ns)
        left_ns = circuit.until_ns - now_ns
        return (left_ns, circuit.reason) if left_ns > 0 else (0, "")

    def usage(self, now_ns: int) -> Sequence[WindowUse]:
        """Return every window and what is used of it."""
        for counter in self._counters:
            counter.roll(now_ns + self._offset_ns)
        return [WindowUse(counter.window, counter.used) for counter in self._counters]

    def _check_circuits(self, lane: Lane, now_ns: int) -> None:
        for circuit, reason in ((self._ban, ErrorReason.IP_BANNED), (self._pause, ErrorReason.RATE_LIMITED)):
            if now_ns < circuit.until_ns and not (circuit is self._pause and lane is Lane.CANCEL):
                wait_ms = -(-(circuit.until_ns - now_ns) // NS_PER_MS)
                allowed = "nothing" if circuit is self._ban else "nothing but cancels"
                raise LimitError(
                    reason, f"{allowed} may be sent for {wait_ms} ms: {circuit.reason}", retry_after_ms=wait_ms
                )
