"""The lattice kernel against exact fractions."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import grid_model
from models.grid_model import LatticeModel

from opensqt._core.grid import Lattice, buy_window, lots_for_quote, sell_window

anchors = st.integers(1, 5000)
slots = st.integers(-60, 60)


@st.composite
def lattices(draw: st.DrawFn) -> tuple[Lattice, LatticeModel]:
    anchor = draw(anchors)
    if draw(st.booleans()):
        interval = draw(st.integers(1, 300))
        return Lattice.arithmetic(anchor, interval), LatticeModel(anchor, interval=interval)
    ratio = draw(st.sampled_from([10_000_000, 25_000_000, 50_000_000, 100_000_000, 333_333_333, 500_000_000, 10**9]))
    return Lattice.geometric(anchor, ratio), LatticeModel(anchor, ratio_ppb=ratio)


@given(lattices(), st.integers(-60, 24))
def test_every_level_has_the_exact_price_or_does_not_exist(pair: tuple[Lattice, LatticeModel], k: int) -> None:
    lattice, model = pair
    expected = model.level(k)
    if expected is None:
        with pytest.raises(ValueError, match=r"has no level"):
            lattice.level_ticks(k)
    else:
        assert lattice.level_ticks(k) == expected
        assert lattice.index_at_or_below(expected) == k
        assert lattice.index_near(2 * expected) == k


@given(lattices(), st.integers(2, 20_000))
@settings(max_examples=150, deadline=None)
def test_indices_are_those_of_the_exact_rule(pair: tuple[Lattice, LatticeModel], price2: int) -> None:
    lattice, model = pair
    assert lattice.index_near(price2) == model.near(Fraction(price2, 2))
    assert lattice.index_at_or_below(price2 // 2) == model.at_or_below(price2 // 2)


@given(lattices(), st.integers(2, 20_000), st.integers(0, 20), st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_buy_window_is_that_of_the_exact_rule(
    pair: tuple[Lattice, LatticeModel], price2: int, window: int, safety: int
) -> None:
    lattice, model = pair
    expected = grid_model.buy_window(model, Fraction(price2, 2), window, safety)
    assert buy_window(lattice, price2, window, safety) == expected


@given(lattices(), st.integers(2, 20_000), st.integers(0, 10), st.sets(st.integers(-20, 20)))
@settings(max_examples=150, deadline=None)
def test_sell_window_is_that_of_the_exact_rule(
    pair: tuple[Lattice, LatticeModel], price2: int, window: int, filled: set[int]
) -> None:
    lattice, model = pair
    held = sorted(k for k in filled if model.level(k) is not None)
    assert sell_window(lattice, price2, window, held) == grid_model.sell_window(
        model, Fraction(price2, 2), window, held
    )


@given(st.integers(0, 2**63 - 1), st.integers(1, 2**62), st.integers(1, 2**62))
def test_lots_for_quote_is_the_exact_floor(quote: int, price: int, units: int) -> None:
    assert lots_for_quote(quote, price, units) == grid_model.lots_for_quote(quote, price, units)


@given(anchors, st.integers(10_000, 10**9))
@settings(max_examples=50, deadline=None)
def test_a_geometric_lattice_rises_strictly_and_is_the_same_whichever_level_is_asked_first(
    anchor: int, ratio: int
) -> None:
    upward, scattered = Lattice.geometric(anchor, ratio), Lattice.geometric(anchor, ratio)
    low = max(upward.lowest_index, -200)
    levels = [upward.level_ticks(k) for k in range(low, 20)]
    assert all(a < b for a, b in pairwise(levels))
    assert [scattered.level_ticks(k) for k in reversed(range(low, 20))] == levels[::-1]
