"""What the upkeep of a session asks of the venue, and how often."""

from typing import cast

from models.manual_time import ManualClock

from opensqt.connector.adapter import AdapterSink
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.connector.venues.binance.clock_watch import ClockWatch
from opensqt.connector.venues.binance.dead_man import DeadMan
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.start_checks import StartChecks
from opensqt.connector.venues.binance.takeover import Takeover
from opensqt.connector.venues.binance.upkeep import HEAL_EVERY_NS, TICK_S, Upkeep
from opensqt.domain.clock import NS_PER_S

READ_WEIGHT = 10
"""Positions and balances, 5 each."""
TICK_NS = int(TICK_S * NS_PER_S)


class CountingTakeover:
    """Counts the reads; as the real one, each settles what was due."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book
        self.reads = 0

    async def balances(self) -> None:
        self._book.needs_refresh = False
        self.reads += 1

    async def everything(self, since_ns: int) -> None:
        raise AssertionError("not due within the time of these tests")


def upkeep_of(book: AccountBook, takeover: CountingTakeover, clock: ManualClock) -> Upkeep:
    return Upkeep(
        cast("StartChecks", None),
        ClockSync(),
        cast("Takeover", takeover),
        book,
        RateBudget(()),
        cast("BinanceQueries", None),
        cast("DeadMan", None),
        clock,
        clock.now_ns,
        cast("ClockWatch", None),
        lambda _: None,
        lambda *_: None,
    )


async def test_a_market_that_fills_all_the_time_costs_a_small_part_of_the_request_weight() -> None:
    book, clock = AccountBook(cast("AdapterSink", None)), ManualClock()
    takeover = CountingTakeover(book)
    upkeep = upkeep_of(book, takeover, clock)
    for _ in range(0, HEAL_EVERY_NS - TICK_NS, TICK_NS):
        book.needs_refresh = True
        clock.passed_ns += TICK_NS
        await upkeep.account_round(clock.monotonic_ns())
    assert 6 <= takeover.reads <= 12
    assert takeover.reads * READ_WEIGHT <= 2_400 * 5 // 100


async def test_the_first_fill_after_a_quiet_time_is_followed_by_a_read_at_once() -> None:
    book, clock = AccountBook(cast("AdapterSink", None)), ManualClock()
    takeover = CountingTakeover(book)
    upkeep = upkeep_of(book, takeover, clock)
    clock.passed_ns += 20 * NS_PER_S
    await upkeep.account_round(clock.monotonic_ns())
    assert takeover.reads == 0
    book.needs_refresh = True
    await upkeep.account_round(clock.monotonic_ns())
    assert takeover.reads == 1
