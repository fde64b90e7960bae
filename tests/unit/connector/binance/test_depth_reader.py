"""Books of levels between the ticks: never better than the real one, sizes exact, and left again."""

import json
from random import Random

import pytest
from models.binance_depth import DepthVenue

from opensqt._core.book import OrderBook
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment
from opensqt.connector.venues.binance.book_sync import Best, BookSync
from opensqt.connector.venues.binance.depth_reader import DepthReader
from opensqt.domain.market import BookValidity


def shown(levels: dict[int, int], ratio: int, *, is_bid: bool) -> list[tuple[int, int]]:
    """Return what must be shown of raw levels, the naive way."""
    found: dict[int, int] = {}
    for price, lots in levels.items():
        ticks = price // ratio if is_bid else -(-price // ratio)
        found[ticks] = found.get(ticks, 0) + lots
    return sorted(found.items(), reverse=is_bid)


def diff(first: int, previous: int, bids: list[list[str]], asks: list[list[str]]) -> bytes:
    return json.dumps(
        {"e": "depthUpdate", "E": 1, "T": 1, "s": "X", "U": first, "u": first, "pu": previous, "b": bids, "a": asks}
    ).encode()


def snapshot(last: int, bids: list[list[str]], asks: list[list[str]]) -> bytes:
    return json.dumps({"lastUpdateId": last, "E": 1, "T": 1, "bids": bids, "asks": asks}).encode()


@pytest.mark.parametrize("seed", range(20))
def test_levels_between_the_ticks_show_as_the_tick_that_promises_less(seed: int) -> None:
    venue = DepthVenue(Random(seed))
    sync = BookSync(OrderBook(), Increment("5"), Increment("1"), Random(1))
    sync.on_diff(venue.diff(), 0)
    assert sync.take_snapshot_request(0)
    sync.on_snapshot(venue.snapshot(), 0)
    for _ in range(200):
        sync.on_diff(venue.diff(), 0)
        assert sync.validity is BookValidity.VALID
        assert sync.book.levels(True) == shown(venue.bids, 5, is_bid=True)
        assert sync.book.levels(False) == shown(venue.asks, 5, is_bid=False)
        best_bid, best_ask = max(venue.bids), min(venue.asks)
        assert (sync.book.best_bid_ticks or 0) * 5 <= best_bid < best_ask <= (sync.book.best_ask_ticks or 0) * 5
        sync.on_best(Best(venue.last_id, best_bid, 1, best_ask, 1))
    assert sync.counts.contradicted == 0
    assert sync.off_tick >= 200


def test_diff_with_a_finer_price_refines_a_book_that_was_on_the_ticks() -> None:
    reader, book = DepthReader(Increment("0.1"), Increment("1")), OrderBook()
    reader.decode_snapshot(snapshot(1, [["10.0", "2"], ["9.9", "1"]], [["10.1", "3"]]))
    reader.apply(book)
    assert reader.price == Increment("0.1")
    reader.decode(diff(2, 1, [["9.95", "4"]], [["10.125", "5"]]))
    reader.apply(book)
    assert (reader.price, reader.ratio) == (Increment("0.001"), 100)
    assert book.levels(True) == [(100, 2), (99, 5)]
    assert book.levels(False) == [(101, 3), (102, 5)]
    reader.decode(diff(3, 2, [["9.950", "0"], ["10.0", "0"]], [["10.10", "1"]]))
    reader.apply(book)
    assert book.levels(True) == [(99, 1)]
    assert book.levels(False) == [(101, 1), (102, 5)]
    assert (book.first_id, book.last_id) == (3, 3)


def test_grid_that_turns_out_too_coarse_again_keeps_what_is_known() -> None:
    reader, book = DepthReader(Increment("0.5"), Increment("1")), OrderBook()
    reader.decode_snapshot(snapshot(1, [["10.1", "2"]], [["10.9", "3"]]))
    reader.apply(book)
    reader.decode(diff(2, 1, [["10.05", "4"]], []))
    reader.apply(book)
    assert reader.ratio == 50
    assert book.levels(True) == [(20, 6)]
    reader.decode(diff(3, 2, [["10.1", "0"]], []))
    reader.apply(book)
    assert book.levels(True) == [(20, 4)]


def test_snapshot_on_the_ticks_ends_the_finer_grid() -> None:
    reader, book = DepthReader(Increment("0.5"), Increment("1")), OrderBook()
    reader.decode_snapshot(snapshot(1, [["10.1", "2"]], [["10.9", "3"]]))
    reader.apply(book)
    reader.decode_snapshot(snapshot(2, [["10.0", "2"]], [["11.0", "3"]]))
    reader.apply(book)
    assert reader.ratio == 1
    assert book.levels(True) == [(20, 2)]


@pytest.mark.parametrize("price", ["10.00001", "abc", "-1.25", "1e5"])
def test_prices_far_off_any_grid_stay_an_error(price: str) -> None:
    reader = DepthReader(Increment("0.1"), Increment("1"))
    with pytest.raises(DecodeError):
        reader.decode(diff(2, 1, [[price, "4"]], []))
    assert reader.ratio == 1
