"""The Binance decoders agree with the json module on every frame, and answer broken ones with DecodeError alone."""

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from models import binance_model
from models.binance_model import ModelError, Scales
from models.book_model import unpack

from opensqt._core.book import OrderBook
from opensqt._core.decode import binance
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.decode.errors import DecodeError
from opensqt._core.fixed import Increment

SCALES = Scales(tick="0.10", lot="0.001")
PRICE, LOT = Increment(SCALES.tick), Increment(SCALES.lot)
KINDS = list(binance_model.TABLES)

EXAMPLES: dict[str, dict[str, Any]] = {
    "depth": {
        "e": "depthUpdate", "E": 1721347022504, "T": 1721347022504, "s": "BTCUSDT", "U": 4984028367545,
        "u": 4984028370730, "pu": 4984028367494, "b": [["1000.00", "569.567"], ["63939.80", "0.100"]],
        "a": [["63947.40", "0.109"], ["63951.10", "0.000"]],
    },
    "snapshot": {
        "lastUpdateId": 4984028384061, "E": 1721347022759, "T": 1721347022750,
        "bids": [["63943.90", "46.372"], ["63943.80", "0.007"]], "asks": [["63944.00", "0.095"]],
    },
    "book_ticker": {
        "e": "bookTicker", "u": 4984028370881, "s": "BTCUSDT", "b": "63943.90", "B": "46.371", "a": "63944.00",
        "A": "0.095", "T": 1721347022507, "E": 1721347022507,
    },
    "trade": {
        "e": "trade", "E": 1721347022956, "T": 1721347022956, "s": "BTCUSDT", "t": 5182005737, "p": "63943.90",
        "q": "0.003", "X": "MARKET", "m": True,
    },
    "agg_trade": {
        "e": "aggTrade", "E": 1626992741424, "a": 5933014, "s": "BTCUSDT", "p": "0.1", "q": "100", "f": 100, "l": 105,
        "T": 1626992741123, "m": False,
    },
    "kline": {
        "e": "kline", "E": 1626992741424, "s": "CTKUSDT",
        "k": {
            "t": 1626992700000, "T": 1626992759999, "s": "CTKUSDT", "i": "1m", "f": 23961275, "L": 23961322,
            "o": "1.00000", "c": "1.1", "h": "1.1", "l": "1.0", "v": "3917", "n": 48, "x": False, "q": "3957.89900",
            "V": "1729", "Q": "1748.01900", "B": "0",
        },
    },
    "mark_price": {
        "e": "markPriceUpdate", "E": 1680652701000, "s": "BTCUSDT", "p": "28147.27373413", "P": "28142.15563565",
        "i": "28159.75642857", "r": "-0.00002754", "T": 1680652800000,
    },
}  # fmt: skip


def kernel_decode(kind: str, data: bytes) -> dict[str, object]:
    """Run the kernel and return its result in the model's words."""
    if kind in ("depth", "snapshot"):
        decoder = DepthDecoder(PRICE, LOT)
        if kind == "depth":
            decoder.decode(data)
        else:
            decoder.decode_snapshot(data)
        found: dict[str, object] = {"bids": unpack(decoder.bids), "asks": unpack(decoder.asks)}
        names = [name for name, _, _ in binance_model.TABLES[kind].values() if name not in ("event", "bids", "asks")]
        return found | {name: getattr(decoder, name) for name in names}
    result: object
    if kind == "mark_price":
        result = binance.decode_mark_price(data)
    else:
        result = getattr(binance, f"decode_{kind}")(data, PRICE, LOT)
    names = [name for name, _, _ in binance_model.TABLES[kind].values() if name not in ("event", "candle")]
    if kind == "kline":
        names += [name for name, _, _ in binance_model.CANDLE.values()]
    return {name: getattr(result, name) for name in names}


def outcome(kind: str, data: bytes) -> dict[str, object] | str:
    try:
        return kernel_decode(kind, data)
    except DecodeError:
        return "refused"


def expected(kind: str, data: bytes) -> dict[str, object] | str:
    try:
        return binance_model.decode(kind, data, SCALES)
    except ModelError:
        return "refused"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
decimals = st.decimals(0, 10**7, places=3).map(str) | st.integers(0, 10**9).map(lambda n: f"{n / 10:.1f}")
odd_texts = st.sampled_from(["", "0", "-1", "NaN", "1e5", "0.05", "9" * 17, "9" * 40, "1.", "00.10"])
odd_values = json_values | odd_texts | st.integers(-(2**64), 2**64)


def respell(value: object, draw: Any) -> object:
    """Replace a member's value by another one of its own type."""
    if isinstance(value, bool):
        return draw(st.booleans())
    if isinstance(value, int):
        return draw(st.integers(-1, INT64_MAX))
    if isinstance(value, list):
        level = st.tuples(st.integers(1, 10**8).map(lambda n: f"{n / 10:.2f}"), decimals)
        return [list(pair) for pair in draw(st.lists(level, max_size=70))]
    if isinstance(value, str) and value[:1].isdigit():
        return draw(st.integers(0, 10**8).map(lambda n: f"{n / 10:.1f}"))
    return value


INT64_MAX = 2**63 - 1


@st.composite
def frames(draw: st.DrawFn, kind: str, breaking: bool) -> bytes:
    """Compose a frame: members shuffled, others added, values changed, any spacing, raw or combined."""
    message = dict(EXAMPLES[kind])
    for key in draw(st.lists(st.sampled_from(sorted(message)), max_size=4)):
        message[key] = draw(odd_values) if breaking else respell(message[key], draw)
    known = set(binance_model.TABLES[kind])
    extra = draw(st.dictionaries(st.text(max_size=6).filter(lambda key: key not in known), json_values, max_size=2))
    members = draw(st.permutations(list((message | extra).items())))
    spacing = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))
    payload = json.dumps(dict(members), separators=spacing, ensure_ascii=False)
    if draw(st.booleans()):
        before = draw(st.sampled_from(['"stream":"btcusdt@x",', ' "stream" : "a" , "other":[1,{}],', ""]))
        after = draw(st.sampled_from(["", ',"stream":"x"', ' , "z": [[], {"data": 1}] ']))
        payload = f'{{{before}"data":{payload}{after}}}'
    return draw(st.sampled_from(["", " ", "\r\n"])).encode() + payload.encode("utf-8", "replace")


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """Damage a valid frame: cut it, or replace, insert and delete bytes."""
    kind = draw(st.sampled_from(KINDS))
    data = bytearray(draw(frames(kind, breaking=False)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        action = draw(st.sampled_from(["replace", "insert", "delete", "cut"]))
        byte = draw(st.sampled_from(b'{}[]",:.-0159eEtfnuNI \n\x00\x1f\x80\xff\\abmx'))
        if action == "replace" and data:
            data[at] = byte
        elif action == "insert":
            data.insert(at, byte)
        elif action == "delete":
            del data[at : at + draw(st.integers(1, 6))]
        else:
            del data[at:]
    return kind, bytes(data)


@given(kind=st.sampled_from(KINDS), data=st.data())
@settings(max_examples=300, deadline=None)
def test_valid_frames_decode_as_json_does(kind: str, data: st.DataObject) -> None:
    frame = data.draw(frames(kind, breaking=False))
    assume(b"\\" not in frame)
    assert outcome(kind, frame) == expected(kind, frame)


@given(kind=st.sampled_from(KINDS), data=st.data())
@settings(max_examples=300, deadline=None)
def test_odd_values_are_refused_exactly_where_the_model_refuses(kind: str, data: st.DataObject) -> None:
    frame = data.draw(frames(kind, breaking=True))
    assume(b"\\" not in frame)
    assert outcome(kind, frame) == expected(kind, frame)


@given(case=mutations())
@settings(max_examples=600, deadline=None)
def test_damaged_frames_decode_as_json_does_or_are_refused(case: tuple[str, bytes]) -> None:
    kind, frame = case
    assume(b"\\" not in frame)
    assert outcome(kind, frame) == expected(kind, frame)


@given(data=st.binary(max_size=200) | mutations().map(lambda case: case[1]))
@settings(max_examples=400, deadline=None)
def test_any_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    for kind in KINDS:
        outcome(kind, data)
    for look in (binance.classify, binance.symbol_of):
        try:
            look(data)
        except DecodeError:
            continue


@given(data=st.binary(max_size=60), kind=st.sampled_from(KINDS), cut=st.integers(0, 400))
@settings(max_examples=300, deadline=None)
def test_every_prefix_of_a_frame_is_refused(data: bytes, kind: str, cut: int) -> None:
    frame = json.dumps(EXAMPLES[kind], separators=(",", ":")).encode()
    assume(cut < len(frame))
    assert outcome(kind, frame[:cut]) == "refused"


@given(case=mutations())
@settings(max_examples=300, deadline=None)
def test_a_refused_diff_leaves_the_book_alone(case: tuple[str, bytes]) -> None:
    book, decoder = OrderBook(), DepthDecoder(PRICE, LOT)
    decoder.decode_snapshot(json.dumps(EXAMPLES["snapshot"]).encode())
    decoder.apply(book)
    before = book.pack(True), book.pack(False), book.first_id, book.last_id
    try:
        decoder.decode_and_apply(case[1], book)
    except DecodeError:
        assert (book.pack(True), book.pack(False), book.first_id, book.last_id) == before
