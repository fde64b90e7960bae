"""One-minute bars from trades, bounded, and longer ones summed from them.

The clock closes a minute, not the next trade; a minute without a trade is flat at the last close, so bars are
contiguous as venues publish them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, final

import msgspec

from opensqt.domain.market import Candle

MINUTE_MS: Final = 60_000
INTERVALS_MS: Final = (60_000, 180_000, 300_000, 900_000, 3_600_000)
"""Intervals on offer: 1m, 3m, 5m, 15m, 1h."""

_MAX_FILL = 1_500


class Bar(msgspec.Struct):
    """One bar; turnover is the sum of price_ticks * lots."""

    open_time_ms: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int = 0
    turnover_ticks_lots: int = 0
    trade_count: int = 0


@final
class CandleSeries:
    """The last `limit` closed minutes of one symbol and the forming one."""

    def __init__(self, symbol: str, limit: int) -> None:
        self._symbol = symbol
        self._closed: deque[Bar] = deque(maxlen=limit)
        self._forming: Bar | None = None
        self._end_ms = 0

    @property
    def end_ms(self) -> int:
        """Return when the forming minute ends, 0 before the first trade."""
        return self._end_ms

    def on_trade(self, time_ms: int, price_ticks: int, lots: int) -> list[Bar]:
        """Book a trade; return the bars that it closed (usually none)."""
        closed = self.on_time(time_ms) if self._end_ms and time_ms >= self._end_ms else []
        bar = self._forming
        if bar is None:
            bar = self._begin(time_ms, price_ticks)
            closed += self._flat_between(bar.open_time_ms)
        if bar.trade_count == 0:
            bar.open_ticks = bar.high_ticks = bar.low_ticks = price_ticks
        elif price_ticks > bar.high_ticks:
            bar.high_ticks = price_ticks
        elif price_ticks < bar.low_ticks:
            bar.low_ticks = price_ticks
        bar.close_ticks = price_ticks
        bar.volume_lots += lots
        bar.turnover_ticks_lots += price_ticks * lots
        bar.trade_count += 1
        return closed

    def on_time(self, time_ms: int) -> list[Bar]:
        """Close the minutes that are over; a minute without a trade is flat at the last close."""
        bar = self._forming
        if bar is None or time_ms < self._end_ms:
            return []
        self._closed.append(bar)
        self._begin(time_ms, bar.close_ticks)
        return [bar, *self._flat_between(time_ms - time_ms % MINUTE_MS)]

    def load_history(self, candles: Iterable[Candle]) -> list[Bar]:
        """Take closed minutes from before the first trade; older ones than those known are ignored."""
        known = self._closed[-1].open_time_ms if self._closed else -1
        if self._forming is not None:
            return []
        added = [
            Bar(c.open_time_ms, c.open_ticks, c.high_ticks, c.low_ticks, c.close_ticks, c.volume_lots,
                c.volume_lots * (c.open_ticks + c.close_ticks) // 2)
            for c in candles
            if c.open_time_ms > known
        ]  # fmt: skip
        self._closed.extend(added)
        return added

    def restore(self, closed: Iterable[Bar], forming: Bar | None) -> None:
        """Replace everything by saved bars."""
        self._closed.clear()
        self._closed.extend(closed)
        self._forming = forming
        self._end_ms = forming.open_time_ms + MINUTE_MS if forming else 0

    @property
    def closed(self) -> tuple[Bar, ...]:
        """Return the closed minutes, oldest first."""
        return tuple(self._closed)

    @property
    def forming(self) -> Bar | None:
        """Return the minute that is still open, None before the first trade."""
        return self._forming

    def last(self, interval_ms: int, limit: int) -> list[Candle]:
        """Return up to `limit` candles of an interval, oldest first; the last one may still be forming.

        An incomplete first group (its beginning was forgotten) is left out.

        Raises:
            ValueError: the interval is not on offer.
        """
        if interval_ms not in INTERVALS_MS:
            raise ValueError(f"interval was {interval_ms} ms; this venue offers {', '.join(map(str, INTERVALS_MS))}")
        bars = self._tail(limit * (interval_ms // MINUTE_MS) + interval_ms // MINUTE_MS)
        groups: dict[int, list[Bar]] = {}
        for bar in bars:
            groups.setdefault(bar.open_time_ms - bar.open_time_ms % interval_ms, []).append(bar)
        rows = [(start, group) for start, group in groups.items() if group[0].open_time_ms == start]
        if not rows and groups:
            rows = list(groups.items())
        return [self._merge(start, group, interval_ms) for start, group in rows[-limit:]] if limit > 0 else []

    def _tail(self, count: int) -> list[Bar]:
        forming = [] if self._forming is None else [self._forming]
        skip = max(0, len(self._closed) - count)
        return [bar for index, bar in enumerate(self._closed) if index >= skip] + forming

    def _merge(self, start: int, bars: list[Bar], interval_ms: int) -> Candle:
        last = bars[-1]
        is_forming = last is self._forming
        # A longer candle whose last minute is missing is still open too: its end has not been reached.
        is_closed = not is_forming and last.open_time_ms + MINUTE_MS == start + interval_ms
        return Candle(
            symbol=self._symbol,
            interval_ms=interval_ms,
            open_time_ms=start,
            open_ticks=bars[0].open_ticks,
            high_ticks=max(bar.high_ticks for bar in bars),
            low_ticks=min(bar.low_ticks for bar in bars),
            close_ticks=last.close_ticks,
            volume_lots=sum(bar.volume_lots for bar in bars),
            is_closed=is_closed,
        )

    def _begin(self, time_ms: int, price_ticks: int) -> Bar:
        start = time_ms - time_ms % MINUTE_MS
        self._forming = Bar(start, price_ticks, price_ticks, price_ticks, price_ticks)
        self._end_ms = start + MINUTE_MS
        return self._forming

    def _flat_between(self, until_ms: int) -> list[Bar]:
        added = list(_flat_bars(self._closed[-1], until_ms)) if self._closed else []
        self._closed.extend(added)
        return added


def _flat_bars(last: Bar, until_ms: int) -> Iterator[Bar]:
    """Yield empty minutes between a bar and a time, at most as many as anyone could look at."""
    first = max(last.open_time_ms + MINUTE_MS, until_ms - _MAX_FILL * MINUTE_MS)
    for open_time_ms in range(first, until_ms, MINUTE_MS):
        price = last.close_ticks
        yield Bar(open_time_ms, price, price, price, price)
