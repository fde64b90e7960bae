"""One symbol's book on its way out: validity, and updates for any number of readers, encoded once.

The adapter changes `book` and calls `updated`; readers are woken. The first of them to `take` publishes: the changes
since the last publication become one delta, whatever number of venue messages they came from. A reader that took the
previous publication gets that delta; one that is behind gets a snapshot instead (newest wins), with the count of
messages merged. So a slow reader costs one snapshot, never a queue.

A reader's snapshot fixes the price range in which it knows every level (the best `depth` levels of that moment); deltas
carry every changed level inside it. When the market moves so that fewer than half of `depth` levels remain in the
range, or far away from it, that reader gets a new snapshot. Readers of one depth share a view and its bytes.
"""

from collections.abc import Callable
from typing import Final, final

from opensqt._core.book import OrderBook
from opensqt.domain.market import BookValidity
from opensqt.proto import market_data_pb2, types_pb2

Wake = Callable[[], None]

DEFAULT_DEPTH: Final = 50
MAX_DEPTH: Final = 1000
_PAIR_BYTES: Final = 16
_NO_LIMIT: Final = 1 << 62

_SNAPSHOT: Final = market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT
_DELTA: Final = market_data_pb2.BOOK_UPDATE_KIND_DELTA
_STATUS: Final = market_data_pb2.BOOK_UPDATE_KIND_STATUS


@final
class BookFeed:
    """One symbol's book and its readers.

    Args:
        symbol: canonical symbol.
        revision: of the instrument its ticks and lots are counted in.
        book: the book that its adapter writes; nobody else takes its changes.
        now_ns: realtime clock, for `publish_time_ns`.
        monotonic_ns: for the age of the data.
        on_validity: called after every change of validity.
    """

    def __init__(
        self,
        symbol: str,
        revision: int,
        book: OrderBook,
        *,
        now_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        on_validity: Callable[["BookFeed"], None],
    ) -> None:
        self.symbol = symbol
        self.revision = revision
        self.book = book
        self.validity = BookValidity.SYNCING
        self.reason = "no data yet"
        self.last_receive_ns = 0
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns
        self._on_validity = on_validity
        self._alive_at_ns = monotonic_ns()
        self._venue_time_ns = 0
        self._first_sequence = 0
        self._last_sequence = 0
        self._merged = 0
        self._status_changed = False
        self._views: dict[int, _View] = {}
        self._readers: set[BookReader] = set()

    # ---- written by the adapter

    def updated(self, first_sequence: int, last_sequence: int, venue_time_ns: int, receive_time_ns: int) -> None:
        """Say that the book holds the venue's messages up to `last_sequence` now."""
        if self._merged == 0:
            self._first_sequence = first_sequence
        self._last_sequence = last_sequence
        self._venue_time_ns = venue_time_ns
        self.last_receive_ns = receive_time_ns
        self._merged += 1
        self._alive_at_ns = self._monotonic_ns()
        if self.book.is_crossed:
            self.set_validity(BookValidity.STALE, "best bid is not below best ask")
        self._wake_readers()

    def alive(self) -> None:
        """Say that the feed is current although nothing changed."""
        self._alive_at_ns = self._monotonic_ns()

    def set_validity(self, validity: BookValidity, reason: str = "") -> None:
        """Say whether the book may be believed, and why not."""
        if validity is BookValidity.VALID and self.book.is_crossed:
            validity, reason = BookValidity.STALE, "best bid is not below best ask"
        if validity is self.validity and reason == self.reason:
            return
        self.validity = validity
        self.reason = reason
        self._status_changed = True
        self._on_validity(self)
        self._wake_readers()

    def check_age(self, limit_ns: int) -> None:
        """Call the book STALE when its feed was silent for longer than `limit_ns`."""
        silent_ns = self._monotonic_ns() - self._alive_at_ns
        if self.validity is BookValidity.VALID and silent_ns > limit_ns:
            self.set_validity(BookValidity.STALE, f"no market data for {silent_ns // 1_000_000} ms")

    def set_revision(self, revision: int) -> None:
        """Count in another instrument revision from now on; readers start over."""
        self.revision = revision
        for view in self._views.values():
            view.advance(self.book, None)
        self._wake_readers()

    # ---- read by streams

    def add(self, reader: "BookReader", depth: int) -> "_Cursor":
        """Add a reader; it starts with a snapshot."""
        view = self._views.setdefault(depth, _View(depth))
        cursor = _Cursor(view)
        view.cursors.add(cursor)
        self._readers.add(reader)
        return cursor

    def remove(self, reader: "BookReader", cursor: "_Cursor") -> None:
        """Remove a reader and, with its last one, its view."""
        self._readers.discard(reader)
        cursor.view.cursors.discard(cursor)
        if not cursor.view.cursors:
            self._views.pop(cursor.view.depth, None)

    def take(self, cursor: "_Cursor") -> bytes:
        """Return the next update for one reader as a serialised BookUpdates; empty when it has everything."""
        self._publish()
        view = cursor.view
        behind = view.version - cursor.version
        if behind == 0:
            return b""
        merged = view.total_merged - cursor.total_merged
        cursor.version = view.version
        cursor.total_merged = view.total_merged
        if behind == 1 and view.has_delta and cursor.covers(self.book):
            return view.delta(self, merged)
        frame, bids, asks = view.snapshot(self, merged)
        cursor.set_range(self.book, bids, asks)
        return frame

    def _publish(self) -> None:
        if self._merged == 0 and not self._status_changed:
            return
        changes = self.book.take_changes() if self._merged else (b"", b"")
        for view in self._views.values():
            view.total_merged += self._merged
            view.advance(self.book, changes)
        self._merged = 0
        self._status_changed = False

    def _wake_readers(self) -> None:
        for reader in self._readers:
            reader.mark(self.symbol)

    def encode(self, kind: market_data_pb2.BookUpdateKind.ValueType, bids: bytes, asks: bytes, merged: int) -> bytes:
        """Serialise one update so that it can be joined with others into one BookUpdates."""
        update = market_data_pb2.BookUpdate(
            symbol=self.symbol,
            kind=kind,
            validity=types_pb2.BookValidity.ValueType(self.validity),
            validity_reason=self.reason,
            first_sequence=self._first_sequence,
            last_sequence=self._last_sequence,
            venue_time_ns=self._venue_time_ns,
            receive_time_ns=self.last_receive_ns,
            publish_time_ns=self._now_ns(),
            merged_count=merged,
            instrument_revision=self.revision,
            bid_count=len(bids) // _PAIR_BYTES,
            levels=bids + asks,
        )
        return market_data_pb2.BookUpdates(updates=(update,)).SerializeToString()


@final
class _View:
    """What the readers of one depth share: the newest version with its delta and snapshot, each encoded once."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.cursors: set[_Cursor] = set()
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
        self.near_bid = _last_price(bids) if len(bids) == half * _PAIR_BYTES else None
        self.near_ask = _last_price(asks) if len(asks) == half * _PAIR_BYTES else None

    @property
    def has_delta(self) -> bool:
        """Return whether the newest version can be reached by a delta."""
        return self._changes is not None

    def delta(self, feed: BookFeed, merged: int) -> bytes:
        """Return the newest delta: every changed level inside the range of any reader."""
        if self._delta is None:
            assert self._changes is not None, "asked only when there is one"
            low = min((cursor.low_bid for cursor in self.cursors), default=-_NO_LIMIT)
            high = max((cursor.high_ask for cursor in self.cursors), default=_NO_LIMIT)
            bids = _cut(self._changes[0], lambda ticks: ticks >= low)
            asks = _cut(self._changes[1], lambda ticks: ticks <= high)
            self._delta = feed.encode(_DELTA if merged else _STATUS, bids, asks, merged)
        return self._delta

    def snapshot(self, feed: BookFeed, merged: int) -> tuple[bytes, bytes, bytes]:
        """Return (frame, bids, asks) of the best levels now."""
        if merged not in self._snapshots:
            bids = feed.book.pack(True, self.depth)
            asks = feed.book.pack(False, self.depth)
            self._snapshots[merged] = (feed.encode(_SNAPSHOT, bids, asks, merged), bids, asks)
        return self._snapshots[merged]


@final
class _Cursor:
    """Where one reader stands in a view, and the price range in which it knows every level."""

    __slots__ = ("high_ask", "low_bid", "total_merged", "version", "view", "width")

    def __init__(self, view: _View) -> None:
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


@final
class BookReader:
    """One stream of books: some symbols, one depth. `take` returns one message with all that is new."""

    def __init__(self, feeds: list[BookFeed], depth: int, header: bytes, wake: Wake) -> None:
        self._header = header
        self._wake = wake
        self._marked: dict[str, None] = {}
        self._feeds = {feed.symbol: feed for feed in feeds}
        self._cursors = {feed.symbol: feed.add(self, depth) for feed in feeds}
        for feed in feeds:
            self.mark(feed.symbol)

    def mark(self, symbol: str) -> None:
        """Note that a symbol has something new."""
        self._marked[symbol] = None
        self._wake()

    def take(self) -> bytes:
        """Return all updates since the last take as one serialised BookUpdates; empty when there are none."""
        frames = [self._feeds[symbol].take(self._cursors[symbol]) for symbol in self._marked]
        self._marked.clear()
        body = b"".join(frames)
        return self._header + body if body else b""

    def close(self) -> None:
        """Leave all feeds."""
        for symbol, feed in self._feeds.items():
            feed.remove(self, self._cursors[symbol])


def _last_price(packed: bytes) -> int:
    return int.from_bytes(packed[-_PAIR_BYTES : -_PAIR_BYTES // 2], "little", signed=True) if packed else 0


def _width(packed: bytes) -> int:
    if not packed:
        return 0
    return abs(int.from_bytes(packed[:8], "little", signed=True) - _last_price(packed))


def _cut(packed: bytes, inside: Callable[[int], bool]) -> bytes:
    """Return the leading levels that are inside a range; `packed` is sorted best first, so this is a bisection."""
    prices = memoryview(packed).cast("q")
    low, high = 0, len(packed) // _PAIR_BYTES
    if high == 0 or inside(prices[2 * high - 2]):
        return packed
    while low < high:
        middle = (low + high) // 2
        if inside(prices[2 * middle]):
            low = middle + 1
        else:
            high = middle
    return packed[: low * _PAIR_BYTES]
