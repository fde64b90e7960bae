"""Filters that change live: everything in the new units in one turn, off-grid orders gone, nothing lost, trading on."""

from decimal import Decimal

import pytest
from models.filter_venue import FilterVenue, FilterWorld
from models.grid_venue import SYMBOL, config

from opensqt.domain.errors import ErrorReason
from opensqt.domain.ledger import Pnl
from opensqt.domain.order import Side
from opensqt.engine.events import BookTop, Stop, StopMode
from opensqt.engine.risk.reasons import Code, TradingState


def held(revision: tuple[int, int] = (1, 1), grid: dict[str, object] | None = None) -> FilterWorld:
    """Return a world that has bought four levels and sold one of them again."""
    world = FilterWorld(
        settings=config(grid={"order_quantity": Decimal(170), **(grid or {})}), venue=FilterVenue(revisions=[revision])
    )
    world.start()
    assert world.bot.gate.state is TradingState.ACTIVE, world.bot.gate.reasons
    for bid in (299_100, 300_000):
        world.price(bid)
        world.settle()
    world.check_settled()
    assert world.venue.position > 0
    return world


def worth(world: FilterWorld) -> tuple[Decimal, Decimal, Pnl]:
    bot = world.bot
    money = bot.instrument.money(bot.ledger.cost_ticks_lots * bot.instrument.units_per_tick_lot)
    return bot.instrument.lots_to_quantity(bot.ledger.position_lots), money, bot.pnl()


def change(world: FilterWorld, ticks: int, lots: int) -> None:
    """Change the filters; the turn it takes conserves everything."""
    before = worth(world)
    world.venue.change(ticks, lots)
    event = world.venue.events.pop()
    world.turn(event)
    after = worth(world)
    assert after == before
    assert world.bot.instrument.revision == len(world.venue.revisions)
    world.price()
    world.settle()


@pytest.mark.parametrize("finer", [(1, 1), (1, 10), (10, 1), (2, 5)])
def test_finer_filters_multiply_everything_and_touch_no_take_profit(finer: tuple[int, int]) -> None:
    world = held((10, 10))
    sells = {one.client_order_id for one in world.venue.open_orders if one.side is Side.SELL}
    change(world, *finer)
    assert world.bot.gate.state is TradingState.ACTIVE
    assert sells <= set(world.bot.orders.open), "every price and size of before is one still"
    world.check_settled()
    world.price(299_300)
    world.settle()
    world.price(300_700)
    world.settle()
    world.check_settled()
    world.check_on_grid()


@pytest.mark.parametrize("coarser", [(10, 1), (1, 10), (10, 10), (150, 1), (1000, 4), (3, 7)])
def test_coarser_filters_cancel_what_is_off_the_grid_and_trade_on(coarser: tuple[int, int]) -> None:
    world = held(grid={"anchor": Decimal("3000.07")})
    change(world, *coarser)
    assert world.bot.gate.state is TradingState.ACTIVE, world.bot.gate.reasons
    assert world.bot.orders.open
    world.check_settled()
    world.check_on_grid()
    world.price(299_000)
    world.settle()
    world.price(302_500)
    world.settle()
    world.check_settled()
    world.check_on_grid()
    assert world.bot.ledger.totals.grid_profit_ticks_lots > 0


def test_units_that_are_no_multiples_of_each_other_are_counted_in_what_makes_both() -> None:
    world = held((5, 1))
    world.venue.revisions[0] = (5, 1)
    change(world, 2, 1)
    assert world.bot.gate.state is TradingState.ACTIVE
    assert world.bot.units.tick_size == Decimal("0.01")
    assert world.bot.units.tick_step == 2
    world.check_settled()
    world.check_on_grid()


def test_a_geometric_lattice_lies_on_coarser_ticks_too() -> None:
    world = held(grid={"spacing": "geometric", "interval": None, "ratio": Decimal("0.0008")})
    change(world, 10, 1)
    assert world.bot.gate.state is TradingState.ACTIVE
    world.check_settled()
    world.check_on_grid()
    change(world, 1, 1)
    world.check_settled()


def test_an_interval_below_the_new_tick_becomes_one_tick() -> None:
    world = held()
    change(world, 500, 1)
    assert world.bot.grid.lattice.interval_ticks == 500
    assert world.bot.gate.state in (TradingState.ACTIVE, TradingState.HALTED)
    world.check_settled()
    world.check_on_grid()


def test_a_take_profit_never_comes_down() -> None:
    world = held(grid={"anchor": Decimal("3000.07")})
    before = {order.slot: order.price_ticks for order in world.bot.orders.open.values() if order.side is Side.SELL}
    change(world, 100, 1)
    after = [order.price_ticks for order in world.bot.orders.open.values() if order.side is Side.SELL]
    assert min(after) >= min(before.values())
    assert sum(lot.lots for lot in world.bot.ledger.slots.values()) == world.venue.position


def test_an_order_of_before_that_fills_late_finds_its_slot_and_its_units() -> None:
    world = held(grid={"anchor": Decimal("3000.07")})
    buy = max((one for one in world.venue.open_orders if one.side is Side.BUY), key=lambda one: one.price_ticks)
    world.venue.change(100, 10)
    world.venue.fill(buy.client_order_id, 7)
    world.settle()
    world.price()
    world.settle()
    lot = world.bot.ledger.position_lots
    assert world.bot.instrument.lots_to_quantity(lot) == world.venue.spec.lots_to_quantity(world.venue.position)
    assert world.bot.gate.state is TradingState.ACTIVE
    world.check_settled()
    world.check_on_grid()


def test_placements_of_the_old_revision_are_refused_and_placed_anew() -> None:
    world = held()
    world.venue.revisions.append((10, 1))  # not told yet
    world.venue.move_price(298_900)
    world.turn(BookTop(SYMBOL, 298_900, 298_910, True, revision=1))
    for _round in range(3):
        world.deliver(50)
        world.timer()
    world.venue.events.append(world.venue.listed)
    world.settle()
    world.price()
    world.settle()
    assert world.venue.stale > 0
    assert not any(order.reason is ErrorReason.STALE_INSTRUMENT for order in world.bot.orders.open.values())
    world.timer(31_000)
    world.price()
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE
    world.check_settled()
    world.check_on_grid()


@pytest.mark.parametrize("then", [(10, 10), (1, 1), (20, 4)])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_restart_in_the_middle_takes_the_same_way(then: tuple[int, int], is_told: bool) -> None:
    world = held((10, 2) if then == (1, 1) else (1, 1), grid={"anchor": Decimal("3000.1")})
    world.slow_disk = True
    before = worth(world)[:2]
    world.venue.change(*then)
    if is_told:
        commands = world.core.handle_batch([world.venue.events.pop()], world.venue.tick())
        assert commands, "it has something to store"  # and dies before any of it is
    world.slow_disk = False
    world.write_out(len(world.unwritten))
    world.kill()
    world.attach()
    assert worth(world)[:2] == before
    world.price()
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE, world.bot.gate.reasons
    world.check_settled()
    world.check_on_grid()
    world.kill()
    world.attach()
    world.price(299_000)
    world.settle()
    world.check_settled()
    world.check_on_grid()


def test_a_change_is_a_version_of_the_grid() -> None:
    world = held()
    version = world.bot.config_version
    change(world, 10, 5)
    assert world.bot.config_version == version + 1
    assert world.disk.versions[-1].action == "filters"
    assert world.disk.versions[-1].what == ("tick_size 0.01 -> 0.1", "lot_size 0.001 -> 0.005")
    assert any(line.code == "GRID_FILTERS" for line in world.bot.recent_journal)


def test_a_change_beyond_all_measure_halts_with_what_to_do() -> None:
    world = held()
    world.venue.change(1_000_003, 1)
    world.turn(world.venue.events.pop())
    assert world.bot.gate.state is TradingState.HALTED
    assert "by hand" in world.bot.gate.reasons[Code.INSTRUMENT_CHANGED].message


def test_a_book_of_a_revision_that_is_not_known_yet_prices_nothing() -> None:
    world = held()
    world.venue.revisions.append((10, 1))
    world.turn(world.venue.top())
    assert not world.bot.market.valid
    world.turn(world.venue.listed)
    assert world.bot.market.valid
    assert world.bot.market.bid_ticks == world.venue.bid // 10 * 10


def test_flattening_closes_all_but_what_is_less_than_a_lot() -> None:
    world = held()
    change(world, 1, 7)
    odd = world.venue.position % 7
    world.turn(Stop("eth", StopMode.FLATTEN))
    world.timer(1_000)
    world.settle()
    assert world.venue.position == odd
    assert not world.venue.open_orders


def test_orders_that_no_longer_fit_still_go_after_a_second_restart() -> None:
    world = held()
    world.venue.change(1, 20)
    world.venue.events.clear()
    for _run in range(2):
        world.kill()
        world.attach()
    world.price()
    world.settle()
    world.check_settled()
    world.check_on_grid()
