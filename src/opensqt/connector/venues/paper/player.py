"""How a market reaches the paper venue: paced, from a source with its own clock, or as it comes (`live_market`)."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, final

from opensqt.connector.venues.paper.venue_clock import VenueClock
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, Clock
from opensqt.matching.events import MarketEvent
from opensqt.matching.sources.base import MarketSource

MAX_TURN_S: Final = 0.004
SLICE_NS: Final = 20 * NS_PER_MS
MAX_LAG_S: Final = 0.5

Take = Callable[[MarketEvent], None]


class Player(Protocol):
    """Plays a market to the venue, and keeps the venue's clock."""

    @property
    def is_behind(self) -> bool:
        """Return whether the last turn ended before everything that was due had been played."""
        ...

    @property
    def end_reason(self) -> str:
        """Return why nothing will come any more; empty while the market goes on."""
        ...

    def now_ns(self) -> int:
        """Return the venue's clock."""
        ...

    def seconds_until(self, venue_ns: int) -> float:
        """Return how long, in our seconds, until the venue's clock shows `venue_ns`; 0 when it has."""
        ...

    def play(self, take: Take, clock_ns: int) -> int:
        """Hand over what is due, at most `MAX_TURN_S` of work; return the venue's time that was reached.

        Args:
            take: takes each event, in order.
            clock_ns: the time up to which the venue has played already.
        """
        ...

    def alive(self) -> Iterable[str]:
        """Return the symbols whose market is current, although it may be quiet."""
        ...

    def position(self) -> dict[str, Any] | None:
        """Return where the market stands, to go on from there; None when it cannot be played again."""
        ...


@final
class PacedPlayer:
    """Plays a source at `speed`; when the machine cannot keep up, the venue's clock slows down instead."""

    def __init__(self, source: MarketSource, venue_clock: VenueClock, clock: Clock) -> None:
        self._source = source
        self._venue_clock = venue_clock
        self._clock = clock
        self._symbols = [item.symbol for item in source.instruments()]
        self.is_behind = False

    @property
    def end_reason(self) -> str:
        """Return the end of the replay."""
        if self._source.next_time_ns() is not None:
            return ""
        return "the replay has ended; start again with loop: true, or with another capture"

    def now_ns(self) -> int:
        """Return the venue's clock."""
        return self._venue_clock.at(self._clock.monotonic_ns())

    def seconds_until(self, venue_ns: int) -> float:
        """Return how long until then, in our seconds."""
        return self._venue_clock.seconds_until(venue_ns, self._clock.monotonic_ns())

    def play(self, take: Take, clock_ns: int) -> int:
        """Play up to now, in slices."""
        target_ns = max(clock_ns, self.now_ns())
        self.is_behind = False
        began = time.monotonic()
        position_ns = max(clock_ns, self._source.next_time_ns() or 0)
        while True:
            position_ns = min(target_ns, position_ns + SLICE_NS)
            for event in self._source.pop(position_ns):
                take(event)
            if position_ns >= target_ns:
                return target_ns
            if time.monotonic() - began > MAX_TURN_S:
                # The rest waits for the next turn; when too much waits, the venue's clock is set back instead.
                monotonic_ns = self._clock.monotonic_ns()
                if self._venue_clock.at(monotonic_ns) - position_ns > MAX_LAG_S * self._venue_clock.speed * NS_PER_S:
                    self._venue_clock.start(monotonic_ns, position_ns)
                self.is_behind = True
                return position_ns

    def alive(self) -> Iterable[str]:
        """Return all symbols: what is played is current."""
        return self._symbols

    def position(self) -> dict[str, Any] | None:
        """Return where the source stands."""
        return self._source.position()
