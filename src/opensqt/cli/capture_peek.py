"""What a capture is of: its symbol, the price it begins at, and that its files can be read to their end.

The whole of each file is read once, so that a truncated or disordered capture is refused before anything starts;
whether its messages make sense is for the replay source to say.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import final

import msgspec

from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.domain.symbols import unified_symbol
from opensqt.matching.sources.capture_file import read_lines
from opensqt.matching.sources.errors import CaptureError

_SYMBOL = re.compile(rb'"s":"([A-Z0-9]{5,20})"')
_PRICE = re.compile(rb'"(?:b|p)":"([0-9]+(?:\.[0-9]+)?)"')


@final
class CapturePeek(msgspec.Struct, frozen=True):
    """The canonical symbol of a capture, the venue's own, and the first price in it."""

    symbol: str
    venue_symbol: str
    price: Decimal


def peek(files: Sequence[Path]) -> CapturePeek:
    """Return what the captures are of. Raises CliError: exit code 2 for a missing file, 1 for a damaged one."""
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise CliError(f"no such capture file: {', '.join(missing)}", EXIT_USAGE)
    symbol: bytes | None = None
    price: bytes | None = None
    try:
        for path in files:
            for line in read_lines(path):
                if symbol is None and (found := _SYMBOL.search(line.payload)):
                    symbol = found.group(1)
                if price is None and (found := _PRICE.search(line.payload)):
                    price = found.group(1)
    except CaptureError as error:
        raise CliError(str(error)) from None
    if symbol is None or price is None:
        raise CliError(f"{files[0]}: none of its messages names a symbol and a price; is it a capture of a market?")
    name = symbol.decode()
    return CapturePeek(canonical_symbol(name), name, Decimal(price.decode()))


def canonical_symbol(symbol: str) -> str:
    """Return `BTC/USDT:USDT` for `BTCUSDT`, `BTC/USDT` or itself. Raises CliError for what is no symbol."""
    try:
        return unified_symbol(symbol)
    except ValueError as error:
        raise CliError(f"the symbol {error}", EXIT_USAGE) from None


def venue_symbol_of(canonical: str) -> str:
    """Return `BTCUSDT` for `BTC/USDT:USDT`."""
    return canonical.partition(":")[0].replace("/", "")
