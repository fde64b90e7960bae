"""Gaps in time: a loop that stood still, a machine that was suspended or moved.

Whoever was held up has messages waiting that were true before. `StallDetector` is asked at every turn, which a timer
makes happen several times per second; a longer gap between two turns is a stall.
"""

from typing import final

from opensqt.domain.clock import NS_PER_MS


@final
class StallDetector:
    """Finds gaps between turns.

    Args:
        max_stall_ms: the longest gap that is none.
    """

    def __init__(self, max_stall_ms: int) -> None:
        self._max_ns = max_stall_ms * NS_PER_MS
        self._last_ns = 0
        self._last_suspended_ns = 0
        self.longest_ns = 0
        self.stalls = 0

    def check(self, monotonic_ns: int, suspended_ns: int = 0) -> int:
        """Return how long the gap before this turn was when it was a stall, else 0.

        Args:
            monotonic_ns: the monotonic clock now.
            suspended_ns: how long the machine has slept since it started; time the monotonic clock leaves out.
        """
        gap_ns = 0
        if self._last_ns:
            gap_ns = (monotonic_ns - self._last_ns) + max(0, suspended_ns - self._last_suspended_ns)
            self.longest_ns = max(self.longest_ns, gap_ns)
        self._last_ns, self._last_suspended_ns = monotonic_ns, suspended_ns
        if gap_ns <= self._max_ns:
            return 0
        self.stalls += 1
        return gap_ns
