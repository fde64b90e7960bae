"""What is done now and then while the sessions run: the clock, the account's truth, settings, the dead-man switch."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, final

import structlog

from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.venues.binance import requests_orders as ask
from opensqt.connector.venues.binance.account_book import AccountBook
from opensqt.connector.venues.binance.clock_sync import ClockSync
from opensqt.connector.venues.binance.clock_watch import ClockWatch
from opensqt.connector.venues.binance.dead_man import Countdown, DeadMan
from opensqt.connector.venues.binance.parse_settings import parse_countdown
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.start_checks import StartChecks
from opensqt.connector.venues.binance.takeover import Takeover
from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.errors import AuthError, ErrorReason, OpensqtError, StateError
from opensqt.domain.market import DeadManState

REFRESH_EVERY_NS: Final = 5 * NS_PER_S
"""Positions and balances are read no more often for what fills change in them beyond what the stream tells (available
balance, liquidation price): the first fill after a quiet time is followed by a read at once. A read weighs 10, so one
every second would be a quarter of all that the venue grants an address, just because a market is busy."""
HEAL_EVERY_NS: Final = 60 * NS_PER_S
SETTINGS_EVERY_NS: Final = 300 * NS_PER_S
INCOME_EVERY_NS: Final = 600 * NS_PER_S
INCOME_PAUSES_NS: Final = (NS_PER_S, 5 * NS_PER_S, 20 * NS_PER_S)
TICK_S: Final = 0.1
CLOCK_ROUND: Final = 3
"""Questions per measurement of the clock."""

_FORBIDDEN: Final = frozenset({ErrorReason.BAD_CREDENTIALS, ErrorReason.VENUE_PERMISSION, ErrorReason.NOT_SUPPORTED})

_UNFIT: Final = frozenset({ErrorReason.POSITION_MODE, ErrorReason.VENUE_PERMISSION, ErrorReason.BAD_CREDENTIALS})
"""What makes an account unfit for trading until somebody changes it at the venue."""

_log = structlog.get_logger(__name__)


@final
class Upkeep:
    """Everything with a period. A failed round is logged and comes again; it never ends the session."""

    def __init__(
        self,
        checks: StartChecks,
        sync: ClockSync,
        takeover: Takeover,
        book: AccountBook,
        budget: RateBudget,
        queries: BinanceQueries,
        dead_man: DeadMan,
        clock: Clock,
        venue_ns: Callable[[], int],
        clock_watch: ClockWatch,
        on_trouble: Callable[[str], None],
        on_dead_man: Callable[[str, DeadManState], None],
    ) -> None:
        self._checks = checks
        self._sync = sync
        self._takeover = takeover
        self._book = book
        self._budget = budget
        self._q = queries
        self._dead_man = dead_man
        self._clock = clock
        self._venue_ns = venue_ns
        self._clock_watch = clock_watch
        self._on_trouble = on_trouble
        self._account_problem = ""
        self._on_dead_man = on_dead_man
        now_ns = clock.monotonic_ns()
        self._heal_ns = self._settings_ns = self._refresh_ns = self._income_ns = now_ns
        self._income_due: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._good: frozenset[str] = frozenset()
        self._claimed: frozenset[str] = frozenset()

    def clock_is_wrong(self) -> None:
        """Note that the venue refused our time."""
        self._clock_watch.refused()

    def watch(self, good: frozenset[str], claimed: frozenset[str]) -> None:
        """Note which symbols the dead-man switch covers."""
        self._good, self._claimed = good, claimed

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            now_ns = self._clock.monotonic_ns()
            for countdown in self._dead_man.due(self._good, self._claimed, now_ns):
                self._spawn(self._set_countdown(countdown))
            for symbol in self._q.listings.instruments:
                self._on_dead_man(symbol, self._dead_man.state(symbol, now_ns))
            await self._tolerate(self._clock_round(now_ns), "clock")
            await self._tolerate(self.account_round(now_ns), "account")
            await self._tolerate(self._income_round(now_ns), "income")

    async def disarm(self) -> None:
        """Stop the countdowns of symbols whose engines have taken their leave."""
        left = self._dead_man.due((), self._claimed, self._clock.monotonic_ns())
        for countdown in left:
            await self._set_countdown(countdown)

    async def _clock_round(self, now_ns: int) -> None:
        watch = self._clock_watch
        self._on_trouble(watch.problem(now_ns) or self._account_problem)
        if watch.is_due(now_ns):
            watch.begin(now_ns)
            watch.measured(await self._checks.clock_samples(CLOCK_ROUND, is_wrong=watch.was_refused))
            self._budget.align(self._sync.offset_ns(now_ns))

    async def account_round(self, now_ns: int) -> None:
        """Read of the account what is due at a monotonic time.

        Raises:
            OpensqtError: a question failed; it comes again.
        """
        if now_ns - self._heal_ns >= HEAL_EVERY_NS:
            self._heal_ns = self._refresh_ns = now_ns
            await self._takeover.everything(self._venue_ns() - HEAL_EVERY_NS)
        elif self._book.needs_refresh and now_ns - self._refresh_ns >= REFRESH_EVERY_NS:
            self._refresh_ns = now_ns
            await self._takeover.balances()
        if now_ns - self._settings_ns >= SETTINGS_EVERY_NS:
            self._settings_ns = now_ns
            await self._check_modes()
            await self._checks.symbol_settings(list(self._q.listings.instruments.values()))

    async def _check_modes(self) -> None:
        """Stop opening when the account was switched to another mode, or may no longer trade."""
        try:
            await self._checks.modes()
        except (StateError, AuthError) as error:
            if error.reason not in _UNFIT:
                raise
            self._account_problem = error.message
            _log.error("account_unfit", why=error.message)
        else:
            self._account_problem = ""

    async def _income_round(self, now_ns: int) -> None:
        if self._book.needs_income:
            self._book.needs_income = False
            # The history may lag behind the stream that announced it.
            self._income_due = [now_ns + pause_ns for pause_ns in INCOME_PAUSES_NS]
        is_due = bool(self._income_due) and now_ns >= self._income_due[0]
        if is_due or now_ns - self._income_ns >= INCOME_EVERY_NS:
            if is_due:
                self._income_due.pop(0)
            self._income_ns = now_ns
            await self._takeover.income(self._venue_ns())

    async def _set_countdown(self, countdown: Countdown) -> None:
        name = self._q.listing(countdown.symbol).instrument.venue_symbol
        try:
            await self._q.ask(ask.countdown(name, countdown.countdown_ms), "set countdown", parse_countdown)
        except OpensqtError as error:
            _log.warning("dead_man_not_set", symbol=countdown.symbol, why=str(error))
            is_forbidden = error.reason in _FORBIDDEN
            self._dead_man.failed(countdown, self._clock.monotonic_ns(), is_forbidden=is_forbidden)
        else:
            self._dead_man.done(countdown, self._clock.monotonic_ns())

    async def _tolerate(self, work: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await work
        except OpensqtError as error:
            _log.warning("upkeep_failed", what=what, why=str(error))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
