"""Decimals of the wire: what is taken exactly, and what is refused before arithmetic can choke on it."""

from decimal import Decimal

import pytest

from opensqt.domain.errors import RequestError
from opensqt.domain.money import parse_decimal


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.001", "0.001"), ("1e3", "1000"), ("-5", "-5"), ("1" + "0" * 18, "1e18"), ("0." + "0" * 17 + "1", "1e-18")],
)
def test_a_number_of_reasonable_length_is_taken_exactly(text, value):
    assert parse_decimal(text, "price") == Decimal(value)


@pytest.mark.parametrize("text", ["0", "-0", "0e999999", "0." + "0" * 90])
def test_zero_is_zero_however_it_is_written(text):
    assert str(parse_decimal(text, "price")) == "0"


def test_trailing_zeros_are_no_precision():
    assert parse_decimal("1." + "0" * 80, "price") == 1


@pytest.mark.parametrize(
    "text",
    ["9" * 100, "1e19", "1e400", "1e999999", "1e-19", "1e-999999", "1." + "0" * 80 + "1", "1" * 5000, "-" + "9" * 70],
)
def test_a_number_longer_than_money_is_refused_with_its_field_and_not_repeated_whole(text):
    with pytest.raises(
        RequestError, match=r"quantity was .* at most 19 digits before the point and 18 after it"
    ) as said:
        parse_decimal(text, "quantity")
    assert len(said.value.message) < 200


@pytest.mark.parametrize("text", ["", "abc", "NaN", "Infinity", "0x10", "1e99999999999999999999999"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(RequestError, match="price was"):
        parse_decimal(text, "price")
