"""Klines: boundaries of every interval, sums of minutes, and minutes without a trade."""

from datetime import UTC, datetime

import pytest

from opensqt.sim.dialects.binance.klines import INTERVALS, KlineSeries, bounds

MINUTE = 60_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("interval", "opened", "closed"),
    [
        ("1m", "2026-11-22T14:37:00", "2026-11-22T14:38:00"),
        ("15m", "2026-11-22T14:30:00", "2026-11-22T14:45:00"),
        ("4h", "2026-11-22T12:00:00", "2026-11-22T16:00:00"),
        ("1d", "2026-11-22T00:00:00", "2026-11-23T00:00:00"),
        ("1w", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("1M", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
    ],
)
def test_intervals_begin_where_the_venue_begins_them(interval: str, opened: str, closed: str) -> None:
    assert bounds(interval, ms("2026-11-22T14:37:21")) == (ms(opened), ms(closed) - 1)


def test_december_ends_with_the_year() -> None:
    assert bounds("1M", ms("2026-12-15T00:00:00")) == (ms("2026-12-01T00:00:00"), ms("2027-01-01T00:00:00") - 1)


def test_every_bar_of_an_interval_is_the_sum_of_its_minutes() -> None:
    series = KlineSeries()
    begin = ms("2026-11-22T00:00:00")
    for index in range(600):
        series.on_trade(begin + index * 30_000, index + 1, 1_000 + index % 17, 1 + index % 5, is_buy=index % 2 == 0)
    minutes = series.bars("1m", 0, 1 << 60, 1_500)
    assert len(minutes) == 300
    for interval in INTERVALS:
        bars = series.bars(interval, 0, 1 << 60, 1_500)
        assert sum(bar.lots for bar in bars) == sum(bar.lots for bar in minutes), interval
        assert sum(bar.count for bar in bars) == 600
        assert max(bar.high for bar in bars) == 1_016
        assert (bars[0].open, bars[-1].close) == (minutes[0].open, minutes[-1].close)
        assert (bars[0].first_id, bars[-1].last_id) == (1, 600)


def test_minutes_without_trades_are_flat() -> None:
    series = KlineSeries()
    series.on_trade(MINUTE, 1, 500, 3, is_buy=True)
    series.roll(4 * MINUTE + 5)
    bars = series.bars("1m", 0, 1 << 60, 10)
    assert [(bar.open_ms, bar.open, bar.close, bar.lots, bar.count) for bar in bars] == [
        (MINUTE, 500, 500, 3, 1),
        (2 * MINUTE, 500, 500, 0, 0),
        (3 * MINUTE, 500, 500, 0, 0),
        (4 * MINUTE, 500, 500, 0, 0),
    ]


def test_a_span_with_a_start_gives_the_first_bars_else_the_last() -> None:
    series = KlineSeries()
    for index in range(10):
        series.on_trade(index * MINUTE, index + 1, 500, 1, is_buy=True)
    assert [bar.open_ms // MINUTE for bar in series.bars("1m", 2 * MINUTE, 1 << 60, 3)] == [2, 3, 4]
    assert [bar.open_ms // MINUTE for bar in series.bars("1m", 0, 1 << 60, 3)] == [7, 8, 9]
