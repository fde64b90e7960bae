"""How much of the market one turn brings, so that clients are answered however busy the machine is.

An answer needs several rounds of the loop, and each round may wait for a turn. Turns are therefore kept short, and
clients get as much time as the market took. A machine that cannot keep up gets a slower market: catching up would take
longer than it lasted, and so on.
"""

from typing import Final, final

from opensqt.domain.clock import NS_PER_MS, NS_PER_S

MAX_CATCH_UP_NS: Final = 200 * NS_PER_MS
MIN_CATCH_UP_NS: Final = NS_PER_MS
LONG_TURN_NS: Final = 20 * NS_PER_MS
MIN_PAUSE_NS: Final = 5 * NS_PER_MS


@final
class Pace:
    """Adapts to how long turns take."""

    def __init__(self) -> None:
        self._catch_up_ns = MAX_CATCH_UP_NS

    @property
    def catch_up_ns(self) -> int:
        """Return how much of the venue's time the next turn may bring."""
        return self._catch_up_ns

    def took(self, covered_ns: int, turn_ns: int) -> float:
        """Take note of a turn, and return the seconds that belong to the clients after it.

        Args:
            covered_ns: the venue's time that it brought.
            turn_ns: how long it took.
        """
        if turn_ns > LONG_TURN_NS:
            self._catch_up_ns = max(MIN_CATCH_UP_NS, covered_ns * LONG_TURN_NS // turn_ns)
        else:
            self._catch_up_ns = min(MAX_CATCH_UP_NS, 2 * self._catch_up_ns)
        return max(MIN_PAUSE_NS, turn_ns) / NS_PER_S
