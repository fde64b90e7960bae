"""One symbol's live book as the venue's feed writes it, told on as the market events that the matching core takes.

Only a book that may price reaches the matching: VALID by its feed, with its market's streams up, heard of lately, and
counted in the units the venue started with. When one of these fails it is lost, and nothing matches in it; when all
hold again, matching goes on from a snapshot.
"""

from collections.abc import Callable
from typing import final

from opensqt._core.book import OrderBook
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.market import BookValidity
from opensqt.matching.events import BookDelta, BookLost, BookSnapshot

Emit = Callable[[BookSnapshot | BookDelta | BookLost], None]


@final
class LiveBook:
    """The writer that the feed is given.

    Args:
        symbol: canonical symbol.
        emit: takes the events, in order.
        stamp: bounds the venue's time of a message by the venue's clock; 0 is now.
        monotonic_ns: for the age of the feed.
        max_age_ns: after which a silent feed is not believed.
    """

    def __init__(
        self,
        symbol: str,
        emit: Emit,
        stamp: Callable[[int], int],
        monotonic_ns: Callable[[], int],
        max_age_ns: int,
    ) -> None:
        self.symbol = symbol
        self.book = OrderBook()
        self.is_playing = False
        self._emit = emit
        self._stamp = stamp
        self._monotonic_ns = monotonic_ns
        self._max_age_ns = max_age_ns
        self._spoke_ns = monotonic_ns()
        self._is_silent = False
        self._has_spoken = False
        self._last_id = 0
        self._validity = BookValidity.SYNCING
        self._reason = "no data yet"
        self._trouble = ""
        self._market_down = "not connected yet"
        self._told: tuple[BookValidity, str] | None = None

    # ---- written by the feed

    def updated(self, first_sequence: int, last_sequence: int, venue_time_ns: int, receive_time_ns: int) -> None:
        """Take the venue's messages `first_sequence` to `last_sequence`, which are in `book` now."""
        del receive_time_ns  # the driver stamps what it publishes
        self._last_id = last_sequence
        self._spoke()
        if not self.is_playing:
            self._decide()
            return
        if self.book.is_crossed:
            self._validity, self._reason = BookValidity.STALE, "best bid is not below best ask"
            self._decide()
            return
        changes = self.book.take_changes()
        if changes is None:
            self._begin(venue_time_ns)
        else:
            time_ns = self._stamp(venue_time_ns)
            self._emit(BookDelta(self.symbol, time_ns, first_sequence, last_sequence, changes[0], changes[1]))

    def alive(self) -> None:
        """Take that the feed is current although nothing changed."""
        self._spoke()
        self._decide()

    def set_validity(self, validity: BookValidity, reason: str = "") -> None:
        """Take the feed's own judgement."""
        if validity is BookValidity.VALID and self.book.is_crossed:
            validity, reason = BookValidity.STALE, "best bid is not below best ask"
        self._validity, self._reason = validity, reason
        self._decide()

    # ---- told by the market

    def set_market_down(self, reason: str) -> None:
        """Take whether the market's streams stand; empty = they do."""
        self._market_down = reason
        self._decide()

    def give_up(self, reason: str) -> None:
        """Match in this book no more."""
        self._trouble = reason
        self._decide()

    @property
    def is_given_up(self) -> bool:
        """Return whether nothing of this symbol may be told any more."""
        return bool(self._trouble)

    def restart(self) -> None:
        """Begin again with a snapshot: what was told of this book is lost."""
        self.is_playing = False
        self._told = None
        self._decide()

    def check_age(self) -> None:
        """Stop believing a feed that is silent for too long."""
        if not self._is_silent and self._monotonic_ns() - self._spoke_ns > self._max_age_ns:
            self._is_silent = True
            self._decide()

    def take_spoken(self) -> bool:
        """Return whether the feed spoke since the last call."""
        spoke, self._has_spoken = self._has_spoken, False
        return spoke

    # ---- inside

    def _spoke(self) -> None:
        self._spoke_ns = self._monotonic_ns()
        self._is_silent = False
        self._has_spoken = True

    def _judge(self) -> tuple[BookValidity, str]:
        if self._trouble:
            return BookValidity.STALE, self._trouble
        if self._market_down:
            return BookValidity.STALE, f"the market stream is down: {self._market_down}"
        if self._validity is BookValidity.VALID and self._is_silent:
            return BookValidity.STALE, f"no market data for more than {self._max_age_ns // NS_PER_MS} ms"
        return self._validity, self._reason

    def _decide(self) -> None:
        validity, reason = self._judge()
        if validity is BookValidity.VALID:
            if not self.is_playing:
                self._begin(0)
            return
        self.is_playing = False
        if self._told != (validity, reason):
            self._told = validity, reason
            self._emit(BookLost(self.symbol, self._stamp(0), reason, validity))

    def _begin(self, venue_time_ns: int) -> None:
        self.is_playing = True
        self._told = BookValidity.VALID, ""
        self.book.take_changes()
        bids, asks = self.book.pack(True), self.book.pack(False)
        self._emit(BookSnapshot(self.symbol, self._stamp(venue_time_ns), self._last_id, bids, asks))
