"""Symbols as people write them, and the one name each has here: ccxt's unified BTC/USDT:USDT.

Venues write linear perpetuals as BTCUSDT, BTC-USDT-SWAP or BTC_USDT. The rule is the quote currency at the end.
"""

QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD")

_SUFFIXES = ("-SWAP", "-PERP", "_PERP")


def unified_symbol(text: str) -> str:
    """Return `BTC/USDT:USDT` for `BTCUSDT`, `BTC-USDT-SWAP`, `BTC_USDT`, `BTC/USDT` or itself.

    Raises:
        ValueError: the text does not end in a quote currency that is known here.
    """
    if "/" in text:
        return text if ":" in text else f"{text}:{text.partition('/')[2]}"
    name = text
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    for quote in QUOTES:
        base = name.removesuffix(quote).rstrip("-_")
        if base and name.endswith(quote):
            return f"{base}/{quote}:{quote}"
    raise ValueError(f"{text!r} has no quote currency known here ({', '.join(QUOTES)})")
