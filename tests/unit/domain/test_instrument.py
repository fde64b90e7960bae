"""Instrument and money: exact units, filters that say the number, the limit and the fix."""

from decimal import Decimal

import pytest

from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import from_units, parse_decimal, plain, to_units, whole_multiple


def make(**changes: object) -> Instrument:
    values: dict[str, object] = {
        "symbol": "BTC/USDT:USDT",
        "venue_symbol": "BTCUSDT",
        "base_asset": "BTC",
        "quote_asset": "USDT",
        "settle_asset": "USDT",
        "tick_size": Decimal("0.10"),
        "lot_size": Decimal("0.001"),
        "min_notional": Decimal(100),
        "max_lots": 1000,
        **changes,
    }
    return Instrument(**values)  # type: ignore[arg-type]


def test_price_on_the_grid_becomes_ticks_and_back() -> None:
    instrument = make()
    assert instrument.price_to_ticks(Decimal("63943.9")) == 639439
    assert instrument.ticks_to_price(639439) == Decimal("63943.9")


@pytest.mark.parametrize("price", ["63943.95", "0", "-1", "NaN", "Infinity", "1e30"])
def test_off_tick_price_is_refused_naming_the_tick_size(price: str) -> None:
    with pytest.raises(RequestError) as caught:
        make().price_to_ticks(Decimal(price))
    assert caught.value.reason is ErrorReason.FILTER_REJECTED
    assert "tick size 0.1" in caught.value.message


def test_quantity_of_contracts_converts_both_ways() -> None:
    instrument = make(lot_size=Decimal(1), contract_multiplier=Decimal("0.01"))
    assert instrument.quantity_to_lots(Decimal("0.07")) == 7
    assert instrument.lots_to_quantity(7) == Decimal("0.07")
    with pytest.raises(RequestError, match="lot size"):
        instrument.quantity_to_lots(Decimal("0.075"))


def test_one_tick_lot_is_a_whole_number_of_money_units() -> None:
    instrument = make(tick_size=Decimal("0.0000001"), lot_size=Decimal("0.001"))
    assert instrument.money_scale == 10
    assert instrument.units_per_tick_lot == 1
    assert instrument.money(instrument.notional_units(5, 3)) == Decimal("0.0000000015")


def test_order_below_the_minimum_notional_names_the_smallest_workable_size() -> None:
    instrument = make()
    with pytest.raises(RequestError) as caught:
        instrument.check_order(640000, 1, reduce_only=False)
    assert caught.value.reason is ErrorReason.MIN_NOTIONAL
    assert "0.002" in caught.value.message
    instrument.check_order(640000, 1, reduce_only=True)
    instrument.check_order(640000, 2, reduce_only=False)


def test_order_above_the_maximum_is_refused() -> None:
    with pytest.raises(RequestError, match="must be between"):
        make().check_order(640000, 1001, reduce_only=False)


def test_increment_that_is_not_positive_is_refused() -> None:
    with pytest.raises(RequestError, match="tick_size"):
        make(tick_size=Decimal(0))


def test_money_is_never_rounded() -> None:
    assert to_units(Decimal("1.23"), 8) == 123_000_000
    assert from_units(123_000_000, 8) == Decimal("1.23")
    with pytest.raises(RequestError, match="finer than"):
        to_units(Decimal("0.000000001"), 8)
    with pytest.raises(RequestError, match="finite"):
        to_units(Decimal("NaN"), 8)


@pytest.mark.parametrize(("value", "text"), [("1E+2", "100"), ("0.10", "0.1"), ("-0", "0"), ("-1.50", "-1.5")])
def test_plain_text_has_no_exponent_and_no_spare_zeros(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@pytest.mark.parametrize("text", ["", "abc", "NaN", "inf", "1,5"])
def test_text_that_is_no_number_is_refused_by_field(text: str) -> None:
    with pytest.raises(RequestError, match="price"):
        parse_decimal(text, "price")


def test_whole_multiple_refuses_what_is_not() -> None:
    assert whole_multiple(Decimal("0.3"), Decimal("0.1")) == 3
    assert whole_multiple(Decimal("0.35"), Decimal("0.1")) is None
