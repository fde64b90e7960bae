"""Who may ask the exchange next, and when: ccxt's leaky bucket, with lanes. Pure.

The bucket refills at the rate that ccxt names for the exchange, and every request takes its cost out of it. Orders go
first, then what a caller asks, polls last. Orders and queries leave while the bucket is not in debt, as ccxt lets
them, and may leave a debt behind. A poll leaves when its cost has been saved, so that whoever comes after a dear poll
(30 units are 1.5 seconds at Binance) does not pay for it. A poll that waited for `patience_s` is treated as a query
that came then: queries delay polls, but never stop them. A wait that was given up costs nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, TypeVar, final

K = TypeVar("K")

_ROUNDING: Final = 1e-9


class Lane(IntEnum):
    """What a request is for; smaller goes first."""

    ORDER = 0
    QUERY = 1
    POLL = 2


_lane: ContextVar[Lane] = ContextVar("ccxt_lane", default=Lane.QUERY)


def current_lane() -> Lane:
    """Return the lane of the requests that this task sends."""
    return _lane.get()


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """Send the requests of a block in a lane."""
    token = _lane.set(lane)
    try:
        yield
    finally:
        _lane.reset(token)


@dataclass(slots=True, eq=False)
class Waiting(Generic[K]):
    """A request that waits; `key` is its owner's."""

    key: K
    cost: float
    lane: Lane
    since_s: float


@final
class Pace(Generic[K]):
    """The bucket and who waits for it.

    Args:
        units_per_s: what the exchange grants.
        capacity: what may be saved while nobody asks, in units.
        patience_s: how long a poll lets others pass.
    """

    def __init__(self, units_per_s: float, capacity: float, patience_s: float) -> None:
        self._units_per_s = units_per_s
        self._capacity = capacity
        self._patience_s = patience_s
        self._units = 0.0
        self._filled_s: float | None = None
        self._waiting: list[Waiting[K]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, key: K, cost: float, lane: Lane, now_s: float) -> Waiting[K]:
        """Wait for `cost` units."""
        self._refill(now_s)
        waiting = Waiting(key, cost, lane, now_s)
        self._waiting.append(waiting)
        return waiting

    def drop(self, waiting: Waiting[K]) -> None:
        """Wait no more; does nothing for one that has left."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def release(self, now_s: float) -> list[K]:
        """Return whose requests leave now, in order."""
        self._refill(now_s)
        leaving = []
        while self._waiting:
            first = self._first(now_s)
            if self._units < self._needed(first, now_s) - _ROUNDING:
                break
            self._waiting.remove(first)
            self._units -= first.cost
            leaving.append(first.key)
        return leaving

    def next_s(self, now_s: float) -> float | None:
        """Return in how many seconds to release again, None while nobody waits."""
        if not self._waiting:
            return None
        first = self._first(now_s)
        until_s = max(0.0, self._needed(first, now_s) - self._units) / self._units_per_s
        if first.lane is Lane.POLL and not self._is_late(first, now_s):
            until_s = min(until_s, first.since_s + self._patience_s - now_s)
        return max(0.0, until_s)

    def _is_late(self, waiting: Waiting[K], now_s: float) -> bool:
        return now_s - waiting.since_s >= self._patience_s - _ROUNDING

    def _saves(self, waiting: Waiting[K], now_s: float) -> bool:
        return waiting.lane is Lane.POLL and not self._is_late(waiting, now_s)

    def _needed(self, waiting: Waiting[K], now_s: float) -> float:
        return waiting.cost if self._saves(waiting, now_s) else 0.0

    def _first(self, now_s: float) -> Waiting[K]:
        def rank(one: Waiting[K]) -> tuple[Lane, float]:
            is_promoted = one.lane is Lane.POLL and not self._saves(one, now_s)
            return (Lane.QUERY, one.since_s + self._patience_s) if is_promoted else (one.lane, one.since_s)

        return min(self._waiting, key=rank)

    def _refill(self, now_s: float) -> None:
        if self._filled_s is not None:
            savings = [one.cost for one in self._waiting if self._saves(one, now_s)]
            full = max(self._capacity, savings[0] if savings else 0.0)
            earned = self._units + (now_s - self._filled_s) * self._units_per_s
            # What was saved for a poll that left or gave up is not lost at once, it only grows no more.
            self._units = max(min(earned, full), min(self._units, earned))
        self._filled_s = now_s
