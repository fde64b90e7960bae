"""F01, F03 to F09: what can happen to market data. Orders are priced from books that can be believed, or not at all.

The invariants hold at every step of every test here (`no_quote_unless_book_valid`, `book_equals_naive_model`, ...); the
asserts are what each row asks for beyond them.
"""

import re
from itertools import pairwise

from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.connector.venues.binance.book_sync import STALE_AFTER_TRIES, Best
from opensqt.domain.market import BookValidity
from opensqt.domain.order import Side
from opensqt.engine.risk.reasons import Code, TradingState


def validity(world: World) -> BookValidity:
    return world.connector.adapter.writer.validity  # type: ignore[attr-defined, no-any-return]


def test_f01_market_stream_drops_book_is_stale_at_once_quotes_go_and_come_back_with_a_valid_book() -> None:
    world = World.trading(101)
    world.weather["market"].down_until_ns = world.timeline.now_ns + 6 * SECOND
    world.inject("market.break")
    world.run(10 * MS)
    assert validity(world) is BookValidity.STALE
    assert {Code.BOOK_NOT_VALID, Code.MARKET_STREAM_DOWN} <= world.codes()
    assert world.bot.gate.state is TradingState.REDUCING
    opened = world.checks.counts["no_quote_unless_book_valid"]
    world.run(2_500 * MS)
    assert world.own(Side.BUY) == [], "opening orders are pulled when the stale budget is spent"
    assert world.checks.counts["no_quote_unless_book_valid"] == opened, "nothing was opened meanwhile"
    world.wait_until(lambda: validity(world) is BookValidity.VALID, 15.0, what="the book is resynchronised")
    world.wait_until(lambda: bool(world.own(Side.BUY)), 5.0, what="quotes are back")
    assert world.bot.gate.state is TradingState.ACTIVE
    world.finish()


def test_f03_silent_market_and_user_streams_are_found_by_their_age_while_the_connection_lives() -> None:
    world = World.trading(103)
    world.inject("market.silent", 9)
    world.wait_until(lambda: validity(world) is BookValidity.STALE, 1.7, what="the age budget is spent")
    assert "no market data" in world.connector.adapter.writer.reason  # type: ignore[attr-defined]
    assert world.connector.adapter.market_up, "the connection still stands"
    world.wait_until(lambda: not world.connector.adapter.market_up, 4.0, what="the silent connection is replaced")
    world.run(8 * SECOND)
    world.inject("user.silent", 9)
    world.wait_until(lambda: Code.PRIVATE_STREAM_DOWN in world.codes(), 6.0, what="the silent user stream is found")
    world.finish()


def test_f03_silent_link_between_engine_and_connector_is_found_by_both_sides() -> None:
    world = World.trading(104)
    world.inject("link.silent", 14)
    world.wait_until(lambda: Code.CONNECTOR_DOWN in world.codes(), 7.0, what="the engine misses the echo of its beat")
    world.wait_until(lambda: not world.connector.core.trade.attended_symbols(), 6.0, what="the connector misses it")
    world.finish()


def test_f04_depth_stops_while_trades_and_marks_flow_nothing_is_quoted_on_it() -> None:
    world = World.trading(105)
    world.exchange.depth_is_muted = True
    trades = world.connector.adapter.last_trade_id
    world.wait_until(lambda: validity(world) is BookValidity.STALE, 2.0, what="the book's own age counts")
    world.run(200 * MS)
    assert world.connector.adapter.last_trade_id > trades, "the other streams go on"
    assert world.bot.gate.state is TradingState.REDUCING
    world.wait_until(lambda: not world.own(Side.BUY), 3.0, what="opening orders are pulled")
    world.exchange.depth_is_muted = False
    world.finish()


def test_f04_trades_stop_while_the_book_flows_the_old_trade_prices_nothing() -> None:
    world = World.trading(106, grid={"price_source": "last"})
    adapter = world.connector.adapter
    adapter.last_trade_id = 1 << 40  # no trade is newer: none is told
    old = world.bot.market.last_ticks
    world.exchange.walk.start = world.exchange.walk.mid = old + 2_000
    world.run(3 * SECOND)
    market = world.bot.market
    assert market.last_ticks == old
    assert market.bid_ticks > old, "the book has left the last trade behind"
    assert market.price2_ticks == 2 * market.bid_ticks
    adapter.last_trade_id = 0
    world.finish()


def test_f05_gap_is_found_on_the_very_message_and_only_this_symbol_resynchronises() -> None:
    world = World.trading(107)
    counts = world.connector.adapter.sync.counts
    world.weather["market"].drop = 1.0
    world.run(60 * MS)
    world.weather["market"].drop = 0.0
    assert validity(world) is BookValidity.VALID, "nothing shows it yet"
    world.wait_until(lambda: counts.gaps == 1, 0.5, what="the next message shows the gap")
    assert validity(world) is BookValidity.SYNCING
    world.run(5 * MS)
    assert Code.BOOK_NOT_VALID in world.codes()
    world.wait_until(lambda: validity(world) is BookValidity.VALID, 2.0, what="a snapshot closes it")
    assert world.connector.adapter.market_up, "the connection was not given up for it"
    world.finish()


def test_f06_snapshots_older_than_the_stream_never_make_a_book_and_are_asked_for_with_pauses() -> None:
    world = World.trading(108)
    old = world.exchange.walk.snapshot_json(world.timeline.now_ns)
    asked: list[int] = []

    def too_old(_fresh: bytes) -> bytes:
        asked.append(world.timeline.now_ns)
        return old

    world.run(SECOND)
    world.exchange.spoil_snapshot = too_old
    world.inject("market.break")
    world.run(12 * SECOND)
    sync = world.connector.adapter.sync
    assert sync.counts.too_old_snapshots >= STALE_AFTER_TRIES
    assert validity(world) is BookValidity.STALE
    assert world.own(Side.BUY) == []
    pauses = [after - before for before, after in pairwise(asked)]
    assert len(asked) < 14, "the venue is not asked all the time"
    assert max(pauses) > 4 * min(pauses), "the pauses grow"
    world.exchange.spoil_snapshot = None
    world.wait_until(lambda: validity(world) is BookValidity.VALID, 8.0, what="a fitting snapshot is taken")
    world.finish()


def test_f06_lost_snapshots_are_asked_for_again() -> None:
    world = World.trading(109)
    world.weather["query"].drop = 1.0
    world.inject("market.break")
    world.run(4 * SECOND)
    assert validity(world) is not BookValidity.VALID
    world.weather["query"].drop = 0.0
    world.wait_until(lambda: validity(world) is BookValidity.VALID, 8.0, what="the snapshot comes")
    world.finish()


def test_f07_book_that_the_venues_own_check_contradicts_is_a_gap_and_both_books_are_kept() -> None:
    # The venues here publish no checksum; what they publish to compare with is the best bid and ask of an update id.
    world = World.trading(110)
    sync = world.connector.adapter.sync
    wrong = Best(sync.last_id, sync.book.best_bid_ticks - 600, 1, sync.book.best_ask_ticks - 600, 1)
    sync.on_best(wrong)
    world.wait_until(lambda: sync.counts.contradicted == 1, 1.0, what="the contradiction is believed after a few diffs")
    assert validity(world) is BookValidity.SYNCING
    world.run(5 * MS)
    assert Code.BOOK_NOT_VALID in world.codes()
    world.wait_until(lambda: validity(world) is BookValidity.VALID, 2.0, what="a fresh book is taken")
    (difference,) = sync.differences
    assert difference.ours.last_id <= difference.fresh.last_id
    assert difference.ours.bids
    assert difference.fresh.bids
    world.run(SECOND)
    assert sync.counts.contradicted == 1, "the fresh book contradicts it as well: the message is not believed again"
    world.finish()


def crossed(depth: bytes) -> bytes:
    """Add a bid far above every ask."""
    return re.sub(rb'"b":\[', b'"b":[["3900.00","1.000"],', depth, count=1).replace(b"],]", b"]]")


def test_f08_crossed_book_is_not_valid_for_one_message_and_is_fetched_anew() -> None:
    world = World.trading(111)
    sync = world.connector.adapter.sync
    world.exchange.spoil_depth = crossed
    world.wait_until(lambda: sync.counts.crossed == 1, 0.5, what="it is seen in the message that crossed it")
    assert validity(world) is not BookValidity.VALID
    world.run(5 * MS)
    assert Code.BOOK_NOT_VALID in world.codes()
    world.wait_until(lambda: validity(world) is BookValidity.VALID, 2.0, what="it is fetched anew")
    assert not sync.book.is_crossed
    world.finish()


def test_f09_duplicated_and_reordered_deltas_are_ignored_by_id_and_counted() -> None:
    world = World.trading(112)
    counts = world.connector.adapter.sync.counts
    world.inject("market.duplicate", 4, 1.0)
    world.run(2 * SECOND)
    assert counts.old > 20
    assert counts.gaps == 0, "a duplicate is no gap"
    world.inject("market.reorder", 2, 0.4)
    world.run(4 * SECOND)
    world.finish()
