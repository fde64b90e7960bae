"""Decoding and applying Binance frames against orjson, floats, a dict and bisect."""

from bisect import bisect_left, insort
from typing import Any

import orjson
import pytest

from opensqt._core.book import OrderBook
from opensqt._core.decode.binance import decode_book_ticker, decode_trade
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.fixed import Increment

TICK, LOT = Increment("0.10"), Increment("0.001")


class FloatBook:
    """What one writes in an afternoon: sorted prices and a dict of sizes per side, all floats."""

    def __init__(self) -> None:
        self.prices: tuple[list[float], list[float]] = ([], [])
        self.sizes: tuple[dict[float, float], dict[float, float]] = ({}, {})

    def apply(self, side: int, levels: list[list[str]]) -> None:
        prices, sizes = self.prices[side], self.sizes[side]
        for price_text, size_text in levels:
            price, size = float(price_text), float(size_text)
            if size == 0.0:
                if sizes.pop(price, None) is not None:
                    del prices[bisect_left(prices, price)]
            else:
                if price not in sizes:
                    insort(prices, price)
                sizes[price] = size


def level_count(frame: bytes) -> int:
    message: dict[str, Any] = orjson.loads(frame)["data"]
    return len(message["b"]) + len(message["a"])


@pytest.fixture(scope="module")
def snapshot(recorded_frames: list[bytes]) -> bytes:
    return next(frame for frame in recorded_frames if b'"lastUpdateId"' in frame[:20])


@pytest.fixture(scope="module")
def diffs(recorded_frames: list[bytes]) -> list[bytes]:
    """Return recorded diffs of 18 to 22 levels."""
    found = [frame for frame in recorded_frames if b"depthUpdate" in frame and 18 <= level_count(frame) <= 22]
    return found[:500]


def test_parse_and_apply_a_20_level_diff(race: Any, snapshot: bytes, diffs: list[bytes]) -> None:
    """Target: <= 0.5 us and at least 15 times the baseline; the gate leaves room for a busy machine."""
    decoder, book, floats = DepthDecoder(TICK, LOT), OrderBook(), FloatBook()
    decoder.decode_snapshot(snapshot)
    decoder.apply(book)
    start = orjson.loads(snapshot)
    floats.apply(0, start["bids"])
    floats.apply(1, start["asks"])

    def ours() -> None:
        run = decoder.decode_and_apply
        for frame in diffs:
            run(frame, book)

    def baseline() -> None:
        for frame in diffs:
            message = orjson.loads(frame)["data"]
            floats.apply(0, message["b"])
            floats.apply(1, message["a"])

    race(ours, baseline, items=len(diffs), at_least=10, target=15, target_ns=500)
    assert book.level_count(True) == len(floats.prices[0])
    assert book.level_count(False) == len(floats.prices[1])


def test_parse_a_20_level_diff(race: Any, diffs: list[bytes]) -> None:
    """Target: at least 6 times orjson; the gate leaves room for a busy machine."""
    decoder = DepthDecoder(TICK, LOT)

    def ours() -> None:
        run = decoder.decode
        for frame in diffs:
            run(frame)

    def baseline() -> None:
        run = orjson.loads
        for frame in diffs:
            run(frame)

    race(ours, baseline, items=len(diffs), at_least=4, target=6)


def test_parse_book_ticker(race: Any, recorded_frames: list[bytes]) -> None:
    """Target: at least 4 times orjson; the gate leaves room for a busy machine."""
    frames = [frame for frame in recorded_frames if b'"bookTicker"' in frame][:2_000]

    def ours() -> None:
        for frame in frames:
            decode_book_ticker(frame, TICK, LOT)

    def baseline() -> None:
        for frame in frames:
            orjson.loads(frame)

    race(ours, baseline, items=len(frames), at_least=3, target=4)


def test_parse_trade(race: Any, recorded_frames: list[bytes]) -> None:
    """Target: at least 4 times orjson; the gate leaves room for a busy machine."""
    frames = [frame for frame in recorded_frames if b'"e":"trade"' in frame][:2_000]

    def ours() -> None:
        for frame in frames:
            decode_trade(frame, TICK, LOT)

    def baseline() -> None:
        for frame in frames:
            orjson.loads(frame)

    race(ours, baseline, items=len(frames), at_least=3, target=4)
