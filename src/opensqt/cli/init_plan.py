"""From a few answers to a grid: how many levels, how much money on each, and limits around them. Pure.

Half of the buying power is put to work: with every level filled, the other half is what the price can go against us
before the account is in danger. A level must reach the venue's minimum; where the budget is too small for all levels,
there are fewer of them, and where it is too small for three, that is an error that says how much would do.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import final

import msgspec

from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import plain

WORKING_SHARE = Decimal("0.5")
FEWEST_LEVELS = 3
MOST_LEVELS = 200
_HUNDRED = Decimal(100)
_ROOM = Decimal("1.02")
"""What limits leave above the worst case, and a level above the venue's minimum: prices move while we plan."""


@final
class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wants: `budget` in quote, `drop_percent` how far down to buy, `step_percent` between levels."""

    budget: Decimal
    leverage: int
    drop_percent: Decimal
    step_percent: Decimal


@final
class GridPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A grid with its limits: prices and money in quote, `max_position` in base."""

    interval: Decimal
    order_quantity: Decimal
    levels: int
    lower: Decimal
    max_position: Decimal
    max_notional: Decimal
    max_order_notional: Decimal
    is_shorter: bool
    """Whether the budget covers less of the way down than was asked for."""


def plan_grid(wishes: Wishes, instrument: Instrument, price: Decimal) -> GridPlan:
    """Return the grid for these wishes at a price.

    Raises:
        CliError: the budget is too small for the venue's minimum, or the step for its tick.
    """
    tick = instrument.tick_size
    interval = _two_digits(price * wishes.step_percent / _HUNDRED)
    interval = max((interval / tick).to_integral_value(ROUND_HALF_UP), Decimal(1)) * tick
    wanted = int((price * wishes.drop_percent / _HUNDRED / interval).to_integral_value(ROUND_FLOOR))
    levels = min(max(wanted, 1), MOST_LEVELS)
    money = wishes.budget * wishes.leverage * WORKING_SHARE
    smallest = _smallest(instrument, price)
    levels = min(levels, int(money / smallest))
    if levels < FEWEST_LEVELS:
        need = _two_up(FEWEST_LEVELS * smallest / (wishes.leverage * WORKING_SHARE))
        raise CliError(
            f"{plain(wishes.budget)} {instrument.quote_asset} at leverage {wishes.leverage} is enough for {levels} "
            f"levels of at least {plain(smallest)}, the venue's minimum for {instrument.symbol}; use {plain(need)} or "
            "more, or a symbol with a smaller minimum",
            EXIT_USAGE,
        )
    quantity = max((money / levels).to_integral_value(ROUND_FLOOR), smallest)
    lower = price - levels * interval
    lower = max((lower / tick).to_integral_value(ROUND_FLOOR), Decimal(1)) * tick
    notional = _two_up(levels * quantity * _ROOM)
    return GridPlan(
        interval=interval.normalize() + 0,
        order_quantity=quantity,
        levels=levels,
        lower=lower.normalize() + 0,
        max_position=_two_up(notional / lower),
        max_notional=notional,
        max_order_notional=_two_up(2 * quantity),
        is_shorter=levels < wanted,
    )


def _smallest(instrument: Instrument, price: Decimal) -> Decimal:
    """Return the least money per level that reaches minimum size and notional after rounding down to lots."""
    lot_value = price * instrument.lot_size * instrument.contract_multiplier
    by_notional = (instrument.min_notional / lot_value).to_integral_value(ROUND_CEILING)
    lots = max(Decimal(instrument.min_lots), by_notional)
    # One lot more would be bought back by rounding; levels below the price need as many lots for less money.
    return (lots * lot_value * _ROOM).to_integral_value(ROUND_CEILING)


def _two_digits(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(value.adjusted() - 1), rounding=ROUND_HALF_UP)


def _two_up(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(value.adjusted() - 1), rounding=ROUND_CEILING).normalize() + 0
