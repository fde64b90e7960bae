import pytest

from opensqt.domain.market import Candle
from opensqt.matching.candles import MINUTE_MS, CandleSeries
from opensqt.matching.ticker import ticker_of

T0 = 1_721_347_200_000  # on the hour


def _series(limit: int = 2_000) -> CandleSeries:
    return CandleSeries("BTC/USDT:USDT", limit)


def test_trades_make_open_high_low_close_and_volume() -> None:
    series = _series()
    for offset, price, lots in ((0, 10, 1), (10, 14, 2), (20, 9, 3), (59_999, 12, 4)):
        assert series.on_trade(T0 + offset, price, lots) == []
    closed = series.on_trade(T0 + MINUTE_MS, 13, 5)
    assert [(bar.open_ticks, bar.high_ticks, bar.low_ticks, bar.close_ticks, bar.volume_lots) for bar in closed] == [
        (10, 14, 9, 12, 10)
    ]
    last = series.last(MINUTE_MS, 5)
    assert [candle.is_closed for candle in last] == [True, False]
    assert last[1].open_ticks == 13


def test_the_clock_closes_a_minute_without_waiting_for_a_trade() -> None:
    series = _series()
    series.on_trade(T0, 10, 1)
    assert series.on_time(T0 + MINUTE_MS - 1) == []
    assert len(series.on_time(T0 + MINUTE_MS)) == 1
    assert series.forming is not None
    assert (series.forming.open_ticks, series.forming.volume_lots) == (10, 0)
    series.on_trade(T0 + MINUTE_MS + 5, 12, 1)
    # The first trade opens the minute; the flat placeholder does not count.
    assert series.forming.open_ticks == series.forming.low_ticks == 12


def test_minutes_without_trades_are_flat_and_contiguous() -> None:
    series = _series()
    series.on_trade(T0, 10, 1)
    series.on_trade(T0 + 4 * MINUTE_MS, 20, 1)
    opens = [candle.open_time_ms for candle in series.last(MINUTE_MS, 10)]
    assert opens == [T0 + i * MINUTE_MS for i in range(5)]
    assert [(bar.open_ticks, bar.close_ticks, bar.volume_lots) for bar in series.closed[1:]] == [(10, 10, 0)] * 3


def test_longer_candles_are_sums_of_minutes_aligned_to_their_interval() -> None:
    series = _series()
    for minute in range(12):
        series.on_trade(T0 + minute * MINUTE_MS, 100 + minute, 1)
    fives = series.last(5 * MINUTE_MS, 10)
    assert [(c.open_time_ms - T0) // MINUTE_MS for c in fives] == [0, 5, 10]
    assert [(c.open_ticks, c.high_ticks, c.low_ticks, c.close_ticks, c.volume_lots) for c in fives] == [
        (100, 104, 100, 104, 5), (105, 109, 105, 109, 5), (110, 111, 110, 111, 2),
    ]  # fmt: skip
    assert [c.is_closed for c in fives] == [True, True, False]
    assert len(series.last(3 * MINUTE_MS, 2)) == 2
    with pytest.raises(ValueError, match="interval"):
        series.last(7, 1)


def test_a_group_whose_beginning_is_forgotten_is_left_out() -> None:
    series = _series(limit=7)
    for minute in range(12):
        series.on_trade(T0 + minute * MINUTE_MS, 100, 1)
    fives = series.last(5 * MINUTE_MS, 10)
    assert [(c.open_time_ms - T0) // MINUTE_MS for c in fives] == [5, 10]


def test_history_comes_before_the_first_trade_and_once() -> None:
    history = [
        Candle(
            symbol="BTC/USDT:USDT", interval_ms=MINUTE_MS, open_time_ms=T0 + i * MINUTE_MS, open_ticks=10,
            high_ticks=12, low_ticks=9, close_ticks=11, volume_lots=4, is_closed=True,
        )
        for i in range(3)
    ]  # fmt: skip
    series = _series()
    assert len(series.load_history(history)) == 3
    assert series.load_history(history) == []
    series.on_trade(T0 + 3 * MINUTE_MS, 11, 1)
    assert series.load_history(history) == []
    assert len(series.last(MINUTE_MS, 100)) == 4


def test_the_ticker_covers_the_last_day_only() -> None:
    series = _series()
    series.on_trade(T0, 50, 7)
    series.on_trade(T0 + 1_440 * MINUTE_MS + 30_000, 60, 1)
    series.on_trade(T0 + 1_441 * MINUTE_MS, 55, 2)
    bars = [*series.closed, series.forming] if series.forming else []
    ticker = ticker_of("BTC/USDT:USDT", bars, 55, 54, 56, (T0 + 1_441 * MINUTE_MS + 5) * 1_000_000)
    assert (ticker.high_ticks, ticker.low_ticks, ticker.last_ticks, ticker.volume_lots) == (60, 50, 55, 3)
    assert ticker.turnover_ticks_lots == 60 + 110
