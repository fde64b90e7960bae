"""F02: the account's stream breaks. Nothing opens while it is down; then everything is proven, then it goes on."""

from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.domain.order import Side
from opensqt.engine.risk.reasons import Code, TradingState


def test_f02_user_stream_drops_symbol_reduces_then_orders_and_fills_are_merged_without_a_blanket_cancel() -> None:
    world = World.trading(120)
    kept = {order.client_order_id for order in world.venue_orders()}
    world.weather["query"].drop = 1.0
    world.inject("user.break")
    world.run(50 * MS)
    assert Code.PRIVATE_STREAM_DOWN in world.codes()
    assert world.bot.gate.state is TradingState.REDUCING
    order = world.own(Side.BUY)[0]
    world.exchange.trade_with(order, 5)
    trade_id = list(world.exchange.fills)[-1]
    opened = world.checks.counts["no_quote_unless_book_valid"]
    world.run(1_200 * MS)
    assert not world.bot.ledger.knows_trade(trade_id), "nobody could tell"
    assert world.checks.counts["no_quote_unless_book_valid"] == opened
    world.weather["query"].drop = 0.0
    world.wait_until(lambda: Code.PRIVATE_STREAM_DOWN not in world.codes(), 10.0, what="the stream is taken over")
    assert world.bot.ledger.knows_trade(trade_id), "read since the break, merged by trade id"
    assert world.bot.orders.by_id[order.client_order_id].booked_lots >= 5
    world.finish()
    left = {order.client_order_id for order in world.venue_orders()}
    assert kept & left, "what could be proven was not cancelled"


def test_f02_a_long_break_pulls_what_opens_and_comes_back() -> None:
    world = World.trading(121)
    world.weather["query"].drop = 1.0
    world.inject("user.break")
    world.run(3 * SECOND)
    assert world.own(Side.BUY) == [], "the stale budget is spent"
    assert world.own(Side.SELL), "take-profits stay"
    world.weather["query"].drop = 0.0
    world.wait_until(lambda: bool(world.own(Side.BUY)), 15.0, what="quotes are back")
    world.finish()
