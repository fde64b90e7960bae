"""The venue's time: the source's time, running `speed` times as fast as ours. Pure."""

from typing import final


@final
class VenueClock:
    """Maps our monotonic time onto the venue's."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._origin_ns = 0
        self._venue_origin_ns = 0

    def start(self, monotonic_ns: int, venue_ns: int) -> None:
        """Let the venue's clock show `venue_ns` at our `monotonic_ns`."""
        self._origin_ns = monotonic_ns
        self._venue_origin_ns = venue_ns

    def at(self, monotonic_ns: int) -> int:
        """Return the venue's time at a moment of ours."""
        return self._venue_origin_ns + int((monotonic_ns - self._origin_ns) * self.speed)

    def seconds_until(self, venue_ns: int, monotonic_ns: int) -> float:
        """Return how long, in our seconds, until the venue's clock shows `venue_ns`; 0 when it has."""
        return max(0.0, (venue_ns - self.at(monotonic_ns)) / self.speed / 1e9)
