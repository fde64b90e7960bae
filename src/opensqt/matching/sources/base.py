"""What every market source offers: events in time order, and a position to come back to."""

from collections.abc import Iterator
from typing import Any, Protocol

from opensqt.domain.instrument import Instrument
from opensqt.matching.events import MarketEvent


class MarketSource(Protocol):
    """A market that can be read forward. Time is the source's own; whoever drives it maps real time onto it.

    A fresh or sought source first yields a snapshot of every book, so that a reader never needs anything older.
    """

    @property
    def start_time_ns(self) -> int:
        """Return the time at which the market begins (after `seek`: at which it goes on)."""
        ...

    def instruments(self) -> tuple[Instrument, ...]:
        """Return what is traded."""
        ...

    def next_time_ns(self) -> int | None:
        """Return the time of the next event, None at the end."""
        ...

    def pop(self, until_ns: int) -> Iterator[MarketEvent]:
        """Yield the events up to and including a time, in order.

        Raises:
            CaptureError: recorded data turned out to be broken.
        """
        ...

    def position(self) -> dict[str, Any]:
        """Return where the source stands, as plain JSON-able data for `seek`.

        Valid only once everything that `pop` was asked for has been consumed.
        """
        ...

    def seek(self, position: dict[str, Any]) -> None:
        """Go on from a position of a source made with the same settings.

        Raises:
            CaptureError: the position belongs to other data or settings.
        """
        ...
