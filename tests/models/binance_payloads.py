"""What tests of the Binance payloads agree on: instruments, the start of our order ids, how recordings are read."""

from decimal import Decimal
from pathlib import Path

import orjson

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


def messages(path: Path) -> list[bytes]:
    """The messages of a recorded array, byte for byte where each has a line of its own."""
    text = path.read_bytes()
    lines = [line.rstrip(b",") for line in text.splitlines()]
    members = orjson.loads(text)
    if lines[0] == b"[" and lines[-1] == b"]" and len(lines) == len(members) + 2:
        return lines[1:-1]
    return [orjson.dumps(member) for member in members]
