"""Statistics of the last 24 hours of a symbol, from its klines."""

from typing import Any, Final

from opensqt.matching.ticker import Ticker
from opensqt.sim.dialects.binance import encode_market as write
from opensqt.sim.dialects.binance.market_data import SymbolData

_DAY_MS: Final = 86_400_000


def day_of(data: SymbolData, now_ms: int) -> dict[str, Any]:
    """Return a symbol's entry of `ticker/24hr`."""
    bars = data.klines.since(now_ms - _DAY_MS)
    last_ticks = data.last_price_ticks
    ticker = Ticker(
        symbol=data.rules.symbol,
        open_ticks=bars[0].open if bars else last_ticks,
        high_ticks=max((bar.high for bar in bars), default=last_ticks),
        low_ticks=min((bar.low for bar in bars), default=last_ticks),
        last_ticks=last_ticks,
        volume_lots=sum(bar.lots for bar in bars),
        turnover_ticks_lots=sum(bar.turnover for bar in bars),
        trade_count=sum(bar.count for bar in bars),
    )
    row = write.day_row(data.rules, ticker, bars, now_ms)
    if data.trades:
        row["lastQty"] = data.rules.quantity(data.trades[-1].lots)
    return row
