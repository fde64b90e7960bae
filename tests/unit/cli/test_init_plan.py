"""From a few answers to a grid: it fits the budget and the venue's minimum, or says how much would do."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.cli.errors import CliError
from opensqt.cli.init_plan import FEWEST_LEVELS, WORKING_SHARE, Wishes, plan_grid
from opensqt.matching.sources.instruments import known_instrument

BTC = known_instrument("BTCUSDT")
ETH = known_instrument("ETHUSDT")


def _wishes(budget: str = "5000", leverage: int = 3, drop: str = "10", step: str = "0.3") -> Wishes:
    return Wishes(budget=Decimal(budget), leverage=leverage, drop_percent=Decimal(drop), step_percent=Decimal(step))


def test_the_grid_reaches_as_far_down_as_was_asked() -> None:
    plan = plan_grid(_wishes(), ETH, Decimal(3400))

    assert (plan.interval, plan.levels, plan.is_shorter) == (Decimal(10), 34, False)
    assert plan.lower == Decimal(3060)
    assert plan.order_quantity == Decimal(220)  # 5000 * 3 / 2 / 34, in whole quote units


def test_a_small_budget_gets_fewer_levels_and_says_so() -> None:
    plan = plan_grid(_wishes(budget="1000", leverage=2), BTC, Decimal(64_000))

    assert plan.is_shorter
    assert plan.levels == 7
    assert plan.lower == Decimal(64_000) - 7 * plan.interval


def test_a_budget_for_less_than_three_levels_is_refused_with_the_amount_that_would_do() -> None:
    with pytest.raises(CliError, match="use 400 or more") as refused:
        plan_grid(_wishes(budget="50", leverage=2), BTC, Decimal(64_000))
    assert refused.value.exit_code == 2

    assert plan_grid(_wishes(budget="400", leverage=2), BTC, Decimal(64_000)).levels == FEWEST_LEVELS


@given(
    budget=st.integers(1_000, 10_000_000),
    leverage=st.integers(1, 10),
    drop=st.decimals("0.5", "80", places=1),
    step=st.decimals("0.01", "20", places=2),
    price=st.decimals("200", "200000", places=1),
)
def test_every_plan_fits_the_budget_and_every_level_the_venue(
    budget: int, leverage: int, drop: Decimal, step: Decimal, price: Decimal
) -> None:
    wishes = _wishes(str(budget), leverage, str(drop), str(step))
    try:
        plan = plan_grid(wishes, ETH, price)
    except CliError:
        return  # too small, and says so

    assert plan.levels * plan.order_quantity <= wishes.budget * leverage * WORKING_SHARE * Decimal("1.34")
    assert plan.order_quantity >= ETH.min_notional
    assert plan.order_quantity >= price * ETH.lot_size * ETH.min_lots
    assert 0 < plan.lower < price
    assert plan.interval % ETH.tick_size == 0
    assert plan.max_notional >= plan.levels * plan.order_quantity
