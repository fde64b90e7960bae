"""Instruments for markets that come without a description: Binance USDT-M filters of common symbols, or a guess.

The table holds what Binance's exchangeInfo said in 2024 (PRICE_FILTER, LOT_SIZE, MIN_NOTIONAL, PERCENT_PRICE and the
first leverage bracket). Anything else is inferred from the decimals that its recorded messages use.
"""

from decimal import Decimal
from typing import NamedTuple

from opensqt.domain.instrument import Instrument

MAKER_FEE_RATE = Decimal("0.0002")
TAKER_FEE_RATE = Decimal("0.0005")

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD")


class _Filters(NamedTuple):
    tick: str
    lot: str
    min_notional: str
    max_quantity: str
    band: str
    maintenance: str
    max_leverage: int


_KNOWN: dict[str, _Filters] = {
    "BTCUSDT": _Filters("0.1", "0.001", "100", "1000", "0.05", "0.004", 125),
    "ETHUSDT": _Filters("0.01", "0.001", "20", "10000", "0.05", "0.004", 125),
    "BNBUSDT": _Filters("0.01", "0.01", "5", "2000", "0.05", "0.005", 75),
    "SOLUSDT": _Filters("0.01", "0.01", "5", "10000", "0.05", "0.005", 100),
    "XRPUSDT": _Filters("0.0001", "0.1", "5", "2000000", "0.05", "0.005", 75),
    "DOGEUSDT": _Filters("0.00001", "1", "5", "30000000", "0.05", "0.005", 75),
    "ADAUSDT": _Filters("0.0001", "1", "5", "2000000", "0.05", "0.005", 75),
    "LTCUSDT": _Filters("0.01", "0.001", "20", "10000", "0.05", "0.0065", 75),
    "LINKUSDT": _Filters("0.001", "0.01", "20", "20000", "0.05", "0.005", 75),
    "TRXUSDT": _Filters("0.00001", "1", "5", "5000000", "0.05", "0.0065", 75),
    "APEUSDT": _Filters("0.0001", "1", "5", "500000", "0.1", "0.01", 50),
    "NEXOUSDT": _Filters("0.001", "0.01", "5", "900000", "0.1", "0.01", 20),
}


def is_known(venue_symbol: str) -> bool:
    """Return whether the table has this symbol."""
    return venue_symbol in _KNOWN


def known_symbols() -> tuple[str, ...]:
    """Return the venue symbols of the table."""
    return tuple(_KNOWN)


def known_instrument(venue_symbol: str) -> Instrument:
    """Return the instrument of a symbol in the table; KeyError for any other."""
    filters = _KNOWN[venue_symbol]
    return _build(
        venue_symbol,
        tick=Decimal(filters.tick),
        lot=Decimal(filters.lot),
        min_notional=Decimal(filters.min_notional),
        max_quantity=Decimal(filters.max_quantity),
        band=Decimal(filters.band),
        maintenance=Decimal(filters.maintenance),
        max_leverage=filters.max_leverage,
    )


def inferred_instrument(venue_symbol: str, price_decimals: int, quantity_decimals: int) -> Instrument:
    """Return an instrument whose tick and lot are the finest decimals seen."""
    return _build(
        venue_symbol,
        tick=Decimal(1).scaleb(-price_decimals),
        lot=Decimal(1).scaleb(-quantity_decimals),
        min_notional=Decimal(5),
        max_quantity=Decimal(1_000_000),
        band=Decimal("0.1"),
        maintenance=Decimal("0.01"),
        max_leverage=20,
    )


def split_symbol(venue_symbol: str) -> tuple[str, str]:
    """Split BTCUSDT into base and quote asset; an unknown quote is taken to be the last four letters."""
    for quote in _QUOTES:
        if venue_symbol.endswith(quote) and len(venue_symbol) > len(quote):
            return venue_symbol[: -len(quote)], quote
    return venue_symbol[:-4] or venue_symbol, venue_symbol[-4:]


def canonical_symbol(venue_symbol: str) -> str:
    """Return the unified name of a linear perpetual: BTCUSDT -> BTC/USDT:USDT."""
    base, quote = split_symbol(venue_symbol)
    return f"{base}/{quote}:{quote}"


def _build(
    venue_symbol: str,
    *,
    tick: Decimal,
    lot: Decimal,
    min_notional: Decimal,
    max_quantity: Decimal,
    band: Decimal,
    maintenance: Decimal,
    max_leverage: int,
) -> Instrument:
    base, quote = split_symbol(venue_symbol)
    return Instrument(
        symbol=canonical_symbol(venue_symbol),
        venue_symbol=venue_symbol,
        base_asset=base,
        quote_asset=quote,
        settle_asset=quote,
        tick_size=tick,
        lot_size=lot,
        max_lots=int(max_quantity / lot),
        min_notional=min_notional,
        maker_fee_rate=MAKER_FEE_RATE,
        taker_fee_rate=TAKER_FEE_RATE,
        price_band_up=band,
        price_band_down=band,
        maintenance_margin_rate=maintenance,
        max_leverage=max_leverage,
    )
