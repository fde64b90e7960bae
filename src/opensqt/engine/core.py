"""The engine's decisions: events in, commands out; pure, single-threaded, deterministic.

`handle_batch` applies all events of one turn, then lets every bot they touched decide once, then returns what to send
and what to store. It reads no clock and no socket: the same events at the same times give the same commands, which is
what live trading, tests and simulation share. `now_ns` must never go back (the shell gives a monotonic clock set to
Unix time at its start).
"""

from collections.abc import Callable, Iterable
from typing import Any, final

import msgspec

from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.fill import CashFlow, CashFlowKind, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import FeedHealth, MarkPrice
from opensqt.domain.order import Order
from opensqt.engine import (
    answers,
    corrections,
    filters,
    operator_events,
    quoting,
    recovery,
    risk_duty,
    starting,
    upkeep,
)
from opensqt.engine.account import AccountBook
from opensqt.engine.bot import Bot
from opensqt.engine.commands import Command, Reattach, SlotRecord
from opensqt.engine.config import EngineConfig
from opensqt.engine.events import (
    Attached,
    BookTop,
    CandlesLost,
    Detached,
    EditGrid,
    Event,
    LastTrade,
    Leave,
    LimitsChanged,
    Pause,
    Reconcile,
    Result,
    Resume,
    Saved,
    SettingsSeen,
    Stalled,
    Stop,
    StoreHealth,
    Timer,
    VenueRead,
)
from opensqt.engine.halting import Halting
from opensqt.engine.outbox import Outbox
from opensqt.engine.reconcile import Reconciler
from opensqt.engine.restored import Restored
from opensqt.engine.risk import price_range
from opensqt.engine.risk.reasons import Code
from opensqt.engine.risk.volume_halt import MarketCandle, VolumeHalt
from opensqt.engine.units import Units

Handler = Callable[[Any, int], None]


@final
class EngineCore:
    """All bots of one engine.

    Args:
        config: the bots.
        restored: what the last run left behind, with this run's epochs.
    """

    def __init__(self, config: EngineConfig, restored: Restored) -> None:
        self.outbox = Outbox()
        self.bots: dict[str, Bot] = {}
        self.by_symbol: dict[str, Bot] = {}
        self.accounts: dict[str, AccountBook] = {}
        self.baselines = dict(restored.baselines)
        self.session_epoch = 0
        self.exchange = ""
        self.mode = ""
        self.attached = False
        self.halting = Halting(VolumeHalt(config.volume_halt)) if config.volume_halt.enabled else None
        self._touched: dict[str, Bot] = {}
        self._accounts_moved: dict[str, AccountBook] = {}
        for bot_config in config.bots:
            bot = Bot(bot_config, restored.bots[bot_config.id], self.outbox)
            bot.reconciler = Reconciler(config.reconcile)
            recovery.restore_orders(bot)
            bot.gate.add(Code.CONNECTOR_DOWN, "not attached yet", bot.started_ns)
            if bot.paused_reason:
                bot.gate.add(Code.OPERATOR_PAUSE, bot.paused_reason, bot.started_ns)
            self.bots[bot.id] = bot
            self.by_symbol[bot.symbol] = bot
        self._handlers: dict[type, Handler] = {
            BookTop: self._book_top,
            LastTrade: self._last_trade,
            Fill: self._fill,
            Order: self._order,
            Result: self._result,
            Account: self._account,
            Position: self._position,
            MarkPrice: self._mark,
            FeedHealth: self._feed,
            CashFlow: self._cash_flow,
            Instrument: self._instrument,
            Timer: self._timer,
            Stalled: self._stalled,
            MarketCandle: self._candle,
            CandlesLost: self._candles_lost,
            SettingsSeen: self._settings,
            Attached: self._attach,
            Detached: self._detach,
            Pause: self._operator,
            Resume: self._operator,
            Stop: self._operator,
            Leave: self._operator,
            Reconcile: self._operator,
            LimitsChanged: self._operator,
            EditGrid: self._operator,
            Saved: self._saved,
            StoreHealth: self._store_health,
            VenueRead: self._venue_read,
        }

    def handle(self, event: Event, now_ns: int) -> list[Command]:
        """Apply one event and decide."""
        return self.handle_batch((event,), now_ns)

    def handle_batch(self, events: Iterable[Event], now_ns: int) -> list[Command]:
        """Apply the events of one turn in order, then decide once; returns commands to send, then records to store."""
        for event in events:
            self._handlers[type(event)](event, now_ns)
        if self._touched:
            for bot in self._touched.values():
                self._decide(bot, now_ns)
            self._touched.clear()
        if self._accounts_moved:
            for book in self._accounts_moved.values():
                upkeep.compare_account(self, book)
            self._accounts_moved.clear()
        return self.outbox.take()

    @property
    def watermark_ns(self) -> int:
        """Return the venue time since which fills may be missing, before any overlap; 0 = from the beginning."""
        return min(bot.watermark_ns for bot in self.bots.values())

    def _decide(self, bot: Bot, now_ns: int) -> None:
        if bot.gate.reasons:
            was_checked = bot.start_checked
            starting.finish(bot, now_ns)
            if bot.start_checked and not was_checked and bot.account_book is not None:
                # The baseline belongs before the first order.
                upkeep.compare_account(self, bot.account_book)
        price_range.judge(bot, now_ns)
        quoting.quote(bot, bot.differ, now_ns)
        if bot.orders.dirty or bot.slots.dirty or bot.orders.dirty_slots or bot.gate.changed:
            self._note_changes(bot)

    def _note_changes(self, bot: Bot) -> None:
        """Turn what is dirty into records, and into news for the publisher."""
        unsaid, orders = bot.unsaid, bot.orders
        for client_id in orders.dirty:
            order = orders.by_id.get(client_id)
            if order is not None:
                self.outbox.record(recovery.order_record(bot, order))
        for slot in bot.slots.dirty:
            lot = bot.slots.get(slot)
            self.outbox.record(
                SlotRecord(
                    bot_id=bot.id,
                    slot=slot,
                    lots=lot.lots,
                    cost_ticks_lots=lot.cost_ticks_lots,
                    cycles=lot.cycles,
                    profit_ticks_lots=lot.profit_ticks_lots,
                )
            )
        unsaid.orders |= orders.dirty
        unsaid.slots |= bot.slots.dirty | orders.dirty_slots
        unsaid.state = unsaid.state or bot.gate.changed
        orders.dirty.clear()
        orders.dirty_slots.clear()
        bot.slots.dirty.clear()
        bot.gate.changed = False

    def _money_moved(self, bot: Bot) -> None:
        if bot.account_book is not None:
            self._accounts_moved[bot.account_book.asset] = bot.account_book

    def _touch(self, symbol: str) -> Bot | None:
        bot = self.by_symbol.get(symbol)
        if bot is not None:
            self._touched[bot.id] = bot
        return bot

    # ---- market ----

    def _book_top(self, event: BookTop, now_ns: int) -> None:
        bot = self._touch(event.symbol)
        if bot is None:
            return
        was_valid = bot.market.valid
        filters.take_top(bot, event)
        bot.unsaid.prices = True
        if was_valid is not bot.market.valid:
            upkeep.judge_book(bot, now_ns)
        risk_duty.judge_price(bot, now_ns)

    def _last_trade(self, event: LastTrade, _now_ns: int) -> None:
        bot = self._touch(event.symbol)
        if bot is None:
            return
        if bot.units is not None and bot.units.tick_step != 1:
            event = msgspec.structs.replace(event, price_ticks=event.price_ticks * bot.units.tick_step)
        if not risk_duty.is_bad_print(bot, event):
            bot.market.take_trade(event)
            bot.unsaid.prices = True

    def _mark(self, event: MarkPrice, now_ns: int) -> None:
        bot = self.by_symbol.get(event.symbol)
        if bot is not None:
            bot.market.mark = event
            bot.watch.clock.see(event.venue_time_ns, now_ns)
            bot.unsaid.prices = bot.unsaid.money = True

    def _feed(self, event: FeedHealth, now_ns: int) -> None:
        bots = [self._touch(event.symbol)] if event.symbol else [self._touch(name) for name in list(self.by_symbol)]
        for bot in bots:
            if bot is not None:
                upkeep.judge_feed(bot, event, now_ns)

    # ---- orders and money ----

    def _fill(self, event: Fill, now_ns: int) -> None:
        bot = self._touch(event.symbol)
        counted = filters.counted(bot, Units.fill, event, now_ns) if bot is not None else None
        if bot is not None and counted is not None:
            event = counted
            known = bot.ledger.totals.fills
            bot.book_fill(event, now_ns)
            if bot.ledger.totals.fills > known:
                risk_duty.judge_fill(bot, event, now_ns)
            bot.watch.clock.see(event.venue_time_ns, now_ns)
            self._money_moved(bot)

    def _order(self, event: Order, now_ns: int) -> None:
        bot = self._touch(event.symbol)
        counted = filters.counted(bot, Units.order, event, now_ns) if bot is not None else None
        if bot is not None and counted is not None:
            answers.take_order(bot, counted, now_ns, "order update")

    def _result(self, event: Result, now_ns: int) -> None:
        sent = self.outbox.answered(event.command_id)
        symbol = sent.symbol if sent is not None else event.order.symbol if event.order is not None else ""
        bot = self._touch(symbol)
        if bot is not None:
            if event.order is not None:
                order = filters.counted(bot, Units.order, event.order, now_ns)
                event = event if order is event.order else msgspec.structs.replace(event, order=order)
            answers.take_result(bot, event, sent.kind if sent is not None else None, now_ns)

    def _account(self, event: Account, _now_ns: int) -> None:
        book = self.accounts.setdefault(event.asset, AccountBook(event.asset))
        known = book.account
        if known is not None and event.venue_time_ns and event.venue_time_ns < known.venue_time_ns:
            return
        book.account = event
        for bot in self.bots.values():
            if bot.account_book is book:
                bot.unsaid.money = True
        self._accounts_moved[event.asset] = book

    def _position(self, event: Position, now_ns: int) -> None:
        bot = self._touch(event.symbol)
        counted = filters.counted(bot, Units.position, event, now_ns) if bot is not None else None
        if bot is not None and counted is not None:
            bot.take_position(counted)
            upkeep.judge_position(bot, now_ns)
            risk_duty.judge_settings(bot, now_ns)
            self._money_moved(bot)

    def _cash_flow(self, event: CashFlow, _now_ns: int) -> None:
        bot = self.books_flows_of(event)
        if bot is None or (not event.symbol and event.venue_time_ns < bot.ignore_before_ns):
            return
        bot.book_cash_flow(event)
        self._money_moved(bot)

    def books_flows_of(self, flow: CashFlow) -> Bot | None:
        """Return the bot whose ledger a cash flow belongs to.

        A transfer belongs to the account; the first bot that settles in its asset books it.
        """
        bot = self.by_symbol.get(flow.symbol)
        if bot is None and flow.kind is CashFlowKind.TRANSFER:
            bot = next(
                (one for one in self.bots.values() if one.account_book and one.account_book.asset == flow.asset), None
            )
        return bot

    def _instrument(self, event: Instrument, now_ns: int) -> None:
        bot = self._touch(event.symbol)
        if bot is not None:
            filters.take_instrument(bot, event, now_ns)

    # ---- session ----

    def _attach(self, event: Attached, now_ns: int) -> None:
        self.session_epoch, self.exchange, self.mode = event.session_epoch, event.exchange, event.mode
        self.attached = True
        self.outbox.in_flight.clear()
        for account in event.accounts:
            self.accounts.setdefault(account.asset, AccountBook(account.asset)).account = account
        for bot in self.bots.values():
            self._touched[bot.id] = bot
            recovery.take_snapshot(bot, event, now_ns)
            if bot.instrument is not None:
                asset = bot.instrument.settle_asset
                bot.account_book = self.accounts.setdefault(asset, AccountBook(asset))
            bot.unsaid.everything = True
        for flow in event.cash_flows:
            if not flow.symbol:
                self._cash_flow(flow, now_ns)
        for mark in event.marks:
            self._mark(mark, now_ns)
        for feed in event.feeds:
            self._feed(feed, now_ns)
        self._accounts_moved.update(self.accounts)

    def _detach(self, event: Detached, now_ns: int) -> None:
        self.attached = False
        self.outbox.in_flight.clear()
        for bot in self.bots.values():
            self._touched[bot.id] = bot
            upkeep.lose_session(bot, event.reason, now_ns)

    # ---- the rest ----

    def _candle(self, event: MarketCandle, now_ns: int) -> None:
        if self.halting is not None:
            self.halting.rule.take(event, now_ns)

    def _candles_lost(self, event: CandlesLost, _now_ns: int) -> None:
        if self.halting is not None:
            self.halting.rule.lose(event.symbol, event.reason)

    def _settings(self, event: SettingsSeen, now_ns: int) -> None:
        bot = self._touch(event.symbol)
        if bot is not None:
            risk_duty.take_settings(bot, event, now_ns)

    def _stalled(self, event: Stalled, now_ns: int) -> None:
        for bot in self.bots.values():
            self._touched[bot.id] = bot
            upkeep.distrust_everything(bot, event.gap_ns, now_ns)
        self.outbox.send(Reattach("the engine stood still", with_market=True))

    def _timer(self, _event: Timer, now_ns: int) -> None:
        upkeep.give_up_commands(self, now_ns)
        if self.halting is not None:
            self.halting.tick(self.bots.values(), now_ns)
        for bot in self.bots.values():
            self._touched[bot.id] = bot
            upkeep.tick(bot, now_ns)
            if bot.attached:
                corrections.tick(bot, now_ns)
            risk_duty.tick(bot, self.mode, now_ns)

    def _operator(self, event: operator_events.OperatorEvent, now_ns: int) -> None:
        bot = self.bots[event.bot_id]
        self._touched[bot.id] = bot
        operator_events.apply(bot, event, now_ns)

    def _saved(self, event: Saved, _now_ns: int) -> None:
        bot = self.bots[event.bot_id]
        self._touched[bot.id] = bot
        bot.lattice_saved = True

    def _venue_read(self, event: VenueRead, now_ns: int) -> None:
        bot = self._touch(event.symbol)
        if bot is not None:
            corrections.take_read(bot, event, now_ns)

    def _store_health(self, event: StoreHealth, now_ns: int) -> None:
        for bot in self.bots.values():
            self._touched[bot.id] = bot
            upkeep.judge_store(bot, event, now_ns)


TIMER_PERIOD_NS = 200 * NS_PER_MS
EQUITY_PERIOD_NS = 60 * NS_PER_S
