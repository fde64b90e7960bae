"""The grid planner against the window rules of the model."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from models import grid_model
from models.grid_model import LatticeModel

from opensqt._core.diff import BUY, SELL, Desired
from opensqt._core.grid import Lattice
from opensqt._core.plan import GridPlanner, Holdings

Row = tuple[int, int, int, int, bool, bool]


def expected_rows(
    model: LatticeModel,
    price2: int,
    held: dict[int, int],
    buys: int,
    sells: int,
    quote: int,
    hysteresis: int,
    slots: tuple[int, int],
) -> list[Row]:
    price = Fraction(price2, 2)
    rows: list[Row] = []
    for k in grid_model.buy_window(model, price, buys, 100):
        level = model.level(k)
        assert level is not None
        size = grid_model.lots_for_quote(quote, level, 1)
        if k not in held and size >= 1 and slots[0] <= k <= slots[1]:
            rows.append((k, BUY, level, size, False, False))
    inside = grid_model.sell_window(model, price, sells, sorted(held))
    for k, size in held.items():
        target = model.level(k + 1)
        assert target is not None
        beyond = k - max([*inside, -(10**9)])
        if k in inside:
            rows.append((k, SELL, target, size, True, False))
        elif _top(model, price, sells) < k <= _top(model, price, sells) + hysteresis:
            assert beyond > 0
            rows.append((k, SELL, target, size, True, True))
    return sorted(rows, key=lambda r: (r[1], r[0]))


def _top(model: LatticeModel, price: Fraction, sells: int) -> int:
    if model.geometric:
        return model.near(price) + sells
    return model.at_or_below(int(price + sells * model.interval))


@given(
    st.integers(200, 1500),
    st.one_of(st.tuples(st.integers(5, 60), st.just(0)), st.tuples(st.just(0), st.sampled_from([3 * 10**7, 10**8]))),
    st.lists(
        st.tuples(st.integers(200, 4000), st.none() | st.dictionaries(st.integers(-4, 10), st.integers(1, 9))),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 12),
    st.integers(0, 6),
    st.integers(100, 100_000),
    st.integers(0, 2),
    st.tuples(st.integers(-6, 2), st.integers(-2, 8)) | st.just((-(1 << 62), 1 << 62)),
)
@settings(max_examples=200, deadline=None)
def test_the_planned_set_is_that_of_the_rules_after_any_moves(
    anchor: int,
    step: tuple[int, int],
    moves: list[tuple[int, dict[int, int] | None]],
    buys: int,
    sells: int,
    quote: int,
    hysteresis: int,
    slots: tuple[int, int],
) -> None:
    lattice = Lattice(anchor, *step)
    model = LatticeModel(anchor, *step)
    planner = GridPlanner(
        lattice,
        buy_window=buys,
        sell_window=sells,
        quote_units=quote,
        hysteresis=hysteresis,
        safety_permille=100,
        lowest_slot=slots[0],
        highest_slot=slots[1],
    )
    holdings, desired = Holdings(), Desired()
    existing: dict[int, int] = {}
    for price2, held in moves:
        if held is not None:
            existing = {k: size for k, size in held.items() if model.level(k) is not None}
            holdings.clear()
            for k, size in existing.items():
                holdings.set(k, size)
        assert planner.plan(price2, holdings, desired) == model.near(Fraction(price2, 2))
        assert desired.rows() == expected_rows(model, price2, existing, buys, sells, quote, hysteresis, slots)
        # Twice is as good as once.
        planner.plan(price2, holdings, desired)
        assert desired.rows() == expected_rows(model, price2, existing, buys, sells, quote, hysteresis, slots)
