"""The engine around its core: events in from wherever, commands out to the connector, records to the disk, news to
readers.

One loop, one thread: `take` hands a turn to the core and carries out what it answers before anything else runs. Timers
drive what the core does by time, sample the equity, and watch the disk.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import final

import structlog

from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.order import TimeInForce
from opensqt.engine.carrying import ReattachPace, sort_commands
from opensqt.engine.commands import (
    BotRecord,
    Command,
    EquityRecord,
    JournalRecord,
    Place,
    SendCommand,
    StoreRecord,
)
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Event, Resume, Saved, Stalled, Stop, StopMode, Timer
from opensqt.engine.exchange_client import ExchangeClient
from opensqt.engine.kill_marker import read_marker, remove_marker
from opensqt.engine.market_client import MarketClient
from opensqt.engine.publisher import Publisher
from opensqt.engine.risk.stalls import StallDetector
from opensqt.engine.store.store import Store
from opensqt.engine.store.watch import StoreWatch
from opensqt.engine.venue_reader import VenueReader
from opensqt.runtime.clock import suspended_ns
from opensqt.runtime.crash_points import crash_point
from opensqt.runtime.sqlite import StoreError

TIMER_S = 0.2
EQUITY_S = 30.0
DISK_S = 5.0

_HEARD = crash_point("engine.heard", "events have arrived, nothing is decided")
_DECIDED = crash_point("engine.decided", "events were taken, nothing is sent and nothing queued for the disk")
_INTENT = crash_point("engine.intent", "orders are decided and not yet in the queue to the connector")
_EPOCH_SAVED = crash_point("engine.epoch_saved", "the run's epoch is on disk, its first order is not decided")

_log = structlog.get_logger(__name__)


@final
class EngineShell:
    """Binds the core to the world.

    Args:
        core: the decisions.
        store: the disk.
        publisher: the readers.
        clock: steady time.
        stalls: finds gaps between turns.
        state_file: beside it lies the note of a kill that went past us.
    """

    def __init__(
        self,
        core: EngineCore,
        store: Store,
        publisher: Publisher,
        clock: Clock,
        stalls: StallDetector,
        state_file: Path,
    ) -> None:
        self._state_file = state_file
        self.core = core
        self.store = store
        self.publisher = publisher
        self.clock = clock
        self.stalls = stalls
        self.client: ExchangeClient | None = None
        self.market: MarketClient | None = None
        self.beat: Callable[[], None] = lambda: None
        self.reader: VenueReader | None = None
        self.tell: Callable[[JournalRecord], None] = lambda _record: None
        """Told of every line of a journal: alerts."""
        self.on_attached: Callable[[bool], None] = lambda _attached: None
        self.barred: set[str] = set()
        """Symbols of which nothing that opens is sent any more: they were killed, or the engine is leaving."""
        self._was_attached = False
        self._store_watch = StoreWatch(store.config)
        self._saving: set[asyncio.Task[None]] = set()
        self._to_save: list[StoreRecord] = []
        self._receive_ns = 0
        self._pace = ReattachPace()
        self._reattach_timer: asyncio.TimerHandle | None = None
        self._turn_waiters: list[asyncio.Future[None]] = []

    def take(self, events: list[Event]) -> None:
        """Hand one turn to the core and carry out what it answers."""
        newest = events[-1]
        gap_ns = self.stalls.check(self.clock.monotonic_ns(), suspended_ns())
        if gap_ns:
            # Somebody may have killed our bots while we stood still; that comes first.
            events = [*self._killed_meanwhile(), Stalled(gap_ns), *events]
        if self.barred:
            for event in events:
                if isinstance(event, Resume):
                    self.barred.discard(self.core.bots[event.bot_id].symbol)
        self._receive_ns = getattr(newest, "receive_ns", 0)
        _HEARD()
        commands = self.core.handle_batch(events, self.clock.now_ns())
        _DECIDED()
        self._carry_out(commands)
        self.publisher.after_turn()
        if self.core.attached is not self._was_attached:
            self._was_attached = self.core.attached
            self.on_attached(self._was_attached)
        if self._turn_waiters:
            for waiter in self._turn_waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._turn_waiters.clear()

    async def wait_until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something holds after a turn; False when it still does not after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not holds():
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._turn_waiters.append(waiter)
                    await waiter
        except TimeoutError:
            return False
        return True

    async def run_timer(self) -> None:
        """Let time pass for the core, and watch the disk."""
        while True:
            await asyncio.sleep(TIMER_S)
            self.beat()
            events: list[Event] = [*self._killed_meanwhile(), Timer()]
            health = self._store_watch.judge(self.store.reading, self.clock.now_ns())
            if health is not None:
                events.append(health)
            self.take(events)

    def obey_marker(self) -> None:
        """Stop the bots that were killed while no engine ran; to be called before anything is sent."""
        killed = self._killed_meanwhile()
        if killed:
            self.take([*killed])

    def _killed_meanwhile(self) -> list[Event]:
        ids = read_marker(self._state_file)
        if ids is None:
            return []
        bots = [bot for bot in self.core.bots.values() if bot.id in ids or "*" in ids]
        _log.error("killed_meanwhile", bots=[bot.id for bot in bots])
        self.barred.update(bot.symbol for bot in bots)
        remove_marker(self._state_file)
        return [Stop(bot.id, StopMode.CANCEL, "kill switch") for bot in bots]

    async def run_disk(self) -> None:
        """Look at the free space of the disk now and then."""
        while True:
            with contextlib.suppress(OSError):
                await self.store.measure_space()
            await asyncio.sleep(DISK_S)

    async def run_equity(self) -> None:
        """Sample every bot's profit."""
        while True:
            await asyncio.sleep(EQUITY_S)
            self.sample_equity()

    def sample_equity(self) -> None:
        """Store every bot's profit as it is now."""
        self.save_now()
        records: list[StoreRecord] = []
        now_ns = self.clock.now_ns()
        for bot in self.core.bots.values():
            pnl, instrument, account = bot.pnl(), bot.instrument, bot.account
            if pnl is None or instrument is None or account is None or bot.account_book is None:
                continue
            records.append(
                EquityRecord(
                    bot_id=bot.id,
                    time_ns=now_ns,
                    equity=account.margin_balance,
                    mark_price=bot.market.mark_price(instrument),
                    position_lots=bot.position.lots,
                    entry_price=bot.position.entry_price,
                    grid_profit=pnl.grid_profit,
                    inventory=pnl.inventory,
                    fees=pnl.fees,
                    funding=pnl.funding,
                    transfers=pnl.transfers,
                    unexplained=bot.account_book.unexplained,
                )
            )
        if records:
            self.store.write(records)

    def _carry_out(self, commands: list[Command]) -> None:
        asks = self.core.outbox.take_asks()
        if asks and self.reader is not None:
            self.reader.ask(asks)
        if not commands:
            return
        sends, records, reattach = sort_commands(commands)
        if self.barred:
            sends = [command for command in sends if not self._is_barred(command)]
        if sends and self.client is not None:
            _INTENT()
            self.client.send(sends, self._receive_ns)
        if records:
            self._save_later(records)
        if reattach is not None:
            if reattach.with_market and self.market is not None:
                self.market.renew(reattach.reason)
            self._reattach(reattach.reason)

    def _is_barred(self, command: SendCommand) -> bool:
        if not isinstance(command, Place) or command.request.symbol not in self.barred:
            return False
        return not (command.request.reduce_only and command.request.time_in_force is TimeInForce.IOC)

    def _reattach(self, reason: str) -> None:
        """End the session now, or later when the last one ended just before; proving everything takes its time."""
        if self.client is None or self._reattach_timer is not None:
            return
        wait_ns = self._pace.wait_ns(self.clock.monotonic_ns())
        if wait_ns > 0:
            loop = asyncio.get_running_loop()
            self._reattach_timer = loop.call_later(wait_ns / NS_PER_S, self._reattach_later, reason)
            return
        _log.warning("reattaching", reason=reason)
        self.client.reset(reason)

    def _reattach_later(self, reason: str) -> None:
        self._reattach_timer = None
        self._reattach(reason)

    def _save_later(self, records: list[StoreRecord]) -> None:
        """Hand records to the disk's thread in the next turn of the loop: this one's orders leave first."""
        if not self._to_save:
            asyncio.get_running_loop().call_soon(self.save_now)
        self._to_save += records

    def save_now(self) -> None:
        """Hand over what waits."""
        records, self._to_save = self._to_save, []
        if not records:
            return
        self.store.write(records)
        for record in records:
            if isinstance(record, JournalRecord):
                _log_journal(record)
                self.tell(record)
            elif isinstance(record, BotRecord) and not self.core.bots[record.bot_id].lattice_saved:
                task = asyncio.get_running_loop().create_task(self._confirm_saved(record.bot_id))
                self._saving.add(task)
                task.add_done_callback(self._saving.discard)

    async def _confirm_saved(self, bot_id: str) -> None:
        """Tell the core once the bot's lattice is on disk; its first order waits for that."""
        try:
            await self.store.flush()
        except StoreError as error:
            _log.error("state_not_saved", bot=bot_id, error=str(error))
            return
        _EPOCH_SAVED()
        self.take([Saved(bot_id)])


def _log_journal(record: JournalRecord) -> None:
    level = {"alarm": _log.error, "warning": _log.warning}.get(record.level, _log.info)
    level("journal", bot=record.bot_id, code=record.code, message=record.message)
