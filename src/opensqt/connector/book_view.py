"""What readers of one depth share of a book, and where each of them stands in it. Pure.

A cursor remembers the price range in which its reader knows every level; a view holds the newest version of the book
with the delta that leads to it and the snapshot of it, each encoded at most once.
"""

from collections.abc import Callable
from typing import Final, final

from opensqt._core.book import OrderBook
from opensqt.proto import market_data_pb2

# (kind, packed bids, packed asks, merged count) -> a serialised BookUpdates with this one update
Encode = Callable[[market_data_pb2.BookUpdateKind.ValueType, bytes, bytes, int], bytes]

PAIR_BYTES: Final = 16
_NO_LIMIT: Final = 1 << 62


@final
class BookView:
    """What the readers of one depth share: the newest version with its delta and snapshot, each encoded once."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.cursors: set[BookCursor] = set()
        self.version = 0
        self.total_merged = 0
        # Price of the level that must be inside a reader's range for it to go on with deltas; None = side is thinner.
        self.near_bid: int | None = None
        self.near_ask: int | None = None
        self._changes: tuple[bytes, bytes] | None = None
        self._delta: bytes | None = None
        self._snapshots: dict[int, tuple[bytes, bytes, bytes]] = {}

    def advance(self, book: OrderBook, changes: tuple[bytes, bytes] | None) -> None:
        """Take the changes since the last publication; None means that only a snapshot will do."""
        self.version += 1
        self._changes = changes
        self._delta = None
        self._snapshots.clear()
        half = max(1, self.depth // 2)
        bids, asks = book.pack(True, half), book.pack(False, half)
        self.near_bid = _last_price(bids) if len(bids) == half * PAIR_BYTES else None
        self.near_ask = _last_price(asks) if len(asks) == half * PAIR_BYTES else None

    @property
    def has_delta(self) -> bool:
        """Return whether the newest version can be reached by a delta."""
        return self._changes is not None

    def delta(self, encode: Encode, merged: int) -> bytes:
        """Return the newest delta: every changed level inside the range of any reader."""
        if self._delta is None:
            assert self._changes is not None, "asked only when there is one"
            low = min((cursor.low_bid for cursor in self.cursors), default=-_NO_LIMIT)
            high = max((cursor.high_ask for cursor in self.cursors), default=_NO_LIMIT)
            bids = _cut(self._changes[0], lambda ticks: ticks >= low)
            asks = _cut(self._changes[1], lambda ticks: ticks <= high)
            kind = market_data_pb2.BOOK_UPDATE_KIND_DELTA if merged else market_data_pb2.BOOK_UPDATE_KIND_STATUS
            self._delta = encode(kind, bids, asks, merged)
        return self._delta

    def snapshot(self, book: OrderBook, encode: Encode, merged: int) -> tuple[bytes, bytes, bytes]:
        """Return (frame, bids, asks) of the best levels now."""
        if merged not in self._snapshots:
            bids = book.pack(True, self.depth)
            asks = book.pack(False, self.depth)
            self._snapshots[merged] = (
                encode(market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT, bids, asks, merged),
                bids,
                asks,
            )
        return self._snapshots[merged]


@final
class BookCursor:
    """Where one reader stands in a view, and the price range in which it knows every level."""

    __slots__ = ("high_ask", "low_bid", "total_merged", "version", "view", "width")

    def __init__(self, view: BookView) -> None:
        self.view = view
        self.version = -1
        self.total_merged = view.total_merged
        self.low_bid = -_NO_LIMIT
        self.high_ask = _NO_LIMIT
        self.width = 0

    def set_range(self, book: OrderBook, bids: bytes, asks: bytes) -> None:
        """Fix the range to a snapshot's; a side sent whole has no limit."""
        depth = self.view.depth
        self.low_bid = _last_price(bids) if book.level_count(True) > depth else -_NO_LIMIT
        self.high_ask = _last_price(asks) if book.level_count(False) > depth else _NO_LIMIT
        self.width = 4 * (_width(bids) + _width(asks) + 1)

    def covers(self, book: OrderBook) -> bool:
        """Return whether deltas are still enough: half of the depth lies in the range, and the market is near it."""
        if self.low_bid != -_NO_LIMIT:
            near, best = self.view.near_bid, book.best_bid_ticks
            if near is None or best is None or near < self.low_bid or best - self.low_bid > self.width:
                return False
        if self.high_ask != _NO_LIMIT:
            near, best = self.view.near_ask, book.best_ask_ticks
            if near is None or best is None or near > self.high_ask or self.high_ask - best > self.width:
                return False
        return True


def _last_price(packed: bytes) -> int:
    return int.from_bytes(packed[-PAIR_BYTES : -PAIR_BYTES // 2], "little", signed=True) if packed else 0


def _width(packed: bytes) -> int:
    if not packed:
        return 0
    return abs(int.from_bytes(packed[:8], "little", signed=True) - _last_price(packed))


def _cut(packed: bytes, inside: Callable[[int], bool]) -> bytes:
    """Return the leading levels that are inside a range; `packed` is sorted best first, so this is a bisection."""
    prices = memoryview(packed).cast("q")
    low, high = 0, len(packed) // PAIR_BYTES
    if high == 0 or inside(prices[2 * high - 2]):
        return packed
    while low < high:
        middle = (low + high) // 2
        if inside(prices[2 * middle]):
            low = middle + 1
        else:
            high = middle
    return packed[: low * PAIR_BYTES]
