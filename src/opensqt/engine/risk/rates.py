"""How many events happened in the last second, per side: orders sent, fills booked."""

from collections import deque
from typing import final

from opensqt.domain.clock import NS_PER_S
from opensqt.domain.order import Side

KEPT_EVENTS = 10_000


@final
class RateMeter:
    """Counts events of the last second. It remembers at most `KEPT_EVENTS` per side, far above every limit."""

    def __init__(self) -> None:
        self._times: dict[Side, deque[int]] = {side: deque(maxlen=KEPT_EVENTS) for side in (Side.BUY, Side.SELL)}

    def add(self, side: Side, now_ns: int) -> None:
        """Count one event."""
        self._times[side].append(now_ns)

    def per_second(self, side: Side, now_ns: int) -> int:
        """Return how many events of a side the last second had."""
        times = self._times[side]
        while times and times[0] <= now_ns - NS_PER_S:
            times.popleft()
        return len(times)

    def busiest(self, now_ns: int) -> int:
        """Return the larger of both sides' rates."""
        return max(self.per_second(side, now_ns) for side in self._times)
