"""The classic grid as the core plays it: the worked example, take-profits, windows, refusals, remnants."""

from decimal import Decimal

import msgspec
import pytest
from models.grid_venue import SYMBOL, Venue, World, config, instrument

from opensqt.domain.errors import ErrorReason
from opensqt.domain.order import Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.engine.commands import Cancel, Place
from opensqt.engine.events import BookTop, LastTrade
from opensqt.engine.market import MarketView
from opensqt.engine.risk.reasons import Code, TradingState


def buys(world: World) -> dict[int, int]:
    return {o.price_ticks: o.lots for o in world.venue.open_orders if o.side is Side.BUY}


def sells(world: World) -> dict[int, int]:
    return {o.price_ticks: o.lots for o in world.venue.open_orders if o.side is Side.SELL}


def test_worked_example_of_the_rules() -> None:
    # Price 3001.30: centre 3002 is skipped by the safety buffer, nine buys rest from 3000 down to 2984.
    world = World()
    world.start()
    assert world.bot.gate.state is TradingState.ACTIVE
    assert sorted(buys(world), reverse=True) == [300_000 - 200 * i for i in range(9)]
    assert set(buys(world).values()) == {10}
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    world.venue.fill(order.client_order_id, 10)
    world.settle()
    assert sells(world) == {300_200: 10}
    sell = next(o for o in world.venue.open_orders if o.side is Side.SELL)
    assert sell.reduce_only
    assert sell.time_in_force is TimeInForce.GTX
    world.venue.fill(sell.client_order_id, 10)
    world.settle()
    pnl = world.bot.pnl()
    per_unit = (pnl.grid_profit + pnl.fees) / Decimal("0.010")
    assert per_unit == Decimal("0.7996")
    assert world.bot.ledger.totals.cycles == 1
    world.check_settled()


def test_buy_is_placed_again_after_its_take_profit() -> None:
    world = World()
    world.start()
    first = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    world.venue.fill(first.client_order_id, 10)
    world.settle()
    sell = next(o for o in world.venue.open_orders if o.side is Side.SELL)
    world.venue.fill(sell.client_order_id, 10)
    world.settle()
    assert 300_000 in buys(world)
    assert not sells(world)


def test_window_moves_with_hysteresis_of_one_level() -> None:
    world = World()
    world.start()
    lowest = min(buys(world))
    cancels = sum(isinstance(c, Cancel) for c in world.sent)
    world.price(300_325)  # one level up: the lowest buy left the window by one and stays
    world.settle()
    assert lowest in buys(world)
    assert sum(isinstance(c, Cancel) for c in world.sent) == cancels
    world.price(300_525)
    world.settle()
    assert lowest not in buys(world)


def test_unchanged_price_sends_nothing() -> None:
    world = World()
    world.start()
    sent = len(world.sent)
    for _ in range(20):
        world.price()
    assert len(world.sent) == sent


def test_order_budget_gives_sells_the_room_first() -> None:
    world = World(settings=config(grid={"max_open_orders": 6}))
    world.start()
    assert len(world.venue.open_orders) == 6
    world.price(299_575)
    world.settle()
    world.price(299_575)
    world.settle()
    assert len(sells(world)) == 3
    assert len(world.venue.open_orders) <= 6


def test_post_only_refusal_steps_back_and_never_becomes_taker() -> None:
    world = World()
    world.venue.refuse.extend([ErrorReason.POST_ONLY_WOULD_CROSS] * 2)
    world.start()
    world.timer(1_000)
    world.settle()
    placed = [c.request for c in world.sent if isinstance(c, Place)]
    assert all(request.time_in_force is TimeInForce.GTX for request in placed)
    assert {300_000 - 1, 299_800 - 1} <= set(buys(world))


def test_refused_level_cools_down_before_it_is_tried_again() -> None:
    world = World()
    world.start()
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    world.venue.fill(order.client_order_id, 10)
    world.venue.refuse.append(ErrorReason.POST_ONLY_WOULD_CROSS)
    world.deliver(10)
    world.deliver(10)
    tried = [c for c in world.sent if isinstance(c, Place) and c.request.reduce_only]
    assert len(tried) == 1
    world.price()
    assert [c for c in world.sent if isinstance(c, Place) and c.request.reduce_only] == tried
    world.timer(1_000)
    again = [c.request for c in world.sent if isinstance(c, Place) and c.request.reduce_only]
    assert len(again) == 2
    assert again[1].reduce_only
    assert again[1].price_ticks == 300_201


@pytest.mark.parametrize(
    ("bid_when_refused", "next_price"),
    [
        (300_305, 300_306 + 1),  # a tick further behind the touch
        (300_309, 300_310 + 4),  # as far as the market ran while the order was on its way
        (300_405, 300_406 + 20),  # at most a tenth of the step
    ],
)
def test_refused_take_profit_below_the_touch_stands_further_behind_the_touch(
    bid_when_refused: int, next_price: int
) -> None:
    world = World()
    world.start()
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    world.turn(BookTop(SYMBOL, 300_305, 300_315, True), LastTrade(SYMBOL, 300_310))
    world.venue.fill(order.client_order_id, 10)
    world.venue.refuse.append(ErrorReason.POST_ONLY_WOULD_CROSS)
    world.deliver(10)
    world.venue.bid, world.venue.ask = bid_when_refused, bid_when_refused + 10
    world.turn(BookTop(SYMBOL, bid_when_refused, bid_when_refused + 10, True))
    world.settle()
    world.timer(1_000)
    tried = [c.request.price_ticks for c in world.sent if isinstance(c, Place) and c.request.reduce_only]
    assert tried == [300_306, next_price]


def test_take_profit_below_the_touch_rests_one_tick_behind_it() -> None:
    world = World()
    world.start()
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    world.venue.fill(order.client_order_id, 10)
    world.venue.bid, world.venue.ask = 300_305, 300_315
    world.turn(BookTop(SYMBOL, 300_305, 300_315, True), LastTrade(SYMBOL, 300_310))
    world.settle()
    assert sells(world) == {300_306: 10}
    sent = len(world.sent)
    world.price()
    assert len(world.sent) == sent, "the moved order is left alone"


def test_partial_fill_sells_its_own_lot_and_leaves_the_buy() -> None:
    world = World()
    world.start()
    order = next(o for o in world.venue.open_orders if o.price_ticks == 300_000)
    world.venue.fill(order.client_order_id, 4)
    world.settle()
    assert sells(world) == {300_200: 4}
    assert world.venue.orders[order.client_order_id].remaining_lots == 6
    world.venue.fill(order.client_order_id, 6)
    world.settle()
    assert sells(world) == {300_200: 10}
    world.check_settled()


def test_remnant_below_the_minimum_joins_its_neighbour() -> None:
    world = World(venue=Venue(spec=instrument(min_notional=Decimal(10))))
    world.start()
    upper, lower = (next(o for o in world.venue.open_orders if o.price_ticks == price) for price in (300_000, 299_800))
    world.venue.fill(upper.client_order_id, 10)
    world.settle()
    world.venue.fill(lower.client_order_id, 1)
    world.settle()
    world.price(300_725)  # up and away: the rest of the lower buy leaves the window, the remnant of one lot stays
    world.settle()
    world.check_settled()
    assert world.bot.ledger.position_lots in (0, 1)
    assert all(lots >= 4 or len(world.bot.slots.holdings) == 1 for _k, lots in world.bot.slots.holdings.items())


def test_invalid_book_prices_nothing_and_pulls_after_the_stale_budget() -> None:
    world = World()
    world.start()
    resting = len(world.venue.open_orders)
    world.turn(BookTop(SYMBOL, 290_000, 290_010, False, "gap"))
    assert world.bot.gate.state is TradingState.REDUCING
    assert len(world.venue.open_orders) == resting
    world.timer(1_000)
    assert len(world.venue.open_orders) == resting
    world.timer(5_000)
    world.deliver(50)
    assert not world.venue.open_orders
    world.price()
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE
    assert len(world.venue.open_orders) == resting


def test_crossed_book_is_not_valid() -> None:
    world = World()
    world.start()
    world.turn(BookTop(SYMBOL, 300_200, 300_100, True))
    assert Code.BOOK_NOT_VALID in world.bot.gate.reasons


def test_position_cap_holds_with_everything_counted() -> None:
    world = World(settings=config(risk={"max_position": Decimal("0.035")}))
    world.start()
    assert len(buys(world)) == 3
    world.price(299_575)
    world.settle()
    assert world.bot.ledger.position_lots <= 35
    world.check_settled()


def test_every_order_keeps_why_it_was_made() -> None:
    world = World()
    world.start()
    order = next(iter(world.bot.orders.open.values()))
    assert order.rule == "buy_window"
    assert order.inputs["level_ticks"] == str(order.price_ticks)
    assert order.inputs["price2_ticks"] == str(2 * 300_130)
    assert order.config_version == 1


def test_own_orders_of_an_unvalid_start_wait_for_the_disk() -> None:
    world = World()
    world.sessions += 1
    core, venue = world.core, world.venue
    core.handle_batch((venue.snapshot(1),), venue.tick())
    commands = core.handle_batch((BookTop(SYMBOL, venue.bid, venue.ask, True),), venue.tick())
    assert not [c for c in commands if isinstance(c, Place)]
    assert Code.WAITING_FOR_DISK in world.bot.gate.reasons


def test_margin_refusal_stops_opening_for_a_while() -> None:
    world = World()
    world.venue.refuse.append(ErrorReason.INSUFFICIENT_MARGIN)
    world.attach()
    world.price()
    world.deliver(1)
    assert Code.INSUFFICIENT_MARGIN in world.bot.gate.reasons
    world.timer(6_000)
    world.settle()
    assert Code.INSUFFICIENT_MARGIN not in world.bot.gate.reasons
    assert len(buys(world)) == 9


def test_last_trade_outside_of_the_touch_never_prices_an_order() -> None:
    market = MarketView(use_last=True)
    market.take_top(BookTop(SYMBOL, 300_000, 300_010, True))
    market.take_trade(LastTrade(SYMBOL, 300_004))
    assert market.price2_ticks == 600_008
    market.take_top(BookTop(SYMBOL, 290_000, 290_010, True))
    assert market.price2_ticks == 580_020, "the trades have stopped, the book has fallen"


def test_order_that_somebody_else_amended_is_what_the_venue_says_and_goes() -> None:
    world = World()
    world.start()
    order = next(order for order in world.venue.open_orders if order.side is Side.BUY)
    world.turn(
        msgspec.structs.replace(
            order, price_ticks=order.price_ticks - 37, lots=order.lots + 3, updated_time_ns=order.updated_time_ns + 1
        )
    )
    tracked = world.bot.orders.by_id[order.client_order_id]
    assert (tracked.price_ticks, tracked.lots) == (order.price_ticks - 37, order.lots + 3)
    assert tracked.state is OrderState.PENDING_CANCEL
