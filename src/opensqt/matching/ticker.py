"""Statistics of the last 24 hours, summed from the minutes kept."""

from collections.abc import Iterable

import msgspec

from opensqt.matching.candles import MINUTE_MS, Bar

DAY_MINUTES = 1_440


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """24-hour statistics in ticks and lots. `open_interest_lots` is 0: a simulated market has none to report."""

    symbol: str
    open_ticks: int = 0
    high_ticks: int = 0
    low_ticks: int = 0
    last_ticks: int = 0
    volume_lots: int = 0
    turnover_ticks_lots: int = 0
    trade_count: int = 0
    best_bid_ticks: int = 0
    best_ask_ticks: int = 0
    open_interest_lots: int = 0
    time_ns: int = 0


def ticker_of(
    symbol: str, bars: Iterable[Bar], last_ticks: int, best_bid_ticks: int, best_ask_ticks: int, time_ns: int
) -> Ticker:
    """Sum the bars whose minute lies within 24 hours before `time_ns`."""
    since_ms = time_ns // 1_000_000 - DAY_MINUTES * MINUTE_MS
    day = [bar for bar in bars if bar.open_time_ms > since_ms]
    if not day:
        return Ticker(
            symbol=symbol,
            last_ticks=last_ticks,
            best_bid_ticks=best_bid_ticks,
            best_ask_ticks=best_ask_ticks,
            time_ns=time_ns,
        )
    return Ticker(
        symbol=symbol,
        open_ticks=day[0].open_ticks,
        high_ticks=max(bar.high_ticks for bar in day),
        low_ticks=min(bar.low_ticks for bar in day),
        last_ticks=last_ticks or day[-1].close_ticks,
        volume_lots=sum(bar.volume_lots for bar in day),
        turnover_ticks_lots=sum(bar.turnover_ticks_lots for bar in day),
        trade_count=sum(bar.trade_count for bar in day),
        best_bid_ticks=best_bid_ticks,
        best_ask_ticks=best_ask_ticks,
        time_ns=time_ns,
    )
