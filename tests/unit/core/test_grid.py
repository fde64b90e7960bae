"""Lattice rules by example."""

import pickle

import pytest

from opensqt._core.grid import MAX_PRICE_TICKS, Lattice, buy_window, lots_for_quote, sell_window


def test_the_worked_example_has_its_centre_nine_buys_and_ten_lots() -> None:
    # anchor 3000.00, interval 2, P = 3001.30, tick 0.01, lot 0.001, order_quantity 30, buy_window 10
    lattice = Lattice.arithmetic(300_000, 200)
    price2 = 2 * 300_130
    assert lattice.index_near(price2) == 1
    assert lattice.level_ticks(1) == 300_200
    buys = buy_window(lattice, price2, 10)
    assert [lattice.level_ticks(k) for k in buys] == list(range(300_000, 298_200, -200))
    # One lot at one tick is 0.00001 of quote: order_quantity is 3,000,000 of those units.
    assert lots_for_quote(3_000_000, 300_000, 1) == 10
    assert lots_for_quote(3_000_000, 299_800, 1) == 10


def test_the_profit_of_one_step_of_the_worked_example_is_exact() -> None:
    # Per unit: 2 - (3000 + 3002) * 0.0002 = 0.7996; in units of 1e-8 quote.
    gross = 200_000_000
    fee = (300_000_000_000 + 300_200_000_000) * 2 // 10_000
    assert gross - fee == 79_960_000


def test_centre_ties_go_away_from_the_anchor() -> None:
    lattice = Lattice.arithmetic(1000, 10)
    assert lattice.index_near(2 * 1005) == 1
    assert lattice.index_near(2 * 995) == -1
    assert lattice.index_near(2 * 1005 - 1) == 0


def test_a_level_exactly_at_the_safety_distance_is_skipped() -> None:
    lattice = Lattice.arithmetic(1000, 10)
    assert buy_window(lattice, 2 * 1001, 3)[0] == -1
    assert buy_window(lattice, 2 * 1001 + 1, 3)[0] == 0


def test_window_is_cut_where_levels_would_fall_to_zero() -> None:
    lattice = Lattice.arithmetic(25, 10)
    assert [lattice.level_ticks(k) for k in buy_window(lattice, 60, 10)] == [25, 15, 5]
    assert lattice.lowest_index == -2


def test_sells_nearest_to_the_price_come_first() -> None:
    lattice = Lattice.arithmetic(1000, 10)
    assert sell_window(lattice, 2 * 1001, 2, [-3, -1, 0, 1, 2, 3]) == [0, 1, -1, 2, -3]


def test_geometric_levels_are_rounded_and_strictly_increasing() -> None:
    lattice = Lattice.geometric(1000, 10_000_000)
    assert [lattice.level_ticks(k) for k in range(-2, 3)] == [980, 990, 1000, 1010, 1020]
    crowded = Lattice.geometric(3, 1_000_000)
    assert [crowded.level_ticks(k) for k in range(-2, 4)] == [1, 2, 3, 4, 5, 6]
    assert crowded.lowest_index == -2


def test_geometric_levels_far_out_equal_published_digits() -> None:
    # 6e6 * 1.001^2302 and 6e6 / 1.001^2302, to the tick, from exact rational arithmetic.
    lattice = Lattice.geometric(6_000_000, 1_000_000)
    assert lattice.level_ticks(2302) == (6_000_000 * 1001**2302 * 2 + 1000**2302) // (2 * 1000**2302)
    assert lattice.level_ticks(-2302) == (6_000_000 * 1000**2302 * 2 + 1001**2302) // (2 * 1001**2302)


@pytest.mark.parametrize(("anchor", "interval"), [(0, 1), (-5, 1), (5, 0), (5, -1), (MAX_PRICE_TICKS + 1, 1)])
def test_an_impossible_lattice_is_refused(anchor: int, interval: int) -> None:
    with pytest.raises(ValueError, match=r"ticks was"):
        Lattice.arithmetic(anchor, interval)


def test_levels_beyond_the_highest_price_do_not_exist() -> None:
    lattice = Lattice.arithmetic(MAX_PRICE_TICKS, 1)
    with pytest.raises(ValueError, match="has no level 1"):
        lattice.level_ticks(1)
    assert Lattice.geometric(MAX_PRICE_TICKS - 1, 10**9).index_near(2 * MAX_PRICE_TICKS) == 0


def test_lattices_compare_by_value_and_survive_pickling() -> None:
    lattice = Lattice.geometric(1000, 10_000_000)
    assert pickle.loads(pickle.dumps(lattice)) == lattice
    assert lattice != Lattice.arithmetic(1000, 10)
    assert len({lattice, Lattice.geometric(1000, 10_000_000)}) == 1


def test_a_geometric_lattice_keeps_to_its_unit_and_an_arithmetic_one_has_to_fit_it() -> None:
    fine, coarse = Lattice(30_000, 0, 800_000), Lattice(300_000, 0, 800_000, 10)
    for k in range(-500, 500):
        assert coarse.level_ticks(k) == 10 * fine.level_ticks(k)
    assert coarse.lowest_index == fine.lowest_index
    for price in (1, 9, 10, 299_999, 300_000, 300_009, 300_241, 412_345):
        level = coarse.index_at_or_below(price)
        assert level < coarse.lowest_index or coarse.level_ticks(level) <= price < coarse.level_ticks(level + 1)
    assert pickle.loads(pickle.dumps(coarse)) == coarse != Lattice(300_000, 0, 800_000)
    assert Lattice(300, 20, 0, 10) == Lattice(300, 20, 0)
    with pytest.raises(ValueError, match="unit_ticks was 10"):
        Lattice(305, 20, 0, 10)
