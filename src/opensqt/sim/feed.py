"""A market source in the venue's own time.

Clients sign with their clocks, so the venue's clock is the machine's. The source's time is mapped onto it: its
beginning is now, and at speed 2 its events come twice as close together. Settlements of funding stay where the real
clock has them.
"""

from collections.abc import Iterator
from typing import Final, final

import msgspec

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import Candle
from opensqt.matching.events import CandleHistory, MarketEvent, MarkUpdate
from opensqt.matching.funding import next_funding_ms
from opensqt.matching.sources.base import MarketSource

_MINUTE_MS: Final = 60_000


@final
class Feed:
    """Events of a source, re-timed.

    Args:
        source: the market.
        start_ns: the venue's time at which it begins.
        speed: how many times faster than recorded.
    """

    def __init__(self, source: MarketSource, start_ns: int, speed: float) -> None:
        self._source = source
        self._start_ns = start_ns
        self._origin_ns = source.start_time_ns
        self._speed = speed

    def instruments(self) -> tuple[Instrument, ...]:
        """Return what is traded."""
        return self._source.instruments()

    @property
    def is_over(self) -> bool:
        """Return whether the source has ended."""
        return self._source.next_time_ns() is None

    def hold(self, duration_ns: int) -> None:
        """Let the market stand still for a while: all that is to come comes later by so much."""
        self._start_ns += duration_ns

    def pop(self, now_ns: int) -> Iterator[MarketEvent]:
        """Yield the events up to a time of the venue.

        Raises:
            CaptureError: recorded data turned out to be broken.
        """
        for event in self._source.pop(self._to_source(now_ns)):
            yield self._moved(event)

    def _to_source(self, now_ns: int) -> int:
        return self._origin_ns + int((now_ns - self._start_ns) * self._speed)

    def _to_venue(self, time_ns: int) -> int:
        return self._start_ns + int((time_ns - self._origin_ns) / self._speed)

    def _moved(self, event: MarketEvent) -> MarketEvent:
        time_ns = self._to_venue(event.time_ns)
        if isinstance(event, MarkUpdate):
            # Announced for the venue's own clock, wherever the recorded settlement was.
            return msgspec.structs.replace(
                event, time_ns=time_ns, next_funding_time_ms=next_funding_ms(time_ns // NS_PER_MS)
            )
        if isinstance(event, CandleHistory):
            return msgspec.structs.replace(event, time_ns=time_ns, candles=self._history(event.candles, time_ns))
        return msgspec.structs.replace(event, time_ns=time_ns)

    def _history(self, candles: tuple[Candle, ...], time_ns: int) -> tuple[Candle, ...]:
        """Let the last minute of history be the one before now, minute by minute."""
        now_ms = time_ns // NS_PER_MS
        first_ms = now_ms - now_ms % _MINUTE_MS - len(candles) * _MINUTE_MS
        return tuple(
            msgspec.structs.replace(candle, open_time_ms=first_ms + index * _MINUTE_MS)
            for index, candle in enumerate(candles)
        )
