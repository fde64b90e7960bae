"""Keeps one symbol's book in step with the venue: diffs that chain, over a snapshot that fits. Pure; time is given.

    SYNCING   diffs are buffered, a snapshot is asked for (or is there and waits for the diff that proves it)
    VALID     every diff chained (`pu` = the last `u`), bid < ask, and the best-bid/ask stream does not contradict
    STALE     the stream is down, or synchronising failed several times; goes on trying

Rule of the venue (docs, "How to manage a local order book correctly"), with what recordings add: the first diff to be
applied is the one with pu <= lastUpdateId <= u. A diff with pu > lastUpdateId means that the snapshot is too old: it is
asked for again, with growing pauses; there is never a way around it. A gap puts only this symbol back to SYNCING, with
the diff that showed it as the first of the new buffer.

The best-bid/ask stream counts in the same ids. When its newest message is not newer than the book, and still differs
from it after `DISAGREEMENTS` diffs, the book is fetched anew; if the fresh one differs too, it is the message that is
old, and it is not believed until the next.
"""

from collections import deque
from random import Random
from typing import Final, final

import msgspec

from opensqt._core.book import BookError, OrderBook
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment
from opensqt.connector.venues.binance.depth_reader import DepthReader
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.market import BookValidity
from opensqt.runtime.backoff import Backoff

MAX_BUFFERED: Final = 2_000
FIRST_RETRY_MS: Final = 200
MAX_RETRY_MS: Final = 5_000
STALE_AFTER_TRIES: Final = 5
DISAGREEMENTS: Final = 5
KEPT_DIFFERENCES: Final = 8
SETTLED_AFTER: Final = 20
"""So many diffs in a row make the next trouble a new one, with an immediate snapshot."""


class Best(msgspec.Struct, frozen=True):
    """Best bid and ask as the venue streams them, in ticks, as of an update id."""

    update_id: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int


class BookCopy(msgspec.Struct, frozen=True):
    """A book as packed levels, as of an update id."""

    last_id: int
    bids: bytes
    asks: bytes


class Difference(msgspec.Struct, frozen=True):
    """A book that was not believed any more, why, and the one that was fetched instead."""

    why: str
    ours: BookCopy
    fresh: BookCopy


class Counts(msgspec.Struct):
    """What happened so far."""

    applied: int = 0
    old: int = 0
    gaps: int = 0
    unreadable: int = 0
    crossed: int = 0
    contradicted: int = 0
    snapshots: int = 0
    too_old_snapshots: int = 0


@final
class BookSync:
    """One symbol's synchroniser; it is the only writer of `book`.

    Args:
        book: what is kept in step.
        price, lot: the units of the instrument's revision.
        rng: jitter of the pauses between snapshots.
    """

    def __init__(self, book: OrderBook, price: Increment, lot: Increment, rng: Random) -> None:
        self.book = book
        self.validity = BookValidity.SYNCING
        self.reason = "no data yet"
        self.counts = Counts()
        self.last_id = 0
        self.first_id = 0
        self.time_ms = 0
        self._decoder = DepthReader(price, lot)
        self._buffer: deque[bytes] = deque()
        self._backoff = Backoff(FIRST_RETRY_MS, MAX_RETRY_MS, rng)
        self._snapshot_id: int | None = None
        self._due_ns: int | None = None
        self._is_asked = False
        self._best: Best | None = None
        self._disbelieved_id = -1
        self._disagreements = 0
        self._in_a_row = 0
        self._doubted: tuple[str, BookCopy] | None = None
        self.differences: deque[Difference] = deque(maxlen=KEPT_DIFFERENCES)

    def set_units(self, price: Increment, lot: Increment, now_ns: int) -> None:
        """Count in the units of a new revision: everything is fetched anew."""
        self._decoder = DepthReader(price, lot)
        self._best = None
        self._restart("the instrument has a new revision", now_ns)

    # ---- snapshots

    def take_snapshot_request(self, now_ns: int) -> bool:
        """Return True once when a snapshot is to be fetched; answer with `on_snapshot` or `on_snapshot_failed`."""
        if self._due_ns is None or self._is_asked or now_ns < self._due_ns:
            return False
        self._is_asked = True
        return True

    def on_snapshot(self, data: bytes, now_ns: int) -> bool:
        """Take a snapshot; return whether the book changed."""
        if not self._is_asked:
            return False
        self._is_asked = False
        self.counts.snapshots += 1
        try:
            self._decoder.decode_snapshot(data)
            self._decoder.apply(self.book)
        except (DecodeError, BookError) as error:
            self.counts.unreadable += 1
            self._again(f"the snapshot is not readable ({error})", now_ns)
            return False
        self._due_ns = None
        self.last_id = self.first_id = self._snapshot_id = self._decoder.last_id
        if self._doubted is not None:
            why, ours = self._doubted
            self._doubted = None
            self.differences.append(Difference(why, ours, self._copy()))
        self.time_ms = self._decoder.transaction_time_ms
        buffered, self._buffer = self._buffer, deque()
        for message in buffered:
            self.on_diff(message, now_ns)
        return True

    def on_snapshot_failed(self, why: str, now_ns: int, retry_after_ms: int = 0) -> None:
        """Note that no snapshot came; it is asked for again later."""
        if self._is_asked:
            self._is_asked = False
            self._again(f"no snapshot: {why}", now_ns, retry_after_ms)

    # ---- streams

    def on_lost(self, why: str) -> None:
        """Note that the stream is down: nothing is believed until it flows again."""
        self._buffer.clear()
        self._snapshot_id = None
        self._due_ns = None
        self._is_asked = False
        self._best = None
        self._in_a_row = 0
        self._set(BookValidity.STALE, why)

    def on_diff(self, data: bytes, now_ns: int) -> bool:
        """Take one diff; return whether the book changed."""
        decoder = self._decoder
        try:
            decoder.decode(data)
        except DecodeError as error:
            self.counts.unreadable += 1
            self._restart(f"a diff is not readable ({error})", now_ns)
            return False
        if self.validity is BookValidity.VALID or self._snapshot_id is not None:
            return self._on_chained(data, now_ns)
        self._keep(data)
        if self._due_ns is None:
            self._due_ns = now_ns
        if self.validity is BookValidity.STALE and not self._backoff.tries:
            self._set(BookValidity.SYNCING, "waiting for a snapshot")
        return False

    @property
    def price_grid(self) -> Increment:
        """Return what prices of this symbol are read in now: its tick, or a part of it (`DepthReader`)."""
        return self._decoder.price

    @property
    def off_tick(self) -> int:
        """Return how many messages held prices between the ticks, or were read beside such."""
        return self._decoder.off_tick

    def on_best(self, best: Best) -> None:
        """Take the newest best bid and ask, in steps of `price_grid`; compared with the book at the next diff."""
        if self._decoder.ratio > 1:
            bid_ticks = self._decoder.round(True, best.bid_ticks)
            ask_ticks = self._decoder.round(False, best.ask_ticks)
            best = Best(best.update_id, bid_ticks, best.bid_lots, ask_ticks, best.ask_lots)
        if self._best is None or best.update_id > self._best.update_id:
            self._best = best
            self._disagreements = 0

    # ---- inside

    def _on_chained(self, data: bytes, now_ns: int) -> bool:
        decoder = self._decoder
        if self._snapshot_id is not None:
            if decoder.last_id < self._snapshot_id:
                self.counts.old += 1
                return False
            if decoder.prev_id > self._snapshot_id:
                self.counts.too_old_snapshots += 1
                self._snapshot_id = None
                self._keep(data)
                self._again("the snapshot is older than the stream", now_ns)
                return False
        elif decoder.last_id <= self.last_id:
            self.counts.old += 1
            return False
        elif decoder.prev_id != self.last_id:
            self.counts.gaps += 1
            self._restart(f"updates {self.last_id + 1} to {decoder.prev_id} are missing", now_ns)
            self._keep(data)
            return False
        return self._apply(now_ns)

    def _apply(self, now_ns: int) -> bool:
        try:
            self._decoder.apply(self.book)
        except BookError as error:
            self.counts.unreadable += 1
            self._restart(f"a diff cannot be applied ({error})", now_ns)
            return False
        self._snapshot_id = None
        self.counts.applied += 1
        self.first_id, self.last_id = self._decoder.first_id, self._decoder.last_id
        self.time_ms = self._decoder.transaction_time_ms
        if self.book.is_crossed:
            self.counts.crossed += 1
            self._doubt("best bid was not below best ask", now_ns)
        elif self._is_contradicted():
            self.counts.contradicted += 1
            self._disbelieved_id = self._best.update_id if self._best is not None else -1
            self._doubt("the best-bid/ask stream shows other prices", now_ns)
        else:
            self._in_a_row += 1
            if self._in_a_row == SETTLED_AFTER:
                self._backoff.reset()
            self._set(BookValidity.VALID, "")
        return True

    def _is_contradicted(self) -> bool:
        best = self._best
        if best is None or best.update_id > self.last_id or best.update_id <= self._disbelieved_id:
            return False
        book = self.book
        if book.best_bid_ticks == best.bid_ticks and book.best_ask_ticks == best.ask_ticks:
            self._disagreements = 0
            return False
        self._disagreements += 1
        return self._disagreements >= DISAGREEMENTS

    def _doubt(self, why: str, now_ns: int) -> None:
        """Begin anew, and keep what was wrong to be compared with what comes instead."""
        self._doubted = (why, self._copy())
        self._restart(why, now_ns)

    def _copy(self) -> BookCopy:
        return BookCopy(self.last_id, self.book.pack(True), self.book.pack(False))

    def _restart(self, why: str, now_ns: int) -> None:
        self._buffer.clear()
        self._snapshot_id = None
        self._is_asked = False
        self._disagreements = 0
        self._in_a_row = 0
        is_first = self._backoff.tries == 0
        pause_ms = self._backoff.next_ms()
        self._due_ns = now_ns if is_first else now_ns + pause_ms * NS_PER_MS
        self._set(BookValidity.SYNCING, why)

    def _again(self, why: str, now_ns: int, retry_after_ms: int = 0) -> None:
        self._due_ns = now_ns + max(self._backoff.next_ms(), retry_after_ms) * NS_PER_MS
        is_stale = self._backoff.tries >= STALE_AFTER_TRIES
        self._set(BookValidity.STALE if is_stale else BookValidity.SYNCING, why)

    def _keep(self, data: bytes) -> None:
        # A full buffer drops its oldest: a snapshot older than what is left is then too old, and asked for again.
        if len(self._buffer) >= MAX_BUFFERED:
            self._buffer.popleft()
        self._buffer.append(data)

    def _set(self, validity: BookValidity, reason: str) -> None:
        self.validity = validity
        self.reason = reason
