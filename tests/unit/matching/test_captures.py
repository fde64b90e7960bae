"""Small hand-made captures: what plays, and what is refused with which words."""

import gzip
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from opensqt.domain.order import Side
from opensqt.matching.config import VenueConfig
from opensqt.matching.events import BookDelta, BookLost, BookSnapshot, MarkUpdate, TradePrint
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.sources.replay import open_replay
from opensqt.matching.venue import SimulatedVenue

T = 1_721_347_200_000  # ms


def _depth(time_ms: int, first: int, last: int, prev: int, bids: str = "[]", asks: str = "[]") -> str:
    return (
        f'{{"stream":"btcusdt@depth@0ms","data":{{"e":"depthUpdate","E":{time_ms},"T":{time_ms},"s":"BTCUSDT",'
        f'"U":{first},"u":{last},"pu":{prev},"b":{bids},"a":{asks}}}}}'
    )


def _trade(time_ms: int, number: int, price: str, kind: str = "MARKET", symbol: str = "BTCUSDT") -> str:
    return (
        f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":{time_ms},"T":{time_ms},"s":"{symbol}",'
        f'"t":{number},"p":"{price}","q":"0.010","X":"{kind}","m":true}}}}'
    )


def _snapshot(time_ms: int, last: int) -> str:
    return (
        f'{{"lastUpdateId":{last},"E":{time_ms},"T":{time_ms},"bids":[["64000.0","1.000"],["63999.9","2.000"]],'
        '"asks":[["64000.1","1.500"]]}'
    )


def _mark(time_ms: int, price: str) -> str:
    return (
        f'{{"stream":"btcusdt@markPrice@1s","data":{{"e":"markPriceUpdate","E":{time_ms},"s":"BTCUSDT","p":"{price}",'
        f'"P":"{price}","i":"{price}","r":"0.00010000","T":{time_ms + 1_000}}}}}'
    )


GOOD = (
    _depth(T, 90, 95, 80),
    _trade(T + 1, 1, "64000.0"),
    _snapshot(T + 5, 100),
    _depth(T + 4, 96, 102, 95, '[["64000.0","0.500"]]'),
    _trade(T + 7, 2, "63999.9", "INSURANCE_FUND"),
    _depth(T + 9, 103, 104, 102, "[]", '[["64000.1","0"],["64000.2","3.000"]]'),
    _trade(T + 8, 3, "64000.0"),
)


def _lines(messages: Iterable[str], start_ns: int = T * 1_000_000) -> bytes:
    return "".join(f"{start_ns + i * 1_000_000} {text}\n" for i, text in enumerate(messages)).encode()


def _write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_events_come_by_exchange_time_from_the_snapshot_on(tmp_path: Path, name: str) -> None:
    source = open_replay([_write(tmp_path, name, _lines(GOOD))])
    events = list(source.pop(1 << 62))
    assert [type(event) for event in events] == [TradePrint, BookSnapshot, BookDelta, TradePrint, BookDelta]
    assert [event.time_ns // 1_000_000 - T for event in events] == [1, 5, 5, 8, 9]
    snapshot, first = events[1], events[2]
    assert isinstance(snapshot, BookSnapshot)
    assert isinstance(first, BookDelta)
    assert (snapshot.last_id, first.first_id, first.last_id) == (100, 96, 102)
    trade = events[0]
    assert isinstance(trade, TradePrint)
    assert (trade.price_ticks, trade.lots, trade.aggressor, trade.trade_id) == (640_000, 10, Side.SELL, "1")
    assert source.next_time_ns() is None
    assert source.summary.trade_count == 2
    assert [item.symbol for item in source.instruments()] == ["BTC/USDT:USDT"]


def test_receive_times_in_microseconds_are_understood(tmp_path: Path) -> None:
    data = b"".join(line[:16] + line[19:] for line in _lines(GOOD).splitlines(keepends=True))
    assert open_replay([_write(tmp_path, "a.jsonl", data)]).summary.event_count == 5


def test_parts_of_one_capture_play_as_one(tmp_path: Path) -> None:
    first = _write(tmp_path, "p1.jsonl", _lines(GOOD[:5]))
    second = _write(tmp_path, "p2.jsonl", _lines(GOOD[5:], (T + 500) * 1_000_000))
    whole = _write(tmp_path, "w.jsonl", _lines(GOOD))
    parts = open_replay([first, second]).pop(1 << 62)
    assert list(parts) == list(open_replay([whole]).pop(1 << 62))
    with pytest.raises(CaptureError, match=r"p1\.jsonl, line 1: .*order they were recorded"):
        open_replay([second, first])


def test_loop_begins_again_with_time_going_on(tmp_path: Path) -> None:
    source = open_replay([_write(tmp_path, "a.jsonl", _lines((*GOOD, _mark(T + 9, "64000.5"))))], loop=True)
    venue = SimulatedVenue(VenueConfig(), source.instruments())
    period_ns = source.summary.last_time_ns - source.summary.first_time_ns + 1_000_000_000
    events = list(source.pop(source.start_time_ns + 3 * period_ns - 1_000_000_000))
    assert len(events) == 3 * 6 + 2
    times = [event.time_ns for event in events]
    assert times == sorted(times)
    assert sum(isinstance(event, BookLost) for event in events) == 2
    ids = [event.last_id for event in events if isinstance(event, BookDelta | BookSnapshot)]
    assert ids == sorted(set(ids))
    trades = [int(event.trade_id) for event in events if isinstance(event, TradePrint)]
    assert trades == sorted(set(trades))
    marks = [event for event in events if isinstance(event, MarkUpdate)]
    assert marks[-1].next_funding_time_ms % (8 * 3_600_000) == 0
    validities = []
    for event in events:
        venue.on_market(event)
        validities.append(venue.view.validity("BTC/USDT:USDT")[0].name)
    assert validities[:2] == ["SYNCING", "VALID"]
    lost = next(i for i, event in enumerate(events) if isinstance(event, BookLost))
    assert validities[lost : lost + 3] == ["SYNCING", "SYNCING", "VALID"]


@pytest.mark.parametrize("count", [0, 1, 3, 5, 6, 8, 11])
def test_seek_equals_continuing(tmp_path: Path, count: int) -> None:
    path = _write(tmp_path, "a.jsonl", _lines(GOOD))
    source = open_replay([path], loop=True)
    taken = 0
    until_ns = source.start_time_ns
    while taken < count:
        until_ns = source.next_time_ns() or 0
        taken += len(list(source.pop(until_ns)))
    position = msgspec.json.decode(msgspec.json.encode(source.position()))
    end_ns = until_ns + 5_000_000_000
    rest = list(source.pop(end_ns))
    other = open_replay([path], loop=True)
    other.seek(position)
    sought = list(other.pop(end_ns))
    extra = len(sought) - len(rest)
    assert extra in {0, 1}
    assert all(isinstance(event, BookSnapshot) for event in sought[:extra])
    assert sought[extra:] == rest


def test_position_of_other_files_is_refused(tmp_path: Path) -> None:
    position = open_replay([_write(tmp_path, "a.jsonl", _lines(GOOD))]).position()
    other = open_replay([_write(tmp_path, "b.jsonl", _lines(GOOD))])
    with pytest.raises(CaptureError, match="other captures"):
        other.seek(position)


def test_unknown_symbols_get_the_units_their_numbers_need(tmp_path: Path) -> None:
    text = _lines(GOOD).replace(b"BTCUSDT", b"ABCUSDT").replace(b"btcusdt", b"abcusdt")
    source = open_replay([_write(tmp_path, "a.jsonl", text)])
    instrument = source.instruments()[0]
    assert (instrument.symbol, str(instrument.tick_size), str(instrument.lot_size)) == ("ABC/USDT:USDT", "0.1", "0.01")


def _cut_gzip(folder: Path) -> Path:
    path = folder / "x.jsonl.gz"
    path.write_bytes(gzip.compress(_lines(GOOD * 50))[:-40])
    return path


def _flipped_gzip(folder: Path) -> Path:
    data = bytearray(gzip.compress(_lines(GOOD)))
    data[len(data) // 2] ^= 0xFF
    path = folder / "x.jsonl.gz"
    path.write_bytes(bytes(data))
    return path


BROKEN = {
    "cut json": (_lines((*GOOD, _trade(T + 20, 4, "64000.0")[:-30])), r"line 8: "),
    "not json": (_lines((*GOOD[:3], "{oops}")), r"line 4: "),
    "cut ticker": (_lines((*GOOD, '{"stream":"btcusdt@bookTicker","data":{"u":1')), r"line 8: "),
    "no receive time": (_lines(GOOD) + b'{"a":1}\n', r"line 8: .*not a raw capture line"),
    "other format": (b"time,price\n1,2\n", r"line 1: .*not a raw capture line"),
    "time goes back": (_lines(GOOD) + _lines(GOOD), r"line 8: the receive time goes back"),
    "hole": (_lines((*GOOD[:4], GOOD[5].replace('"pu":102', '"pu":101'))), r"line 5: .*hole"),
    "hole after the snapshot": (_lines((*GOOD[:3], GOOD[5])), r"line 4: .*hole"),
    "no snapshot": (_lines((*GOOD[:2], *GOOD[3:])), r"no order book snapshot.*first part"),
    "off tick": (_lines((*GOOD, _trade(T + 20, 4, "64000.05"))), r"line 8: "),
    "two symbols": (_lines((*GOOD, _trade(T + 20, 4, "3400.0", symbol="ETHUSDT"))), r"line 8: .*ETHUSDT"),
    "no symbol": (_lines(('{"lastUpdateId":1,"bids":[],"asks":[]}',)), r"names a symbol"),
    "deep nesting": (_lines((*GOOD, '{"stream":"x","data":' + "[" * 100_000)), r"line 8: "),
    "deep nesting first": (_lines(('{"stream":"x","data":{"k":' + "[" * 100_000, *GOOD)), r"line 1: "),
    "not utf-8": (_lines(GOOD) + b'1721347200999000000 {"stream":"\x80"}\n', r"line 8: "),
    "impossible time": (_lines((*GOOD, _trade(T * 10, 4, "64000.0"))), r"line 8: .*more than a day"),
    "empty": (b"", r"holds no messages"),
    "blank": (b"\n\n", r"holds no messages"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_capture_is_refused_with_place_and_remedy(tmp_path: Path, kind: str) -> None:
    data, words = BROKEN[kind]
    path = _write(tmp_path, "x.jsonl", data)
    with pytest.raises(CaptureError, match=words) as caught:
        open_replay([path])
    assert str(path) in str(caught.value)
    assert ";" in str(caught.value) or "which is" in str(caught.value)


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"x\.jsonl\.gz: the gzip file is cut off after line \d+; "):
        open_replay([_cut_gzip(tmp_path)])
    with pytest.raises(CaptureError, match=r"x\.jsonl\.gz"):
        open_replay([_flipped_gzip(tmp_path)])


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no such file"):
        open_replay([tmp_path / "nothing.jsonl"])
    with pytest.raises(CaptureError, match="cannot be read"):
        open_replay([tmp_path])
    with pytest.raises(CaptureError, match="no capture files"):
        open_replay([])


def test_captures_of_different_times_do_not_play_together(tmp_path: Path) -> None:
    btc = _write(tmp_path, "btc.jsonl", _lines(GOOD))
    later = _lines(GOOD, (T + 10**9) * 1_000_000).replace(b"BTCUSDT", b"ETHUSDT").replace(b"btcusdt", b"ethusdt")
    for offset in range(10):
        later = later.replace(str(T + offset).encode(), str(T + 10**9 + offset).encode())
    with pytest.raises(CaptureError, match="different times"):
        open_replay([btc, _write(tmp_path, "eth.jsonl", later)])
