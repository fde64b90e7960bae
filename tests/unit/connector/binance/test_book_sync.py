"""The rule of the local book, step by step, and on what the venue really sent."""

import json
from pathlib import Path
from random import Random

import pytest
from models.binance_depth import DepthVenue

from opensqt._core.book import OrderBook
from opensqt._core.fixed import Increment
from opensqt.connector.venues.binance.book_sync import DISAGREEMENTS, STALE_AFTER_TRIES, Best, BookSync
from opensqt.domain.clock import NS_PER_S
from opensqt.domain.market import BookValidity


def new_sync(tick: str = "1", lot: str = "1") -> BookSync:
    return BookSync(OrderBook(), Increment(tick), Increment(lot), Random(1))


def synced() -> tuple[BookSync, DepthVenue]:
    sync, venue = new_sync(), DepthVenue(Random(7))
    sync.on_diff(venue.diff(), 0)
    assert sync.take_snapshot_request(0)
    sync.on_snapshot(venue.snapshot(), 0)
    sync.on_diff(venue.diff(), 0)
    assert sync.validity is BookValidity.VALID
    return sync, venue


def test_snapshot_is_asked_for_only_when_diffs_are_buffered() -> None:
    sync, venue = new_sync(), DepthVenue(Random(1))
    assert not sync.take_snapshot_request(0)
    sync.on_diff(venue.diff(), 0)
    assert sync.take_snapshot_request(0)
    assert not sync.take_snapshot_request(0), "asked once"


def test_snapshot_alone_proves_nothing() -> None:
    sync, venue = new_sync(), DepthVenue(Random(1))
    sync.on_diff(venue.diff(), 0)
    sync.take_snapshot_request(0)
    venue.diff()
    sync.on_snapshot(venue.snapshot(), 0)
    assert sync.validity is BookValidity.SYNCING
    sync.on_diff(venue.diff(), 0)
    assert sync.validity is BookValidity.VALID


def test_snapshot_older_than_the_stream_is_refused_and_asked_for_again_later() -> None:
    sync, venue = new_sync(), DepthVenue(Random(1))
    old = venue.snapshot()
    venue.diff()
    for _ in range(STALE_AFTER_TRIES):
        sync.on_diff(venue.diff(), 0)
        assert sync.take_snapshot_request(60 * NS_PER_S)
        sync.on_snapshot(old, 0)
        assert sync.validity is not BookValidity.VALID
        assert not sync.take_snapshot_request(0), "with a pause"
    assert sync.validity is BookValidity.STALE
    assert "older" in sync.reason
    assert sync.take_snapshot_request(60 * NS_PER_S)
    sync.on_snapshot(venue.snapshot(), 0)
    sync.on_diff(venue.diff(), 0)
    assert sync.validity is BookValidity.VALID


def test_gap_is_found_on_the_very_message() -> None:
    sync, venue = synced()
    venue.diff()
    assert not sync.on_diff(venue.diff(), 0)
    assert sync.validity is BookValidity.SYNCING
    assert "missing" in sync.reason
    assert sync.take_snapshot_request(0), "at once, the first time"


def test_repeated_and_old_diffs_change_nothing() -> None:
    sync, venue = synced()
    message = venue.diff()
    assert sync.on_diff(message, 0)
    before = sync.book.levels(True)
    assert not sync.on_diff(message, 0)
    assert sync.validity is BookValidity.VALID
    assert sync.book.levels(True) == before
    assert sync.counts.old == 1


def test_crossed_book_is_fetched_anew() -> None:
    sync, venue = synced()
    crossing = json.loads(venue.diff())
    crossing["b"] = [["5000", "1"]]
    sync.on_diff(json.dumps(crossing).encode(), 0)
    assert sync.validity is BookValidity.SYNCING
    assert sync.counts.crossed == 1
    assert sync.take_snapshot_request(0)


def test_book_that_the_best_prices_contradict_is_fetched_once_and_then_believed() -> None:
    sync, venue = synced()
    sync.on_best(Best(venue.last_id, venue.mid - 9, 1, venue.mid + 9, 1))
    for _ in range(DISAGREEMENTS):
        assert sync.validity is BookValidity.VALID
        sync.on_diff(venue.diff(), 0)
    assert sync.validity is BookValidity.SYNCING
    sync.on_diff(venue.diff(), 0)
    assert sync.take_snapshot_request(0)
    sync.on_snapshot(venue.snapshot(), 0)
    for _ in range(3 * DISAGREEMENTS):
        sync.on_diff(venue.diff(), 0)
    assert sync.validity is BookValidity.VALID
    assert sync.counts.contradicted == 1


def test_best_prices_newer_than_the_book_say_nothing_yet() -> None:
    sync, venue = synced()
    sync.on_best(Best(venue.last_id + 10_000, 1, 1, 2, 1))
    for _ in range(2 * DISAGREEMENTS):
        sync.on_diff(venue.diff(), 0)
    assert sync.validity is BookValidity.VALID


def test_new_units_start_over() -> None:
    sync, venue = synced()
    sync.set_units(Increment("0.5"), Increment("1"), 0)
    assert sync.validity is BookValidity.SYNCING
    sync.on_diff(venue.diff(), 0)
    assert sync.take_snapshot_request(0)
    sync.on_snapshot(venue.snapshot(), 0)
    sync.on_diff(venue.diff(), 0)
    assert sync.validity is BookValidity.VALID
    assert sync.book.best_bid_ticks == 2 * (venue.mid - 1)


@pytest.mark.parametrize(
    ("symbol", "day", "tick", "lot"),
    [
        ("btcusdt", "20240808", "0.10", "0.001"),
        ("ethusdt", "20240808", "0.01", "0.001"),
        ("keepusdt", "20210722", "0.0001", "1"),
    ],
)
@pytest.mark.parametrize("first", [0, 3])
def test_recorded_sequences_synchronise_and_stay_valid(
    payloads: Path, symbol: str, day: str, tick: str, lot: str, first: int
) -> None:
    diffs = json.loads((payloads / f"ws_depth_sequence_{symbol}_{day}.json").read_bytes())
    snapshot = (payloads / f"rest_depth_snapshot_{symbol}_{day}.json").read_bytes()
    sync = new_sync(tick, lot)
    states = []
    for number, diff in enumerate(diffs[first:]):
        sync.on_diff(json.dumps(diff).encode(), 0)
        if number == 0:
            assert sync.take_snapshot_request(0)
            sync.on_snapshot(snapshot, 0)
        states.append(sync.validity)
    assert states[-1] is BookValidity.VALID
    assert BookValidity.VALID not in states[: states.index(BookValidity.VALID)]
    assert set(states[states.index(BookValidity.VALID) :]) == {BookValidity.VALID}
    assert (sync.counts.gaps, sync.counts.crossed, sync.counts.unreadable) == (0, 0, 0)
