from decimal import Decimal

import msgspec
import pytest
from models.venue_bench import ACCOUNT, BTC, ETH, Bench, open_bench, order_changes

from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.order import OrderRequest, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.matching.commands import SelfTrade
from opensqt.matching.config import ZERO_LATENCY, HistoryConfig, LatencyConfig, VenueConfig
from opensqt.matching.events import BookLost, CommandDone, Outcome
from opensqt.matching.venue import SimulatedVenue


def test_resting_order_waits_for_the_queue_ahead_of_it() -> None:
    bench = open_bench()
    done = bench.place(Side.BUY, 640_000, 10)
    assert done.outcome is Outcome.CONFIRMED
    assert done.order is not None
    assert done.order.state is OrderState.LIVE
    bench.trade(Side.SELL, 640_000, 100)
    assert bench.fills() == []
    bench.trade(Side.SELL, 640_000, 4)
    assert [(fill.lots, fill.is_maker, fill.cumulative_filled_lots) for fill in bench.fills()] == [(4, True, 4)]
    assert bench.order("c1").state is OrderState.PARTIALLY_FILLED
    bench.trade(Side.SELL, 639_990, 50)
    assert bench.order("c1").state is OrderState.FILLED
    assert bench.order("c1").filled_ticks_lots == 10 * 640_000
    assert bench.position() == 10


def test_post_only_that_would_cross_is_refused_and_leaves_no_record() -> None:
    bench = open_bench()
    done = bench.place(Side.BUY, 640_010, 10, tif=TimeInForce.GTX)
    assert (done.outcome, done.reason) == (Outcome.REJECTED, ErrorReason.POST_ONLY_WOULD_CROSS)
    assert done.order is None
    assert bench.venue.view.order(ACCOUNT, BTC.symbol, client_order_id="c1") is None
    assert bench.venue.view.open_orders(ACCOUNT) == []


def test_market_order_walks_the_levels_as_taker_and_expires_the_rest() -> None:
    bench = open_bench()
    done = bench.place(Side.BUY, 0, 700)
    assert done.order is not None
    assert done.order.state is OrderState.EXPIRED
    assert done.order.filled_lots == 500
    assert [(fill.price_ticks, fill.lots) for fill in bench.fills()] == [(640_010 + 10 * i, 100) for i in range(5)]
    assert not any(fill.is_maker for fill in bench.fills())


def test_liquidity_taken_once_is_gone_until_the_book_changes() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 640_010, 80, tif=TimeInForce.IOC)
    second = bench.place(Side.BUY, 640_010, 80, tif=TimeInForce.IOC)
    assert second.order is not None
    assert second.order.filled_lots == 20
    bench.delta(asks=[(640_010, 100)])
    third = bench.place(Side.BUY, 640_010, 80, tif=TimeInForce.IOC)
    assert third.order is not None
    assert third.order.filled_lots == 80


def test_fill_or_kill_fills_all_or_nothing() -> None:
    bench = open_bench()
    done = bench.place(Side.BUY, 640_010, 101, tif=TimeInForce.FOK)
    assert done.order is not None
    assert (done.order.state, done.order.filled_lots) == (OrderState.EXPIRED, 0)
    done = bench.place(Side.BUY, 640_010, 100, tif=TimeInForce.FOK)
    assert done.order is not None
    assert done.order.state is OrderState.FILLED


def test_duplicate_client_id_among_open_orders_carries_the_existing_order() -> None:
    bench = open_bench()
    first = bench.place(Side.BUY, 639_000, 10, client_order_id="same")
    second = bench.place(Side.BUY, 639_100, 20, client_order_id="same")
    assert second.reason is ErrorReason.DUPLICATE_CLIENT_ID
    assert second.order == first.order
    bench.cancel("same")
    assert bench.place(Side.BUY, 639_000, 10, client_order_id="same").outcome is Outcome.CONFIRMED


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"instrument_revision": 2}, ErrorReason.STALE_INSTRUMENT),
        ({"lots": 0}, ErrorReason.INVALID_FIELD),
        ({"lots": 2_000_000}, ErrorReason.FILTER_REJECTED),
        ({"price_ticks": 100_000_000}, ErrorReason.PRICE_BAND),
        ({"price_ticks": -5}, ErrorReason.INVALID_FIELD),
        ({"price_ticks": 1, "lots": 1}, ErrorReason.MIN_NOTIONAL),
        ({"lots": 1_000_000}, ErrorReason.INSUFFICIENT_MARGIN),
        ({"symbol": "DOGE/USDT:USDT"}, ErrorReason.UNKNOWN_SYMBOL),
        ({"reduce_only": True}, ErrorReason.REDUCE_ONLY_REJECTED),
        ({"client_order_id": ""}, ErrorReason.INVALID_FIELD),
    ],
)
def test_bad_orders_are_refused_with_their_reason(fields: dict[str, object], reason: ErrorReason) -> None:
    bench = open_bench()
    values: dict[str, object] = {"side": Side.BUY, "price_ticks": 640_000, "lots": 10} | fields
    done = bench.place(**values)  # type: ignore[arg-type]
    assert (done.outcome, done.reason) == (Outcome.REJECTED, reason)
    assert len(done.message) > 20
    assert bench.venue.view.open_orders(ACCOUNT) == []


def test_reduce_only_is_exempt_from_the_minimum_notional() -> None:
    instrument = msgspec.structs.replace(BTC, min_notional=BTC.ticks_to_price(640_010) / 100)
    bench = Bench(instruments=(instrument,))
    bench.book([(640_000, 100)], [(640_010, 100)])
    assert bench.place(Side.BUY, 0, 10).outcome is Outcome.CONFIRMED
    assert bench.place(Side.SELL, 640_020, 1).reason is ErrorReason.MIN_NOTIONAL
    assert bench.place(Side.SELL, 640_020, 1, reduce_only=True).outcome is Outcome.CONFIRMED


def test_open_orders_are_limited_per_symbol() -> None:
    instrument = msgspec.structs.replace(BTC, max_open_orders=2)
    bench = Bench(instruments=(instrument,))
    bench.book([(640_000, 100)], [(640_010, 100)])
    for offset in range(2):
        assert bench.place(Side.BUY, 639_000 - offset, 10).outcome is Outcome.CONFIRMED
    assert bench.place(Side.BUY, 638_000, 10).reason is ErrorReason.MAX_OPEN_ORDERS


def test_reduce_only_orders_shrink_with_the_position_and_never_flip_it() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 640_010, 10, tif=TimeInForce.IOC)
    bench.place(Side.SELL, 640_100, 6, reduce_only=True)
    bench.place(Side.SELL, 640_110, 10, reduce_only=True)
    assert [order.lots for order in bench.venue.view.open_orders(ACCOUNT)] == [6, 4]
    assert bench.place(Side.SELL, 640_120, 1, reduce_only=True).reason is ErrorReason.REDUCE_ONLY_REJECTED
    bench.place(Side.SELL, 0, 7)
    assert bench.position() == 3
    assert [(order.lots, order.state) for order in bench.venue.view.open_orders(ACCOUNT)] == [(3, OrderState.LIVE)]
    assert bench.order("c3").reason is ErrorReason.REDUCE_ONLY_REJECTED
    bench.trade(Side.BUY, 641_000, 1_000)
    assert bench.position() == 0
    assert bench.venue.view.open_orders(ACCOUNT) == []


def test_own_orders_do_not_trade_with_each_other() -> None:
    bench = open_bench()
    bench.place(Side.SELL, 640_005, 10)
    done = bench.place(Side.BUY, 640_005, 5)
    assert done.order is not None
    assert (done.order.state, done.order.reason) == (OrderState.EXPIRED, ErrorReason.SELF_TRADE)
    assert bench.fills() == []


def test_amend_moves_price_and_total_size() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 639_900, 10, client_order_id="a")
    done = bench.amend("a", 639_950, 15)
    assert done.order is not None
    assert (done.order.price_ticks, done.order.lots, done.order.exchange_order_id) == (639_950, 15, "1000000001")
    assert bench.amend("nobody", 639_950, 15).reason is ErrorReason.UNKNOWN_ORDER
    assert bench.amend("a", 0, 15).reason is ErrorReason.INVALID_FIELD


def test_amend_that_shrinks_keeps_the_queue_place_and_one_that_grows_loses_it() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 640_000, 10, client_order_id="a")
    bench.trade(Side.SELL, 640_000, 60)
    bench.delta(bids=[(640_000, 500)])
    bench.amend("a", 640_000, 8)
    bench.trade(Side.SELL, 640_000, 48)
    assert bench.order("a").filled_lots == 8
    bench.place(Side.BUY, 640_000, 10, client_order_id="b")
    bench.amend("b", 640_000, 12)
    bench.trade(Side.SELL, 640_000, 400)
    assert bench.order("b").filled_lots == 0


def test_amended_post_only_order_that_would_cross_is_cancelled() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 639_900, 10, client_order_id="a", tif=TimeInForce.GTX)
    done = bench.amend("a", 640_010, 10)
    assert done.reason is ErrorReason.POST_ONLY_WOULD_CROSS
    assert bench.order("a").state is OrderState.CANCELED


def test_cancel_by_either_id_and_of_what_is_gone() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 639_000, 10, client_order_id="a")
    placed = bench.place(Side.BUY, 639_000, 10, client_order_id="b")
    assert placed.order is not None
    done = bench.cancel("a")
    assert done.order is not None
    assert done.order.state is OrderState.CANCELED
    assert bench.cancel(exchange_order_id=placed.order.exchange_order_id).outcome is Outcome.CONFIRMED
    again = bench.cancel("a")
    assert again.reason is ErrorReason.UNKNOWN_ORDER
    assert again.order is not None
    assert again.order.state is OrderState.CANCELED
    assert bench.cancel("never").order is None
    assert bench.cancel().reason is ErrorReason.UNKNOWN_ORDER


def test_cancel_all_touches_only_its_prefix() -> None:
    bench = open_bench()
    for name in ("oqaZ1", "oqaZ2", "manual"):
        bench.place(Side.BUY, 639_000, 10, client_order_id=name)
    done = bench.cancel_all("oqaZ")
    assert done.count == 2
    assert [order.client_order_id for order in bench.venue.view.open_orders(ACCOUNT)] == ["manual"]
    assert bench.cancel_all().count == 1


def test_orders_are_refused_while_the_book_is_not_valid() -> None:
    bench = Bench()
    assert bench.place(Side.BUY, 640_000, 10).reason is ErrorReason.VENUE_UNAVAILABLE
    bench.book([(640_000, 100)], [(640_010, 100)])
    assert bench.place(Side.BUY, 639_000, 10).outcome is Outcome.CONFIRMED
    bench.market(BookLost(BTC.symbol, bench.tick(), "a hole"))
    assert bench.place(Side.BUY, 639_000, 10).reason is ErrorReason.VENUE_UNAVAILABLE
    assert bench.cancel("c2").outcome is Outcome.CONFIRMED


def test_order_with_a_price_the_new_book_has_passed_fills_after_a_gap() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 639_900, 10)
    bench.market(BookLost(BTC.symbol, bench.tick(), "a hole"))
    bench.book([(639_000, 100)], [(639_010, 100)])
    assert [(fill.price_ticks, fill.lots) for fill in bench.fills()] == [(639_900, 10)]


def test_commands_take_effect_after_their_latency_and_answers_after_theirs() -> None:
    config = VenueConfig(latency=LatencyConfig(place_ns=5_000_000, cancel_ns=2_000_000, response_ns=3_000_000))
    bench = open_bench(config)
    request_ns = bench.tick()
    request = OrderRequest(
        symbol=BTC.symbol, client_order_id="a", side=Side.BUY, price_ticks=639_990, lots=10, instrument_revision=1
    )
    venue = bench.venue
    assert venue.place(ACCOUNT, request, 1, request_ns) == []
    assert venue.next_due_ns() == request_ns + 5_000_000
    assert venue.advance(request_ns + 4_999_999) == []
    assert venue.view.open_orders(ACCOUNT) == []
    assert venue.advance(request_ns + 5_000_000) == []
    assert len(venue.view.open_orders(ACCOUNT)) == 1
    assert venue.next_due_ns() == request_ns + 8_000_000
    events = venue.advance(request_ns + 8_000_000)
    assert [type(event).__name__ for event in events] == ["OrderChanged", "CommandDone"]
    assert events[0].time_ns == request_ns + 5_000_000
    assert venue.next_due_ns() is None


def test_commands_never_overtake_each_other() -> None:
    config = VenueConfig(latency=LatencyConfig(place_ns=5_000_000, cancel_ns=0, response_ns=0))
    bench = open_bench(config)
    request = OrderRequest(
        symbol=BTC.symbol, client_order_id="a", side=Side.BUY, price_ticks=639_990, lots=10, instrument_revision=1
    )
    now_ns = bench.tick()
    bench.venue.place(ACCOUNT, request, 1, now_ns)
    bench.venue.cancel(ACCOUNT, BTC.symbol, client_order_id="a", command_id=2, now_ns=now_ns)
    events = bench.venue.advance(now_ns + 5_000_000)
    done = [event for event in events if isinstance(event, CommandDone)]
    assert [(event.command_id, event.outcome) for event in done] == [(1, Outcome.CONFIRMED), (2, Outcome.CONFIRMED)]
    assert [order.state for order in order_changes(events)] == [OrderState.LIVE, OrderState.CANCELED]


def test_history_is_bounded_and_forgets_the_oldest() -> None:
    config = VenueConfig(latency=ZERO_LATENCY, history=HistoryConfig(ended_orders=3, fills=2))
    bench = open_bench(config)
    for index in range(5):
        bench.place(Side.BUY, 0, 1, client_order_id=f"t{index}")
    view = bench.venue.view
    assert view.order(ACCOUNT, BTC.symbol, client_order_id="t1") is None
    assert view.order(ACCOUNT, BTC.symbol, client_order_id="t2") is not None
    assert [order.client_order_id for order in view.ended_orders(ACCOUNT, BTC.symbol, 10)] == ["t4", "t3", "t2"]
    assert [fill.trade_id for fill in view.fills(ACCOUNT)] == ["4", "5"]
    forgotten = [(kind, key) for kind, key, value in bench.venue.take_changes().rows() if value is None]
    assert ("order", "1000000001") in forgotten
    assert ("fill", "1") in forgotten


def test_fills_are_found_since_a_time_and_after_a_trade() -> None:
    bench = open_bench()
    times = []
    for _ in range(4):
        bench.place(Side.BUY, 0, 1)
        times.append(bench.now_ns)
    view = bench.venue.view
    assert [fill.trade_id for fill in view.fills(ACCOUNT, since_ns=times[1])] == ["2", "3", "4"]
    assert [fill.trade_id for fill in view.fills(ACCOUNT, BTC.symbol, after_trade_id="2")] == ["3", "4"]
    assert [fill.trade_id for fill in view.fills(ACCOUNT, limit=2)] == ["1", "2"]
    with pytest.raises(RequestError, match="after_trade_id"):
        view.fills(ACCOUNT, after_trade_id="x")


def test_strangers_are_refused() -> None:
    bench = open_bench()
    with pytest.raises(RequestError, match="DOGE"):
        bench.venue.view.ticker("DOGE")
    with pytest.raises(RequestError, match="account"):
        bench.venue.view.balances("nobody")
    done = bench.venue.cancel_all("nobody", BTC.symbol, "", 1, bench.tick())
    assert [event.reason for event in done if isinstance(event, CommandDone)] == [ErrorReason.INVALID_FIELD]
    with pytest.raises(RequestError, match="settle"):
        SimulatedVenue(VenueConfig(), [BTC, msgspec.structs.replace(ETH, settle_asset="USDC")])


def test_accounts_are_apart_and_meet_in_the_market() -> None:
    config = VenueConfig(latency=ZERO_LATENCY, wallets={"paper": Decimal(1_000), "other": Decimal(1_000)})
    bench = open_bench(config)
    bench.place(Side.SELL, 640_005, 10)
    request = OrderRequest(
        symbol=BTC.symbol, client_order_id="x", side=Side.BUY, price_ticks=640_005, lots=4,
        time_in_force=TimeInForce.GTC, instrument_revision=1,
    )  # fmt: skip
    bench.venue.place("other", request, 1, bench.tick())
    assert bench.position() == -4
    assert bench.venue.view.position("other", BTC.symbol).lots == 4
    assert [fill.is_maker for fill in bench.venue.view.fills("other")] == [False]
    assert [fill.is_maker for fill in bench.venue.view.fills("paper")] == [True]


def test_crossed_book_stops_the_market_until_it_is_repaired() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 639_990, 10)
    bench.delta(bids=[(640_050, 5)])
    assert bench.venue.view.validity(BTC.symbol)[1] == "the book is crossed"
    assert bench.place(Side.BUY, 639_000, 10).reason is ErrorReason.VENUE_UNAVAILABLE
    bench.delta(bids=[(640_050, 0)])
    assert bench.venue.view.validity(BTC.symbol)[1] == ""
    assert bench.place(Side.BUY, 639_000, 10).outcome is Outcome.CONFIRMED
    assert bench.fills() == []


def test_arriving_order_may_end_the_resting_one_of_its_own_account() -> None:
    bench = open_bench()
    bench.place(Side.SELL, 640_005, 10, client_order_id="resting")
    request = OrderRequest(
        symbol=BTC.symbol,
        client_order_id="arriving",
        side=Side.BUY,
        price_ticks=640_010,
        lots=10,
        time_in_force=TimeInForce.GTC,
        instrument_revision=1,
    )
    bench.venue.place(ACCOUNT, request, 99, bench.tick(), SelfTrade.EXPIRE_MAKER)
    assert bench.order("resting").state is OrderState.EXPIRED
    assert bench.order("arriving").state is OrderState.FILLED
