"""The engine's time: Unix time at its start, advanced by the monotonic clock. It never steps and never goes back, so
the core may both name moments and measure durations with it.
"""

from typing import final

from opensqt.domain.clock import Clock


@final
class SteadyClock:
    """A `Clock` whose Unix time is steady."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns = clock.now_ns() - clock.monotonic_ns()

    def now_ns(self) -> int:
        """Return steady Unix time in ns."""
        return self._offset_ns + self._clock.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Return ns since an arbitrary start."""
        return self._clock.monotonic_ns()
