"""Whether the venue's clock is known well enough to send orders by it, and when to ask for it again. Pure.

Orders are stamped with the venue's time and refused when the stamp is off by the receive window. Long before that, at a
quarter of it, nothing may be opened any more: when the estimate may be off by so much, when a measurement shows that it
was, or when the venue itself refused our time. A new measurement that agrees with the one before ends it.
"""

from typing import Final, final

from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.domain.clock import NS_PER_MS, NS_PER_S

CHECK_EVERY_NS: Final = 30 * NS_PER_S
DOUBT_EVERY_NS: Final = 2 * NS_PER_S
MAX_ERROR_PART: Final = 4
"""The clock's error may be this part of the receive window."""


@final
class ClockWatch:
    """Judges one clock.

    Args:
        sync: the estimate.
        recv_window_ms: of our requests.
        now_ns: when it was measured for the start.
    """

    def __init__(self, sync: ClockSync, recv_window_ms: int, now_ns: int) -> None:
        self._sync = sync
        self._limit_ns = recv_window_ms * NS_PER_MS // MAX_ERROR_PART
        self._measured_ns = now_ns
        self._doubt = ""
        self.was_refused = False

    def refused(self) -> None:
        """Note that the venue refused our time."""
        self.was_refused = True
        self._doubt = self._doubt or "the venue refused the time of a request"

    def is_due(self, now_ns: int) -> bool:
        """Return whether the clock is to be measured now; call `begin` then."""
        wait_ns = DOUBT_EVERY_NS if self.problem(now_ns) else CHECK_EVERY_NS
        return now_ns - self._measured_ns >= wait_ns

    def begin(self, now_ns: int) -> None:
        """Note that it is being measured; a failure waits for the next turn."""
        self._measured_ns = now_ns

    def measured(self, worst_skew_ns: int) -> None:
        """Take what a round of measuring found the estimate off by, beyond its error."""
        self.was_refused = False
        is_off = worst_skew_ns > self._limit_ns
        self._doubt = f"the venue's clock was {worst_skew_ns // NS_PER_MS} ms from where we held it" if is_off else ""

    def problem(self, now_ns: int) -> str:
        """Return why nothing may be opened; empty = the clock is good."""
        if self._doubt:
            return f"clock skew: {self._doubt}; measuring"
        error_ns = self._sync.error_ns(now_ns)
        if error_ns > self._limit_ns:
            known_ms, needed_ms = error_ns // NS_PER_MS, self._limit_ns // NS_PER_MS
            return f"clock skew: the venue's clock is known to {known_ms} ms only, {needed_ms} are needed"
        return ""
