import hashlib
from decimal import Decimal

import msgspec
import pytest

from opensqt.domain.market import BookValidity
from opensqt.domain.order import Side
from opensqt.matching.config import VenueConfig
from opensqt.matching.events import BookDelta, BookSnapshot, CandleHistory, MarketEvent, MarkUpdate, TradePrint
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.sources.synthetic import SyntheticConfig, SyntheticSource, synthetic_symbol
from opensqt.matching.venue import SimulatedVenue

START_NS = 1_750_000_000_123_000_000
SECOND = 1_000_000_000


def _source(seed: int = 1, *names: str, history_minutes: int = 120) -> SyntheticSource:
    symbols = tuple(synthetic_symbol(name) for name in names or ("BTCUSDT",))
    return SyntheticSource(
        SyntheticConfig(seed=seed, start_time_ns=START_NS, symbols=symbols, history_minutes=history_minutes)
    )


@pytest.fixture(scope="module")
def minutes() -> list[MarketEvent]:
    return list(_source().pop(START_NS + 180 * SECOND))


def test_book_is_never_crossed_and_trades_happen_at_its_touch(minutes: list[MarketEvent]) -> None:
    source = _source()
    venue = SimulatedVenue(VenueConfig(), source.instruments())
    symbol = source.instruments()[0].symbol
    for event in minutes:
        book = venue.view.book(symbol)
        if isinstance(event, TradePrint):
            is_buy = event.aggressor is Side.BUY
            assert event.price_ticks == (book.best_ask_ticks if is_buy else book.best_bid_ticks)
            assert 0 < event.lots <= (book.best_ask_lots if is_buy else book.best_bid_lots) or 0
        venue.on_market(event)
        if not isinstance(event, CandleHistory):
            assert venue.view.validity(symbol)[0] is BookValidity.VALID
            assert book.best_ask_ticks == (book.best_bid_ticks or 0) + 1


def test_book_keeps_a_sane_depth(minutes: list[MarketEvent]) -> None:
    source = _source()
    venue = SimulatedVenue(VenueConfig(), source.instruments())
    for event in minutes:
        venue.on_market(event)
    book = venue.view.book(source.instruments()[0].symbol)
    for is_bid in (True, False):
        levels = book.levels(is_bid)
        assert 60 <= len(levels) <= 100
        assert all(0 < lots < 100 * levels[20][1] for _, lots in levels)


def test_candles_are_those_of_the_trades(minutes: list[MarketEvent]) -> None:
    source = _source()
    venue = SimulatedVenue(VenueConfig(), source.instruments())
    symbol = source.instruments()[0].symbol
    for event in minutes:
        venue.on_market(event)
    trades = [event for event in minutes if isinstance(event, TradePrint)]
    start_ms = (START_NS // 1_000_000 // 60_000 + 1) * 60_000
    prices = [e for e in trades if start_ms <= e.time_ns // 1_000_000 < start_ms + 60_000]
    candle = next(c for c in venue.view.candles(symbol, 60_000, 10) if c.open_time_ms == start_ms)
    ticks = [event.price_ticks for event in prices]
    assert (candle.open_ticks, candle.high_ticks, candle.low_ticks, candle.close_ticks) == (
        ticks[0], max(ticks), min(ticks), ticks[-1],
    )  # fmt: skip
    assert candle.volume_lots == sum(event.lots for event in prices)


def test_history_ends_where_the_market_begins(minutes: list[MarketEvent]) -> None:
    history = minutes[0]
    assert isinstance(history, CandleHistory)
    assert len(history.candles) == 120
    assert history.candles[-1].close_ticks == 640_000
    opens = [candle.open_time_ms for candle in history.candles]
    assert opens == list(range(opens[0], opens[0] + 120 * 60_000, 60_000))
    assert opens[-1] + 60_000 <= START_NS // 1_000_000
    for candle, following in zip(history.candles, history.candles[1:], strict=False):
        assert candle.low_ticks <= min(candle.open_ticks, candle.close_ticks)
        assert candle.high_ticks >= max(candle.open_ticks, candle.close_ticks)
        assert candle.close_ticks == following.open_ticks


def test_market_is_lively_enough_for_a_grid_of_five_dollars(minutes: list[MarketEvent]) -> None:
    levels = {e.price_ticks // 50 for e in minutes if isinstance(e, TradePrint)}
    assert len(levels) >= 10
    trades_per_s = sum(isinstance(event, TradePrint) for event in minutes) / 180
    deltas_per_s = sum(isinstance(event, BookDelta) for event in minutes) / 180
    assert 5 <= trades_per_s <= 30
    assert 10 <= deltas_per_s <= 30


def test_marks_come_every_second_near_the_mid_with_small_funding(minutes: list[MarketEvent]) -> None:
    marks = [event for event in minutes if isinstance(event, MarkUpdate)]
    assert 178 <= len(marks) <= 182
    assert all(abs(mark.mark_price - mark.index_price) / mark.index_price < Decimal("0.003") for mark in marks)
    assert all(abs(mark.funding_rate) <= Decimal("0.0005") for mark in marks)
    assert all(mark.next_funding_time_ms % (8 * 3_600_000) == 0 for mark in marks)


def test_times_and_ids_rise_and_sequence_has_no_hole(minutes: list[MarketEvent]) -> None:
    assert [e.time_ns for e in minutes] == sorted(e.time_ns for e in minutes)
    last_id = next(e.last_id for e in minutes if isinstance(e, BookSnapshot))
    for event in minutes:
        if isinstance(event, BookDelta):
            assert event.first_id == last_id + 1
            last_id = event.last_id
    ids = [int(e.trade_id) for e in minutes if isinstance(e, TradePrint)]
    assert ids == list(range(1, len(ids) + 1))


def test_same_seed_same_market_on_every_machine(minutes: list[MarketEvent]) -> None:
    def digest(events: list[MarketEvent]) -> str:
        return hashlib.sha256(msgspec.json.encode(events)).hexdigest()

    again = list(_source().pop(START_NS + 180 * SECOND))
    assert digest(again) == digest(minutes)
    other = list(_source(2).pop(START_NS + 180 * SECOND))
    assert digest(other) != digest(minutes)


def test_symbols_are_merged_by_time_and_independent() -> None:
    both = list(_source(5, "BTCUSDT", "TRXUSDT").pop(START_NS + 20 * SECOND))
    times = [event.time_ns for event in both]
    assert times == sorted(times)
    assert {event.symbol for event in both} == {"BTC/USDT:USDT", "TRX/USDT:USDT"}
    alone = list(_source(5, "BTCUSDT").pop(START_NS + 20 * SECOND))
    assert [event for event in both if event.symbol == "BTC/USDT:USDT"] == alone


def test_seek_equals_continuing() -> None:
    source = _source(9, "BTCUSDT", "ETHUSDT")
    list(source.pop(START_NS + 15 * SECOND))
    position = msgspec.json.decode(msgspec.json.encode(source.position()))
    rest = list(source.pop(START_NS + 30 * SECOND))
    other = _source(9, "BTCUSDT", "ETHUSDT")
    other.seek(position)
    sought = list(other.pop(START_NS + 30 * SECOND))
    assert [type(event) for event in sought[:2]] == [BookSnapshot, BookSnapshot]
    assert sought[2:] == rest
    assert other.position() == source.position()


def test_position_of_another_market_is_refused() -> None:
    position = _source(1).position()
    with pytest.raises(CaptureError, match="another market"):
        _source(2).seek(position)
    with pytest.raises(CaptureError, match="another market"):
        _source(1, "ETHUSDT").seek(position)


def test_long_jumps_of_the_price_redraw_the_book() -> None:
    config = SyntheticConfig(
        seed=4, start_time_ns=START_NS, symbols=(synthetic_symbol("BTCUSDT", annual_volatility=30.0),)
    )
    source = SyntheticSource(config)
    venue = SimulatedVenue(VenueConfig(), source.instruments())
    symbol = source.instruments()[0].symbol
    for event in source.pop(START_NS + 5 * SECOND):
        venue.on_market(event)
        book = venue.view.book(symbol)
        if not isinstance(event, CandleHistory):
            assert book.level_count(True) < 120
            assert venue.view.validity(symbol)[0] is BookValidity.VALID
