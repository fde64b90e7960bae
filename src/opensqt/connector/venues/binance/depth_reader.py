"""Depth messages into a book of ticks, also while levels rest between the ticks.

When the venue makes a tick coarser, orders of the finer one stay, and are told at their own prices. A message with such
a price is counted on a finer grid, in a raw book beside; the symbol's book then shows each raw level at the tick that
promises less: a bid at the tick below, an ask at the tick above, sizes added up. So the best bid shown is never higher
and the best ask never lower than the real one: what is quoted by it cannot cross by mistake, only stand back a tick.

The finer grid is the smallest power of ten that the message's prices need. It is left again by a snapshot without such
levels. Pure; one symbol, one book.
"""

import re
from collections import defaultdict
from typing import Final, final

from opensqt._core.book import OrderBook
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment

MAX_RATIO: Final = 1_000
"""Raw prices per tick; beyond it the filters are wrong rather than coarse."""

_PRICE_DECIMALS: Final = re.compile(rb'\[\s*"[0-9]+\.([0-9]+)"\s*,')
_PAIR_BYTES: Final = 16


@final
class DepthReader:
    """Decodes one symbol's diffs and snapshots, and applies them.

    Args:
        price, lot: the units of the instrument's revision.
    """

    def __init__(self, price: Increment, lot: Increment) -> None:
        self._tick = price
        self._lot = lot
        self._exact = DepthDecoder(price, lot)
        self._decoder = self._exact
        self._raw = OrderBook()
        self._raw_ratio = 0
        self.price = price
        """The grid that prices are read on now: the tick, or a part of it."""
        self.ratio = 1
        """Raw prices per tick."""
        self.off_tick = 0
        """Messages that were read on a finer grid than the tick."""

    @property
    def first_id(self) -> int:
        """Return the first update id of what was decoded last."""
        return self._decoder.first_id

    @property
    def last_id(self) -> int:
        """Return the last update id of what was decoded last."""
        return self._decoder.last_id

    @property
    def prev_id(self) -> int:
        """Return the last update id of the message before it."""
        return self._decoder.prev_id

    @property
    def transaction_time_ms(self) -> int:
        """Return the venue's time of what was decoded last."""
        return self._decoder.transaction_time_ms

    def decode(self, data: bytes) -> None:
        """Decode a diff.

        Raises:
            DecodeError: it is none, or its prices fit no grid.
        """
        try:
            self._decoder.decode(data)
        except DecodeError:
            if not self._refine(data):
                raise
            self._decoder.decode(data)
        self._count()

    def decode_snapshot(self, data: bytes) -> None:
        """Decode a snapshot; one without levels between the ticks ends the finer grid.

        Raises:
            DecodeError: it is none, or its prices fit no grid.
        """
        self._use(self._exact, self._tick, 1)
        try:
            self._decoder.decode_snapshot(data)
        except DecodeError:
            if not self._refine(data):
                raise
            self._decoder.decode_snapshot(data)
        self._count()

    def apply(self, book: OrderBook) -> None:
        """Apply what was decoded last.

        Raises:
            BookError: it does not fit the book.
        """
        decoder, ratio = self._decoder, self.ratio
        if ratio == 1:
            decoder.apply(book)
            self._raw_ratio = 0
            return
        if decoder.is_snapshot:
            decoder.apply(self._raw)
            self._raw_ratio = ratio
            book.load_packed(self._shown(is_bid=True), self._shown(is_bid=False))
        else:
            self._rescale(book)
            decoder.apply(self._raw)
            for is_bid, packed in ((True, decoder.bids), (False, decoder.asks)):
                for ticks in {self.round(is_bid, raw) for raw in _prices(packed)}:
                    if ticks > 0:
                        book.set_level(is_bid, ticks, self._lots_at(is_bid, ticks))
        book.first_id, book.last_id = decoder.first_id, decoder.last_id

    def round(self, is_bid: bool, raw: int) -> int:
        """Return the tick at which a raw price is shown: below for a bid, above for an ask."""
        return raw // self.ratio if is_bid else -(-raw // self.ratio)

    # ---- inside

    def _count(self) -> None:
        if self.ratio > 1:
            self.off_tick += 1

    def _use(self, decoder: DepthDecoder, price: Increment, ratio: int) -> None:
        self._decoder, self.price, self.ratio = decoder, price, ratio

    def _refine(self, data: bytes) -> bool:
        """Read on the grid that a message's prices need; return whether that is a finer one than now."""
        needed = max((len(found.rstrip(b"0")) for found in _PRICE_DECIMALS.findall(data)), default=0)
        decimals = max(needed, self._tick.decimals)
        ratio = self._tick.mantissa * 10 ** (decimals - self._tick.decimals)
        if ratio <= self.ratio or ratio > MAX_RATIO:
            return False
        price = Increment("1" if decimals == 0 else f"0.{1:0{decimals}d}")
        self._use(DepthDecoder(price, self._lot), price, ratio)
        return True

    def _rescale(self, book: OrderBook) -> None:
        """Bring the raw book onto the grid of now."""
        if self._raw_ratio == self.ratio:
            return
        source, times = (self._raw, self.ratio // self._raw_ratio) if self._raw_ratio else (book, self.ratio)
        raw = OrderBook()
        for is_bid in (True, False):
            for price, lots in source.levels(is_bid):
                raw.set_level(is_bid, price * times, lots)
        self._raw, self._raw_ratio = raw, self.ratio

    def _lots_at(self, is_bid: bool, ticks: int) -> int:
        end = ticks * self.ratio
        prices = range(end, end + self.ratio) if is_bid else range(end - self.ratio + 1, end + 1)
        return sum(self._raw.lots_at(is_bid, price) for price in prices)

    def _shown(self, *, is_bid: bool) -> bytes:
        lots_by_tick: defaultdict[int, int] = defaultdict(int)
        for raw, lots in self._raw.levels(is_bid):
            lots_by_tick[self.round(is_bid, raw)] += lots
        lots_by_tick.pop(0, None)
        levels = sorted(lots_by_tick.items(), reverse=is_bid)
        return b"".join(value.to_bytes(8, "little") for level in levels for value in level)


def _prices(packed: bytes) -> list[int]:
    starts = range(0, len(packed), _PAIR_BYTES)
    return [int.from_bytes(packed[start : start + 8], "little") for start in starts]
