"""A connector that missed something tells old news in its snapshot: what the engine has booked is not owed again."""

import msgspec
from models.grid_venue import World

from opensqt.domain.market import BookValidity, FeedHealth
from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import OrderState
from opensqt.engine.risk.reasons import Code, TradingState


def filled_order(world: World, lots: int = 0) -> Order:
    """Fill the highest buy, or some lots of it, and return it as it was before."""
    buys = [order for order in world.venue.open_orders if order.side is Side.BUY]
    order = max(buys, key=lambda buy: buy.price_ticks)
    world.venue.fill(order.client_order_id, lots or order.lots)
    world.settle()
    return msgspec.structs.replace(order, state=OrderState.LIVE, filled_lots=0, filled_ticks_lots=0)


def restart_with(world: World, stale: Order) -> None:
    """Start a new engine whose snapshot has an order as it was."""
    world.write_out(len(world.unwritten))
    world.kill()
    snapshot = world.venue.snapshot(2)
    others = tuple(order for order in snapshot.open_orders if order.client_order_id != stale.client_order_id)
    world.turn(msgspec.structs.replace(snapshot, open_orders=(*others, stale), fills=()))


def test_an_order_that_is_filled_by_what_was_booked_is_not_taken_over_as_open() -> None:
    world = World()
    world.start()
    stale = filled_order(world)
    restart_with(world, stale)
    assert stale.client_order_id not in world.bot.orders.open


def test_an_order_whose_fills_were_booked_in_an_earlier_run_owes_none_of_them() -> None:
    world = World()
    world.start()
    stale = filled_order(world, lots=3)
    restart_with(world, stale)
    world.turn(msgspec.structs.replace(stale, filled_lots=3, state=OrderState.PARTIALLY_FILLED))
    order = world.bot.orders.open[stale.client_order_id]
    assert order.booked_lots == 3
    assert not order.owes_fills


def test_a_bot_that_attaches_while_the_accounts_stream_is_down_opens_nothing() -> None:
    world = World()
    world.start()
    deaf = FeedHealth(
        symbol=world.bot.symbol, book=BookValidity.VALID, reason="reset", market_stream_up=True, private_stream_up=False
    )
    world.turn(msgspec.structs.replace(world.venue.snapshot(2), feeds=(deaf,)))
    world.settle()
    assert world.bot.gate.state is TradingState.REDUCING
    assert Code.PRIVATE_STREAM_DOWN in world.bot.gate.reasons
    world.turn(msgspec.structs.replace(deaf, symbol="", reason="", private_stream_up=True))
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE


def test_an_order_that_is_only_said_to_be_on_its_way_is_asked_for() -> None:
    # Its cancel is booked, its answer never came to the connector: no event about it is left to come.
    world = World()
    world.start()
    order = world.venue.open_orders[0]
    world.venue.orders[order.client_order_id] = msgspec.structs.replace(order, state=OrderState.CANCELED)
    world.turn(world.venue.orders[order.client_order_id])
    restart_with(world, msgspec.structs.replace(order, state=OrderState.PENDING_NEW, exchange_order_id=""))
    assert world.bot.orders.open[order.client_order_id].state is OrderState.UNKNOWN
    world.settle()
    assert order.client_order_id not in world.bot.orders.open
    assert world.bot.orders.by_id[order.client_order_id].state is OrderState.CANCELED
