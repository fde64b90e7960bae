"""A tiny exchange with its connector, in memory: enough to play the engine's core against every order of events.

It answers commands into a queue of events that the test delivers, in order or shuffled where a real connector could
shuffle (an acknowledgement against the fills of its order). It never forgets an order, so its books are the truth.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import msgspec

from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.ledger import Ledger, LedgerTotals, SlotLot
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.engine.commands import (
    AuditRecord,
    BaselineRecord,
    BotRecord,
    Cancel,
    CashFlowRecord,
    Command,
    FillRecord,
    GridVersionRecord,
    OrderRecord,
    Place,
    Query,
    Reattach,
    RescaleRecord,
    SetLeverage,
    SlotRecord,
    TotalsRecord,
)
from opensqt.engine.config import BotConfig, EngineConfig, GridConfig, RiskConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import Attached, BookTop, Detached, Event, LastTrade, Outcome, Result, Saved, Timer
from opensqt.engine.grid_settings import config_of
from opensqt.engine.orders import rescaled_inputs
from opensqt.engine.restored import Restored, RestoredBot
from opensqt.runtime.config import GrpcClientConfig

SYMBOL = "ETH/USDT:USDT"
MS = 1_000_000
START_NS = 1_760_000_000_000_000_000


def instrument(**changes: object) -> Instrument:
    return msgspec.structs.replace(
        Instrument(
            symbol=SYMBOL,
            venue_symbol="ETHUSDT",
            base_asset="ETH",
            quote_asset="USDT",
            settle_asset="USDT",
            tick_size=Decimal("0.01"),
            lot_size=Decimal("0.001"),
            min_notional=Decimal(5),
        ),
        **changes,
    )


def config(
    *, grid: dict[str, object] | None = None, risk: dict[str, object] | None = None, **bot: object
) -> EngineConfig:
    grid_values: dict[str, object] = {
        "interval": Decimal(2),
        "anchor": Decimal(3000),
        "order_quantity": Decimal(30),
        "buy_window": 10,
        "sell_window": 10,
        "max_open_orders": 100,
    }
    grid_values.update(grid or {})
    bot_values: dict[str, object] = {"id": "eth", "tag": "eth1", "symbol": SYMBOL, "leverage": 5}
    bot_values.update(bot)
    return EngineConfig(
        connector=GrpcClientConfig(address="127.0.0.1:50051"),
        state_file=__import__("pathlib").Path("unused.db"),
        bots=(BotConfig(grid=GridConfig(**grid_values), risk=RiskConfig(**(risk or {})), **bot_values),),  # type: ignore[arg-type]
    )


@dataclass
class Venue:
    """Orders, position, wallet and trades of one account on one symbol."""

    spec: Instrument = field(default_factory=instrument)
    wallet: Decimal = Decimal(10_000)
    leverage: int = 5
    bid: int = 300_125
    ask: int = 300_135
    now_ns: int = START_NS
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    position: int = 0
    entry_cost: Decimal = Decimal(0)
    events: deque[Event] = field(default_factory=deque)
    refuse: deque[ErrorReason] = field(default_factory=deque)
    lose_replies: int = 0
    lose_commands: int = 0
    depth_lots: int = 1_000_000
    mode: str = "paper"
    placed: list[Order] = field(default_factory=list)

    def tick(self) -> int:
        self.now_ns += MS
        return self.now_ns

    @property
    def open_orders(self) -> list[Order]:
        return [order for order in self.orders.values() if not order.state.is_terminal]

    def execute(self, command: Command) -> None:
        """Do what a connector and its venue do with one command."""
        self.tick()
        if isinstance(command, SetLeverage):
            self.leverage = command.leverage
            self.events.append(self.position_record())
        elif isinstance(command, (Place, Cancel, Query)):
            if self.lose_commands:
                self.lose_commands -= 1
                return
            if isinstance(command, Place):
                result = self._place(command)
            elif isinstance(command, Cancel):
                result = self._cancel(command)
            else:
                result = self._query(command)
            if self.lose_replies:
                self.lose_replies -= 1
                return
            self.events.append(result)

    def _place(self, command: Place) -> Result:
        request = command.request
        assert request.client_order_id not in self.orders, "a client order id was used twice"
        order = Order(
            symbol=request.symbol,
            client_order_id=request.client_order_id,
            exchange_order_id=f"x{len(self.orders) + 1}",
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            price_ticks=request.price_ticks,
            lots=request.lots,
            reduce_only=request.reduce_only,
            state=OrderState.LIVE,
            created_time_ns=self.now_ns,
            updated_time_ns=self.now_ns,
            instrument_revision=1,
        )
        reason = self.refuse.popleft() if self.refuse else None
        is_ioc = request.time_in_force is TimeInForce.IOC
        if reason is None and request.type is OrderType.LIMIT and not is_ioc:
            crosses = order.price_ticks >= self.ask if order.side is Side.BUY else order.price_ticks <= self.bid
            reason = ErrorReason.POST_ONLY_WOULD_CROSS if crosses else None
        if reason is None and order.reduce_only and order.lots > self.position:
            reason = ErrorReason.REDUCE_ONLY_REJECTED
        if reason is not None:
            return Result(
                command_id=command.command_id,
                client_order_id=order.client_order_id,
                outcome=Outcome.REJECTED,
                reason=reason,
                message="refused",
            )
        self.orders[order.client_order_id] = order
        self.placed.append(order)
        confirmed = Result(
            command_id=command.command_id,
            client_order_id=order.client_order_id,
            outcome=Outcome.CONFIRMED,
            order=order,
        )
        assert request.type is OrderType.LIMIT, "a market order takes any price"
        if is_ioc:
            self._execute_now(order)
        return confirmed

    def _execute_now(self, order: Order) -> None:
        """Fill an IOC order at the touch, up to `depth_lots`, and let the rest expire."""
        touch = self.ask if order.side is Side.BUY else self.bid
        crosses = order.price_ticks >= touch if order.side is Side.BUY else order.price_ticks <= touch
        if crosses and self.depth_lots:
            self.fill(order.client_order_id, min(order.lots, self.depth_lots), price_ticks=touch)
        left = self.orders[order.client_order_id]
        if not left.state.is_terminal:
            self.events.append(self._change(left, state=OrderState.EXPIRED))

    def _cancel(self, command: Cancel) -> Result:
        order = self.orders.get(command.client_order_id)
        if order is None or order.state.is_terminal:
            return Result(
                command_id=command.command_id,
                client_order_id=command.client_order_id,
                outcome=Outcome.REJECTED,
                reason=ErrorReason.UNKNOWN_ORDER,
            )
        order = self._change(order, state=OrderState.CANCELED)
        return Result(
            command_id=command.command_id,
            client_order_id=order.client_order_id,
            outcome=Outcome.CONFIRMED,
            order=order,
        )

    def _query(self, command: Query) -> Result:
        order = self.orders.get(command.client_order_id)
        return Result(
            command_id=command.command_id,
            client_order_id=command.client_order_id,
            outcome=Outcome.CONFIRMED if order else Outcome.REJECTED,
            reason=None if order else ErrorReason.UNKNOWN_ORDER,
            order=order,
        )

    def _change(self, order: Order, **changes: object) -> Order:
        changed: Order = msgspec.structs.replace(order, updated_time_ns=self.now_ns, **changes)
        self.orders[order.client_order_id] = changed
        return changed

    def fill(self, client_order_id: str, lots: int, *, price_ticks: int = 0) -> Fill:
        """Execute part of an order; queues the fill, the order update, the position and the account."""
        self.tick()
        order = self.orders[client_order_id]
        price = price_ticks or order.price_ticks
        lots = min(lots, order.remaining_lots)
        filled = order.filled_lots + lots
        order = self._change(
            order,
            filled_lots=filled,
            state=OrderState.FILLED if filled == order.lots else OrderState.PARTIALLY_FILLED,
        )
        notional = self.spec.money(self.spec.notional_units(price, lots))
        fee = notional * self.spec.maker_fee_rate
        record = Fill(
            symbol=order.symbol,
            trade_id=f"t{len(self.fills) + 1}",
            client_order_id=client_order_id,
            exchange_order_id=order.exchange_order_id,
            side=order.side,
            price_ticks=price,
            lots=lots,
            cumulative_filled_lots=filled,
            fee=fee,
            fee_asset="USDT",
            is_maker=order.type is OrderType.LIMIT,
            venue_time_ns=self.now_ns,
        )
        self.fills.append(record)
        self._move_position(order.side, lots, notional)
        self.wallet -= fee
        self.events.extend([order, record, self.position_record(), self.account_record()])
        return record

    def _move_position(self, side: Side, lots: int, notional: Decimal) -> None:
        if side is Side.BUY:
            self.entry_cost += notional
            self.position += lots
            return
        share = self.entry_cost * lots / self.position
        self.wallet += notional - share
        self.entry_cost -= share
        self.position -= lots
        assert self.position >= 0, "a reduce-only grid went short"

    def move_price(self, bid: int) -> list[Fill]:
        """Move the touch; everything it crosses fills whole."""
        self.bid, self.ask = bid, bid + 10
        found = []
        for order in list(self.open_orders):
            crossed = order.price_ticks >= self.ask if order.side is Side.BUY else order.price_ticks <= self.bid
            if crossed and not (order.reduce_only and order.remaining_lots > self.position):
                found.append(self.fill(order.client_order_id, order.remaining_lots))
        return found

    def position_record(self) -> Position:
        quantity = self.spec.lots_to_quantity(self.position)
        return Position(
            symbol=SYMBOL,
            lots=self.position,
            entry_price=self.entry_cost / quantity if self.position else Decimal(0),
            leverage=self.leverage,
            venue_time_ns=self.now_ns,
        )

    def account_record(self) -> Account:
        return Account(
            asset="USDT",
            wallet_balance=self.wallet,
            available_balance=self.wallet,
            margin_balance=self.wallet,
            venue_time_ns=self.now_ns,
        )

    def snapshot(self, session_epoch: int, since_ns: int = 0) -> Attached:
        return Attached(
            session_epoch=session_epoch,
            exchange="model",
            mode=self.mode,
            instruments=(self.spec,),
            open_orders=tuple(self.open_orders),
            positions=(self.position_record(),),
            accounts=(self.account_record(),),
            fills=tuple(fill for fill in self.fills if fill.venue_time_ns >= since_ns),
            venue_time_ns=self.tick(),
        )


@dataclass
class Disk:
    """What a database would hold: the newest of every record, as far as it was written."""

    bot: BotRecord | None = None
    slots: dict[int, SlotRecord] = field(default_factory=dict)
    totals: LedgerTotals | None = None
    orders: dict[str, OrderRecord] = field(default_factory=dict)
    fills: dict[str, FillRecord] = field(default_factory=dict)
    flows: list[CashFlowRecord] = field(default_factory=list)
    versions: list[GridVersionRecord] = field(default_factory=list)
    audit: list[AuditRecord] = field(default_factory=list)
    baseline: BaselineRecord | None = None
    epoch: int = 0

    def write(self, records: list[Command]) -> None:
        for record in records:
            if isinstance(record, BotRecord):
                self.bot = record
            elif isinstance(record, SlotRecord):
                self.slots[record.slot] = record
            elif isinstance(record, TotalsRecord):
                self.totals = msgspec.convert(msgspec.to_builtins(record.totals), LedgerTotals)
            elif isinstance(record, OrderRecord):
                self.orders[record.order.client_order_id] = record
            elif isinstance(record, FillRecord):
                assert record.fill.trade_id not in self.fills, "a trade was stored twice"
                self.fills[record.fill.trade_id] = record
            elif isinstance(record, CashFlowRecord):
                self.flows.append(record)
            elif isinstance(record, BaselineRecord):
                self.baseline = record
            elif isinstance(record, GridVersionRecord):
                self.versions.append(record)
            elif isinstance(record, AuditRecord):
                self.audit.append(record)
            elif isinstance(record, RescaleRecord):
                self._rescale(record.tick_factor, record.lot_factor)

    def _rescale(self, ticks: int, lots: int) -> None:
        both = ticks * lots
        for slot, one in self.slots.items():
            self.slots[slot] = msgspec.structs.replace(
                one, lots=one.lots * lots, cost_ticks_lots=one.cost_ticks_lots * both,
                profit_ticks_lots=one.profit_ticks_lots * both,
            )  # fmt: skip
        ledger = Ledger(self.totals)
        ledger.rescale(ticks, lots)
        self.totals = ledger.totals
        for key, record in self.orders.items():
            order = msgspec.structs.replace(
                record.order, price_ticks=record.order.price_ticks * ticks, lots=record.order.lots * lots,
                filled_lots=record.order.filled_lots * lots, filled_ticks_lots=record.order.filled_ticks_lots * both,
            )  # fmt: skip
            inputs = rescaled_inputs(record.inputs, ticks, lots)
            self.orders[key] = msgspec.structs.replace(record, order=order, inputs=inputs)
        for key, record in self.fills.items():
            fill = msgspec.structs.replace(
                record.fill, price_ticks=record.fill.price_ticks * ticks, lots=record.fill.lots * lots,
                cumulative_filled_lots=record.fill.cumulative_filled_lots * lots,
            )  # fmt: skip
            self.fills[key] = msgspec.structs.replace(
                record, fill=fill, profit_ticks_lots=record.profit_ticks_lots * both
            )

    def restore(self, config: EngineConfig) -> Restored:
        """Return what a new run starts from, its epoch durable."""
        record = self.bot
        self.epoch = max(self.epoch, record.epoch if record is not None else 0) + 1
        bot_id = config.bots[0].id
        if not self.versions:
            first = GridVersionRecord(
                bot_id=bot_id,
                version=1,
                time_ns=START_NS,
                action="file",
                who="",
                what=(),
                undo_version=0,
                document=msgspec.json.encode(config.bots[0]).decode(),
            )
            self.versions.append(first)
        versions = tuple(self.versions)
        if record is None:
            return Restored(bots={bot_id: RestoredBot(epoch=self.epoch, started_ns=START_NS, versions=versions)})
        fills = [item.fill for item in self.fills.values()]
        bot = RestoredBot(
            epoch=self.epoch,
            config=None if versions[-1].action == "file" else config_of(versions[-1].document),
            config_version=versions[-1].version,
            versions=versions,
            is_new=False,
            begun=record.begun,
            anchor_ticks=record.anchor_ticks,
            started_ns=record.started_ns,
            history_complete=record.history_complete,
            watermark_ns=max([record.watermark_ns, *(fill.venue_time_ns for fill in fills)]),
            totals=msgspec.convert(msgspec.to_builtins(self.totals), LedgerTotals) if self.totals else LedgerTotals(),
            slots={
                slot: SlotLot(
                    lots=item.lots,
                    cost_ticks_lots=item.cost_ticks_lots,
                    cycles=item.cycles,
                    profit_ticks_lots=item.profit_ticks_lots,
                )
                for slot, item in self.slots.items()
            },
            open_orders=tuple(item for item in self.orders.values() if item.is_open),
            recent_trades=tuple(fills),
            limits=record.limits if record.limits_changed else None,
            losses=record.losses,
            stopped=record.stopped,
            paused_reason=record.paused_reason,
            record=record,
        )
        baselines = {self.baseline.asset: (self.baseline.bot_ids, self.baseline.cash)} if self.baseline else {}
        return Restored(bots={bot_id: bot}, baselines=baselines)


class World:
    """One engine core, its disk and its venue, with the invariants of the design checked after every turn."""

    def __init__(self, *, settings: EngineConfig | None = None, venue: Venue | None = None, seed: int = 0) -> None:
        self.settings = settings or config()
        self.venue = venue or Venue()
        self.disk = Disk()
        self.random = Random(seed)
        self.sessions = 0
        self.turns = 0
        self.reattach_wanted = False
        self.cap_is_old = True
        self.slow_disk = False
        self.unwritten: list[list[Command]] = []
        self.sent: list[Command] = []
        self.core = EngineCore(self.settings, self.disk.restore(self.settings))

    @property
    def bot(self):  # type: ignore[no-untyped-def]
        return next(iter(self.core.bots.values()))

    def start(self) -> None:
        """Attach, give the first price, and let everything settle."""
        self.attach()
        self.price()
        self.settle()

    def attach(self) -> None:
        self.sessions += 1
        self.venue.events.clear()
        since = max(0, self.core.watermark_ns - 600_000 * MS)
        self.turn(self.venue.snapshot(self.sessions, since))

    def price(self, bid: int | None = None) -> None:
        """Publish the venue's touch, after moving it."""
        if bid is not None:
            self.venue.move_price(bid)
        venue = self.venue
        self.turn(BookTop(SYMBOL, venue.bid, venue.ask, True), LastTrade(SYMBOL, (venue.bid + venue.ask) // 2))

    def turn(self, *events: Event) -> None:
        """Hand one batch to the core and carry out what it asks for."""
        commands = self.core.handle_batch(events, self.venue.tick())
        self.carry_out(commands)

    def write_out(self, turns: int) -> None:
        """Let the oldest turns reach the disk."""
        for records in self.unwritten[:turns]:
            self.disk.write(records)
        del self.unwritten[:turns]

    def carry_out(self, commands: list[Command]) -> None:
        records = [c for c in commands if not isinstance(c, (Place, Cancel, Query, SetLeverage, Reattach))]
        # Turns reach the disk in order but later; what a bot's first order waits for reaches it at once.
        self.unwritten.append(records)
        if not self.slow_disk or any(isinstance(record, BotRecord) for record in records):
            self.write_out(len(self.unwritten))
        for command in commands:
            if isinstance(command, Reattach):
                self.reattach_wanted = True
            elif isinstance(command, (Place, Cancel, Query, SetLeverage)):
                self.sent.append(command)
                self.venue.execute(command)
        if any(isinstance(record, BotRecord) for record in records) and not self.bot.lattice_saved:
            self.turn(Saved(self.bot.id))
        self.check()

    def deliver(self, count: int = 1) -> None:
        """Hand over the next events the venue queued."""
        batch = [self.venue.events.popleft() for _ in range(min(count, len(self.venue.events)))]
        if batch:
            self.turn(*batch)

    def deliver_shuffled(self) -> None:
        """Hand over everything queued, in a random order."""
        batch = list(self.venue.events)
        self.venue.events.clear()
        self.random.shuffle(batch)
        for event in batch:
            self.turn(event)

    def timer(self, ms: int = 250) -> None:
        self.venue.now_ns += ms * MS
        self.turn(Timer())

    def settle(self, rounds: int = 60) -> None:
        """Deliver and let time pass until nothing is left to do."""
        for _ in range(rounds):
            self.deliver(50)
            self.timer()
            if self.reattach_wanted:
                self.reattach_wanted = False
                self.turn(Detached("asked for"))
                self.attach()
                self.price()
            elif self._is_quiet():
                self.price()
                if not self.venue.events:
                    return

    def _is_quiet(self) -> bool:
        asking = any(order.query_at_ns for order in self.bot.orders.open.values())
        return not (self.venue.events or self.core.outbox.in_flight or self.bot.proving or asking)

    def kill(self, *, lost_database: bool = False) -> None:
        """Throw the core away and start another from what was written."""
        self.write_out(self.random.randint(0, len(self.unwritten)))
        self.unwritten.clear()
        if lost_database:
            epoch = self.disk.epoch
            self.disk = Disk(epoch=epoch)
        self.reattach_wanted = False
        self.core = EngineCore(self.settings, self.disk.restore(self.settings))

    # ---- invariants ----

    def check(self) -> None:
        self.turns += 1
        bot, venue = self.bot, self.venue
        # Orders an edit took the level from share a slot with its own order until they are gone.
        keys = [(order.slot, order.side) for id_, order in bot.orders.open.items() if id_ not in bot.leaving]
        assert len(keys) == len(set(keys)), f"two orders in one slot and side: {keys}"
        bids = [o.price_ticks for o in venue.open_orders if o.side is Side.BUY]
        asks = [o.price_ticks for o in venue.open_orders if o.side is Side.SELL]
        assert not bids or not asks or max(bids) < min(asks), "own bid at or above own ask"
        booked = {fill.trade_id for fill in venue.fills if bot.ledger.knows_trade(fill.trade_id)}
        assert bot.ledger.totals.fills >= len(booked)
        cap = bot.gate.limits.max_position_lots
        if cap and self.cap_is_old:
            opening = bot.orders.open_lots(Side.BUY, reducing=False)
            assert max(bot.ledger.position_lots, 0) + opening <= cap, "worst case above the cap"

    def check_settled(self) -> None:
        """What must hold when nothing is under way."""
        bot, venue = self.bot, self.venue
        assert bot.ledger.position_lots == venue.position
        assert bot.ledger.totals.fills == len(venue.fills)
        ours = {o.client_order_id for o in bot.orders.open.values()}
        theirs = {o.client_order_id for o in venue.open_orders}
        assert ours == theirs, f"orders differ: {ours ^ theirs}"
        # The model divides entry costs with 28 digits; beyond that nothing may be unexplained.
        assert abs(bot.account_book.unexplained) < Decimal("1e-18"), bot.account_book.unexplained
        pnl = bot.pnl()
        assert pnl.equity_change == pnl.grid_profit + pnl.inventory + pnl.fees + pnl.funding + pnl.transfers
