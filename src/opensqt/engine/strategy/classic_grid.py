"""The classic long grid: buy below the price level by level, sell each lot one level higher.

The lattice is a pure function of the anchor and the step, both whole ticks (or parts per billion) and persisted; a
restart never moves it. The kernel plans the window; this binds it to an instrument and a configuration.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import final

from opensqt._core.diff import Desired
from opensqt._core.grid import Lattice
from opensqt._core.plan import GridPlanner, Holdings
from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT, plain, to_units
from opensqt.domain.order import Side
from opensqt.engine.config import GridConfig
from opensqt.engine.lattices import slot_at_or_above

PPB = Decimal(10**9)
DIRECTION = "long"

NO_LOWEST, NO_HIGHEST = -(1 << 62), 1 << 62
"""Slots beyond every lattice: no limit."""


def snap_to_ticks(price: Decimal, instrument: Instrument, tick_step: int = 1) -> int:
    """Return the multiple of `tick_step` ticks that is nearest to a price, at least one of it."""
    steps = (price / (instrument.tick_size * tick_step)).to_integral_value(ROUND_HALF_UP)
    return max(1, int(steps)) * tick_step


def interval_ticks(config: GridConfig, instrument: Instrument, tick_step: int = 1) -> int:
    """Return the arithmetic interval in whole multiples of `tick_step` ticks; 0 for a geometric grid."""
    return 0 if config.interval is None else snap_to_ticks(config.interval, instrument, tick_step)


def ratio_ppb(config: GridConfig) -> int:
    """Return the geometric ratio in parts per billion; 0 for an arithmetic grid."""
    return 0 if config.ratio is None else int((config.ratio * PPB).to_integral_value(ROUND_HALF_UP))


def range_ticks(config: GridConfig, instrument: Instrument) -> tuple[int, int]:
    """Return the range in ticks, rounded inward; 0 = no limit on that side."""
    limits, tick = config.range, instrument.tick_size
    if limits is None:
        return 0, 0
    lower = 0 if limits.lower is None else int((limits.lower / tick).to_integral_value(ROUND_CEILING))
    upper = 0 if limits.upper is None else int((limits.upper / tick).to_integral_value(ROUND_FLOOR))
    return lower, upper


@final
class ClassicGrid:
    """A lattice with its plan.

    Args:
        config: windows and size.
        instrument: units and filters.
        anchor_ticks: price of level 0, moved to the nearest price the venue takes.
        tick_step: ticks of the instrument that make one of the venue's (see `engine.units`).
        lot_step: likewise for lots.

    Raises:
        RequestError: the money per level buys less than the venue's minimum; says the smallest workable amount.
    """

    def __init__(
        self, config: GridConfig, instrument: Instrument, anchor_ticks: int, tick_step: int = 1, lot_step: int = 1
    ) -> None:
        self.config = config
        self.instrument = instrument
        anchor_ticks = max(1, (2 * anchor_ticks + tick_step) // (2 * tick_step)) * tick_step
        interval = interval_ticks(config, instrument, tick_step)
        self.lattice = Lattice(anchor_ticks, interval, ratio_ppb(config), tick_step)
        self.range_ticks = range_ticks(config, instrument)
        self.range_slots = _range_slots(self.lattice, *self.range_ticks)
        self.desired = Desired()
        self._planner = GridPlanner(
            self.lattice,
            buy_window=config.buy_window,
            sell_window=config.sell_window,
            quote_units=_quote_units(config, instrument),
            units_per_tick_lot=instrument.units_per_tick_lot,
            min_lots=instrument.min_lots,
            lot_step=lot_step,
            lowest_slot=self.range_slots[0],
            highest_slot=self.range_slots[1],
        )

    def plan(self, price2_ticks: int, holdings: Holdings) -> int:
        """Fill `desired` around half of `price2_ticks`; return the centre level."""
        return self._planner.plan(price2_ticks, holdings, self.desired)

    def price_of(self, slot: int, side: Side) -> int:
        """Return the level an order of a slot belongs at: its own to buy, the next to take profit."""
        return self.lattice.level_ticks(slot if side is Side.BUY else slot + 1)

    def has_level(self, slot: int) -> bool:
        """Return whether a slot and the level above it exist on the lattice."""
        if slot < self.lattice.lowest_index:
            return False
        try:
            self.lattice.level_ticks(slot + 1)
        except ValueError:
            return False
        return True

    def lots_at(self, slot: int) -> int:
        """Return the size of a buy at a slot."""
        return self._planner.lots_at(slot)

    def at_its_level(self, slot: int, side: Side, price_ticks: int) -> int:
        """Return the level's price for an order that rests at it or behind it, else the order's own price.

        Post-only orders move behind their level when the touch is beyond it: a buy by less than an interval, a
        take-profit by any distance.
        """
        if not self.has_level(slot):
            return price_ticks
        level = self.price_of(slot, side)
        if side is Side.SELL:
            return level if price_ticks >= level else price_ticks
        return level if 0 <= level - price_ticks <= self.lattice.step_ticks(slot) else price_ticks

    def window(self, price2_ticks: int) -> tuple[int, int]:
        """Return the lowest and the highest slot of the buy window; the first is above the second where none is left.

        That is so when the whole window lies outside of the range.
        """
        centre = self.lattice.index_near(price2_ticks)
        low, high = self.range_slots
        return max(centre - self.config.buy_window + 1, self.lattice.lowest_index, low), min(centre, high)

    def reach(self, price2_ticks: int) -> tuple[int, int]:
        """Return the lowest and the highest slot that can be bought on a way straight down.

        With a lower limit that is everything down to it, because the window follows the price; without one nobody can
        say, and it is the window.
        """
        low, high = self.window(price2_ticks)
        if self.range_ticks[0]:
            low = max(self.range_slots[0], self.lattice.lowest_index)
        return low, max(low, high)

    def smallest_workable_quantity(self, price_ticks: int) -> Decimal:
        """Return the least money per level that reaches the venue's minimum size and notional at a price."""
        instrument = self.instrument
        per_lot = instrument.notional_units(price_ticks, 1)
        lots = max(instrument.min_lots, -(-instrument.min_notional_units // per_lot))
        return instrument.money(lots * per_lot)


def _range_slots(lattice: Lattice, lower_ticks: int, upper_ticks: int) -> tuple[int, int]:
    """Return the first and the last slot whose level and take-profit lie in the range.

    Raises:
        RequestError: there is none.
    """
    low = slot_at_or_above(lattice, lower_ticks) if lower_ticks else NO_LOWEST
    high = lattice.index_at_or_below(upper_ticks) - 1 if upper_ticks else NO_HIGHEST
    if low > high or high < lattice.lowest_index:
        raise RequestError(
            ErrorReason.FILTER_REJECTED,
            f"no level has itself and its take-profit between range.lower {lower_ticks} and range.upper {upper_ticks} "
            "ticks; widen `grid.range` or narrow the step",
        )
    return low, high


def _quote_units(config: GridConfig, instrument: Instrument) -> int:
    units = to_units(config.order_quantity, max(instrument.money_scale, 0))
    if units <= 0:
        raise RequestError(
            ErrorReason.FILTER_REJECTED,
            f"order_quantity {plain(config.order_quantity)} {instrument.quote_asset} is below one money unit",
        )
    return units


def describe_lattice(lattice: Lattice, instrument: Instrument) -> str:
    """Return the lattice in words, for messages."""
    anchor = plain(instrument.ticks_to_price(lattice.anchor_ticks))
    if lattice.interval_ticks:
        return f"anchor {anchor}, interval {plain(instrument.ticks_to_price(lattice.interval_ticks))}"
    return f"anchor {anchor}, ratio {plain(EXACT.divide(Decimal(lattice.ratio_ppb), PPB))}"
