"""Matching rules by example."""

import struct

import pytest

from opensqt._core.match import (
    ACCEPTED,
    AMENDED,
    AMENDED_BELOW_FILLED,
    BUY,
    CANCELED,
    DUPLICATE_ORDER_ID,
    EXPIRE_BOTH,
    EXPIRE_MAKER,
    EXPIRED,
    FILL,
    FOK,
    FOK_NOT_FILLABLE,
    IOC,
    NO_REASON,
    POST_ONLY_WOULD_CROSS,
    REDUCE_ONLY_REJECTED,
    REJECTED,
    REMAINDER,
    SELF_TRADE,
    SELL,
    TOO_MANY_ORDERS,
    UNKNOWN_ORDER,
    Matcher,
    MatchEvent,
    fee_units,
)

ME, OTHER = 1, 2


def packed(*levels: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<qq", *level) for level in levels)


def brief(events: list[MatchEvent]) -> list[tuple[int, int, int, int]]:
    return [(e.kind, e.order_id, e.lots, e.reason) for e in events]


def ahead(matcher: Matcher) -> list[int]:
    return [row[6] for row in matcher.dump()]


def test_trades_at_our_price_consume_the_queue_before_they_fill_us() -> None:
    matcher = Matcher()
    matcher.submit(1, ME, BUY, 100, 5, post_only=True, opposite=packed((101, 9)), displayed_lots=10)
    assert matcher.on_trade(100, 10, SELL) == []
    assert ahead(matcher) == [0]
    (fill,) = matcher.on_trade(100, 2, SELL)
    assert (fill.kind, fill.lots, fill.remaining_lots, fill.is_maker, fill.price_ticks) == (FILL, 2, 3, True, 100)
    assert matcher.position(ME) == 2


def test_a_trade_by_a_buyer_never_fills_a_buy() -> None:
    matcher = Matcher()
    matcher.submit(1, ME, BUY, 100, 5)
    assert matcher.on_trade(99, 50, BUY) == []


def test_what_trades_beyond_the_queue_fills_our_orders_in_time_order() -> None:
    matcher = Matcher()
    matcher.submit(1, ME, BUY, 100, 5, displayed_lots=3)
    matcher.submit(2, OTHER, BUY, 100, 5, displayed_lots=3)
    assert brief(matcher.on_trade(100, 10, SELL)) == [(FILL, 1, 5, NO_REASON), (FILL, 2, 2, NO_REASON)]


@pytest.mark.parametrize(("through_all", "filled"), [(True, 5), (False, 2)])
def test_a_print_through_our_price_fills_us(through_all: bool, filled: int) -> None:
    matcher = Matcher(print_through_fills_all=through_all)
    matcher.submit(1, ME, BUY, 100, 5, displayed_lots=1000)
    assert brief(matcher.on_trade(99, 2, SELL)) == [(FILL, 1, filled, NO_REASON)]


def test_without_partial_fills_the_first_lot_beyond_the_queue_fills_the_whole_order() -> None:
    matcher = Matcher(partial_fills=False)
    matcher.submit(1, ME, SELL, 100, 5, displayed_lots=4)
    assert matcher.on_trade(100, 4, BUY) == []
    assert brief(matcher.on_trade(100, 1, BUY)) == [(FILL, 1, 5, NO_REASON)]


def test_the_display_caps_the_queue_ahead_and_never_lengthens_it() -> None:
    matcher = Matcher()
    matcher.submit(1, ME, BUY, 100, 5, displayed_lots=10)
    matcher.on_depth(BUY, 100, 4)
    assert ahead(matcher) == [4]
    matcher.on_depth(BUY, 100, 50)
    assert ahead(matcher) == [4]


def test_the_calibrated_queue_splits_cancels_between_ahead_and_behind() -> None:
    matcher = Matcher(queue_power=1)
    matcher.submit(1, ME, BUY, 100, 5, displayed_lots=10)
    matcher.on_depth(BUY, 100, 40)
    # 10 ahead, 30 behind; 20 leave: a quarter of them was ahead.
    matcher.on_depth(BUY, 100, 20)
    assert ahead(matcher) == [5]


def test_lots_that_traded_are_not_counted_again_as_cancelled() -> None:
    matcher = Matcher(queue_power=3)
    matcher.submit(1, ME, BUY, 100, 5, displayed_lots=10)
    matcher.on_trade(100, 4, SELL)
    matcher.on_depth(BUY, 100, 6)
    assert ahead(matcher) == [6]


def test_an_opposite_best_price_that_reaches_us_fills_us_at_our_price() -> None:
    matcher = Matcher()
    matcher.submit(1, ME, BUY, 100, 5, displayed_lots=10)
    matcher.submit(2, ME, SELL, 105, 3, displayed_lots=10)
    assert matcher.on_best(100, 101) == []
    (fill,) = matcher.on_best(98, 99)
    assert (fill.order_id, fill.price_ticks, fill.lots) == (1, 100, 5)
    assert brief(matcher.on_book(packed((105, 2)), b"", 105, 106)) == [(FILL, 2, 3, NO_REASON)]


@pytest.mark.parametrize("ask", [100, 99])
def test_post_only_that_would_trade_is_rejected_with_its_reason(ask: int) -> None:
    events = Matcher().submit(1, ME, BUY, 100, 5, post_only=True, opposite=packed((ask, 1)))
    assert brief(events) == [(REJECTED, 1, 5, POST_ONLY_WOULD_CROSS)]


def test_a_crossing_order_walks_the_levels_and_rests_its_remainder() -> None:
    matcher = Matcher()
    events = matcher.submit(1, ME, BUY, 102, 9, opposite=packed((101, 3), (102, 4), (103, 50)), displayed_lots=0)
    assert [(e.kind, e.price_ticks, e.lots, e.remaining_lots) for e in events] == [
        (ACCEPTED, 102, 9, 9),
        (FILL, 101, 3, 6),
        (FILL, 102, 4, 2),
    ]
    assert matcher.dump()[0][3:6] == (102, 2, 7)


def test_market_and_ioc_remainders_expire() -> None:
    matcher = Matcher()
    assert brief(matcher.submit(1, ME, SELL, 0, 5, opposite=packed((99, 3))))[-1] == (EXPIRED, 1, 2, REMAINDER)
    assert brief(matcher.submit(2, ME, SELL, 99, 5, tif=IOC))[-1] == (EXPIRED, 2, 5, REMAINDER)
    assert len(matcher) == 0


def test_fill_or_kill_does_all_or_nothing() -> None:
    matcher = Matcher()
    levels = packed((101, 3), (102, 4))
    assert brief(matcher.submit(1, ME, BUY, 101, 4, tif=FOK, opposite=levels))[-1] == (EXPIRED, 1, 4, FOK_NOT_FILLABLE)
    assert matcher.position(ME) == 0
    assert sum(e.lots for e in matcher.submit(2, ME, BUY, 102, 7, tif=FOK, opposite=levels) if e.kind == FILL) == 7


def test_owners_trade_with_each_other_after_the_external_lots_ahead() -> None:
    matcher = Matcher()
    matcher.submit(1, ME, SELL, 101, 5, displayed_lots=3)
    events = matcher.submit(2, OTHER, BUY, 101, 6, opposite=packed((101, 8)))
    assert [(e.kind, e.order_id, e.lots, e.is_maker, e.counterparty_id) for e in events] == [
        (ACCEPTED, 2, 6, False, 0),
        (FILL, 2, 3, False, 0),
        (FILL, 1, 3, True, 2),
        (FILL, 2, 3, False, 1),
    ]
    assert (matcher.position(ME), matcher.position(OTHER)) == (-3, 6)


def test_an_order_that_would_meet_its_own_owner_expires_unless_told_otherwise() -> None:
    matcher = Matcher()
    matcher.submit(1, ME, SELL, 101, 5)
    assert brief(matcher.submit(2, ME, BUY, 101, 2))[-1] == (EXPIRED, 2, 2, SELF_TRADE)
    assert brief(matcher.submit(3, ME, BUY, 101, 2, tif=IOC, stp=EXPIRE_MAKER))[1] == (EXPIRED, 1, 5, SELF_TRADE)
    matcher.submit(4, ME, SELL, 101, 5)
    both = brief(matcher.submit(5, ME, BUY, 101, 2, stp=EXPIRE_BOTH))
    assert both[1:] == [(EXPIRED, 4, 5, SELF_TRADE), (EXPIRED, 5, 2, SELF_TRADE)]
    assert matcher.position(ME) == 0


def test_reduce_only_is_limited_to_the_position_and_refused_without_one() -> None:
    matcher = Matcher()
    assert brief(matcher.submit(1, ME, SELL, 105, 5, reduce_only=True)) == [(REJECTED, 1, 5, REDUCE_ONLY_REJECTED)]
    matcher.set_position(ME, 4)
    assert brief(matcher.submit(2, ME, SELL, 105, 5, reduce_only=True)) == [(ACCEPTED, 2, 4, NO_REASON)]
    assert brief(matcher.submit(3, ME, SELL, 106, 1, reduce_only=True)) == [(REJECTED, 3, 1, REDUCE_ONLY_REJECTED)]
    assert brief(matcher.submit(4, ME, BUY, 95, 1, reduce_only=True)) == [(REJECTED, 4, 1, REDUCE_ONLY_REJECTED)]


def test_when_a_position_shrinks_the_newest_reduce_only_orders_are_trimmed_first() -> None:
    matcher = Matcher()
    matcher.set_position(ME, 10)
    for order_id, price in ((1, 107), (2, 106), (3, 105)):
        matcher.submit(order_id, ME, SELL, price, 3, reduce_only=True)
    events = matcher.submit(4, ME, SELL, 0, 5, opposite=packed((100, 99)))
    assert brief(events)[2:] == [
        (EXPIRED, 3, 3, REDUCE_ONLY_REJECTED),
        (AMENDED, 2, 2, REDUCE_ONLY_REJECTED),
    ]
    assert brief(matcher.set_position(ME, -1)) == [
        (EXPIRED, 2, 2, REDUCE_ONLY_REJECTED),
        (EXPIRED, 1, 3, REDUCE_ONLY_REJECTED),
    ]


def test_a_market_close_works_while_take_profits_rest() -> None:
    matcher = Matcher()
    matcher.set_position(ME, 6)
    matcher.submit(1, ME, SELL, 105, 6, reduce_only=True)
    matcher.submit(2, ME, SELL, 0, 9, reduce_only=True, opposite=packed((100, 99)))
    assert matcher.position(ME) == 0
    assert len(matcher) == 0


def test_an_amendment_loses_the_queue_place_except_a_decrease_where_the_venue_keeps_it() -> None:
    for keep, expected in ((False, 20), (True, 7)):
        matcher = Matcher(keep_queue_on_decrease=keep)
        matcher.submit(1, ME, BUY, 100, 5, displayed_lots=7)
        assert brief(matcher.amend(1, 100, 3, displayed_lots=20)) == [(AMENDED, 1, 3, NO_REASON)]
        assert ahead(matcher) == [expected]
        matcher.amend(1, 100, 8, displayed_lots=30)
        assert ahead(matcher) == [30]


def test_an_amendment_counts_filled_lots_and_can_end_the_order() -> None:
    matcher = Matcher()
    matcher.submit(1, ME, BUY, 100, 5)
    matcher.on_trade(100, 2, SELL)
    assert brief(matcher.amend(1, 100, 6)) == [(AMENDED, 1, 4, NO_REASON)]
    assert brief(matcher.amend(1, 100, 2)) == [(CANCELED, 1, 4, AMENDED_BELOW_FILLED)]
    matcher.submit(2, ME, BUY, 100, 5, post_only=True)
    crossing = matcher.amend(2, 101, 5, opposite=packed((101, 1)))
    assert brief(crossing) == [(CANCELED, 2, 5, POST_ONLY_WOULD_CROSS)]


def test_what_cannot_be_done_is_rejected_with_a_reason() -> None:
    matcher = Matcher(max_orders=1)
    matcher.submit(1, ME, BUY, 100, 5)
    assert brief(matcher.submit(1, ME, BUY, 99, 5)) == [(REJECTED, 1, 5, DUPLICATE_ORDER_ID)]
    assert brief(matcher.submit(2, ME, BUY, 99, 5)) == [(REJECTED, 2, 5, TOO_MANY_ORDERS)]
    assert matcher.cancel(9)[0].reason == UNKNOWN_ORDER
    assert matcher.amend(9, 1, 1)[0].reason == UNKNOWN_ORDER
    assert [e.kind for e in matcher.cancel_all(OTHER)] == []
    assert [e.kind for e in matcher.cancel_all()] == [CANCELED]


def test_saved_state_continues_with_the_same_queue_places() -> None:
    matcher, copy = Matcher(), Matcher()
    matcher.submit(1, ME, BUY, 100, 5, displayed_lots=7)
    matcher.submit(2, OTHER, BUY, 100, 5, displayed_lots=9)
    matcher.on_trade(100, 8, SELL)
    copy.load(matcher.dump(), matcher.positions())
    assert copy.dump() == matcher.dump()
    trades = [(100, 3), (100, 5), (99, 1)]
    assert [brief(copy.on_trade(*t, SELL)) for t in trades] == [brief(matcher.on_trade(*t, SELL)) for t in trades]
    with pytest.raises(ValueError, match="ids must be unique"):
        copy.load([(1, 1, 0, 100, 5, 0, 0, 0, 0, False, False)] * 2, {})


def test_impossible_input_is_refused() -> None:
    matcher = Matcher()
    with pytest.raises(ValueError, match="side was 2"):
        matcher.submit(1, ME, 2, 100, 5)
    with pytest.raises(ValueError, match="lots was 0"):
        matcher.submit(1, ME, BUY, 100, 0)
    with pytest.raises(ValueError, match="packed levels were 5 bytes"):
        matcher.submit(1, ME, BUY, 100, 1, opposite=b"12345")
    with pytest.raises(ValueError, match="post-only"):
        matcher.submit(1, ME, BUY, 100, 1, tif=IOC, post_only=True)
    with pytest.raises(ValueError, match="queue_power was 4"):
        Matcher(queue_power=4)


@pytest.mark.parametrize(
    ("notional", "rate", "fee"),
    [
        (1_000_000, 200_000, 200),
        (2_500, 200_000, 0),
        (7_500, 200_000, 2),
        (-2_500_000, 200_000, -500),
        (1_000_000, -50_000, -50),
        (2**62, 10**9, 2**62),
    ],
)
def test_fees_round_half_to_even_and_keep_their_sign(notional: int, rate: int, fee: int) -> None:
    assert fee_units(notional, rate) == fee


def test_a_fee_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(OverflowError, match="does not fit"):
        fee_units(2**62, 10**10)
