"""Naive model of the Binance decoders: the json module, then one check per member, by table.

It mirrors what the kernels promise: members in any order, every occurrence of a known member must be valid and the
last one wins, unknown members are ignored, a frame whose first member is `stream` or `data` is a combined one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from models import fixed_model

Pairs: TypeAlias = list[tuple[str, object]]
Values: TypeAlias = dict[str, object]
INT64_MAX = 2**63 - 1
SIZE_LIMIT = 2**53


class ModelError(ValueError):
    """The model refuses the frame."""


class JsonObject(list[tuple[str, object]]):
    """An object as its pairs in order, repeats included."""


@dataclass(frozen=True)
class Scales:
    """Tick and lot size as text."""

    tick: str
    lot: str


def parse_json(data: bytes) -> object:
    """Parse strictly: no NaN or Infinity, objects as pairs."""

    def refuse(name: str) -> object:
        raise ModelError(name)

    try:
        text = data.decode("utf-8", "surrogateescape")
        return json.loads(text, object_pairs_hook=JsonObject, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ModelError(str(error)) from error


def payload_of(data: bytes) -> JsonObject:
    """Return the message inside a raw or combined frame."""
    frame = parse_json(data)
    if not isinstance(frame, JsonObject):
        raise ModelError("no object")
    if not frame or frame[0][0] not in ("stream", "data"):
        return frame
    inner = [value for key, value in frame if key == "data"]
    if len(inner) != 1 or not isinstance(inner[0], JsonObject):
        raise ModelError("no data object, or two")
    return inner[0]


def integer(value: object, _scales: Scales) -> int:
    if type(value) is not int or abs(value) > INT64_MAX:
        raise ModelError("integer")
    return value


def decimal(value: object, step: str) -> int:
    if not isinstance(value, str):
        raise ModelError("decimal type")
    parsed = fixed_model.parse(value, step)
    if isinstance(parsed, str):
        raise ModelError(parsed)
    return parsed


def sized(value: object, step: str) -> int:
    parsed = decimal(value, step)
    if not 0 <= parsed < SIZE_LIMIT:
        raise ModelError("range")
    return parsed


def price(value: object, scales: Scales) -> int:
    return sized(value, scales.tick)


def quantity(value: object, scales: Scales) -> int:
    return sized(value, scales.lot)


def e8(value: object, _scales: Scales) -> int:
    return sized(value, "0.00000001")


def rate(value: object, _scales: Scales) -> int:
    return 0 if value == "" else decimal(value, "0.00000001")


def flag(value: object, _scales: Scales) -> bool:
    if not isinstance(value, bool):
        raise ModelError("flag")
    return value


def text(value: object, _scales: Scales) -> bytes:
    if not isinstance(value, str):
        raise ModelError("text")
    return value.encode("utf-8", "surrogateescape")


def is_market(value: object, scales: Scales) -> bool:
    return text(value, scales) == b"MARKET"


def levels(value: object, scales: Scales) -> list[tuple[int, int]]:
    if not isinstance(value, list) or isinstance(value, JsonObject):
        raise ModelError("levels")
    found = []
    for level in value:
        if not isinstance(level, list) or isinstance(level, JsonObject) or len(level) < 2:
            raise ModelError("level")
        ticks, lots = price(level[0], scales), quantity(level[1], scales)
        if ticks == 0:
            raise ModelError("price 0")
        found.append((ticks, lots))
    return found


Reader: TypeAlias = Callable[[object, Scales], object]
REQUIRED = object()


def event(name: str) -> Reader:
    def check(value: object, _scales: Scales) -> object:
        if value != name:
            raise ModelError("other event")
        return name

    return check


def collect(pairs: Pairs, table: dict[str, tuple[str, Reader, object]], scales: Scales) -> Values:
    """Read known members; a default of REQUIRED makes a missing one an error."""
    found: Values = {}
    for key, value in pairs:
        if key in table:
            attribute, read, _ = table[key]
            found[attribute] = read(value, scales)
    for attribute, _, default in table.values():
        if attribute not in found:
            if default is REQUIRED:
                raise ModelError(f"{attribute} is missing")
            found[attribute] = default
    return found


SYMBOL = ("symbol", text, REQUIRED)
EVENT_TIME = ("event_time_ms", integer, REQUIRED)
TRANSACTION_TIME = ("transaction_time_ms", integer, REQUIRED)
CANDLE: dict[str, tuple[str, Reader, object]] = {
    "t": ("open_time_ms", integer, REQUIRED),
    "T": ("close_time_ms", integer, REQUIRED),
    "i": ("interval", text, REQUIRED),
    "o": ("open_ticks", price, REQUIRED),
    "h": ("high_ticks", price, REQUIRED),
    "l": ("low_ticks", price, REQUIRED),
    "c": ("close_ticks", price, REQUIRED),
    "v": ("volume_lots", quantity, REQUIRED),
    "n": ("trade_count", integer, REQUIRED),
    "x": ("is_closed", flag, REQUIRED),
}


def candle(value: object, scales: Scales) -> Values:
    if not isinstance(value, JsonObject):
        raise ModelError("candle")
    return collect(value, CANDLE, scales)


TABLES: dict[str, dict[str, tuple[str, Reader, object]]] = {
    "depth": {
        "e": ("event", event("depthUpdate"), REQUIRED),
        "E": ("event_time_ms", integer, 0),
        "T": ("transaction_time_ms", integer, 0),
        "s": SYMBOL,
        "U": ("first_id", integer, REQUIRED),
        "u": ("last_id", integer, REQUIRED),
        "pu": ("prev_id", integer, -1),
        "b": ("bids", levels, REQUIRED),
        "a": ("asks", levels, REQUIRED),
    },
    "snapshot": {
        "lastUpdateId": ("last_id", integer, REQUIRED),
        "E": ("event_time_ms", integer, 0),
        "T": ("transaction_time_ms", integer, 0),
        "bids": ("bids", levels, REQUIRED),
        "asks": ("asks", levels, REQUIRED),
    },
    "book_ticker": {
        "e": ("event", event("bookTicker"), None),
        "E": ("event_time_ms", integer, 0),
        "T": ("transaction_time_ms", integer, 0),
        "u": ("update_id", integer, REQUIRED),
        "s": SYMBOL,
        "b": ("bid_ticks", price, REQUIRED),
        "B": ("bid_lots", quantity, REQUIRED),
        "a": ("ask_ticks", price, REQUIRED),
        "A": ("ask_lots", quantity, REQUIRED),
    },
    "trade": {
        "e": ("event", event("trade"), REQUIRED),
        "E": EVENT_TIME,
        "T": TRANSACTION_TIME,
        "s": SYMBOL,
        "t": ("trade_id", integer, REQUIRED),
        "p": ("price_ticks", price, REQUIRED),
        "q": ("lots", quantity, REQUIRED),
        "m": ("is_buyer_maker", flag, REQUIRED),
        "X": ("is_market", is_market, True),
    },
    "agg_trade": {
        "e": ("event", event("aggTrade"), REQUIRED),
        "E": EVENT_TIME,
        "T": TRANSACTION_TIME,
        "s": SYMBOL,
        "a": ("agg_id", integer, REQUIRED),
        "f": ("first_trade_id", integer, REQUIRED),
        "l": ("last_trade_id", integer, REQUIRED),
        "p": ("price_ticks", price, REQUIRED),
        "q": ("lots", quantity, REQUIRED),
        "m": ("is_buyer_maker", flag, REQUIRED),
    },
    "kline": {
        "e": ("event", event("kline"), REQUIRED),
        "E": EVENT_TIME,
        "s": SYMBOL,
        "k": ("candle", candle, REQUIRED),
    },
    "mark_price": {
        "e": ("event", event("markPriceUpdate"), REQUIRED),
        "E": EVENT_TIME,
        "s": SYMBOL,
        "p": ("mark_price_e8", e8, REQUIRED),
        "i": ("index_price_e8", e8, REQUIRED),
        "r": ("funding_rate_e8", rate, REQUIRED),
        "T": ("next_funding_ms", integer, REQUIRED),
    },
}


def decode(kind: str, data: bytes, scales: Scales) -> Values:
    """Return the attributes the kernel's result must have.

    Raises:
        ModelError: the kernel must refuse the frame too.
    """
    found = collect(payload_of(data), TABLES[kind], scales)
    found.pop("event", None)
    nested = found.pop("candle", None)
    if isinstance(nested, dict):
        found.update(nested)
    return found
