"""The demo's grid earns more than its fees and clears the venue's minimums, for every symbol."""

from decimal import Decimal

import pytest

from opensqt.cli.demo_grid import grid_for_replay, grid_for_synthetic
from opensqt.cli.errors import CliError
from opensqt.matching.sources.instruments import known_symbols
from opensqt.matching.sources.synthetic import synthetic_symbol


@pytest.mark.parametrize("venue_symbol", known_symbols())
def test_a_step_earns_more_than_two_maker_fees_and_a_level_is_large_enough(venue_symbol):
    grid = grid_for_synthetic(venue_symbol)
    symbol = synthetic_symbol(venue_symbol)
    price, instrument = symbol.start_price, symbol.instrument
    assert grid.interval % instrument.tick_size == 0
    assert grid.interval > (2 * price + grid.interval) * instrument.maker_fee_rate
    lots = grid.order_quantity / price // instrument.lot_size
    assert lots * instrument.lot_size * price >= instrument.min_notional
    assert grid.buy_window >= 10


def test_a_capture_of_an_unknown_symbol_gets_a_step_from_its_price():
    assert grid_for_replay("NEWUSDT", Decimal("0.01234")).interval == Decimal("0.0000056")


def test_a_symbol_the_synthetic_market_does_not_know_is_wrong_usage():
    with pytest.raises(CliError, match="choose --symbol from BTCUSDT") as caught:
        grid_for_synthetic("NEWUSDT")
    assert caught.value.exit_code == 2
