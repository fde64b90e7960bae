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
from opensqt.connector.book_view import PAIR_BYTES, BookCursor, BookView
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.domain.market import BookValidity
from opensqt.proto import market_data_pb2, types_pb2

Wake = Callable[[], None]

MESSAGE_BYTES: Final = 1 << 15
"""A message that is filled again keeps the memory of all bytes it ever had: after so many there is a new one."""

DEFAULT_DEPTH: Final = 50
MAX_DEPTH: Final = 1000


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
        latency: takes how long data needs to this book and out of it.
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
        latency: LatencyBoard,
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
        self._record_venue = latency.recorder(Hop.VENUE)
        self._record_decode = latency.recorder(Hop.DECODE)
        self._record_publish = latency.recorder(Hop.PUBLISH)
        self._decode_time_ns = 0
        self._alive_at_ns = monotonic_ns()
        self._venue_time_ns = 0
        self._first_sequence = 0
        self._last_sequence = 0
        self._merged = 0
        self._status_changed = False
        self._new_message()
        self._views: dict[int, BookView] = {}
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
        self._decode_time_ns = self._now_ns()
        self._record_venue(receive_time_ns - venue_time_ns)
        self._record_decode(self._decode_time_ns - receive_time_ns)
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

    def add(self, reader: "BookReader", depth: int) -> BookCursor:
        """Add a reader; it starts with a snapshot."""
        view = self._views.setdefault(depth, BookView(depth))
        cursor = BookCursor(view)
        view.cursors.add(cursor)
        self._readers.add(reader)
        return cursor

    def remove(self, reader: "BookReader", cursor: BookCursor) -> None:
        """Remove a reader and, with its last one, its view."""
        self._readers.discard(reader)
        cursor.view.cursors.discard(cursor)
        if not cursor.view.cursors:
            self._views.pop(cursor.view.depth, None)

    def take(self, cursor: BookCursor) -> bytes:
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
            return view.delta(self.encode, merged)
        frame, bids, asks = view.snapshot(self.book, self.encode, merged)
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
        now_ns = self._now_ns()
        if merged:
            self._record_publish(now_ns - self._decode_time_ns)
        update = self._update
        update.kind = kind
        update.validity = types_pb2.BookValidity.ValueType(self.validity)
        update.validity_reason = self.reason
        update.first_sequence = self._first_sequence
        update.last_sequence = self._last_sequence
        update.venue_time_ns = self._venue_time_ns
        update.receive_time_ns = self.last_receive_ns
        update.decode_time_ns = self._decode_time_ns
        update.publish_time_ns = now_ns
        update.merged_count = merged
        update.instrument_revision = self.revision
        update.bid_count = len(bids) // PAIR_BYTES
        update.levels = bids + asks
        encoded = self._message.SerializeToString()
        self._message_bytes += len(encoded)
        if self._message_bytes > MESSAGE_BYTES:
            self._new_message()
        return encoded

    def _new_message(self) -> None:
        # Filled anew for many updates: building one costs twice as much as setting its fields.
        self._message = market_data_pb2.BookUpdates(updates=(market_data_pb2.BookUpdate(symbol=self.symbol),))
        self._update = self._message.updates[0]
        self._message_bytes = 0


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
