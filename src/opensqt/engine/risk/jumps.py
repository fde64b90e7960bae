"""Prices that are no prices: jumps of the book, and trades far from it.

Moves over one horizon are measured against their own standard deviation (an exponential mean of squares), and against a
least size in basis points, which alone decides until enough moves were seen. After a jump the new price is the
reference: if it holds, calm returns after the hold time; if it snaps back, that is the next jump. Statistics are
floats, and none becomes a price.
"""

import math
from typing import final

from opensqt.domain.clock import NS_PER_MS
from opensqt.engine.risk.config import JumpFilter

WARM_MOVES = 30
_WEIGHT = 1 / 60
_BPS = 10_000.0


@final
class JumpWatch:
    """Watches one symbol's price."""

    def __init__(self, config: JumpFilter) -> None:
        self._config = config
        self._horizon_ns = config.horizon_ms * NS_PER_MS
        self._reference2 = 0
        self._reference_ns = 0
        self._variance = 0.0
        self._moves = 0
        self.last_jump_bps = 0.0
        self.calm_at_ns = 0
        """Until when the last jump holds; 0 = there was none."""

    @property
    def threshold_bps(self) -> float:
        """Return how large a move must be to be a jump."""
        least = float(self._config.min_bps)
        if self._moves < WARM_MOVES:
            return least
        return max(least, self._config.sigmas * math.sqrt(self._variance))

    def see(self, price2_ticks: int, now_ns: int) -> bool:
        """Take twice the mid of a valid book; returns whether it jumped."""
        if self._config.sigmas == 0 or price2_ticks <= 0:
            return False
        if self._reference2 == 0:
            self._take(price2_ticks, now_ns)
            return False
        move_bps = (price2_ticks - self._reference2) / self._reference2 * _BPS
        if abs(move_bps) > self.threshold_bps:
            self.last_jump_bps = move_bps
            self.calm_at_ns = now_ns + self._config.hold_ms * NS_PER_MS
            self._take(price2_ticks, now_ns)
            return True
        elapsed_ns = now_ns - self._reference_ns
        if elapsed_ns >= self._horizon_ns:
            # A move that took longer than the horizon counts as the part of it that fits one horizon.
            square = move_bps * move_bps * self._horizon_ns / elapsed_ns
            weight = max(_WEIGHT, 1 / (self._moves + 1))
            self._variance += (square - self._variance) * weight
            self._moves += 1
            self._take(price2_ticks, now_ns)
        return False

    def forget_reference(self) -> None:
        """Let the next price be the reference: there was none to compare it with for a while."""
        self._reference2 = 0

    def is_bad_print(self, price_ticks: int, bid_ticks: int, ask_ticks: int) -> bool:
        """Return whether a trade is so far outside of the book that it prices nothing."""
        if self._config.sigmas == 0 or bid_ticks <= 0 or ask_ticks <= 0:
            return False
        outside = max(bid_ticks - price_ticks, price_ticks - ask_ticks, 0)
        return outside / bid_ticks * _BPS > self.threshold_bps

    def _take(self, price2_ticks: int, now_ns: int) -> None:
        self._reference2, self._reference_ns = price2_ticks, now_ns
