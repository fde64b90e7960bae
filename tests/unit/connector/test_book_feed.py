"""A book's readers: snapshot first, deltas while they keep up, a snapshot when they do not."""

import os
from pathlib import Path

import pytest
from models.book_replica import BookReplica

from opensqt._core.book import OrderBook
from opensqt.connector.book_feed import BookFeed, BookReader
from opensqt.domain.clock import NS_PER_MS, ManualClock
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.domain.market import BookValidity
from opensqt.proto import market_data_pb2

HEADER = market_data_pb2.BookUpdates(session_epoch=3).SerializeToString()


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock(1_000)
        self.validity: list[tuple[BookValidity, str]] = []
        self.feed = BookFeed(
            "X",
            1,
            OrderBook(),
            now_ns=self.clock.now_ns,
            monotonic_ns=self.clock.monotonic_ns,
            on_validity=lambda feed: self.validity.append((feed.validity, feed.reason)),
            latency=LatencyBoard(Hop, lambda: 0),
        )
        self.sequence = 0

    def fill(self, mid: int, count: int) -> None:
        for step in range(1, count + 1):
            self.feed.book.set_level(True, mid - step, step)
            self.feed.book.set_level(False, mid + step, step)
        self.updated()
        self.feed.set_validity(BookValidity.VALID)

    def updated(self) -> None:
        self.sequence += 1
        self.feed.updated(self.sequence, self.sequence, self.sequence, self.clock.now_ns())

    def reader(self, depth: int = 50) -> tuple[BookReader, BookReplica]:
        return BookReader([self.feed], depth, HEADER, lambda: None), BookReplica()


def test_a_reader_starts_with_a_snapshot_of_its_depth_and_continues_with_deltas() -> None:
    rig = Rig()
    rig.fill(1_000, 80)
    reader, replica = rig.reader(depth=10)
    (snapshot,) = replica.take(reader)
    assert snapshot.kind == market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT
    assert (snapshot.bid_count, len(snapshot.levels)) == (10, 20 * 16)
    rig.feed.book.set_level(True, 999, 77)
    rig.feed.book.set_level(True, 950, 55)
    rig.updated()
    (delta,) = replica.take(reader)
    assert delta.kind == market_data_pb2.BOOK_UPDATE_KIND_DELTA
    assert (delta.bid_count, len(delta.levels)) == (1, 16), "the far level is outside of what the reader knows"
    assert replica.bids["X"][999] == 77
    assert replica.take(reader) == []


def test_a_reader_that_is_behind_gets_one_snapshot_with_everything_merged() -> None:
    rig = Rig()
    rig.fill(1_000, 5)
    fast, fast_replica = rig.reader()
    slow, slow_replica = rig.reader()
    fast_replica.take(fast)
    slow_replica.take(slow)
    for lots in range(1, 6):
        rig.feed.book.set_level(True, 999, lots)
        rig.updated()
        fast_replica.take(fast)
    (update,) = slow_replica.take(slow)
    assert update.kind == market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT
    assert update.merged_count == 5
    assert slow_replica.bids == fast_replica.bids


def test_updates_of_one_turn_become_one_delta() -> None:
    rig = Rig()
    rig.fill(1_000, 5)
    reader, replica = rig.reader()
    replica.take(reader)
    rig.feed.book.set_level(True, 998, 1)
    rig.updated()
    rig.feed.book.set_level(True, 998, 2)
    rig.updated()
    (delta,) = replica.take(reader)
    assert delta.merged_count == 2
    assert (delta.first_sequence, delta.last_sequence) == (rig.sequence - 1, rig.sequence)
    assert delta.bid_count == 1


def test_a_market_that_runs_away_from_the_known_range_brings_a_new_snapshot() -> None:
    rig = Rig()
    rig.fill(1_000, 100)
    reader, replica = rig.reader(depth=10)
    replica.take(reader)
    for price in range(994, 1_000):
        rig.feed.book.set_level(True, price, 0)
    rig.updated()
    (update,) = replica.take(reader)
    assert update.kind == market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT
    assert update.bid_count == 10


def test_crossed_book_is_stale_until_it_is_whole_again() -> None:
    rig = Rig()
    rig.fill(1_000, 5)
    rig.feed.book.set_level(True, 1_001, 1)
    rig.updated()
    assert rig.feed.validity is BookValidity.STALE
    rig.feed.set_validity(BookValidity.VALID)
    assert rig.feed.validity is BookValidity.STALE, "no adapter can call a crossed book valid"
    rig.feed.book.set_level(True, 1_001, 0)
    rig.feed.set_validity(BookValidity.VALID)
    assert rig.feed.validity is BookValidity.VALID


def test_silence_makes_a_book_stale_and_readers_hear_of_it() -> None:
    rig = Rig()
    rig.fill(1_000, 5)
    reader, replica = rig.reader()
    replica.take(reader)
    rig.clock.advance(4_000 * NS_PER_MS)
    rig.feed.alive()
    rig.clock.advance(4_000 * NS_PER_MS)
    rig.feed.check_age(5_000 * NS_PER_MS)
    assert rig.feed.validity is BookValidity.VALID
    rig.clock.advance(2_000 * NS_PER_MS)
    rig.feed.check_age(5_000 * NS_PER_MS)
    assert rig.validity[-1] == (BookValidity.STALE, "no market data for 6000 ms")
    (update,) = replica.take(reader)
    assert update.kind == market_data_pb2.BOOK_UPDATE_KIND_STATUS
    assert update.validity_reason == "no market data for 6000 ms"


def test_readers_of_one_depth_share_the_same_bytes() -> None:
    rig = Rig()
    rig.fill(1_000, 5)
    readers = [BookReader([rig.feed], 50, b"", lambda: None) for _ in range(3)]
    first = [reader.take() for reader in readers]
    assert first[0] == first[1] == first[2]
    rig.feed.book.set_level(True, 999, 9)
    rig.updated()
    frames = [rig.feed.take(cursor) for reader in readers for cursor in reader._cursors.values()]
    assert frames[0] is frames[1] is frames[2]


@pytest.mark.parametrize("count", [0, 1])
def test_a_thin_book_needs_no_range(count: int) -> None:
    rig = Rig()
    rig.fill(1_000, count)
    reader, replica = rig.reader()
    replica.take(reader)
    rig.feed.book.set_level(True, 5, 1)
    rig.updated()
    replica.take(reader)
    assert replica.bids["X"][5] == 1


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux's /proc")
def test_what_was_encoded_leaves_no_memory_behind() -> None:
    rig = Rig()
    levels = bytes(16 * 40)
    for _ in range(2_000):
        rig.feed.encode(market_data_pb2.BOOK_UPDATE_KIND_DELTA, levels, levels, 1)
    before = resident_bytes()
    for _ in range(30_000):
        rig.feed.encode(market_data_pb2.BOOK_UPDATE_KIND_DELTA, levels, levels, 1)
    assert resident_bytes() - before < 4_000_000, f"of {30_000 * 2 * len(levels):,} bytes encoded"
