"""Recorded captures as a market: one or several symbols merged by exchange time, once or over and over.

`open_replay` reads every file to its end first, so that a capture that starts to play also plays to its end. Nothing
is kept in memory but the messages of a few seconds. A capture that begins again does so one second after its end, with
all times and ids shifted, and its books are lost until their snapshot comes by, as after a gap.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Any, final

import msgspec

from opensqt._core.book import OrderBook
from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.instrument import Instrument
from opensqt.matching.events import BookDelta, BookLost, BookSnapshot, MarketEvent, MarkUpdate, TradePrint
from opensqt.matching.funding import next_funding_ms
from opensqt.matching.sources.capture_symbol import SymbolCapture
from opensqt.matching.sources.describe import describe_capture
from opensqt.matching.sources.errors import CaptureError

_BY_TIME = attrgetter("time_ns")
_ID_BITS = 44
"""A round adds 2**44 to the ids of updates and trades, more than any venue counts in the time of a capture."""


class ReplaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a capture holds, found by reading it to its end."""

    symbols: tuple[str, ...]
    first_time_ns: int
    last_time_ns: int
    event_count: int
    trade_count: int
    publishes_marks: bool


@final
class ReplaySource:
    """A validated capture; make one with `open_replay`."""

    def __init__(self, captures: Sequence[SymbolCapture], summary: ReplaySummary, *, loop: bool) -> None:
        self._captures = tuple(captures)
        self.summary = summary
        self._loop = loop
        self._period_ns = summary.last_time_ns - summary.first_time_ns + NS_PER_S
        self._start_time_ns = summary.first_time_ns
        # After a seek: the books as they stood, not counted as events of the capture.
        self._snapshots: deque[MarketEvent] = deque()
        self._round = 0
        self._taken = 0
        self._events: Iterator[MarketEvent] = iter(())
        self._next: MarketEvent | None = None
        self._fingerprint: list[list[str | int]] = []

    def rewind(self) -> None:
        """Go to the beginning; a new source has to be rewound before it is read."""
        self._fingerprint = [[path.name, path.stat().st_size] for capture in self._captures for path in capture.paths]
        self._snapshots.clear()
        self._round = self._taken = 0
        self._start_time_ns = self.summary.first_time_ns
        self._events = self._read(0)
        self._next = next(self._events, None)

    @property
    def start_time_ns(self) -> int:
        """Return when the capture begins, or goes on after `seek`."""
        return self._start_time_ns

    def instruments(self) -> tuple[Instrument, ...]:
        """Return what was recorded."""
        return tuple(capture.instrument for capture in self._captures)

    def next_time_ns(self) -> int | None:
        """Return the time of the next event, None at the end."""
        if self._snapshots:
            return self._snapshots[0].time_ns
        return None if self._next is None else self._next.time_ns

    def pop(self, until_ns: int) -> Iterator[MarketEvent]:
        """Yield the events up to and including a time."""
        while self._snapshots and self._snapshots[0].time_ns <= until_ns:
            yield self._snapshots.popleft()
        event = self._next
        while event is not None and event.time_ns <= until_ns:
            self._taken += 1
            self._next = self._fetch()
            yield event
            event = self._next

    def position(self) -> dict[str, Any]:
        """Return how far the capture was read: the round, and how many of its events were taken."""
        return {"kind": "replay", "files": self._fingerprint, "round": self._round, "taken": self._taken}

    def seek(self, position: dict[str, Any]) -> None:
        """Go on from a position of the same files; the books up to there are rebuilt and come first as snapshots."""
        if position.get("kind") != "replay" or position.get("files") != self._fingerprint:
            raise CaptureError(
                "the saved position belongs to other captures (names or sizes differ); give the same files in the same "
                "order, or start with a new state file"
            )
        self._round, self._taken = int(position["round"]), int(position["taken"])
        self._events = self._read(self._round)
        books: dict[str, OrderBook] = {}
        time_ns = self.summary.first_time_ns + self._round * self._period_ns
        for _ in range(self._taken):
            event = next(self._events)
            time_ns = event.time_ns
            _apply(books, event)
        self._start_time_ns = time_ns
        self._snapshots = deque(
            BookSnapshot(symbol, time_ns, book.last_id, book.pack(True), book.pack(False))
            for symbol, book in books.items()
        )
        self._next = self._fetch()

    def _fetch(self) -> MarketEvent | None:
        event = next(self._events, None)
        if event is None and self._loop:
            self._round += 1
            self._taken = 0
            self._events = self._read(self._round)
            event = next(self._events, None)
        return event

    def _read(self, round_: int) -> Iterator[MarketEvent]:
        shift_ns = round_ * self._period_ns
        if round_ == 0:
            yield from _merged(self._captures)
            return
        for capture in self._captures:
            yield BookLost(capture.instrument.symbol, self.summary.first_time_ns + shift_ns, "the capture begins again")
        for event in _merged(self._captures):
            yield _shifted(event, shift_ns, round_ << _ID_BITS)


def open_replay(paths: Sequence[Path], *, loop: bool = False) -> ReplaySource:
    """Read and check captures, and return them as a market.

    Args:
        paths: raw capture files; parts of one symbol's capture in the order they were recorded.
        loop: begin again after the end.

    Raises:
        CaptureError: anything that would keep the capture from playing to its end.
    """
    captures = describe_capture(paths)
    spans = [_Span() for _ in captures]
    for capture, span in zip(captures, spans, strict=True):
        for event in capture.events():
            span.add(event)
    begin = max(span.first_ns for span in spans)
    end = min(span.last_ns for span in spans)
    if begin > end:
        names = ", ".join(capture.instrument.venue_symbol for capture in captures)
        raise CaptureError(
            f"the captures of {names} were recorded at different times and cannot play together; replay them one by "
            "one, or give captures of the same time"
        )
    summary = ReplaySummary(
        symbols=tuple(capture.instrument.symbol for capture in captures),
        first_time_ns=min(span.first_ns for span in spans),
        last_time_ns=max(span.last_ns for span in spans),
        event_count=sum(span.events for span in spans),
        trade_count=sum(span.trades for span in spans),
        publishes_marks=all(span.marks > 0 for span in spans),
    )
    source = ReplaySource(captures, summary, loop=loop)
    source.rewind()
    return source


@final
class _Span:
    """Counts what one symbol's capture holds."""

    def __init__(self) -> None:
        self.first_ns = 0
        self.last_ns = 0
        self.events = 0
        self.trades = 0
        self.marks = 0

    def add(self, event: MarketEvent) -> None:
        if not self.events:
            self.first_ns = event.time_ns
        self.events += 1
        self.last_ns = event.time_ns
        self.trades += isinstance(event, TradePrint)
        self.marks += isinstance(event, MarkUpdate)


def _merged(captures: Iterable[SymbolCapture]) -> Iterator[MarketEvent]:
    streams = [capture.events() for capture in captures]
    return streams[0] if len(streams) == 1 else merge(*streams, key=_BY_TIME)


def _shifted(event: MarketEvent, shift_ns: int, shift_ids: int) -> MarketEvent:
    time_ns = event.time_ns + shift_ns
    if isinstance(event, TradePrint):
        return TradePrint(
            event.symbol, time_ns, str(int(event.trade_id) + shift_ids), event.aggressor, event.price_ticks, event.lots
        )
    if isinstance(event, BookDelta):
        return BookDelta(
            event.symbol, time_ns, event.first_id + shift_ids, event.last_id + shift_ids, event.bids, event.asks
        )
    if isinstance(event, BookSnapshot):
        return BookSnapshot(event.symbol, time_ns, event.last_id + shift_ids, event.bids, event.asks)
    if isinstance(event, MarkUpdate):
        # Settlements happen at round hours of the clock, wherever the shift moved the recorded ones.
        return msgspec.structs.replace(
            event, time_ns=time_ns, next_funding_time_ms=next_funding_ms(time_ns // NS_PER_MS)
        )
    return msgspec.structs.replace(event, time_ns=time_ns)


def _apply(books: dict[str, OrderBook], event: MarketEvent) -> None:
    if isinstance(event, BookDelta):
        book = books[event.symbol]
        book.apply_packed(event.bids, event.asks)
        book.last_id = event.last_id
    elif isinstance(event, BookSnapshot):
        book = books.setdefault(event.symbol, OrderBook())
        book.load_packed(event.bids, event.asks)
        book.last_id = event.last_id
    elif isinstance(event, BookLost):
        books.pop(event.symbol, None)
