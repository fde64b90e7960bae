"""OrderBook: levels, best, depth, changes, and what it refuses."""

import pytest
from models.book_model import pack, unpack

from opensqt._core.book import BookError, OrderBook

RING_TICKS = 16384


def book_of(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> OrderBook:
    book = OrderBook()
    book.load_packed(pack(bids), pack(asks))
    return book


def test_an_empty_book_has_no_best() -> None:
    book = OrderBook()
    assert book.best_bid_ticks is None
    assert book.best_bid_lots is None
    assert book.best_ask_ticks is None
    assert book.best_ask_lots is None
    assert book.mid2_ticks is None
    assert book.microprice() is None
    assert not book.is_crossed
    assert book.levels(True) == []
    assert book.pack(False) == b""


def test_best_levels_mid_and_microprice() -> None:
    book = book_of([(99, 4), (100, 1)], [(103, 3), (105, 9)])
    assert (book.best_bid_ticks, book.best_bid_lots) == (100, 1)
    assert (book.best_ask_ticks, book.best_ask_lots) == (103, 3)
    assert book.mid2_ticks == 203
    assert book.microprice() == pytest.approx((100 * 3 + 103 * 1) / 4)


def test_removing_the_best_uncovers_the_next_one_however_far() -> None:
    book = book_of([(639_439, 5), (10_000, 569_567)], [(639_440, 2), (5_000_000, 7)])
    book.set_level(True, 639_439, 0)
    book.set_level(False, 639_440, 0)
    assert (book.best_bid_ticks, book.best_bid_lots) == (10_000, 569_567)
    assert (book.best_ask_ticks, book.best_ask_lots) == (5_000_000, 7)


def test_far_levels_are_never_dropped() -> None:
    bids = [(640_000 - 997 * step, step + 1) for step in range(600)]
    asks = [(640_001 + 997 * step, step + 1) for step in range(600)]
    book = book_of(bids, asks)
    assert book.levels(True) == bids
    assert book.levels(False) == asks
    assert book.level_count(True) == 600
    assert all(book.lots_at(False, ticks) == lots for ticks, lots in asks)


@pytest.mark.parametrize("step", [1, 63, 64, 1000, RING_TICKS - 1, RING_TICKS, RING_TICKS + 1, 10 * RING_TICKS])
def test_a_touch_that_walks_away_and_back_loses_nothing(step: int) -> None:
    book = OrderBook()
    base = 50 * RING_TICKS
    walk = [base + step * n for n in range(40)]
    for ticks in walk:
        book.set_level(True, ticks, ticks)
        assert book.best_bid_ticks == ticks
    assert book.levels(True) == [(ticks, ticks) for ticks in reversed(walk)]
    for ticks in reversed(walk[1:]):
        book.set_level(True, ticks, 0)
    assert book.levels(True) == [(base, base)]


def test_a_delta_applies_absolute_quantities_and_the_last_repeat_wins() -> None:
    book = book_of([(100, 1)], [(103, 3)])
    book.apply_packed(pack([(100, 2), (98, 7), (98, 6), (50, 0)]), pack([(103, 0), (104, 8)]))
    assert book.levels(True) == [(100, 2), (98, 6)]
    assert book.levels(False) == [(104, 8)]


def test_a_snapshot_replaces_everything() -> None:
    book = book_of([(100, 1)], [(103, 3)])
    book.first_id, book.last_id = 7, 9
    book.load_packed(pack([(200, 5)]), pack([(201, 6)]))
    assert book.levels(True) == [(200, 5)]
    assert book.levels(False) == [(201, 6)]
    assert (book.first_id, book.last_id) == (0, 0)


def test_levels_and_pack_obey_the_limit() -> None:
    book = book_of([(100, 1), (99, 2), (5, 3)], [])
    assert book.levels(True, 2) == [(100, 1), (99, 2)]
    assert unpack(book.pack(True, 3)) == [(100, 1), (99, 2), (5, 3)]
    assert book.levels(True, 50) == book.levels(True, 0)
    with pytest.raises(BookError, match="negative"):
        book.levels(True, -1)


def test_depth_sums_up_to_a_price_on_each_side() -> None:
    book = book_of([(100_000, 1), (99_000, 2), (5, 4)], [(100_001, 8), (200_000, 16), (900_000, 32)])
    assert book.depth_lots(True, 99_000) == 3
    assert book.depth_lots(True, 1) == 7
    assert book.depth_lots(True, 100_001) == 0
    assert book.depth_lots(False, 200_000) == 24
    assert book.depth_lots(False, 2**53) == 56


def test_depth_of_huge_levels_does_not_wrap() -> None:
    huge = 2**53 - 1
    book = book_of([(ticks, huge) for ticks in range(1, 3001)], [])
    assert book.depth_lots(True, 1) == 3000 * huge


def test_a_crossed_book_says_so() -> None:
    assert book_of([(100, 1)], [(100, 1)]).is_crossed
    assert not book_of([(100, 1)], [(101, 1)]).is_crossed


@pytest.mark.parametrize(
    ("ticks", "lots"), [(0, 1), (-1, 1), (2**53, 1), (1, -1), (1, 2**53), (2**70, 1), (1, -(2**70)), (2**63 - 1, 1)]
)
def test_values_out_of_range_are_refused_and_change_nothing(ticks: int, lots: int) -> None:
    book = book_of([(100, 1)], [(103, 3)])
    with pytest.raises(BookError):
        book.set_level(False, ticks, lots)
    if abs(ticks) < 2**63 and abs(lots) < 2**63:
        with pytest.raises(BookError):
            book.apply_packed(pack([(100, 9), (99, 9)]), pack([(103, 9), (ticks, lots)]))
        with pytest.raises(BookError):
            book.load_packed(pack([(100, 9)]), pack([(ticks, lots)]))
    assert book.levels(True) == [(100, 1)]
    assert book.levels(False) == [(103, 3)]


def test_a_torn_buffer_is_refused() -> None:
    with pytest.raises(BookError, match="16 bytes"):
        OrderBook().apply_packed(b"\x00" * 15, b"")


def test_floats_are_not_prices() -> None:
    with pytest.raises(TypeError):
        OrderBook().set_level(True, 100.0, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        OrderBook().lots_at(True, 100.0)  # type: ignore[arg-type]


def test_changes_are_taken_once_with_the_lots_of_now() -> None:
    book = book_of([(100, 1)], [(103, 3)])
    assert book.take_changes() is None  # after a snapshot: publish everything
    assert book.take_changes() == (b"", b"")
    book.apply_packed(pack([(100, 2), (99, 1)]), pack([(103, 0), (900_000, 4)]))
    book.set_level(True, 100, 3)
    book.set_level(True, 99, 1)
    assert book.take_changes() == (pack([(100, 3), (99, 1)]), pack([(103, 0), (900_000, 4)]))
    assert book.take_changes() == (b"", b"")
    book.clear()
    assert book.take_changes() is None


def test_too_many_changes_collapse_into_a_full_publication() -> None:
    book = OrderBook()
    book.take_changes()
    for turn in range(4097):
        book.set_level(True, 100, turn % 2 + 1)
    assert book.take_changes() is None
    book.set_level(True, 101, 1)
    assert book.take_changes() == (pack([(101, 1)]), b"")
