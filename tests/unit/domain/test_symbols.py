"""One name for a symbol, however it is written."""

import pytest

from opensqt.domain.symbols import unified_symbol


@pytest.mark.parametrize(
    "text", ["BTC/USDT:USDT", "BTC/USDT", "BTCUSDT", "BTC-USDT-SWAP", "BTC_USDT", "BTC-USDT", "BTCUSDT-PERP"]
)
def test_every_spelling_has_the_same_name(text: str) -> None:
    assert unified_symbol(text) == "BTC/USDT:USDT"


def test_names_that_look_like_a_quote_currency_are_split_once() -> None:
    assert unified_symbol("USDCUSDT") == "USDC/USDT:USDT"
    assert unified_symbol("1000PEPEUSDC") == "1000PEPE/USDC:USDC"


@pytest.mark.parametrize("text", ["", "BTC", "USDT", "BTCEUR"])
def test_what_has_no_known_quote_currency_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no quote currency"):
        unified_symbol(text)
