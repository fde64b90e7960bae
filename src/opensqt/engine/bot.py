"""One bot: everything known about one symbol's grid, and how evidence changes it.

A bot holds state and books evidence (fills, orders, positions, prices). What to send is decided by `quoting`; answers
to commands are read by `answers`; attaching and proving unknown orders is `recovery`. Whatever changed since the last
turn is in the `dirty` sets, from which the core writes records and the publisher builds deltas.
"""

from collections import deque
from typing import final

import msgspec

from opensqt._core.diff import Differ
from opensqt.domain.account import Account, Position
from opensqt.domain.client_id import MAX_SLOT, ClientOrderId, parse_client_order_id
from opensqt.domain.fill import CashFlow, Fill, FillOrigin
from opensqt.domain.instrument import Instrument
from opensqt.domain.ledger import Booking, BookResult, Ledger, Pnl
from opensqt.domain.market import DeadManState
from opensqt.domain.order import Order, OrderType, Side
from opensqt.domain.order_state import Cause
from opensqt.engine.account import AccountBook
from opensqt.engine.commands import (
    BotRecord,
    CashFlowRecord,
    FillRecord,
    GridVersionRecord,
    JournalRecord,
    Reattach,
    TotalsRecord,
)
from opensqt.engine.config import BotConfig, ReconcileConfig
from opensqt.engine.escalation import Escalation
from opensqt.engine.events import BookTop, StopMode
from opensqt.engine.grid_values import EditAnswer
from opensqt.engine.lattices import LatticePast
from opensqt.engine.market import MarketView
from opensqt.engine.orders import OrderTable, TrackedOrder
from opensqt.engine.outbox import Outbox
from opensqt.engine.reconcile import Reconciler
from opensqt.engine.restored import BookedFill, RestoredBot
from opensqt.engine.risk.gate import Limits, RiskGate
from opensqt.engine.risk.limit_reading import LimitReading
from opensqt.engine.risk.reasons import Code
from opensqt.engine.risk.volume_halt import HaltView
from opensqt.engine.risk.watch import RiskWatch
from opensqt.engine.slots import Slots
from opensqt.engine.strategy.classic_grid import ClassicGrid
from opensqt.engine.units import Units

FLATTEN_SLOT = MAX_SLOT
"""The slot in the client order id of an order that closes the position across all slots."""

FILL_OVERLAP_NS = 600_000_000_000
"""How far before the newest booked fill the venue is asked again; trades known already are not booked twice."""

KEPT_FILLS = 200
KEPT_JOURNAL = 100
KEPT_VERSIONS = 200


class Unsaid(msgspec.Struct):
    """What the publisher has not told yet."""

    everything: bool = True
    orders: set[str] = msgspec.field(default_factory=set)
    slots: set[int] = msgspec.field(default_factory=set)
    fills: list[BookedFill] = msgspec.field(default_factory=list)
    journal: list[JournalRecord] = msgspec.field(default_factory=list)
    state: bool = False
    position: bool = False
    money: bool = False
    prices: bool = False
    limits: bool = False
    corrections: list[tuple[str, str, str]] = msgspec.field(default_factory=list)
    reconcile: bool = False

    @property
    def urgent(self) -> bool:
        """Return whether somebody should be told before the next beat."""
        return bool(
            self.everything
            or self.orders
            or self.slots
            or self.fills
            or self.state
            or self.journal
            or self.position
            or self.corrections
        )


@final
class Bot:
    """State of one bot.

    Args:
        config: its configuration.
        restored: what an earlier run left behind; a blank one for a new bot.
        outbox: where commands and records go.
    """

    def __init__(self, config: BotConfig, restored: RestoredBot, outbox: Outbox) -> None:
        self.file_text = msgspec.json.encode(config).decode()
        """The configuration as it stands in the file; edits of the running grid are on top of it."""
        self.config = config = restored.config or config
        self.versions: deque[GridVersionRecord] = deque(restored.versions, maxlen=KEPT_VERSIONS)
        self.edit_answer: EditAnswer | None = None
        """What came of the newest edit; read by whoever asked for it, in the same turn."""
        self.id = config.id
        self.tag = config.tag
        self.symbol = config.symbol
        self.outbox = outbox
        self.epoch = restored.epoch
        self.is_new = restored.is_new
        self.limits_changed = restored.limits is not None
        self.begun = restored.begun
        self.had_past = False
        self.ignore_before_ns = 0 if restored.is_new else max(0, restored.watermark_ns - FILL_OVERLAP_NS)
        self.complete_since_ns = restored.complete_since_ns
        """Venue time since which every fill and cash flow of the symbol is in the ledger; 0 = not known."""
        self.next_start_check_ns = 0
        self.lattice_saved = False
        self.anchor_ticks = restored.anchor_ticks
        self.lattice_refusal = ""
        """Why no lattice may be laid in this run; empty = it may."""
        self.restored = restored
        self.past = LatticePast(restored.record.lattices if restored.record is not None else ())
        self.config_version = restored.config_version
        self.history_complete = restored.history_complete
        self.started_ns = restored.started_ns
        self.watermark_ns = restored.watermark_ns
        self.orders_placed = restored.orders_placed
        self.paused_reason = restored.paused_reason
        self.stop_mode: StopMode | None = StopMode.KEEP if restored.stopped else None
        self.ledger = Ledger(restored.totals, restored.slots)
        self.slots = Slots(self.ledger, config.risk.reject_cooldown_ms * 1_000_000)
        self.orders = OrderTable()
        self.differ = Differ(config.grid.max_open_orders)
        self.leaving: set[str] = set()
        """Orders at prices that are no level any more, or no price: they are cancelled, whatever their slot wants."""
        self.market = MarketView(use_last=config.grid.price_source == "last")
        self.gate = RiskGate(restored.limits or Limits(), config.risk.stale_pull_ms, config.risk.max_orders_per_second)
        self.watch = RiskWatch(config.risk, restored.losses)
        self.readings: tuple[LimitReading, ...] = ()
        """How much of each limit is used, as last read."""
        self.halt_view: HaltView | None = None
        """The engine's volume halt as last judged; None when it is not used."""
        self.read_limits_at_ns = 0
        self.save_losses_at_ns = 0
        self.flatten_at_ns = 0
        self.mode = ""
        """Of the venue, as the session's snapshot names it: paper, testnet or live."""
        self.mode_refusal = ""
        """Why the venue refuses orders for the account's position mode; empty while it does not."""
        self.is_ending = False
        """Whether it stops only because the engine ends: the next run goes on."""
        self.instrument: Instrument | None = None
        """In the bot's units, which may be finer than the venue's (see `units`)."""
        self.units: Units | None = None
        self.newest_top: BookTop | None = None
        """As it came: it is read again when the units change."""
        self.grid: ClassicGrid | None = None
        self.account_book: AccountBook | None = None
        self.position = Position(symbol=config.symbol, lots=0)
        self.start_checked = False
        self.leverage_asked_ns = 0
        self.last_booked_ns = 0
        self.proving: set[str] = set()
        """Orders whose fate was asked for and not answered since the session began or a reconcile."""
        self.attached = False
        self.dead_man = DeadManState.UNSPECIFIED
        self.position_differs_since_ns = 0
        self.corrections: deque[tuple[str, str, str]] = deque(maxlen=KEPT_FILLS)
        """What proving orders changed, newest last: client id, what, evidence."""
        self.reconciler = Reconciler(ReconcileConfig())
        self.escalation = Escalation()
        self.transitions_seen = 0
        self.sequence = restored.first_sequence
        self.recent_fills: deque[BookedFill] = deque(restored.recent_fills, maxlen=KEPT_FILLS)
        self.recent_journal: deque[JournalRecord] = deque(restored.recent_journal, maxlen=KEPT_JOURNAL)
        self.unsaid = Unsaid()
        if restored.stopped:
            self.gate.stop()

    @property
    def account(self) -> Account | None:
        """Return the venue's account in the settle asset."""
        return self.account_book.account if self.account_book is not None else None

    @property
    def worst_long_lots(self) -> int:
        """Return the larger of what we and what the venue believe the position is, never below 0."""
        return max(self.position.lots, self.ledger.position_lots, 0)

    def journal(self, level: str, code: str, message: str, now_ns: int) -> None:
        """Note something for people: info, warning or alarm."""
        record = JournalRecord(bot_id=self.id, time_ns=now_ns, level=level, code=code, message=message)
        self.recent_journal.append(record)
        self.unsaid.journal.append(record)
        self.outbox.record(record)

    def record(self) -> BotRecord:
        """Return what must survive a restart."""
        grid, instrument, units = self.grid, self.instrument, self.units
        stored = self.restored.record  # what is not known again yet stays as the last run left it
        return BotRecord(
            bot_id=self.id,
            tag=self.tag,
            symbol=self.symbol,
            epoch=self.epoch,
            anchor_ticks=self.anchor_ticks,
            interval_ticks=grid.lattice.interval_ticks if grid is not None else stored.interval_ticks if stored else 0,
            ratio_ppb=grid.lattice.ratio_ppb if grid is not None else stored.ratio_ppb if stored else 0,
            tick_step=units.tick_step if units is not None else stored.tick_step if stored else 1,
            lot_step=units.lot_step if units is not None else stored.lot_step if stored else 1,
            unit_spans=units.spans if units is not None else stored.unit_spans if stored else (),
            tick_size=str(instrument.tick_size) if instrument is not None else stored.tick_size if stored else "",
            lot_size=str(instrument.lot_size) if instrument is not None else stored.lot_size if stored else "",
            config_version=self.config_version,
            config_text=self.file_text,
            started_ns=self.started_ns,
            history_complete=self.history_complete,
            begun=self.begun,
            watermark_ns=self.watermark_ns,
            paused_reason=self.paused_reason,
            stopped=self.stop_mode is not None and not self.is_ending,
            limits=self.gate.limits,
            limits_changed=self.limits_changed,
            losses=self.watch.losses.state,
            complete_since_ns=self.complete_since_ns,
            lattices=self.past.spans,
        )

    def owner(self, client_order_id: str) -> ClientOrderId | None:
        """Return the parts of a client order id when it is this bot's, its slot on the present lattice."""
        parsed = parse_client_order_id(client_order_id)
        if parsed is None or parsed.bot_tag != self.tag:
            return None
        slot = self.past.slot_now(parsed.epoch, parsed.slot, parsed.side)
        return parsed if slot == parsed.slot else msgspec.structs.replace(parsed, slot=slot)

    # ---- evidence ----

    def book_fill(self, fill: Fill, now_ns: int) -> None:
        """Book an execution on our symbol, in any state of its order, once."""
        owner = self.owner(fill.client_order_id)
        slot = owner.slot if owner is not None else None
        if slot == FLATTEN_SLOT or (
            owner is None and fill.origin in (FillOrigin.ADL, FillOrigin.LIQUIDATION, FillOrigin.SETTLEMENT)
        ):
            booking = self.ledger.book_closing_fill(fill)
            slot = None
        else:
            booking = self.ledger.book_fill(fill, slot)
        if booking.result is BookResult.DUPLICATE:
            return
        if booking.result is BookResult.CONFLICT:
            self.journal(
                "alarm",
                "FILL_CONFLICT",
                f"trade {fill.trade_id} was reported again with other data; the first report stands",
                now_ns,
            )
            self.outbox.send(Reattach(f"trade {fill.trade_id} was reported with different data"))
            return
        self._after_fill(fill, slot, booking, now_ns)

    def _after_fill(self, fill: Fill, slot: int | None, booking: Booking, now_ns: int) -> None:
        self.watermark_ns = max(self.watermark_ns, fill.venue_time_ns)
        self.last_booked_ns = max(self.last_booked_ns, fill.venue_time_ns)
        booked = BookedFill(fill, slot, booking.profit_ticks_lots)
        self.recent_fills.append(booked)
        self.unsaid.fills.append(booked)
        self.unsaid.money = True
        for touched in booking.slots:
            self.slots.refresh(touched)
            if self.ledger.slots[touched].lots < 0:
                message = f"slot {touched} sold more than it held; compare the venue's trades, then resume"
                self.gate.add(Code.OVERSOLD, message, now_ns)
                self.journal("alarm", Code.OVERSOLD.value, message, now_ns)
        self.outbox.record(
            FillRecord(
                bot_id=self.id,
                fill=fill,
                slot=slot,
                profit_ticks_lots=booking.profit_ticks_lots,
                cycles=booking.cycles,
            )
        )
        self.outbox.record(TotalsRecord(self.id, self.ledger.copy_totals()))
        if fill.origin is FillOrigin.LIQUIDATION:
            self.gate.add(Code.LIQUIDATED, f"the venue liquidated {fill.lots} lots; look at the account", now_ns)
        origin = fill.origin
        if origin is FillOrigin.OURS and self.owner(fill.client_order_id) is None:
            origin = FillOrigin.MANUAL  # of this account, and not by this bot
        if origin is not FillOrigin.OURS:
            self.journal(
                "alarm", f"FILL_{origin.name}", f"{fill.lots} lots {fill.side.name} were not our doing", now_ns
            )
        order = self.orders.by_id.get(fill.client_order_id)
        if order is None:
            return
        if order.state.is_terminal and not order.owes_fills:
            self.journal("info", "LATE_FILL", f"{fill.client_order_id} filled after it was {order.state.value}", now_ns)
        order.booked_lots += fill.lots
        order.booked_ticks_lots += fill.lots * fill.price_ticks
        order.venue_filled_lots = max(order.venue_filled_lots, fill.cumulative_filled_lots)
        order.exchange_order_id = order.exchange_order_id or fill.exchange_order_id
        order.acked = True
        order.absent_reads = 0
        if not order.owes_fills:
            order.owing_since_ns = 0
        done = order.booked_lots >= order.lots
        self.orders.move(order, Cause.VENUE_FILLED if done else Cause.VENUE_PARTIAL, f"trade {fill.trade_id}")
        self.orders.sync(order)
        self.slots.accepted(order.slot, order.side)

    def book_cash_flow(self, flow: CashFlow) -> None:
        """Book funding or a transfer, once."""
        if not self.ledger.book_cash_flow(flow):
            return
        self.watermark_ns = max(self.watermark_ns, flow.venue_time_ns)
        self.last_booked_ns = max(self.last_booked_ns, flow.venue_time_ns)
        self.unsaid.money = True
        self.outbox.record(CashFlowRecord(self.id, flow))
        self.outbox.record(TotalsRecord(self.id, self.ledger.copy_totals()))

    def take_position(self, position: Position) -> None:
        """Take the venue's position; an older report than the last is not news."""
        if position.venue_time_ns and position.venue_time_ns < self.position.venue_time_ns:
            return
        self.unsaid.position = self.unsaid.position or position.lots != self.position.lots
        self.position = position
        self.unsaid.money = True

    def forget_bookings(self) -> None:
        """Start the ledger anew: what was booked does not explain the position."""
        known = [(booked.fill.trade_id, booked.fill) for booked in self.recent_fills]
        self.ledger = Ledger()
        for trade_id, fill in known:
            self.ledger.remember_trade(trade_id, fill.side, fill.price_ticks, fill.lots)
        lot_step = self.slots.lot_step
        self.slots = Slots(self.ledger, self.config.risk.reject_cooldown_ms * 1_000_000)
        self.slots.lot_step = lot_step

    def adopt_order(self, order: Order, owner: ClientOrderId, evidence: str) -> TrackedOrder:
        """Take over one of our orders that this run did not send."""
        tracked = TrackedOrder(
            order, slot=owner.slot, rule="adopted", inputs={"epoch": str(owner.epoch)}, config_version=0
        )
        if self.grid is not None:
            tracked.live_price_ticks = self.grid.at_its_level(owner.slot, order.side, order.price_ticks)
        tracked.acked = True
        # Fills before this run are in the ledger or come with the snapshot; the order owes only what is beyond them.
        # A report may also be older than the fills that we have booked of its order.
        booked = self._booked_of(order.client_order_id)
        booked_lots = sum(fill.lots for fill in booked)
        tracked.booked_lots = max(min(order.filled_lots, order.lots), booked_lots)
        tracked.booked_ticks_lots = order.filled_ticks_lots
        if booked_lots > order.filled_lots:
            tracked.booked_ticks_lots = sum(fill.lots * fill.price_ticks for fill in booked)
        tracked.venue_filled_lots = tracked.booked_lots
        self.orders.add(tracked, evidence)
        if tracked.booked_lots >= tracked.lots:
            self.orders.move(tracked, Cause.VENUE_FILLED, "all of it was booked before")
        return tracked

    def _booked_of(self, client_order_id: str) -> list[Fill]:
        known = (*self.restored.recent_trades, *(one.fill for one in self.recent_fills))
        return list({fill.trade_id: fill for fill in known if fill.client_order_id == client_order_id}.values())

    def mark_leaving(self) -> None:
        """Note the grid orders that rest at no level of their slot, or at no price of the venue's: they have to go."""
        grid = self.grid
        if grid is None:
            return
        for order in self.orders.open.values():
            if order.slot == FLATTEN_SLOT or order.order_type is not OrderType.LIMIT:
                continue
            fits = self.units is None or self.units.fits(order.price_ticks, order.lots)
            at_level = grid.has_level(order.slot) and order.live_price_ticks == grid.price_of(order.slot, order.side)
            if not (fits and at_level):
                self.leaving.add(order.client_order_id)

    def pnl(self) -> Pnl | None:
        """Return the profit at the current mark; None before the instrument is known."""
        if self.instrument is None:
            return None
        return self.ledger.pnl(self.instrument, self.market.mark_price(self.instrument))

    def next_client_order_id(self, slot: int, side: Side) -> str:
        """Return an id no order of this bot ever had."""
        self.sequence += 1
        return str(ClientOrderId(self.tag, self.epoch, slot, side, self.sequence))
