"""The market in the venue's time: re-timed, sped up, its history ending now."""

from itertools import pairwise

from opensqt.matching.events import CandleHistory, MarkUpdate, TradePrint
from opensqt.matching.sources.synthetic import SyntheticConfig, SyntheticSource, synthetic_symbol
from opensqt.sim.feed import Feed

SECOND = 1_000_000_000
OLD = 1_700_000_000 * SECOND
NOW = 1_795_359_661 * SECOND


def feed(speed: float) -> Feed:
    config = SyntheticConfig(seed=3, start_time_ns=OLD, symbols=(synthetic_symbol("BTCUSDT"),), history_minutes=30)
    return Feed(SyntheticSource(config), NOW, speed)


def test_events_happen_now_and_never_later_than_asked() -> None:
    events = list(feed(1.0).pop(NOW + 5 * SECOND))
    assert all(NOW <= event.time_ns <= NOW + 5 * SECOND for event in events)
    assert all(before.time_ns <= after.time_ns for before, after in pairwise(events))


def test_speed_brings_more_events_in_the_same_time() -> None:
    slow = [event for event in feed(1.0).pop(NOW + 10 * SECOND) if isinstance(event, TradePrint)]
    fast = [event for event in feed(4.0).pop(NOW + 10 * SECOND) if isinstance(event, TradePrint)]
    assert len(fast) > 3 * len(slow)
    assert [event.price_ticks for event in fast[: len(slow)]] == [event.price_ticks for event in slow]


def test_history_ends_in_the_minute_before_now() -> None:
    (history,) = [event for event in feed(2.0).pop(NOW) if isinstance(event, CandleHistory)]
    times = [candle.open_time_ms for candle in history.candles]
    now_ms = NOW // 1_000_000
    assert times[-1] == now_ms - now_ms % 60_000 - 60_000
    assert all(after - before == 60_000 for before, after in pairwise(times))


def test_funding_is_announced_for_the_venues_own_clock() -> None:
    marks = [event for event in feed(1.0).pop(NOW + SECOND) if isinstance(event, MarkUpdate)]
    hours_ms = 8 * 3_600_000
    assert all(0 < mark.next_funding_time_ms - NOW // 1_000_000 <= hours_ms for mark in marks)
    assert all(mark.next_funding_time_ms % hours_ms == 0 for mark in marks)


def test_a_market_that_is_held_goes_on_later_and_loses_nothing() -> None:
    held, free = feed(4.0), feed(4.0)
    before = list(held.pop(NOW + SECOND))
    held.hold(3 * SECOND)
    assert not list(held.pop(NOW + 2 * SECOND))
    after = list(held.pop(NOW + 5 * SECOND))
    whole = list(free.pop(NOW + 2 * SECOND))
    assert len(before) + len(after) == len(whole)
    assert all(event.time_ns >= NOW + 4 * SECOND for event in after)
