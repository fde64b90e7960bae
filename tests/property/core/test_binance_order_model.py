"""The order update decoder reads what json and the typed wire struct read, or refuses with DecodeError alone."""

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from models import fixed_model
from models.binance_model import JsonObject, ModelError, payload_of

from opensqt._core.decode.binance_order import decode_order_update
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment
from opensqt.connector.venues.binance.payload import PayloadError, typed
from opensqt.connector.venues.binance.wire_user import WireOrder, WireOrderEvent

TICK, LOT = "0.10", "0.001"

ORDER: dict[str, Any] = {
    "s": "BTCUSDT", "c": "oqbotaZ0001000000B0000001", "S": "BUY", "o": "LIMIT", "f": "GTX", "q": "0.010",
    "p": "60000.10", "ap": "0", "x": "TRADE", "X": "FILLED", "i": 8886774, "l": "0.010", "z": "0.010", "L": "60000.1",
    "n": "0.1", "N": "USDT", "T": 1721260622001, "t": 5, "m": False, "R": True, "ps": "SHORT", "rp": "-0.5", "er": "0",
}  # fmt: skip
NAMES = WireOrder.__struct_fields__


def counted(texts: tuple[str, str, str]) -> tuple[int, ...] | None:
    found = [fixed_model.parse(text, step) for text, step in zip(texts, (TICK, LOT, LOT), strict=True)]
    return None if any(isinstance(one, str) for one in found) else tuple(one for one in found if isinstance(one, int))


def plain(value: object) -> object:
    """Return nested pairs as dicts, the last of a repeated member winning."""
    if isinstance(value, JsonObject):
        return {key: plain(member) for key, member in value}
    return [plain(member) for member in value] if isinstance(value, list) else value


def expected(data: bytes) -> dict[str, object] | str:
    try:
        message = plain(payload_of(data))
        assert isinstance(message, dict)
        if message.get("e") != "ORDER_TRADE_UPDATE":
            return "refused"
        wire = typed(message, WireOrderEvent, "model")
    except (ModelError, PayloadError, UnicodeError):
        return "refused"
    o = wire.o
    return {name: getattr(o, name) for name in NAMES} | {
        "event_time_ms": wire.E,
        "order": counted((o.price, o.quantity, o.filled)),
        "fill": counted((o.last_price, o.last_quantity, o.filled)),
    }


def outcome(data: bytes) -> dict[str, object] | str:
    try:
        update = decode_order_update(data)
    except DecodeError:
        return "refused"
    price, lot = Increment(TICK), Increment(LOT)
    return {name: getattr(update, name) for name in (*NAMES, "event_time_ms")} | {
        "order": update.order_sizes(price, lot),
        "fill": update.fill_sizes(price, lot),
    }


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


numbers = st.integers(0, 10**9).map(lambda n: f"{n / 1000:.3f}") | st.integers(0, 10**22).map(str)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters='"\\'), max_size=40)
odd = st.none() | st.integers(-5, 2**64) | st.sampled_from(["", "-1", "1e5", "1.", "9" * 25, "BOTH"]) | st.booleans()
extras = st.dictionaries(
    st.sampled_from(["zz", "new", "W", "si", "é"]), st.recursive(st.none() | texts, st.lists), max_size=3
)


def respelled(value: object, draw: Any) -> object:
    if isinstance(value, bool):
        return draw(st.booleans())
    if isinstance(value, int):
        return draw(st.integers(0, 9_223_372_036_854))
    if isinstance(value, str) and value[:1].isdigit():
        return draw(numbers)
    return value


@st.composite
def frames(draw: st.DrawFn, *, breaking: bool) -> bytes:
    order = dict(ORDER)
    for key in draw(st.lists(st.sampled_from(sorted(order)), max_size=5)):
        order[key] = draw(odd) if breaking else respelled(order[key], draw)
    order["c"] = draw(texts)
    for key in draw(st.sets(st.sampled_from(["n", "N", "ps", "rp", "er"]))):
        del order[key]
    order = dict(draw(st.permutations(list((order | draw(extras)).items()))))
    members = {"e": "ORDER_TRADE_UPDATE", "T": 1, "E": draw(st.integers(0, 10**12)), "o": order} | draw(extras)
    spacing = draw(st.sampled_from([(",", ":"), (" ,\n", "\t: ")]))
    message = dict(draw(st.permutations(list(members.items()))))
    frame = json.dumps(message, separators=spacing, ensure_ascii=False)
    if draw(st.booleans()):
        frame = f'{{"stream":"key","data":{frame}}}'
    return frame.encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(frames(breaking=False)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 4))] = draw(
            st.sampled_from([b"", b'"', b"}", b"9", b"-", b",", b"\xff", b"\x00"])
        )
    return bytes(data)


@given(frames(breaking=False))
@settings(max_examples=300, deadline=None)
def test_valid_order_updates_read_as_the_typed_struct(frame: bytes) -> None:
    found = outcome(frame)
    assert found != "refused"
    assert found == expected(frame)


@given(frames(breaking=True) | damaged())
@settings(max_examples=600, deadline=None)
def test_what_is_read_of_odd_frames_is_what_the_typed_struct_reads(frame: bytes) -> None:
    found = outcome(frame)
    # Bytes of members nobody reads are not checked to be UTF-8.
    assume(found == "refused" or is_utf8(frame))
    assert found in ("refused", expected(frame))


@given(st.binary(max_size=200) | damaged())
@settings(max_examples=300, deadline=None)
def test_any_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    assert outcome(data)
