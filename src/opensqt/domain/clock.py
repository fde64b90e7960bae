"""Time as everything in OpenSQT receives it: injected, never read from a global.

Two clocks, never mixed: `now_ns` names a moment (and may step), `monotonic_ns` measures a duration (and never steps).
"""

from typing import Protocol, final

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """Source of time."""

    def now_ns(self) -> int:
        """Return Unix time in ns; may jump when the machine's clock is set."""
        ...

    def monotonic_ns(self) -> int:
        """Return ns since an arbitrary start; never goes back."""
        ...


@final
class ManualClock:
    """A clock that moves only when told: for tests, simulation and backtests."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = 0

    def now_ns(self) -> int:
        """Return the Unix time it was set to, in ns."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return ns advanced since construction."""
        return self._monotonic_ns

    def advance(self, duration_ns: int) -> None:
        """Move both clocks forward.

        Raises:
            ValueError: `duration_ns` is negative.
        """
        if duration_ns < 0:
            raise ValueError(f"a clock was asked to advance by {duration_ns} ns; time does not run back")
        self._now_ns += duration_ns
        self._monotonic_ns += duration_ns

    def step_wall(self, offset_ns: int) -> None:
        """Step only the wall clock, as a time server would."""
        self._now_ns += offset_ns
