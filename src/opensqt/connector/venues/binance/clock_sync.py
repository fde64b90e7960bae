"""The venue's clock, estimated from its answers and our monotonic clock. Pure.

A sample says: the venue's clock showed `server_ms` somewhere between sending and receiving. Its middle is the best
guess, half the round trip the bound of the error; the sample with the shortest round trip of the recent ones is kept.
Our wall clock plays no part, so a step of it moves nothing. Old samples lose trust by the drift of a cheap quartz. A
sample that the others cannot explain means that one of the clocks has moved: the others are forgotten then.

Requests are stamped a little late rather than early: the venue refuses what is 1000 ms ahead of it and tolerates what
is late up to the receive window (Binance docs, USDⓈ-M futures, general info, "Timing security").
"""

from collections import deque
from typing import Final, final

import msgspec

from opensqt.domain.clock import NS_PER_MS

SAMPLES: Final = 16
MAX_DRIFT_PPM: Final = 50
SERVERS_DIFFER_NS: Final = 20 * NS_PER_MS
"""A venue answers from several machines, whose clocks are this much apart at most; no clock has moved by less."""

# The venue's clock is told in whole ms: on average half of one is cut off.
_TRUNCATED_NS: Final = NS_PER_MS // 2


class _Sample(msgspec.Struct, frozen=True):
    at_ns: int
    offset_ns: int
    error_ns: int

    def error_at(self, now_ns: int) -> int:
        return self.error_ns + (now_ns - self.at_ns) * MAX_DRIFT_PPM // 1_000_000


@final
class ClockSync:
    """Offset of the venue's clock to the monotonic one, with its error."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)

    @property
    def is_known(self) -> bool:
        """Return whether there was a sample."""
        return bool(self._samples)

    def add(self, sent_ns: int, received_ns: int, server_ms: int) -> int:
        """Take one answer: when it was asked for and came, on the monotonic clock, and what it said.

        Returns:
            By how many ns more than both errors allow the estimate was off; 0 = they agree.
        """
        middle_ns = (sent_ns + received_ns) // 2
        offset_ns = server_ms * NS_PER_MS + _TRUNCATED_NS - middle_ns
        sample = _Sample(received_ns, offset_ns, (received_ns - sent_ns) // 2 + _TRUNCATED_NS)
        skew_ns = 0
        if self._samples:
            best = self._best(received_ns)
            apart_ns = abs(offset_ns - best.offset_ns)
            skew_ns = max(0, apart_ns - best.error_at(received_ns) - sample.error_ns)
            if skew_ns > SERVERS_DIFFER_NS:
                self._samples.clear()
        self._samples.append(sample)
        return skew_ns

    def forget(self) -> None:
        """Drop all samples: the venue says that our time is wrong."""
        self._samples.clear()

    def offset_ns(self, now_ns: int) -> int:
        """Return the venue's clock minus the monotonic one.

        Raises:
            ValueError: there was no sample yet.
        """
        return self._best(now_ns).offset_ns

    def error_ns(self, now_ns: int) -> int:
        """Return how far off the estimate may be.

        Raises:
            ValueError: there was no sample yet.
        """
        return self._best(now_ns).error_at(now_ns)

    def venue_ns(self, now_ns: int) -> int:
        """Return the venue's clock.

        Raises:
            ValueError: there was no sample yet.
        """
        return now_ns + self.offset_ns(now_ns)

    def stamp_ms(self, now_ns: int) -> int:
        """Return the time to put on a request that is sent now: certainly not ahead of the venue's clock.

        Raises:
            ValueError: there was no sample yet.
        """
        best = self._best(now_ns)
        return (now_ns + best.offset_ns - best.error_at(now_ns)) // NS_PER_MS

    def _best(self, now_ns: int) -> _Sample:
        if not self._samples:
            raise ValueError("the venue's clock is not known before the first sample")
        return min(self._samples, key=lambda sample: sample.error_at(now_ns))
