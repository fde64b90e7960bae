"""Klines of every interval, summed from minutes made of trades; taker volume and trade ids included.

Weeks begin on Monday, months on their first day, everything else is counted from 1970. Source: Binance
"Kline/Candlestick Data" and recorded kline streams.
"""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, final

import msgspec

from opensqt.domain.market import Candle

MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_WEEK_OFFSET_MS: Final = 4 * _DAY_MS
_MONTH: Final = "1M"
INTERVALS: Final[dict[str, int]] = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": _DAY_MS,
    "3d": 3 * _DAY_MS,
    "1w": 7 * _DAY_MS,
    _MONTH: 0,
}
"""Length of an interval in ms; a month has none of its own."""

_KEPT_MINUTES: Final = 3_000


class Kline(msgspec.Struct):
    """One bar: prices in ticks, volumes in lots, turnovers in tick-lots; -1 for trade ids it has none of."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    turnover: int = 0
    count: int = 0
    buy_lots: int = 0
    buy_turnover: int = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, other: "Kline") -> None:
        """Append the next bar to this one."""
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.lots += other.lots
        self.turnover += other.turnover
        self.count += other.count
        self.buy_lots += other.buy_lots
        self.buy_turnover += other.buy_turnover
        if other.first_id >= 0:
            self.first_id = other.first_id if self.first_id < 0 else self.first_id
            self.last_id = other.last_id


def bounds(interval: str, time_ms: int) -> tuple[int, int]:
    """Return (open, close) of the interval a time lies in; the close is its last ms."""
    if interval == _MONTH:
        first = datetime.fromtimestamp(time_ms // 1_000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return int(first.timestamp()) * 1_000, int(after.timestamp()) * 1_000 - 1
    length = INTERVALS[interval]
    offset = _WEEK_OFFSET_MS if interval == "1w" else 0
    opened = time_ms - (time_ms - offset) % length
    return opened, opened + length - 1


@final
class KlineSeries:
    """The minutes of one symbol, the forming one last."""

    def __init__(self) -> None:
        self._minutes: deque[Kline] = deque(maxlen=_KEPT_MINUTES)

    def on_trade(self, time_ms: int, trade_id: int, ticks: int, lots: int, *, is_buy: bool) -> None:
        """Add a trade."""
        self.roll(time_ms)
        opened = time_ms - time_ms % MINUTE_MS
        if not self._minutes or self._minutes[-1].open_ms < opened:
            self._minutes.append(Kline(opened, ticks, ticks, ticks, ticks))
        bar = self._minutes[-1]
        if not bar.count:
            bar.open = bar.high = bar.low = bar.close = ticks
        turnover = ticks * lots
        bar.add(
            Kline(
                opened,
                ticks,
                ticks,
                ticks,
                ticks,
                lots,
                turnover,
                1,
                lots if is_buy else 0,
                turnover if is_buy else 0,
                trade_id,
                trade_id,
            )
        )

    def roll(self, time_ms: int) -> None:
        """Begin the minute of a time; minutes without a trade are flat at the last close."""
        if not self._minutes:
            return
        opened = time_ms - time_ms % MINUTE_MS
        last = self._minutes[-1]
        begin = max(last.open_ms + MINUTE_MS, opened - _KEPT_MINUTES * MINUTE_MS)
        for open_ms in range(begin, opened + 1, MINUTE_MS):
            self._minutes.append(Kline(open_ms, last.close, last.close, last.close, last.close))

    def load(self, candles: Iterable[Candle]) -> None:
        """Take history from before the first trade."""
        if self._minutes:
            return
        for candle in candles:
            turnover = candle.volume_lots * (candle.open_ticks + candle.close_ticks) // 2
            self._minutes.append(
                Kline(
                    candle.open_time_ms,
                    candle.open_ticks,
                    candle.high_ticks,
                    candle.low_ticks,
                    candle.close_ticks,
                    candle.volume_lots,
                    turnover,
                    max(1, candle.volume_lots // 50),
                    candle.volume_lots // 2,
                    turnover // 2,
                )
            )

    def since(self, time_ms: int) -> list[Kline]:
        """Return the minutes that opened at or after a time."""
        return [bar for bar in self._minutes if bar.open_ms >= time_ms]

    def current(self, interval: str) -> Kline | None:
        """Return the bar of an interval that is forming."""
        if not self._minutes:
            return None
        opened, _ = bounds(interval, self._minutes[-1].open_ms)
        return _merge(opened, self.since(opened))

    def bars(self, interval: str, start_ms: int, end_ms: int, limit: int) -> list[Kline]:
        """Return bars of an interval whose opening lies within a span: the first ones if it has a start, else the last.

        A first bar whose beginning was forgotten is left out, unless it is all there is.
        """
        groups: dict[int, list[Kline]] = {}
        for minute in self._minutes:
            groups.setdefault(bounds(interval, minute.open_ms)[0], []).append(minute)
        whole = [opened for opened, group in groups.items() if group[0].open_ms == opened] or list(groups)
        rows = [_merge(opened, groups[opened]) for opened in whole if start_ms <= opened <= end_ms]
        found = [row for row in rows if row is not None]
        return found[:limit] if start_ms else found[-limit:]


def _merge(opened: int, minutes: list[Kline]) -> Kline | None:
    if not minutes:
        return None
    bar = msgspec.structs.replace(minutes[0], open_ms=opened)
    for minute in minutes[1:]:
        bar.add(minute)
    return bar
