"""Read recorded Binance captures and replay their depth by the venue's book rule."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from opensqt._core.book import OrderBook
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.fixed import Increment


def read_capture(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (receive time in ns, frame) of a raw_ws capture; 16-digit times are microseconds."""
    with gzip.open(path, "rb") as lines:
        for line in lines:
            stamp, _, frame = line.rstrip(b"\n").partition(b" ")
            yield int(stamp) * (1000 if len(stamp) == 16 else 1), frame


def read_cryptofeed(path: Path) -> Iterator[bytes]:
    """Yield the JSON frames of a cryptofeed capture."""
    with gzip.open(path, "rb") as lines:
        for line in lines:
            _, separator, frame = line.rstrip(b"\n").partition(b": ")
            if separator and frame.startswith(b"{"):
                yield frame


@dataclass
class DepthReplay:
    """Apply diffs to a book as the venue prescribes, counting what must not happen.

    Futures chain by `pu == previous u`; spot, which sends no `pu`, by `U == previous u + 1`.
    """

    decoder: DepthDecoder
    book: OrderBook = field(default_factory=OrderBook)
    synced: bool = False
    snapshots: int = 0
    applied: int = 0
    gaps: int = 0
    crossed: int = 0
    waiting: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, tick: str, lot: str) -> "DepthReplay":
        return cls(DepthDecoder(Increment(tick), Increment(lot)))

    def snapshot(self, frame: bytes) -> None:
        self.decoder.decode_snapshot(frame)
        self.decoder.apply(self.book)
        self.snapshots += 1
        self.synced = False
        waiting, self.waiting = self.waiting, []
        for diff in waiting:
            self.diff(diff)

    def diff(self, frame: bytes) -> None:
        if self.snapshots == 0:
            self.waiting.append(frame)
            return
        decoder = self.decoder
        decoder.decode(frame)
        last_id, is_spot = self.book.last_id, decoder.prev_id < 0
        if not self.synced:
            next_id = last_id + is_spot
            if decoder.last_id < next_id:
                return
            continuous = decoder.first_id <= next_id <= decoder.last_id or decoder.prev_id == last_id
            self.synced = True
        else:
            continuous = decoder.first_id == last_id + 1 if is_spot else decoder.prev_id == last_id
        self.gaps += not continuous
        decoder.apply(self.book)
        self.applied += 1
        self.crossed += self.book.is_crossed
