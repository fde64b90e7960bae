"""Recorded markets through source and venue, end to end."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from opensqt.domain.market import BookValidity
from opensqt.domain.order import OrderRequest, Side, TimeInForce
from opensqt.matching.config import ZERO_LATENCY, VenueConfig
from opensqt.matching.events import BookSnapshot, CandleHistory, CashFlowHappened, MarkUpdate, TradePrint
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.sources.replay import ReplaySource, open_replay
from opensqt.matching.venue import SimulatedVenue

pytestmark = [pytest.mark.captures, pytest.mark.slow]

BTC = "BTC/USDT:USDT"


def _files(shared_dir: Path, *patterns: str) -> list[Path]:
    found = [path for pattern in patterns for path in sorted((shared_dir / "data").glob(pattern))]
    assert found
    return found


def _open(shared_dir: Path, *patterns: str) -> ReplaySource:
    return open_replay(_files(shared_dir, *patterns))


def _play(source: ReplaySource, venue: SimulatedVenue) -> int:
    count = 0
    last_ns = 0
    for event in source.pop(1 << 62):
        assert event.time_ns >= last_ns
        last_ns = event.time_ns
        venue.on_market(event)
        count += 1
    return count


@pytest.mark.parametrize(
    ("patterns", "trades"),
    [
        (["binance_usdm/raw_ws_BTCUSDT_2023*"], 12_934),
        (["binance_usdm/raw_ws_BTCUSDT_2024*"], 10_701),
        (["binance_usdm/raw_ws_ETHUSDT_2024*"], 13_655),
        (["binance_usdm/raw_ws_ETHUSDT_2024*", "binance_usdm/raw_ws_BTCUSDT_2024*"], 24_356),
        (["binance_spot/raw_ws_NEXOUSDT_*"], 18_817),
    ],
)
def test_capture_plays_to_its_end_with_a_valid_book(shared_dir: Path, patterns: Sequence[str], trades: int) -> None:
    source = _open(shared_dir, *patterns)
    venue = SimulatedVenue(VenueConfig(), source.instruments())
    assert _play(source, venue) == source.summary.event_count
    assert source.summary.trade_count == trades
    for instrument in source.instruments():
        assert venue.view.validity(instrument.symbol) == (BookValidity.VALID, "")
        assert venue.view.mark(instrument.symbol) is not None


@pytest.mark.parametrize(("day", "symbol"), [("2024", "BTCUSDT"), ("2024", "ETHUSDT"), ("2023", "BTCUSDT")])
def test_candles_of_the_capture_equal_the_published_ones(shared_dir: Path, day: str, symbol: str) -> None:
    source = _open(shared_dir, f"binance_usdm/raw_ws_{symbol}_{day}*")
    venue = SimulatedVenue(VenueConfig(), source.instruments())
    trades: list[TradePrint] = []
    for event in source.pop(1 << 62):
        venue.on_market(event)
        if isinstance(event, TradePrint):
            trades.append(event)
    name = source.instruments()[0].symbol
    candles = {candle.open_time_ms: candle for candle in venue.view.candles(name, 60_000, 100)}
    for open_ms, candle in list(candles.items())[1:-1]:
        inside = [trade for trade in trades if open_ms <= trade.time_ns // 1_000_000 < open_ms + 60_000]
        assert candle.volume_lots == sum(trade.lots for trade in inside)
        assert candle.close_ticks == inside[-1].price_ticks
        assert candle.is_closed
    fives = venue.view.candles(name, 300_000, 10)
    assert sum(c.volume_lots for c in fives) <= sum(t.lots for t in trades)


def test_recorded_settlement_pays_exactly_the_recorded_terms(shared_dir: Path) -> None:
    source = _open(shared_dir, "binance_usdm/raw_ws_BTCUSDT_2023*")
    config = VenueConfig(latency=ZERO_LATENCY, wallets={"long": Decimal(100_000), "short": Decimal(100_000)})
    venue = SimulatedVenue(config, source.instruments())
    settlement_ns = 1_680_652_800_000 * 1_000_000
    sent = False
    flows = []
    for event in source.pop(1 << 62):
        flows += [item for item in venue.on_market(event) if isinstance(item, CashFlowHappened)]
        if not sent and venue.view.validity(BTC)[0] is BookValidity.VALID:
            sent = True
            for account, side, lots in (("long", Side.BUY, 1_000), ("short", Side.SELL, 370)):
                request = OrderRequest(
                    symbol=BTC, client_order_id="x", side=side, time_in_force=TimeInForce.FOK,
                    price_ticks=282_000 if side is Side.BUY else 281_000, lots=lots, instrument_revision=1,
                )  # fmt: skip
                venue.place(account, request, 1, event.time_ns)
            assert venue.view.position("long", BTC).lots == 1_000
    assert {flow.account: flow.cash_flow.amount for flow in flows} == {
        "long": -1 * Decimal("28155.10") * Decimal("0.00002760"),
        # A wallet has 8 decimals: 0.2875198812 is booked as this.
        "short": Decimal("0.28751988"),
    }
    assert {flow.cash_flow.venue_time_ns for flow in flows} == {settlement_ns}
    assert {flow.cash_flow.rate for flow in flows} == {Decimal("0.00002760")}


def test_seek_into_a_capture_equals_playing_to_there(shared_dir: Path) -> None:
    files = _files(shared_dir, "binance_usdm/raw_ws_BTCUSDT_2024*")
    source = open_replay(files)
    middle_ns = source.start_time_ns + 200_000_000_000
    before = sum(1 for _ in source.pop(middle_ns))
    position = msgspec.json.decode(msgspec.json.encode(source.position()))
    other = open_replay(files)
    other.seek(position)
    assert before > 1_000
    end_ns = middle_ns + 20_000_000_000
    rest, sought = list(source.pop(end_ns)), list(other.pop(end_ns))
    assert isinstance(sought[0], BookSnapshot)
    assert sought[1:] == rest
    assert source.position() == other.position()


def test_second_part_alone_or_first_is_refused(shared_dir: Path) -> None:
    first, second = _files(shared_dir, "binance_usdm/raw_ws_BTCUSDT_2024*")
    with pytest.raises(CaptureError, match="no order book snapshot"):
        open_replay([second])
    with pytest.raises(CaptureError, match="in the order they were recorded"):
        open_replay([second, first])
    with pytest.raises(CaptureError, match="in the order they were recorded"):
        open_replay([first, first])


def test_marks_are_published_or_derived_but_never_both(shared_dir: Path) -> None:
    published = _open(shared_dir, "binance_usdm/raw_ws_BTCUSDT_2023*")
    assert published.summary.publishes_marks
    assert not any(isinstance(event, CandleHistory) for event in published.pop(published.start_time_ns))
    derived = _open(shared_dir, "binance_usdm/raw_ws_BTCUSDT_2024*")
    assert not derived.summary.publishes_marks
    venue = SimulatedVenue(VenueConfig(), derived.instruments())
    for event in derived.pop(1 << 62):
        assert not isinstance(event, MarkUpdate)
        venue.on_market(event)
    mark = venue.view.mark(BTC)
    assert mark is not None
    assert abs(mark.mark_price - Decimal("63889.05")) < 20
    assert mark.next_funding_time_ms == 0
