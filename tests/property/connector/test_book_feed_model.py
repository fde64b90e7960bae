"""Whatever the market does and whenever a reader reads, its best half of the depth equals the connector's book."""

from hypothesis import given, settings
from hypothesis import strategies as st
from models.book_replica import BookReplica

from opensqt._core.book import OrderBook
from opensqt.connector.book_feed import BookFeed, BookReader
from opensqt.domain.clock import ManualClock
from opensqt.domain.latency import Hop, LatencyBoard

DEPTH = 8

moves = st.one_of(
    st.tuples(st.just("level"), st.booleans(), st.integers(1, 60), st.integers(0, 3)),
    st.tuples(st.just("shift"), st.integers(-40, 40)),
    st.tuples(st.just("reload"), st.integers(900, 1_100)),
    st.tuples(st.just("take"), st.integers(0, 2)),
    st.tuples(st.just("revision")),
)


def set_away(book: OrderBook, mid: int, is_bid: bool, distance: int, lots: int) -> None:
    book.set_level(is_bid, mid - distance if is_bid else mid + distance, lots)


@settings(max_examples=150, deadline=None)
@given(st.lists(moves, max_size=60))
def test_readers_agree_with_the_book(script: list[tuple[object, ...]]) -> None:
    clock = ManualClock()
    feed = BookFeed(
        "X",
        1,
        OrderBook(),
        now_ns=clock.now_ns,
        monotonic_ns=clock.monotonic_ns,
        on_validity=lambda _feed: None,
        latency=LatencyBoard(Hop, clock.monotonic_ns),
    )
    readers = [(BookReader([feed], DEPTH, b"", lambda: None), BookReplica()) for _ in range(3)]
    mid = 1_000
    sequence = 0
    for kind, *arguments in script:
        if kind == "take":
            index = int(arguments[0])  # type: ignore[call-overload]
            reader, replica = readers[index]
            replica.take(reader)
            check(feed, replica)
            continue
        if kind == "revision":
            feed.set_revision(feed.revision + 1)
            continue
        if kind == "level":
            is_bid, distance, lots = arguments
            set_away(feed.book, mid, bool(is_bid), int(distance), int(lots))  # type: ignore[call-overload]
        elif kind == "shift":
            by = int(arguments[0])  # type: ignore[call-overload]
            mid = max(200, mid + by)
            for ticks, _lots in feed.book.levels(True):
                if ticks >= mid:
                    feed.book.set_level(True, ticks, 0)
            for ticks, _lots in feed.book.levels(False):
                if ticks <= mid:
                    feed.book.set_level(False, ticks, 0)
        else:
            mid = int(arguments[0])  # type: ignore[call-overload]
            feed.book.load_packed(b"", b"")
            for distance in range(1, 30):
                set_away(feed.book, mid, True, distance, distance)
                set_away(feed.book, mid, False, distance, distance)
        sequence += 1
        feed.updated(sequence, sequence, 0, 0)
    for reader, replica in readers:
        replica.take(reader)
        check(feed, replica)


def check(feed: BookFeed, replica: BookReplica) -> None:
    if "X" not in replica.bids:
        # A feed that has said nothing yet has nothing to say.
        return
    for is_bid in (True, False):
        count = min(DEPTH // 2, feed.book.level_count(is_bid))
        assert replica.best("X", is_bid, count) == feed.book.levels(is_bid, count) if count else True
