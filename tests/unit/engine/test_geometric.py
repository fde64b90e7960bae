"""The geometric lattice: the same rules, and its anchor is read back from resting orders too."""

from decimal import Decimal
from itertools import pairwise

from models.grid_venue import World, config

from opensqt.domain.order import Side

GRID = {"spacing": "geometric", "interval": None, "ratio": Decimal("0.001"), "anchor": None}


def test_levels_rise_by_the_ratio_and_take_profit_is_one_level_up() -> None:
    world = World(settings=config(grid=GRID))
    world.start()
    prices = sorted((o.price_ticks for o in world.venue.open_orders), reverse=True)
    assert len(prices) == 9
    assert all(Decimal("0.99895") < Decimal(low) / high < Decimal("0.99905") for high, low in pairwise(prices))
    top = next(o for o in world.venue.open_orders if o.price_ticks == prices[0])
    world.venue.fill(top.client_order_id, top.lots)
    world.settle()
    sell = next(o for o in world.venue.open_orders if o.side is Side.SELL)
    assert sell.price_ticks == world.bot.anchor_ticks
    world.check_settled()


def test_lost_database_reads_the_anchor_back_from_resting_orders() -> None:
    world = World(settings=config(grid=GRID))
    world.start()
    anchor = world.bot.anchor_ticks
    before = {o.client_order_id for o in world.venue.open_orders}
    world.kill(lost_database=True)
    world.venue.bid, world.venue.ask = 300_185, 300_195
    world.start()
    assert world.bot.anchor_ticks == anchor
    assert before <= {o.client_order_id for o in world.venue.open_orders}
