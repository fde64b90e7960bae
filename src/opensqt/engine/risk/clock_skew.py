"""The exchange's clock against ours, from the times in what it sends.

Every message shows our clock minus the venue's plus its delay, and delays are never negative: the smallest difference
of a while bounds the skew from above, and a difference below zero proves that our clock is behind. The smallest of the
last two windows is taken, so that one quick message is enough and an old one is forgotten.
"""

from typing import final

from opensqt.domain.clock import NS_PER_S

WINDOW_NS = 30 * NS_PER_S
NEEDED = 3


@final
class ClockWatch:
    """Estimates the skew."""

    def __init__(self) -> None:
        self._begun_ns = 0
        self._now: list[int] = []
        self._before: list[int] = []

    def see(self, venue_time_ns: int, now_ns: int) -> None:
        """Take one fresh message's venue time and our time of receiving it."""
        if venue_time_ns <= 0:
            return
        if now_ns - self._begun_ns >= WINDOW_NS:
            is_next = now_ns - self._begun_ns < 2 * WINDOW_NS
            self._before = self._now if is_next else []
            self._now = []
            self._begun_ns = now_ns
        difference = now_ns - venue_time_ns
        if len(self._now) < NEEDED:
            self._now.append(difference)
        else:
            self._now[0] = min(self._now[0], difference)

    def forget(self) -> None:
        """Start over, as after a pause in which messages grew old."""
        self._now.clear()
        self._before.clear()

    @property
    def skew_ns(self) -> int | None:
        """Return our clock minus the venue's (delay included); None while too little was heard."""
        seen = [*self._now, *self._before]
        return min(seen) if len(seen) >= NEEDED else None
