"""The multi-symbol volume halt: nothing opens while the whole market is being sold off on high volume.

A symbol is *dumping* when its newest candle, forming or closed, closes below the mean close of the `window` closed
candles before it and has more than `multiplier` times their mean volume. The halt begins when every symbol is. It ends
when `recovery_threshold` symbols have *recovered*: their last closed candle closes above the mean of those before it
with less than that volume. Only candles that opened no earlier than the one that dumped can show a recovery, so neither
a new candle that begins with little volume nor an old one that ended before the fall ends a halt.

Candles are kept by their open time. A symbol with too few candles, a hole among them, or no news for a while is not
fresh: it can neither dump nor recover, and the rule says that it is blind instead of passing silently. Pure.
"""

from decimal import Decimal
from typing import final

import msgspec

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.money import EXACT
from opensqt.engine.risk.config import VolumeHaltConfig

ZERO = Decimal(0)
INTERVAL_MS = {"1m": 60_000, "3m": 180_000, "5m": 300_000}

_PLACES = Decimal("0.00000001")


class MarketCandle(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of a monitored symbol."""

    symbol: str
    open_time_ms: int
    close: Decimal
    volume: Decimal
    is_closed: bool


class SymbolView(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol as the rule sees it; `detail` says why it is not fresh."""

    symbol: str
    is_fresh: bool
    detail: str = ""
    open_time_ms: int = 0
    close: Decimal = ZERO
    mean_close: Decimal = ZERO
    volume: Decimal = ZERO
    mean_volume: Decimal = ZERO
    is_dumping: bool = False
    has_recovered: bool = False


class HaltView(msgspec.Struct, frozen=True, kw_only=True):
    """The rule's whole state, with the terms it was judged by."""

    config: VolumeHaltConfig
    is_halted: bool
    since_ns: int
    is_blind: bool
    recovered: int
    symbols: tuple[SymbolView, ...]


@final
class _Series:
    """The newest candles of one symbol."""

    def __init__(self) -> None:
        self.candles: dict[int, MarketCandle] = {}
        self.heard_ns = 0
        self.trouble = ""
        self.dumped_at_ms = 0

    def take(self, candle: MarketCandle, keep: int) -> None:
        known = self.candles.get(candle.open_time_ms)
        if known is not None and known.is_closed and not candle.is_closed:
            return  # late news of a candle that has closed meanwhile
        self.candles[candle.open_time_ms] = candle
        while len(self.candles) > keep:
            del self.candles[min(self.candles)]


@final
class VolumeHalt:
    """The rule.

    Args:
        config: symbols, window, thresholds.
    """

    def __init__(self, config: VolumeHaltConfig) -> None:
        self.config = config
        self.is_halted = False
        self.since_ns = 0
        self._interval_ms = INTERVAL_MS[config.interval]
        self._series = {symbol: _Series() for symbol in config.symbols}
        self._begun_ns = 0

    def take(self, candle: MarketCandle, now_ns: int) -> None:
        """Take a candle; one of a symbol that is not monitored is no news."""
        series = self._series.get(candle.symbol)
        if series is not None:
            series.take(candle, self.config.window + 2)
            series.heard_ns = now_ns
            series.trouble = ""

    def lose(self, symbol: str, trouble: str) -> None:
        """Hear why no candles of a symbol come."""
        if symbol in self._series:
            self._series[symbol].trouble = trouble

    def judge(self, now_ns: int) -> HaltView:
        """Begin or end the halt, and return what is known."""
        self._begun_ns = self._begun_ns or now_ns
        views = tuple(self._view(symbol, series, now_ns) for symbol, series in self._series.items())
        recovered = sum(view.has_recovered for view in views)
        if not self.is_halted and all(view.is_dumping for view in views):
            self.is_halted, self.since_ns = True, now_ns
            for view in views:
                self._series[view.symbol].dumped_at_ms = view.open_time_ms
            recovered = 0
            views = tuple(msgspec.structs.replace(view, has_recovered=False) for view in views)
        elif self.is_halted and recovered >= self.config.recovery_threshold:
            self.is_halted, self.since_ns = False, 0
        return HaltView(
            config=self.config,
            is_halted=self.is_halted,
            since_ns=self.since_ns,
            is_blind=self._is_blind(views, now_ns),
            recovered=recovered,
            symbols=views,
        )

    def _is_blind(self, views: tuple[SymbolView, ...], now_ns: int) -> bool:
        """Return whether a symbol is not fresh; the first candles have some time to come."""
        waited_ns = now_ns - self._begun_ns
        return waited_ns >= self.config.stale_after_ms * NS_PER_MS and not all(view.is_fresh for view in views)

    def _view(self, symbol: str, series: _Series, now_ns: int) -> SymbolView:
        trouble = self._trouble(series, now_ns)
        if trouble:
            return SymbolView(symbol=symbol, is_fresh=False, detail=trouble)
        times = sorted(series.candles)
        newest = series.candles[times[-1]]
        closed = [series.candles[time] for time in times if series.candles[time].is_closed]
        before = [candle for candle in closed if candle.open_time_ms < newest.open_time_ms]
        mean_close, mean_volume = self._means(before)
        return SymbolView(
            symbol=symbol,
            is_fresh=True,
            open_time_ms=newest.open_time_ms,
            close=newest.close,
            mean_close=mean_close.quantize(_PLACES),
            volume=newest.volume,
            mean_volume=mean_volume.quantize(_PLACES),
            is_dumping=newest.close < mean_close and newest.volume > self.config.multiplier * mean_volume,
            has_recovered=self.is_halted and self._has_recovered(closed, series.dumped_at_ms),
        )

    def _has_recovered(self, closed: list[MarketCandle], dumped_at_ms: int) -> bool:
        last, before = closed[-1], closed[:-1]
        if last.open_time_ms < dumped_at_ms or len(before) < self.config.window:
            return False
        mean_close, mean_volume = self._means(before)
        return last.close > mean_close and last.volume < self.config.multiplier * mean_volume

    def _means(self, candles: list[MarketCandle]) -> tuple[Decimal, Decimal]:
        chosen = candles[-self.config.window :]
        count = len(chosen)
        close = volume = ZERO
        for candle in chosen:
            close, volume = EXACT.add(close, candle.close), EXACT.add(volume, candle.volume)
        return close / count, volume / count

    def _trouble(self, series: _Series, now_ns: int) -> str:
        if series.trouble:
            return series.trouble
        if not series.heard_ns:
            return "no candle yet"
        silent_ms = (now_ns - series.heard_ns) // NS_PER_MS
        if silent_ms > self.config.stale_after_ms:
            return f"no news for {silent_ms} ms"
        times = sorted(series.candles)
        newest = series.candles[times[-1]]
        before = [time for time in times if time < newest.open_time_ms and series.candles[time].is_closed]
        if len(before) < self.config.window:
            return f"{len(before)} closed candles, {self.config.window} are needed"
        used = [*before[-self.config.window :], newest.open_time_ms]
        if used[-1] - used[0] != self.config.window * self._interval_ms:
            return "a candle is missing among the newest"
        return ""
