"""The machine's clocks, behind the domain's `Clock`."""

import time
from typing import final


@final
class SystemClock:
    """Read the machine's realtime and monotonic clocks."""

    __slots__ = ()

    def now_ns(self) -> int:
        """Return Unix time in ns."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return ns since an arbitrary start; never goes back."""
        return time.monotonic_ns()


def suspended_ns() -> int:
    """Return how long this machine has slept since it started, which the monotonic clock leaves out; 0 if not told."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return 0 if boottime is None else max(0, time.clock_gettime_ns(boottime) - time.monotonic_ns())
