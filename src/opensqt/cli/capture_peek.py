"""The first lines of a capture: which symbol it is of, and at which price it begins.

Only enough is read to choose sensible grid settings; whether all of it is sound is for the replay source to say.
"""

import gzip
import re
import zlib
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import final

import msgspec

from opensqt.cli.errors import EXIT_USAGE, CliError

_LINES = 2_000
_SYMBOL = re.compile(rb'"s":"([A-Z0-9]{5,20})"')
_PRICE = re.compile(rb'"(?:b|p)":"([0-9]+(?:\.[0-9]+)?)"')
_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD")


@final
class CapturePeek(msgspec.Struct, frozen=True):
    """What a capture begins with: the canonical symbol, and a price (None when none was among its first lines)."""

    symbol: str
    venue_symbol: str
    price: Decimal | None


def peek(files: Sequence[Path]) -> CapturePeek:
    """Return the symbol and first price of the captures.

    Raises CliError: a file is missing (exit code 2), unreadable, damaged at its beginning, or of no known format (1).
    """
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise CliError(f"no such capture file: {', '.join(missing)}", EXIT_USAGE)
    symbol: bytes | None = None
    price: bytes | None = None
    for line in _head(files[0]):
        if symbol is None and (found := _SYMBOL.search(line)):
            symbol = found.group(1)
        if price is None and (found := _PRICE.search(line)):
            price = found.group(1)
        if symbol is not None and price is not None:
            break
    if symbol is None:
        raise CliError(
            f"{files[0]} does not look like a capture: none of its first {_LINES} lines names a symbol;"
            " lines must be `<receive time> <JSON message>`"
        )
    name = symbol.decode()
    return CapturePeek(canonical_symbol(name), name, None if price is None else Decimal(price.decode()))


def canonical_symbol(venue_symbol: str) -> str:
    """Return `BTC/USDT:USDT` for `BTCUSDT`; canonical symbols come back as they are. Raises CliError for others."""
    if "/" in venue_symbol:
        return venue_symbol if ":" in venue_symbol else f"{venue_symbol}:{venue_symbol.partition('/')[2]}"
    for quote in _QUOTES:
        base = venue_symbol.removesuffix(quote)
        if base and base != venue_symbol:
            return f"{base}/{quote}:{quote}"
    raise CliError(f"the symbol {venue_symbol!r} has no quote currency known here ({', '.join(_QUOTES)})", EXIT_USAGE)


def _head(path: Path) -> list[bytes]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            return [line for line, _number in zip(file, range(_LINES), strict=False)]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CliError(f"{path} is damaged: {error}; fetch it again") from None
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror or error}") from None
