"""The multi-symbol volume halt: it takes all symbols to begin, some to end, and it never fails silently."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.engine.risk.config import VolumeHaltConfig
from opensqt.engine.risk.volume_halt import HaltView, MarketCandle, VolumeHalt
from opensqt.runtime.config import ConfigError

MINUTE_MS = 60_000
MS = 1_000_000
SYMBOLS = ("BTC", "ETH", "SOL")
WINDOW = 5


class Market:
    """Feeds a rule with candles, minute by minute."""

    def __init__(self, **changes: object) -> None:
        config: dict[str, object] = {
            "enabled": True,
            "symbols": SYMBOLS,
            "window": WINDOW,
            "recovery_threshold": 2,
            **changes,
        }
        self.rule = VolumeHalt(VolumeHaltConfig(**config))  # type: ignore[arg-type]
        self.minute = 1_000
        self.now_ns = self.minute * MINUTE_MS * MS

    def give(self, symbol: str, close: str, volume: str, *, closed: bool, minute: int | None = None) -> None:
        self.rule.take(
            MarketCandle(
                symbol=symbol,
                open_time_ms=(self.minute if minute is None else minute) * MINUTE_MS,
                close=Decimal(close),
                volume=Decimal(volume),
                is_closed=closed,
            ),
            self.now_ns,
        )

    def quiet(self, minutes: int = WINDOW) -> None:
        for _ in range(minutes):
            for symbol in SYMBOLS:
                self.give(symbol, "100", "10", closed=True)
            self.next_minute()

    def next_minute(self) -> None:
        self.minute += 1
        self.now_ns = self.minute * MINUTE_MS * MS

    def judge(self) -> HaltView:
        return self.rule.judge(self.now_ns)

    def halted(self) -> "Market":
        self.quiet()
        for symbol in SYMBOLS:
            self.give(symbol, "90", "31", closed=False)
        assert self.judge().is_halted
        return self


def test_all_symbols_falling_on_high_volume_begin_the_halt_on_a_forming_candle() -> None:
    market = Market()
    market.quiet()
    for symbol in SYMBOLS[:2]:
        market.give(symbol, "90", "31", closed=False)
    market.give(SYMBOLS[2], "100", "10", closed=False)
    assert not market.judge().is_halted, "one of them does not fall"
    market.give(SYMBOLS[2], "90", "31", closed=False)
    assert market.judge().is_halted


@pytest.mark.parametrize(("close", "volume"), [("100", "31"), ("90", "30"), ("101", "99"), ("90", "5")])
def test_price_and_volume_are_both_needed_and_strict(close: str, volume: str) -> None:
    market = Market()
    market.quiet()
    for symbol in SYMBOLS:
        market.give(symbol, close, volume, closed=True)
    assert not market.judge().is_halted


def test_bug_18_a_new_candle_with_little_volume_does_not_end_the_halt() -> None:
    market = Market().halted()
    for symbol in SYMBOLS:
        market.give(symbol, "90", "40", closed=True)
    market.next_minute()
    for symbol in SYMBOLS:
        market.give(symbol, "101", "0.1", closed=False)
    assert market.judge().is_halted


def test_a_candle_that_closed_before_the_fall_does_not_end_the_halt() -> None:
    market = Market()
    market.quiet(WINDOW)
    for symbol in SYMBOLS:
        market.give(symbol, "120", "10", closed=True)
    market.next_minute()
    for symbol in SYMBOLS:
        market.give(symbol, "90", "50", closed=False)
    assert market.judge().is_halted
    for _ in range(5):
        assert market.judge().is_halted, "the last closed candle, above its mean, opened before the fall"


def test_enough_symbols_with_a_calm_closed_candle_above_their_mean_end_it() -> None:
    market = Market().halted()
    for symbol in SYMBOLS:
        market.give(symbol, "90", "40", closed=True)
    market.next_minute()
    market.give(SYMBOLS[0], "105", "10", closed=True)
    market.give(SYMBOLS[1], "105", "99", closed=True)
    market.give(SYMBOLS[2], "90", "10", closed=True)
    view = market.judge()
    assert (view.is_halted, view.recovered) == (True, 1)
    market.next_minute()
    for symbol in SYMBOLS[:2]:
        market.give(symbol, "105", "10", closed=True)
    market.give(SYMBOLS[2], "90", "10", closed=True)
    view = market.judge()
    assert (view.is_halted, view.recovered) == (False, 2)


def test_a_silent_symbol_makes_the_rule_blind_and_says_which() -> None:
    market = Market()
    market.quiet()
    for symbol in SYMBOLS:
        market.give(symbol, "100", "10", closed=False)
    assert not market.judge().is_blind
    market.now_ns += 91_000 * MS
    for symbol in SYMBOLS[:2]:
        market.give(symbol, "90", "99", closed=False)
    view = market.judge()
    assert view.is_blind
    assert not view.is_halted
    silent = [one for one in view.symbols if not one.is_fresh]
    assert [one.symbol for one in silent] == [SYMBOLS[2]]
    assert "no news for 91000 ms" in silent[0].detail


def test_a_symbol_that_never_came_is_blind_after_its_time_and_not_before() -> None:
    market = Market()
    assert not market.judge().is_blind
    market.now_ns += 90_000 * MS
    view = market.judge()
    assert view.is_blind
    assert {one.detail for one in view.symbols} == {"no candle yet"}


def test_a_hole_among_the_candles_makes_a_symbol_unfit() -> None:
    market = Market()
    market.quiet(3)
    market.next_minute()
    market.quiet(3)
    for symbol in SYMBOLS:
        market.give(symbol, "90", "99", closed=False)
    view = market.judge()
    assert not view.is_halted
    assert {one.detail for one in view.symbols} == {"a candle is missing among the newest"}


def test_a_halt_goes_on_while_the_rule_is_blind() -> None:
    market = Market().halted()
    market.rule.lose(SYMBOLS[0], "UNKNOWN_SYMBOL")
    market.now_ns += 200_000 * MS
    view = market.judge()
    assert view.is_blind
    assert view.is_halted
    assert view.symbols[0].detail == "UNKNOWN_SYMBOL"


def test_late_news_of_a_closed_candle_changes_nothing() -> None:
    market = Market()
    market.quiet()
    for symbol in SYMBOLS:
        market.give(symbol, "100", "10", closed=True)
        market.give(symbol, "90", "99", closed=False)
    assert not market.judge().is_halted


def test_a_threshold_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ConfigError, match="recovery_threshold"):
        VolumeHaltConfig(symbols=("BTC", "ETH"), recovery_threshold=3)
    with pytest.raises(ConfigError, match="twice"):
        VolumeHaltConfig(symbols=("BTC", "BTC"), recovery_threshold=1)


candle = st.tuples(st.sampled_from(SYMBOLS), st.integers(0, 8), st.integers(80, 120), st.integers(1, 60), st.booleans())


@given(st.lists(candle, max_size=80))
def test_order_of_arrival_of_closed_candles_does_not_matter(candles: list[tuple[str, int, int, int, bool]]) -> None:
    closed = {(symbol, minute): (close, volume) for symbol, minute, close, volume, _closed in candles}
    one, other = Market(), Market()
    for (symbol, minute), (close, volume) in closed.items():
        one.give(symbol, str(close), str(volume), closed=True, minute=minute)
    for (symbol, minute), (close, volume) in reversed(closed.items()):
        other.give(symbol, str(close), str(volume), closed=True, minute=minute)
    if len(closed) <= WINDOW + 2:  # beyond that the oldest may have left before it came
        assert one.judge() == other.judge()
