"""Increment: what it reads, what it refuses, what it prints."""

import pickle

import pytest

from opensqt._core.fixed import FixedError, FixedOverflowError, Increment, NotANumberError, OffIncrementError


@pytest.mark.parametrize(
    ("increment", "text", "multiple"),
    [
        ("0.10", "63943.90", 639439),
        ("0.10", "63943.9000", 639439),
        ("0.1", "0", 0),
        ("0.1", "-0.0", 0),
        ("0.5", "28145.5", 56291),
        ("1", "17", 17),
        ("10", "170.000", 17),
        ("1e-05", "0.02345", 2345),
        ("5E-8", "0.0000001", 2),
        ("0.00001", "-1.5", -150000),
        ("0.001", "007.001", 7001),
        ("1", "9223372036854775807", 2**63 - 1),
        ("1", "-9223372036854775807", -(2**63) + 1),
        ("0.1", "000000000000000000000000001.10000000000000000000", 11),
    ],
)
def test_text_becomes_its_exact_multiple(increment: str, text: str, multiple: int) -> None:
    assert Increment(increment).parse(text) == multiple
    assert Increment(increment).parse(text.encode()) == multiple


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".",
        "1.",
        ".5",
        "+1",
        "--1",
        "1e5",
        "NaN",
        "Infinity",
        "-inf",
        "1_000",
        " 1",
        "1 ",
        "1,5",
        "1.2.3",
        "0x1",
        "١",
        "1\x00",
        "12345678901234567890123x",
    ],
)
def test_what_is_not_a_plain_decimal_is_not_a_number(text: str) -> None:
    with pytest.raises(NotANumberError, match="not a decimal number"):
        Increment("0.1").parse(text)


def test_bytes_that_are_not_ascii_are_not_a_number() -> None:
    with pytest.raises(NotANumberError):
        Increment("0.1").parse(b"1\xff")


@pytest.mark.parametrize(
    ("increment", "text"),
    [("0.10", "63943.95"), ("0.5", "1.25"), ("0.5", "1.4"), ("10", "15"), ("1", "1.0001"), ("0.3", "1")],
)
def test_a_number_between_increments_is_refused_not_rounded(increment: str, text: str) -> None:
    with pytest.raises(OffIncrementError, match="multiple of"):
        Increment(increment).parse(text)


@pytest.mark.parametrize(
    ("increment", "text"),
    [("1", "9223372036854775808"), ("0.01", "92233720368547758.08"), ("1", "1" + "0" * 400), ("0.1", "-" + "9" * 40)],
)
def test_overflow_is_an_error(increment: str, text: str) -> None:
    with pytest.raises(FixedOverflowError):
        Increment(increment).parse(text)


@pytest.mark.parametrize("text", ["0", "0.0", "-1", "", "abc", "1e", "NaN", "0." + "0" * 18 + "1", "1e40", "1_0", "٣"])
def test_an_increment_must_be_a_positive_decimal_that_fits(text: str) -> None:
    with pytest.raises(FixedError):
        Increment(text)


@pytest.mark.parametrize(
    ("increment", "n", "text"),
    [
        ("0.10", 639439, "63943.90"),
        ("0.1", 1, "0.1"),
        ("0.1", -1, "-0.1"),
        ("0.00001", 0, "0.00000"),
        ("10", 17, "170"),
        ("1e-05", 2345, "0.02345"),
        ("0.5", 3, "1.5"),
        ("0.01", 10**30, "1" + "0" * 28 + ".00"),
    ],
)
def test_format_is_plain_and_keeps_the_increments_decimals(increment: str, n: int, text: str) -> None:
    assert Increment(increment).format(n) == text


def test_floats_are_refused() -> None:
    with pytest.raises(TypeError):
        Increment("0.1").parse(1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Increment("0.1").format(1.0)  # type: ignore[arg-type]


def test_an_increment_shows_its_parts_and_compares_by_value() -> None:
    tick = Increment("0.10")
    assert (tick.text, tick.mantissa, tick.decimals) == ("0.10", 10, 2)
    assert tick == Increment("0.1")
    assert hash(tick) == hash(Increment("0.1"))
    assert tick != Increment("0.01")
    assert tick != "0.10"
    restored = pickle.loads(pickle.dumps(tick))
    assert restored == tick
    assert restored.text == "0.10"
