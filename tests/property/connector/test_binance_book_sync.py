"""Whatever the connection does to the messages: a book that calls itself VALID is the venue's book."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from models.binance_depth import DepthVenue

from opensqt._core.book import OrderBook
from opensqt._core.fixed import Increment
from opensqt.connector.venues.binance.book_sync import BookSync
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.market import BookValidity

STEP_NS = 100 * NS_PER_MS
steps = st.lists(
    st.sampled_from(["diff", "diff", "diff", "drop", "repeat", "old", "swap", "corrupt", "snapshot", "fail", "lost"]),
    max_size=120,
)


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32), script=steps, lag=st.integers(0, 4))
def test_a_valid_book_is_the_venues_book(seed: int, script: list[str], lag: int) -> None:
    venue = DepthVenue(Random(seed))
    sync = BookSync(OrderBook(), Increment("1"), Increment("1"), Random(seed))
    # What the venue's book was after each of its updates.
    history = {venue.last_id: (venue.levels(True), venue.levels(False))}
    sent: list[bytes] = []
    snapshots = [venue.snapshot()]
    is_asked = False
    for number, step in enumerate([*script, *["diff", "snapshot"] * 60]):
        now_ns = number * STEP_NS
        is_asked = sync.take_snapshot_request(now_ns) or is_asked
        if step in ("diff", "drop", "swap", "corrupt"):
            message = venue.diff()
            history[venue.last_id] = (venue.levels(True), venue.levels(False))
            sent.append(message)
            snapshots.append(venue.snapshot())
            if step == "diff":
                sync.on_diff(message, now_ns)
            elif step == "corrupt":
                sync.on_diff(message[: len(message) // 2], now_ns)
            elif step == "swap":
                later = venue.diff()
                history[venue.last_id] = (venue.levels(True), venue.levels(False))
                sync.on_diff(later, now_ns)
                sync.on_diff(message, now_ns)
        elif step == "repeat" and sent:
            sync.on_diff(sent[-1], now_ns)
        elif step == "old" and sent:
            sync.on_diff(sent[len(sent) // 2], now_ns)
        elif step == "snapshot" and is_asked:
            is_asked = False
            # An answer may be as old as it likes.
            sync.on_snapshot(snapshots[max(0, len(snapshots) - 1 - (lag if number < len(script) else 0))], now_ns)
        elif step == "fail" and is_asked:
            is_asked = False
            sync.on_snapshot_failed("503", now_ns)
        elif step == "lost":
            is_asked = False
            sync.on_lost("reset by peer")
        if sync.validity is BookValidity.VALID:
            bids, asks = history[sync.last_id]
            assert sync.book.levels(True) == bids
            assert sync.book.levels(False) == asks
            assert not sync.book.is_crossed
    assert sync.validity is BookValidity.VALID, "with true messages it always finds back"
    assert sync.last_id == venue.last_id
