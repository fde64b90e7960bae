"""How long every part of the way takes: one histogram per hop, cheap enough to be always on.

A tick's way and its order's way back, cut where it passes from hand to hand:

    venue -> VENUE -> connector's socket -> DECODE -> book -> PUBLISH -> stream -> DELIVER -> engine -> DECIDE
          -> SUBMIT -> connector -> SEND -> venue's socket -> ACKNOWLEDGE -> connector -> ANSWER -> engine

Times are Unix time of the machine they were taken on: hops between processes are exact on one host and contain the
difference of the clocks otherwise; VENUE always contains the venue's clock. A negative difference counts as 0.

Recording costs one call into a Cython histogram. Two windows of a minute each are kept beside the total, so that what
is shown is of the last one to two minutes and not an average of days.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum, unique
from typing import Final, final

import msgspec

from opensqt._core.histogram import Histogram
from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.proto import latency_pb2

WINDOW_NS: Final = 60 * NS_PER_S


@unique
class Hop(StrEnum):
    """A part of the way; the order is the way's."""

    VENUE = "venue"
    DECODE = "decode"
    PUBLISH = "publish"
    DELIVER = "deliver"
    DECIDE = "decide"
    SUBMIT = "submit"
    SEND = "send"
    ACKNOWLEDGE = "acknowledge"
    ANSWER = "answer"
    TICK_TO_ORDER = "tick_to_order"
    ORDER_ROUND_TRIP = "order_round_trip"
    LOOP_LAG = "loop_lag"


HOP_TEXTS: Final = {
    Hop.VENUE: "venue's event time to the connector's socket",
    Hop.DECODE: "socket to book",
    Hop.PUBLISH: "book to the reader's stream",
    Hop.DELIVER: "stream to engine",
    Hop.DECIDE: "engine to decision",
    Hop.SUBMIT: "decision to connector",
    Hop.SEND: "connector to the venue's socket",
    Hop.ACKNOWLEDGE: "sent to the venue's answer",
    Hop.ANSWER: "venue's answer to engine",
    Hop.TICK_TO_ORDER: "market data at the socket to order at the socket",
    Hop.ORDER_ROUND_TRIP: "decision to answer at the engine",
    Hop.LOOP_LAG: "how late the event loop ran a timer",
}


class HopSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One hop's distribution."""

    hop: Hop
    count: int
    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int


@final
class LatencyBoard:
    """The histograms of one process.

    Args:
        hops: what this process measures.
        now_ns: a steady clock, for the windows.
    """

    def __init__(self, hops: Iterable[Hop], now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._started_ns = self._window_ns = now_ns()
        chosen = frozenset(hops)
        self._current = {hop: Histogram() for hop in Hop if hop in chosen}
        self._previous = {hop: Histogram() for hop in self._current}
        self._older = {hop: Histogram() for hop in self._current}

    def recorder(self, hop: Hop) -> Callable[[int], None]:
        """Return what takes a hop's durations in ns; it stays good for the board's life."""
        return self._current[hop].record

    def roll(self) -> None:
        """Begin a new window when the current one is over; called by whoever watches time."""
        now_ns = self._now_ns()
        if now_ns - self._window_ns < WINDOW_NS:
            return
        self._window_ns = now_ns
        for hop, current in self._current.items():
            previous = self._previous[hop]
            self._older[hop].merge(previous)
            previous.reset()
            previous.merge(current)
            current.reset()

    def histogram(self, hop: Hop, *, since_start: bool) -> Histogram:
        """Return a copy of what was measured: of the last one to two windows, or of all time."""
        merged = Histogram()
        merged.merge(self._current[hop])
        merged.merge(self._previous[hop])
        if since_start:
            merged.merge(self._older[hop])
        return merged

    def histograms(self) -> Iterator[tuple[Hop, Histogram]]:
        """Yield everything measured since the start."""
        for hop in self._current:
            yield hop, self.histogram(hop, since_start=True)

    def summaries(self, *, since_start: bool = False) -> list[HopSummary]:
        """Return the hops that have something to tell, in the order of the way."""
        found = []
        for hop in self._current:
            histogram = self.histogram(hop, since_start=since_start)
            if histogram.count:
                found.append(_summary(hop, histogram))
        return found

    def response(self, request: latency_pb2.GetLatencyRequest) -> latency_pb2.GetLatencyResponse:
        """Answer GetLatency."""
        now_ns = self._now_ns()
        covered_ns = now_ns - self._started_ns
        if not request.since_start:
            covered_ns = min(covered_ns, now_ns - self._window_ns + WINDOW_NS)
        return latency_pb2.GetLatencyResponse(
            hops=messages(self.summaries(since_start=request.since_start)), window_ms=covered_ns // NS_PER_MS
        )


def messages(summaries: Iterable[HopSummary]) -> list[latency_pb2.HopLatency]:
    """Write summaries as messages."""
    return [
        latency_pb2.HopLatency(
            hop=one.hop, count=one.count, p50_ns=one.p50_ns, p99_ns=one.p99_ns, p999_ns=one.p999_ns, max_ns=one.max_ns
        )
        for one in summaries
    ]


def _summary(hop: Hop, histogram: Histogram) -> HopSummary:
    return HopSummary(
        hop=hop,
        count=histogram.count,
        p50_ns=histogram.quantile(0.5) or 0,
        p99_ns=histogram.quantile(0.99) or 0,
        p999_ns=histogram.quantile(0.999) or 0,
        max_ns=histogram.max or 0,
    )
