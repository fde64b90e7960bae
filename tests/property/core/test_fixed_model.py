"""The fixed kernel agrees with Decimal on every text and every increment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import fixed_model

from opensqt._core.fixed import FixedError, FixedOverflowError, Increment, NotANumberError, OffIncrementError

REASONS: dict[type[FixedError], str] = {
    NotANumberError: "not a number",
    OffIncrementError: "off increment",
    FixedOverflowError: "overflow",
}

increments = st.sampled_from(
    ["0.1", "0.10", "0.5", "1", "10", "0.00001", "5E-8", "0.25", "0.3", "1000", "7", "0.000000000000000001", "1e1"]
)
decimals = st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{1,24})?", fullmatch=True)
texts = decimals | st.text(alphabet="0123456789.-+eE naNif_", max_size=24) | st.text(max_size=8)


def kernel_parse(increment: str, text: str) -> int | str:
    try:
        return Increment(increment).parse(text)
    except FixedError as error:
        return REASONS[type(error)]


@given(increment=increments, text=texts)
def test_parse_agrees_with_decimal(increment: str, text: str) -> None:
    assert kernel_parse(increment, text) == fixed_model.parse(text, increment)


@given(increment=increments, n=st.integers(-(2**70), 2**70))
def test_format_agrees_with_decimal(increment: str, n: int) -> None:
    assert Increment(increment).format(n) == fixed_model.format_multiple(n, increment)


@given(increment=increments, n=st.integers(-(10**15), 10**15))
def test_parse_undoes_format(increment: str, n: int) -> None:
    step = Increment(increment)
    try:
        assert step.parse(step.format(n)) == n
    except FixedOverflowError:
        assert abs(n) * step.mantissa > 2**62


@given(increment=increments, data=st.binary(max_size=24))
def test_any_bytes_give_a_number_or_the_documented_error(increment: str, data: bytes) -> None:
    try:
        Increment(increment).parse(data)
    except FixedError:
        return
    except BaseException as error:  # noqa: BLE001 - the promise is about every exception
        pytest.fail(f"{data!r} raised {error!r}")
