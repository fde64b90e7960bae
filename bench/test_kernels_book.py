"""The book, fixed-point and histogram kernels against what the standard library offers."""

import random
import struct
from bisect import bisect_left, insort
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as PrometheusHistogram

from opensqt._core.book import OrderBook
from opensqt._core.fixed import Increment
from opensqt._core.histogram import Histogram

LEVELS = 20_000
MID_TICKS = 640_000


def deltas_near_the_touch() -> list[tuple[int, int]]:
    """Draw level changes of one side, most of them within a few hundred ticks of the touch, a sixth removals."""
    source = random.Random(7)
    return [(MID_TICKS - int(source.expovariate(1 / 200)), source.randrange(6)) for _ in range(LEVELS)]


def test_apply_one_level_near_the_touch(race: Any) -> None:
    """Target: <= 9 ns per level, in a native loop of 20,000 levels; the gate leaves room for a busy machine."""
    levels = deltas_near_the_touch()
    packed = b"".join(struct.pack("<qq", ticks, lots) for ticks, lots in levels)
    book = OrderBook()
    prices: list[int] = []
    sizes: dict[int, int] = {}

    def baseline() -> None:
        for ticks, lots in levels:
            if lots == 0:
                if sizes.pop(ticks, None) is not None:
                    del prices[bisect_left(prices, ticks)]
            else:
                if ticks not in sizes:
                    insort(prices, ticks)
                sizes[ticks] = lots

    race(lambda: book.apply_packed(packed, b""), baseline, items=LEVELS, at_least=12, target=20, target_ns=9)
    assert book.level_count(True) == len(prices)


def test_publish_twenty_levels(race: Any) -> None:
    """Packing the best twenty levels of a side, as a book message does, against struct over a sorted dict."""
    book = OrderBook()
    sizes: dict[int, int] = {}
    for ticks, lots in deltas_near_the_touch():
        book.set_level(True, ticks, lots)
        sizes[ticks] = lots

    def baseline() -> None:
        for _ in range(20):
            best = sorted((ticks for ticks, lots in sizes.items() if lots), reverse=True)[:20]
            b"".join(struct.pack("<qq", ticks, sizes[ticks]) for ticks in best)

    def ours() -> None:
        for _ in range(20):
            book.pack(True, 20)

    race(ours, baseline, items=20, at_least=50)


def test_parse_a_price(race: Any) -> None:
    texts = [f"{63_000 + n / 10:.2f}" for n in range(2_000)]
    step, tick = Increment("0.10"), Decimal("0.10")

    def ours() -> None:
        for text in texts:
            step.parse(text)

    def baseline() -> None:
        for text in texts:
            int(Decimal(text) / tick)

    race(ours, baseline, items=len(texts), at_least=4)


def test_record_a_latency(race: Any) -> None:
    """Recording from Python against the metrics library's own histogram."""
    source = random.Random(7)
    values = [int(source.lognormvariate(11, 1)) for _ in range(2_000)]
    ours_histogram = Histogram()
    theirs = PrometheusHistogram("latency_ns", "A latency.", registry=CollectorRegistry())

    def ours() -> None:
        record = ours_histogram.record
        for value in values:
            record(value)

    def baseline() -> None:
        observe = theirs.observe
        for value in values:
            observe(value)

    race(ours, baseline, items=len(values), at_least=5)
