"""Grid settings that suit any symbol of the demo, from its price and filters alone.

A step must earn more than two maker fees (2 x 0.02 %) and be small enough that fills come within a minute; a level must
stay above the minimum notional after rounding down to whole lots, which at BTC's price are large.
"""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import final

import msgspec

from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.domain.instrument import Instrument
from opensqt.matching.sources.instruments import is_known, known_instrument, known_symbols
from opensqt.matching.sources.synthetic import synthetic_symbol

STEP_OF_PRICE = Decimal("0.00045")
ORDER_QUANTITY = Decimal(130)
WINDOW = 15
MAX_NOTIONAL = Decimal(20_000)


@final
class DemoGrid(msgspec.Struct, frozen=True):
    """Interval, quantity and `max_notional` in quote currency, `max_position` in base; windows in levels per side."""

    interval: Decimal
    max_position: Decimal
    max_notional: Decimal = MAX_NOTIONAL
    order_quantity: Decimal = ORDER_QUANTITY
    buy_window: int = WINDOW
    sell_window: int = WINDOW


def grid_for(price: Decimal, instrument: Instrument | None) -> DemoGrid:
    """Return the grid for a symbol that trades around `price`; without an instrument its filters are not known yet."""
    step = _two_digits(price * STEP_OF_PRICE)
    if instrument is not None:
        ticks = (step / instrument.tick_size).quantize(Decimal(1), rounding=ROUND_CEILING)
        step = max(ticks, Decimal(1)) * instrument.tick_size
    return DemoGrid(interval=step.normalize() + 0, max_position=_two_digits(MAX_NOTIONAL / price).normalize() + 0)


def _two_digits(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1).scaleb(value.adjusted() - 1), rounding=ROUND_HALF_UP)


def grid_for_replay(venue_symbol: str, price: Decimal) -> DemoGrid:
    """Return the grid for a capture that begins at `price`."""
    return grid_for(price, known_instrument(venue_symbol) if is_known(venue_symbol) else None)


def grid_for_synthetic(venue_symbol: str) -> DemoGrid:
    """Return the grid for a synthetic market. Raises CliError for a symbol it does not know."""
    if not is_known(venue_symbol):
        raise CliError(
            f"the synthetic market knows no {venue_symbol}; choose --symbol from {', '.join(known_symbols())}",
            EXIT_USAGE,
        )
    symbol = synthetic_symbol(venue_symbol)
    return grid_for(symbol.start_price, symbol.instrument)
