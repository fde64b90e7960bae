"""Names of streams: what they mean, and on which of the three routes they are alive.

A stream asked for on the wrong route is acknowledged and stays silent for ever; so does one nobody knows. Source:
Binance "Important WebSocket Change Notice" and "WebSocket Market Streams".
"""

from collections.abc import Container
from enum import StrEnum, unique
from typing import Final

import msgspec

from opensqt.sim.dialects.binance.klines import INTERVALS


@unique
class Route(StrEnum):
    """The three kinds of stream hosts, as path prefixes."""

    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"


@unique
class Kind(StrEnum):
    """What a stream tells."""

    DEPTH = "depth"
    PARTIAL = "partial"
    BOOK_TICKER = "bookTicker"
    TRADE = "trade"
    AGG_TRADE = "aggTrade"
    MARK_PRICE = "markPrice"
    KLINE = "kline"
    TICKER = "ticker"
    MINI_TICKER = "miniTicker"
    FORCE_ORDER = "forceOrder"
    CONTRACT_INFO = "contractInfo"


class Stream(msgspec.Struct, frozen=True):
    """A stream: its symbol (empty = all symbols), kind, how often it speaks, and an interval or a number of levels."""

    name: str
    symbol: str
    kind: Kind
    route: Route
    speed_ms: int = 0
    interval: str = ""
    levels: int = 0


_PUBLIC: Final = frozenset({Kind.DEPTH, Kind.PARTIAL, Kind.BOOK_TICKER, Kind.TRADE})
_SPEEDS: Final = {"": 250, "0ms": 0, "100ms": 100, "250ms": 250, "500ms": 500}
_LEVELS: Final = {"depth5": 5, "depth10": 10, "depth20": 20}
_ALL_SYMBOLS: Final = {
    "!bookTicker": (Kind.BOOK_TICKER, 5_000),
    "!markPrice@arr": (Kind.MARK_PRICE, 3_000),
    "!markPrice@arr@1s": (Kind.MARK_PRICE, 1_000),
    "!ticker@arr": (Kind.TICKER, 1_000),
    "!miniTicker@arr": (Kind.MINI_TICKER, 1_000),
    "!forceOrder@arr": (Kind.FORCE_ORDER, 1_000),
    "!contractInfo": (Kind.CONTRACT_INFO, 0),
}
_SIMPLE: Final = {
    "bookTicker": (Kind.BOOK_TICKER, 0),
    "trade": (Kind.TRADE, 0),
    "aggTrade": (Kind.AGG_TRADE, 100),
    "ticker": (Kind.TICKER, 2_000),
    "miniTicker": (Kind.MINI_TICKER, 500),
    "forceOrder": (Kind.FORCE_ORDER, 1_000),
}


def parse_stream(name: str, symbols: Container[str]) -> Stream | None:
    """Return what a name means, None for one that nobody speaks on."""
    if name in _ALL_SYMBOLS:
        kind, speed_ms = _ALL_SYMBOLS[name]
        return Stream(name, "", kind, _route(kind), speed_ms)
    lower, mark, rest = name.partition("@")
    symbol = lower.upper()
    if not mark or lower != lower.lower() or symbol not in symbols:
        return None
    what, _, speed = rest.partition("@")
    if what in _SIMPLE and not speed:
        kind, speed_ms = _SIMPLE[what]
        return Stream(name, symbol, kind, _route(kind), speed_ms)
    if what in {"depth", "rpiDepth"} and speed in _SPEEDS:
        return Stream(name, symbol, Kind.DEPTH, Route.PUBLIC, _SPEEDS[speed])
    if what in _LEVELS and speed in _SPEEDS:
        return Stream(name, symbol, Kind.PARTIAL, Route.PUBLIC, _SPEEDS[speed], levels=_LEVELS[what])
    if what == "markPrice" and speed in {"", "1s"}:
        return Stream(name, symbol, Kind.MARK_PRICE, Route.MARKET, 1_000 if speed else 3_000)
    interval = what.removeprefix("kline_")
    if interval != what and interval in INTERVALS and not speed:
        return Stream(name, symbol, Kind.KLINE, Route.MARKET, 250, interval=interval)
    return None


def _route(kind: Kind) -> Route:
    return Route.PUBLIC if kind in _PUBLIC else Route.MARKET
