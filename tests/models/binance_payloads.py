"""What tests of the Binance payloads agree on: the instruments the recordings speak of, and how our order ids start."""

from decimal import Decimal

from opensqt.domain.instrument import Instrument

OWN_PREFIX = "oqbotaZ"

# Ticks and lots fine enough for every recorded payload of the symbol.
SIZES = {
    "BTCUSDT": ("0.01", "0.001"),
    "ETHUSDT": ("0.01", "0.001"),
    "ETHUSDC": ("0.01", "0.001"),
    "XRPUSDT": ("0.0001", "0.1"),
    "SOLUSDT": ("0.0001", "0.01"),
    "TRXUSDT": ("0.00001", "1"),
    "ACEUSDT": ("0.000001", "0.01"),
    "ADAUSDT": ("0.00010", "1"),
    "COMPUSDT": ("0.01", "0.001"),
    "LTCUSDT": ("0.01", "0.001"),
    "SUSHIUSDT": ("0.001", "1"),
    "SNTUSDT": ("0.00001", "1"),
    "SUNUSDT": ("0.0000010", "1"),
    "KEEPUSDT": ("0.0001", "1"),
    "AKROUSDT": ("0.00001", "1"),
    "CTKUSDT": ("0.00001", "1"),
}


def make_instrument(venue_symbol: str, tick: str, lot: str, revision: int = 1) -> Instrument:
    base, quote = venue_symbol[:-4], venue_symbol[-4:]
    return Instrument(
        symbol=f"{base}/{quote}:{quote}",
        venue_symbol=venue_symbol,
        base_asset=base,
        quote_asset=quote,
        settle_asset=quote,
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        revision=revision,
    )
