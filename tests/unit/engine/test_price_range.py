"""The price range: where the grid opens, and what each action does when the price leaves."""

from decimal import Decimal

import pytest
from models.grid_venue import SYMBOL, World, config

from opensqt.domain.order import Side
from opensqt.engine.commands import Place
from opensqt.engine.config import GridConfig, RangeConfig
from opensqt.engine.events import BookTop, LastTrade, Resume, StopMode
from opensqt.engine.risk.reasons import Code, TradingState
from opensqt.engine.winding import is_wound_down
from opensqt.runtime.config import ConfigError


def limited(lower: str | None = "2992", upper: str | None = "3006", action: str = "hold", **grid: object) -> World:
    limits = RangeConfig(
        lower=Decimal(lower) if lower else None,
        upper=Decimal(upper) if upper else None,
        action=action,  # type: ignore[arg-type]
    )
    world = World(settings=config(grid={"range": limits, **grid}))
    world.start()
    return world


def buys(world: World) -> list[int]:
    return sorted(o.price_ticks for o in world.venue.open_orders if o.side is Side.BUY)


def test_levels_are_bought_only_inside_the_range() -> None:
    world = limited()
    assert buys(world) == [299_200, 299_400, 299_600, 299_800, 300_000]


def test_a_level_whose_take_profit_is_beyond_the_upper_limit_is_not_bought() -> None:
    world = limited(upper="3001.99")
    assert buys(world) == [299_200, 299_400, 299_600, 299_800]


@pytest.mark.parametrize("bid", [299_000, 300_700])
def test_hold_pulls_what_opens_keeps_take_profits_and_goes_on_when_the_price_is_back(bid: int) -> None:
    world = limited()
    world.price(299_775)  # fills 3000 and 2998
    world.settle()
    held = world.bot.ledger.position_lots
    assert held == 20
    world.price(299_250)
    world.settle()
    world.price(bid)
    world.settle()
    assert world.bot.gate.state is TradingState.REDUCING
    assert Code.OUT_OF_RANGE in world.bot.gate.reasons
    assert not buys(world)
    sells = [o for o in world.venue.open_orders if o.side is Side.SELL]
    assert sum(o.lots for o in sells) == world.venue.position
    world.price(300_125)
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE
    assert buys(world)
    world.check_settled()


def test_a_price_that_trembles_at_the_limit_pulls_and_places_nothing() -> None:
    world = limited()
    world.price(300_605)
    world.settle()
    assert world.bot.gate.state is TradingState.REDUCING
    sent = len(world.sent)
    for bid in (300_585, 300_610, 300_580, 300_605):
        world.price(bid)
        world.settle()
    assert len(world.sent) == sent
    world.price(300_480)
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE


def test_one_odd_print_outside_does_not_count() -> None:
    world = limited(action="close")
    world.turn(BookTop(SYMBOL, 300_125, 300_135, True), LastTrade(SYMBOL, 290_000))
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE


def test_stop_cancels_everything_and_keeps_the_position() -> None:
    world = limited(action="stop")
    world.price(299_775)
    world.settle()
    world.price(299_100)
    world.settle()
    assert world.bot.gate.state is TradingState.STOPPED
    assert world.bot.stop_mode is StopMode.CANCEL
    assert is_wound_down(world.bot)
    assert not world.venue.open_orders
    assert world.venue.position > 0


def test_close_closes_the_position_reduce_only_and_the_parts_still_sum() -> None:
    world = limited(action="close")
    world.price(299_775)
    world.settle()
    world.price(299_100)
    world.settle()
    assert is_wound_down(world.bot)
    assert world.venue.position == 0
    last = [c.request for c in world.sent if isinstance(c, Place)][-1]
    assert last.reduce_only
    world.check_settled()


def test_leaving_outlives_a_restart_and_resuming_outside_stops_again() -> None:
    world = limited(action="stop")
    world.price(299_100)
    world.settle()
    world.kill()
    world.start()
    assert world.bot.gate.state is TradingState.STOPPED
    world.turn(Resume("eth"))
    world.settle()
    assert world.bot.gate.state is TradingState.STOPPED
    world.price(300_125)
    world.turn(Resume("eth"))
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE


def test_worst_case_of_a_range_counts_every_level_down_to_the_lower_limit() -> None:
    # 1000 levels: with 10 USDT each the wallet of 10,000 pays for all, with 30 it would be gone at 1,200.
    world = limited(lower="1000", order_quantity=Decimal(10))
    assert world.bot.gate.state is TradingState.ACTIVE
    world = limited(lower="1000")
    assert "would be liquidated" in world.bot.gate.reasons[Code.START_CHECK].message


def test_range_with_too_many_levels_is_refused_with_the_number() -> None:
    world = World(
        settings=config(grid={"range": RangeConfig(lower=Decimal(10)), "interval": Decimal("0.1"), "sell_window": 1})
    )
    world.start()
    message = world.bot.gate.reasons[Code.START_CHECK].message
    assert "29914 levels" in message
    assert "range.lower" in message


def test_range_without_room_for_one_step_is_refused() -> None:
    world = World(settings=config(grid={"range": RangeConfig(lower=Decimal(3001), upper=Decimal("3001.5"))}))
    world.start()
    assert "widen `grid.range`" in world.bot.gate.reasons[Code.START_CHECK].message


@pytest.mark.parametrize(("lower", "upper"), [(None, None), ("2", "2"), ("3", "2")])
def test_range_without_order_is_a_config_error(lower: str | None, upper: str | None) -> None:
    with pytest.raises(ConfigError):
        RangeConfig(lower=Decimal(lower) if lower else None, upper=Decimal(upper) if upper else None)


def test_no_range_is_the_default() -> None:
    assert GridConfig(interval=Decimal(1), order_quantity=Decimal(1)).range is None
