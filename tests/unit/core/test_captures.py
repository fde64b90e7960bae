"""Recorded markets: every frame decodes, books replay without gap, and published book states come out exactly."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from models import binance_model
from models.binance_model import Scales
from models.book_model import unpack
from models.captures import DepthReplay, read_capture, read_cryptofeed

from opensqt._core.decode.binance import (
    Kind,
    classify,
    decode_agg_trade,
    decode_book_ticker,
    decode_kline,
    decode_mark_price,
    decode_trade,
    symbol_of,
)
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.fixed import Increment

pytestmark = [pytest.mark.captures, pytest.mark.slow]

MODEL_NAMES = {
    Kind.DEPTH_UPDATE: "depth",
    Kind.DEPTH_SNAPSHOT: "snapshot",
    Kind.BOOK_TICKER: "book_ticker",
    Kind.TRADE: "trade",
    Kind.AGG_TRADE: "agg_trade",
    Kind.KLINE: "kline",
    Kind.MARK_PRICE: "mark_price",
}
# A model decode costs a hundred times the kernel's, so it looks at every so-many-th frame.
MODEL_EVERY = 40

CAPTURES: dict[str, tuple[list[str], Scales, dict[Kind, int]]] = {
    "BTCUSDT 2023": (
        [
            "binance_usdm/raw_ws_BTCUSDT_20230404T235820Z_part1.jsonl.gz",
            "binance_usdm/raw_ws_BTCUSDT_20230405T000000Z_part2.jsonl.gz",
        ],
        Scales("0.10", "0.001"),
        {
            Kind.DEPTH_SNAPSHOT: 1,
            Kind.DEPTH_UPDATE: 16_110,
            Kind.TRADE: 12_935,
            Kind.BOOK_TICKER: 44_205,
            Kind.MARK_PRICE: 514,
        },
    ),
    "BTCUSDT 2024": (
        [
            "binance_usdm/raw_ws_BTCUSDT_20240718T235701Z_part1.jsonl.gz",
            "binance_usdm/raw_ws_BTCUSDT_20240719T000000Z_part2.jsonl.gz",
        ],
        Scales("0.10", "0.001"),
        {Kind.DEPTH_SNAPSHOT: 1, Kind.DEPTH_UPDATE: 9_022, Kind.TRADE: 10_701, Kind.BOOK_TICKER: 52_260},
    ),
    "ETHUSDT 2024": (
        [
            "binance_usdm/raw_ws_ETHUSDT_20240718T235701Z_part1.jsonl.gz",
            "binance_usdm/raw_ws_ETHUSDT_20240719T000000Z_part2.jsonl.gz",
        ],
        Scales("0.01", "0.001"),
        {Kind.DEPTH_SNAPSHOT: 1, Kind.DEPTH_UPDATE: 8_929, Kind.TRADE: 13_655, Kind.BOOK_TICKER: 47_328},
    ),
    "NEXOUSDT spot": (
        [
            "binance_spot/raw_ws_NEXOUSDT_20240723T153942Z_part1.jsonl.gz",
            "binance_spot/raw_ws_NEXOUSDT_20240723T160001Z_part2.jsonl.gz",
            "binance_spot/raw_ws_NEXOUSDT_20240724T160000Z_part3.jsonl.gz",
        ],
        Scales("0.001", "0.01"),
        {Kind.DEPTH_SNAPSHOT: 1, Kind.DEPTH_UPDATE: 99_030, Kind.TRADE: 18_817, Kind.BOOK_TICKER: 48_992},
    ),
    "BTCUSDT spot": (
        ["binance_spot/raw_ws_BTCUSDT_20230405T000000Z_nosnapshot.jsonl.gz"],
        # The lot is 0.00001, but levels from before the lot size grew still rest with finer quantities.
        Scales("0.01", "0.00000001"),
        {Kind.DEPTH_UPDATE: 3_929, Kind.TRADE: 3_144, Kind.BOOK_TICKER: 8_015},
    ),
}


class Decoders:
    """Every decoder of one symbol behind one call."""

    def __init__(self, scales: Scales) -> None:
        self.scales = scales
        self.tick, self.lot = Increment(scales.tick), Increment(scales.lot)
        self.depth = DepthDecoder(self.tick, self.lot)

    def decode(self, kind: Kind, frame: bytes) -> object:
        match kind:
            case Kind.DEPTH_UPDATE:
                self.depth.decode(frame)
                return self.depth
            case Kind.DEPTH_SNAPSHOT:
                self.depth.decode_snapshot(frame)
                return self.depth
            case Kind.MARK_PRICE:
                return decode_mark_price(frame)
            case Kind.KLINE:
                return decode_kline(frame, self.tick, self.lot)
            case Kind.AGG_TRADE:
                return decode_agg_trade(frame, self.tick, self.lot)
            case Kind.TRADE:
                return decode_trade(frame, self.tick, self.lot)
            case _:
                return decode_book_ticker(frame, self.tick, self.lot)

    def check_against_model(self, kind: Kind, frame: bytes, result: object) -> None:
        for name, value in binance_model.decode(MODEL_NAMES[kind], frame, self.scales).items():
            found = getattr(result, name)
            assert (unpack(found) if name in ("bids", "asks") else found) == value


def kind_of(frame: bytes) -> Kind:
    """Classify; spot's bookTicker has no event name, only its stream's name tells."""
    kind = classify(frame)
    return Kind.BOOK_TICKER if kind is Kind.UNKNOWN and b'@bookTicker"' in frame[:60] else kind


@pytest.mark.parametrize("name", CAPTURES)
def test_every_frame_decodes_and_the_book_has_no_gap_and_never_crosses(shared_dir: Path, name: str) -> None:
    """Counts are those of the captures' own description; every 40th frame is also compared with the json model."""
    files, scales, expected = CAPTURES[name]
    decoders, replay = Decoders(scales), DepthReplay.of(scales.tick, scales.lot)
    counts: Counter[Kind] = Counter()
    for file in files:
        for number, (_, frame) in enumerate(read_capture(shared_dir / "data" / file)):
            kind = kind_of(frame)
            result = decoders.decode(kind, frame)
            if number % MODEL_EVERY == 0:
                decoders.check_against_model(kind, frame, result)
            counts[kind] += 1
            if kind is Kind.DEPTH_UPDATE:
                replay.diff(frame)
            elif kind is Kind.DEPTH_SNAPSHOT:
                replay.snapshot(frame)
    assert counts == expected
    if replay.snapshots:
        assert replay.applied > 0.9 * counts[Kind.DEPTH_UPDATE]
    assert (replay.gaps, replay.crossed) == (0, 0)


def test_the_four_symbols_recorded_by_cryptofeed_decode_and_replay(shared_dir: Path) -> None:
    """1,535 frames of depth, aggTrade, bookTicker and kline; the books synchronise from the recorded REST answers."""
    folder = shared_dir / "data" / "binance_usdm"
    # CTKUSDT's tick is 0.001, but levels from before the tick size grew still rest at finer prices.
    ticks = {b"SUSHIUSDT": "0.0010", b"AKROUSDT": "0.00001", b"KEEPUSDT": "0.0001", b"CTKUSDT": "0.00001"}
    decoders = {symbol: Decoders(Scales(tick, "1")) for symbol, tick in ticks.items()}
    replays = {symbol: DepthReplay.of(tick, "1") for symbol, tick in ticks.items()}
    counts: Counter[Kind] = Counter()
    for frame in read_cryptofeed(folder / "cryptofeed_BINANCE_FUTURES.ws.1.0.txt.gz"):
        symbol, kind = symbol_of(frame), classify(frame)
        result = decoders[symbol].decode(kind, frame)
        decoders[symbol].check_against_model(kind, frame, result)
        counts[kind] += 1
        if kind is Kind.DEPTH_UPDATE:
            replays[symbol].diff(frame)
    assert counts.total() == 1_535
    assert set(counts) == {Kind.DEPTH_UPDATE, Kind.AGG_TRADE, Kind.BOOK_TICKER, Kind.KLINE}
    answers = read_cryptofeed(folder / "cryptofeed_BINANCE_FUTURES.http.0.0.txt.gz")
    for symbol, frame in zip(ticks, answers, strict=True):
        replays[symbol].snapshot(frame)
        assert replays[symbol].applied > 0
        assert (replays[symbol].gaps, replays[symbol].crossed) == (0, 0)


# ---- published book states ------------------------------------------------------------------------------------------


def load_reference(shared_dir: Path, name: str) -> dict[str, Any]:
    """Load a reference file with its decimals as text, so that no float comes between it and the comparison."""
    text = (shared_dir / "data" / "reference" / name).read_text(encoding="utf-8")
    reference: dict[str, Any] = json.loads(text, parse_float=str)
    return reference


def transaction_time_ms(frame: bytes) -> int | None:
    """Return T of a depthUpdate or trade, the messages that set the clock offset."""
    kind = classify(frame)
    if kind is Kind.DEPTH_UPDATE or kind is Kind.TRADE:
        return int(json.loads(frame)["data"]["T"])
    return None


class ReferenceReplay:
    """Replay a reference's two captures: part 1 to its end, part 2 up to any local time.

    The receive clock of the captures is wrong; local time is receive time + offset, where offset makes the
    smallest latency over depth and trade messages zero (the rule the reference files state).
    """

    TICK, LOT = Increment("0.1"), Increment("0.001")

    def __init__(self, shared_dir: Path, captures: list[str]) -> None:
        part1, part2 = (list(read_capture(shared_dir / "data" / capture)) for capture in captures)
        self.offsets_ns = [self.offset_ns(part) for part in (part1, part2)]
        self.replay = DepthReplay.of(self.TICK.text, self.LOT.text)
        for _, frame in part1:
            self.apply(frame)
        self.part2 = part2
        self.rest: Iterator[tuple[int, bytes]] = iter(
            [(stamp + self.offsets_ns[1], frame) for stamp, frame in part2 if classify(frame) is Kind.DEPTH_UPDATE]
        )
        self.next: tuple[int, bytes] | None = next(self.rest, None)

    @staticmethod
    def offset_ns(part: list[tuple[int, bytes]]) -> int:
        times = ((stamp, transaction_time_ms(frame)) for stamp, frame in part)
        return -min(stamp - time_ms * 1_000_000 for stamp, time_ms in times if time_ms is not None)

    def apply(self, frame: bytes) -> None:
        kind = classify(frame)
        if kind is Kind.DEPTH_SNAPSHOT:
            self.replay.snapshot(frame)
        elif kind is Kind.DEPTH_UPDATE:
            self.replay.diff(frame)

    def advance_to(self, local_ns: int) -> None:
        """Apply every part 2 depth message with local time <= local_ns."""
        while self.next is not None and self.next[0] <= local_ns:
            self.replay.diff(self.next[1])
            self.next = next(self.rest, None)

    def exact(self, levels: list[list[str]]) -> list[tuple[int, int]]:
        return [(self.TICK.parse(str(price)), self.LOT.parse(str(quantity))) for price, quantity in levels]

    def within(self, numerator: int) -> int:
        """Return bid minus ask lots over levels at most numerator/200 of the mid away from it, exactly."""
        book = self.replay.book
        mid2 = book.mid2_ticks
        assert mid2 is not None
        lowest_bid = -(-(200 - numerator) * mid2 // 400)
        highest_ask = (200 + numerator) * mid2 // 400
        return book.depth_lots(True, lowest_bid) - book.depth_lots(False, highest_ask)


def assert_top3(replay: ReferenceReplay, checkpoint: dict[str, Any]) -> None:
    """Prices and quantities of the best three levels of both sides, exactly."""
    replay.advance_to(checkpoint["local_ts_ns"])
    book = replay.replay.book
    assert book.levels(True, 3) == replay.exact(checkpoint["bids"])
    assert book.levels(False, 3) == replay.exact(checkpoint["asks"])


R1 = "R1_hftbacktest_docs_BTCUSDT_20240719.json"
R2 = "R2_hftbacktest_docs_BTCUSDT_20230405.json"


def test_r1_clock_is_reproduced(shared_dir: Path) -> None:
    """Both parts' clock offsets and t0, to the nanosecond: what every published state's time is measured by."""
    reference = load_reference(shared_dir, R1)
    clock = reference["clock"]
    replay = ReferenceReplay(shared_dir, reference["captures"])
    assert replay.offsets_ns == [clock["part1_local_offset_ns"], clock["part2_local_offset_ns"]]
    offset = replay.offsets_ns[1]
    times = [(stamp, transaction_time_ms(frame)) for stamp, frame in replay.part2]
    earliest = min(min(stamp + offset, time_ms * 1_000_000) for stamp, time_ms in times if time_ms is not None)
    assert earliest == clock["t0_ns"]


def test_r1_top_three_levels_are_reproduced(shared_dir: Path) -> None:
    """All five published checkpoints: price and quantity of three bids and three asks each."""
    reference = load_reference(shared_dir, R1)
    replay = ReferenceReplay(shared_dir, reference["captures"])
    assert len(reference["top3_at"]) == 5
    for checkpoint in reference["top3_at"]:
        assert_top3(replay, checkpoint)
    assert (replay.replay.gaps, replay.replay.crossed) == (0, 0)


def test_r1_depth_imbalance_is_reproduced(shared_dir: Path) -> None:
    """All ten published checkpoints: bid minus ask quantity at the touch, within 0.5 % and within 1 % of the mid."""
    reference = load_reference(shared_dir, R1)
    replay = ReferenceReplay(shared_dir, reference["captures"])
    assert len(reference["imbalance"]) == 10
    for checkpoint in reference["imbalance"]:
        replay.advance_to(checkpoint["local_ts_ns"])
        book = replay.replay.book
        assert book.best_bid_lots is not None
        assert book.best_ask_lots is not None
        assert book.best_bid_lots - book.best_ask_lots == replay.LOT.parse(str(checkpoint["top_of_book"]))
        assert replay.within(1) == replay.LOT.parse(str(checkpoint["within_0.5pct"]))
        assert replay.within(2) == replay.LOT.parse(str(checkpoint["within_1pct"]))


def test_r1_mid_price_of_every_second_is_reproduced(shared_dir: Path) -> None:
    """The mid of all 300 rows of the published quoting run, exactly (twice the mid is a whole number of ticks)."""
    reference = load_reference(shared_dir, R1)
    replay = ReferenceReplay(shared_dir, reference["captures"])
    half_tick = Increment("0.05")
    rows = (shared_dir / "data" / "reference" / reference["mm_run"]["file"]).read_text(encoding="utf-8").split()[1:]
    assert len(rows) == reference["mm_run"]["final"]["rows"]
    for row in rows:
        local_ns, mid = row.split(",")[:2]
        replay.advance_to(int(local_ns))
        assert replay.replay.book.mid2_ticks == half_tick.parse(mid)


def test_r2_top_three_levels_are_reproduced(shared_dir: Path) -> None:
    """The clock offset of part 2 and all six published checkpoints: three bids and three asks each."""
    reference = load_reference(shared_dir, R2)
    replay = ReferenceReplay(shared_dir, reference["captures"])
    assert replay.offsets_ns[1] == reference["clock"]["part2_local_offset_ns"]
    assert len(reference["top3_at"]) == 6
    for checkpoint in reference["top3_at"]:
        assert_top3(replay, checkpoint)
    assert (replay.replay.gaps, replay.replay.crossed) == (0, 0)
