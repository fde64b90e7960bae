"""Finds out what capture files hold: their symbol from the first messages, and units where no table knows them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from opensqt.domain.instrument import Instrument
from opensqt.matching.sources.capture_file import read_lines
from opensqt.matching.sources.capture_symbol import SymbolCapture
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.sources.instruments import inferred_instrument, is_known, known_instrument

_PROBE_LINES = 1_000
_MAX_DECIMALS = 12


class _Data(msgspec.Struct, frozen=True):
    """What tells symbol and decimals, of any message kind."""

    s: str = ""
    p: str = ""
    q: str | list[list[str]] = ""
    b: str | list[list[str]] = ""
    a: str | int | list[list[str]] = ""


class _Frame(msgspec.Struct):
    stream: str = ""
    data: _Data = _Data()
    bids: list[list[str]] = []
    asks: list[list[str]] = []


_DECODER = msgspec.json.Decoder(_Frame)


def describe_capture(paths: Sequence[Path]) -> tuple[SymbolCapture, ...]:
    """Group files by symbol, keeping the order given, and find each symbol's instrument.

    Raises:
        CaptureError: a file is unreadable, or names no symbol.
    """
    if not paths:
        raise CaptureError("no capture files were given; name at least one")
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(_symbol_of(path), []).append(path)
    return tuple(SymbolCapture(_instrument(symbol, files), files) for symbol, files in groups.items())


def _symbol_of(path: Path) -> str:
    for line in read_lines(path):
        frame = _parse(path, line.number, line.payload)
        if frame.data.s:
            return frame.data.s
        if line.number >= _PROBE_LINES:
            break
    raise CaptureError(
        f"{path}: none of its first messages names a symbol; a capture holds combined-stream frames "
        '({"stream":"btcusdt@trade","data":{..}}): check that this is one'
    )


def _instrument(symbol: str, paths: Sequence[Path]) -> Instrument:
    if is_known(symbol):
        return known_instrument(symbol)
    price_decimals = quantity_decimals = 0
    for path in paths:
        for line in read_lines(path):
            frame = _parse(path, line.number, line.payload)
            prices, quantities = _numbers(frame)
            price_decimals = max([price_decimals, *map(_decimals, prices)])
            quantity_decimals = max([quantity_decimals, *map(_decimals, quantities)])
    return inferred_instrument(symbol, price_decimals, quantity_decimals)


def _numbers(frame: _Frame) -> tuple[list[str], list[str]]:
    """Return the prices and quantities of a depth message or a trade; marks are not on the price grid."""
    prices: list[str] = []
    quantities: list[str] = []
    data = frame.data
    for levels in (frame.bids, frame.asks, data.b, data.a):
        if isinstance(levels, list):
            prices += [level[0] for level in levels if len(level) > 1]
            quantities += [level[1] for level in levels if len(level) > 1]
    if "@trade" in frame.stream and isinstance(data.q, str):
        prices.append(data.p)
        quantities.append(data.q)
    return prices, quantities


def _decimals(text: str) -> int:
    return min(_MAX_DECIMALS, len(text.partition(".")[2].rstrip("0")))


def _parse(path: Path, number: int, payload: bytes) -> _Frame:
    try:
        return _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        shown = payload[:60].decode("utf-8", "replace")
        raise CaptureError(
            f"{path}, line {number}: the message is not the JSON of a Binance stream ({error}), it begins with "
            f"{shown!r}; fetch the file again, or remove it from the list"
        ) from error
