"""The planner and the difference together, on the worked example and along a price path."""

import random

import pytest

from opensqt._core.diff import BUY, CANCEL, PLACE, SELL, Desired, Differ, Live
from opensqt._core.grid import Lattice
from opensqt._core.plan import GridPlanner, Holdings


def planner(**changes: int) -> GridPlanner:
    settings = {"buy_window": 10, "sell_window": 10, "quote_units": 3_000_000, **changes}
    return GridPlanner(Lattice.arithmetic(300_000, 200), **settings)


def test_the_worked_example_from_the_first_buys_to_the_take_profit() -> None:
    grid, holdings, desired, live, differ = planner(), Holdings(), Desired(), Live(), Differ()
    grid.plan(600_260, holdings, desired)
    actions = differ.run(desired, live)
    assert [(a.kind, a.side, a.price_ticks, a.lots) for a in actions] == [
        (PLACE, BUY, price, 10) for price in range(300_000, 298_200, -200)
    ]
    for handle, action in enumerate(actions):
        live.put(handle, action.slot, action.side, action.price_ticks, action.lots)
    # The 3000 buy fills.
    live.remove(0)
    holdings.set(0, 10)
    grid.plan(600_260, holdings, desired)
    (sell,) = differ.run(desired, live)
    assert (sell.kind, sell.side, sell.slot, sell.price_ticks, sell.lots) == (PLACE, SELL, 0, 300_200, 10)
    assert sell.reduce_only
    live.put(99, sell.slot, sell.side, sell.price_ticks, sell.lots, sell.reduce_only)
    assert differ.run(desired, live) == []
    # The sell fills: the slot is empty and is bought again.
    live.remove(99)
    holdings.set(0, 0)
    grid.plan(600_260, holdings, desired)
    assert [(a.kind, a.slot, a.side) for a in differ.run(desired, live)] == [(PLACE, 0, BUY)]


def test_price_jitter_around_a_level_cancels_nothing() -> None:
    grid, holdings, desired, live, differ = planner(), Holdings(), Desired(), Live(), Differ()
    handle = 0
    cancels = 0
    rng = random.Random(7)
    for _ in range(500):
        grid.plan(600_200 + rng.randint(-250, 250), holdings, desired)
        for action in differ.run(desired, live):
            if action.kind == CANCEL:
                cancels += 1
                live.remove(action.handle)
            else:
                handle += 1
                live.put(handle, action.slot, action.side, action.price_ticks, action.lots, action.reduce_only)
    assert cancels == 0


def test_the_rest_of_a_partly_filled_buy_stays_while_its_lot_is_sold() -> None:
    grid, holdings, desired, live = planner(), Holdings(), Desired(), Live()
    grid.plan(600_260, holdings, desired)
    for action in Differ().run(desired, live):
        live.put(action.slot, action.slot, action.side, action.price_ticks, action.lots)
    live.set_remaining(0, 7)
    holdings.set(0, 3)
    grid.plan(600_260, holdings, desired)
    (sell,) = Differ().run(desired, live)
    assert (sell.slot, sell.side, sell.lots) == (0, SELL, 3)


def test_nothing_is_bought_or_kept_outside_of_the_range() -> None:
    holdings, desired, live, differ = Holdings(), Desired(), Live(), Differ()
    for slot in range(-10, 1):
        live.put(slot + 11, slot, BUY, 300_000 + 200 * slot, 10)
    planner(lowest_slot=-4, highest_slot=-2).plan(600_260, holdings, desired)
    assert [row[0] for row in desired.rows()] == [-4, -3, -2]
    # The levels beside the range would be kept by hysteresis if the range did not end there.
    assert {a.slot for a in differ.run(desired, live)} == {-10, -9, -8, -7, -6, -5, -1, 0}
    planner(lowest_slot=5).plan(600_260, holdings, desired)
    assert desired.rows() == []


def test_levels_too_dear_for_the_smallest_order_are_left_out() -> None:
    grid, desired = planner(min_lots=11, quote_units=3_284_000), Desired()
    grid.plan(600_260, Holdings(), desired)
    assert [row[2] for row in desired.rows()] == [298_400]


def test_equal_base_sizing_gives_every_level_the_same_lots() -> None:
    grid, desired = planner(quote_units=0, fixed_lots=4), Desired()
    grid.plan(600_260, Holdings(), desired)
    assert {row[3] for row in desired.rows()} == {4}
    assert grid.lots_at(-5) == 4


def test_holdings_count_what_slots_hold() -> None:
    holdings = Holdings()
    holdings.set(3, 5)
    holdings.set(-2, 1)
    holdings.set(3, 4)
    assert (holdings.items(), holdings.total_lots, holdings.get(3), holdings.get(9)) == ([(-2, 1), (3, 4)], 5, 4, 0)
    holdings.set(3, 0)
    assert len(holdings) == 1
    with pytest.raises(ValueError, match="lots was -1"):
        holdings.set(1, -1)


@pytest.mark.parametrize(
    "changes",
    [{"buy_window": -1}, {"safety_permille": 1001}, {"fixed_lots": 3}, {"quote_units": 0}, {"units_per_tick_lot": 0}],
)
def test_an_impossible_plan_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"was"):
        planner(**changes)


def test_sizes_are_whole_multiples_of_the_lot_step() -> None:
    plain, stepped, desired = planner(quote_units=30_000_000), planner(quote_units=30_000_000, lot_step=7), Desired()
    assert stepped.lots_at(0) == plain.lots_at(0) // 7 * 7 == 98
    stepped.plan(600_260, Holdings(), desired)
    assert {row[3] for row in desired.rows()} == {98}
    with pytest.raises(ValueError, match="lot_step"):
        planner(lot_step=0)
