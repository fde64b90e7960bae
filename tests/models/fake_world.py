"""A little grid on a seeded random walk, told in the messages of the connector and the engine.

Not an exchange and not the strategy: just enough of both that every number on the page moves and fits the others.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.decimal_pb2 import Decimal as DecimalMessage

from opensqt.domain.state_hash import combine, order_hash, position_hash, slot_hash
from opensqt.proto import engine_pb2 as engine
from opensqt.proto import resources_pb2 as resources
from opensqt.proto import trade_pb2 as trade
from opensqt.proto import types_pb2 as types
from opensqt.proto.events_pb2 import OrderUpdate, PriceChange

SYMBOL = "ETH/USDT:USDT"
BOT_ID = "eth-grid"
TICK = Decimal("0.01")
LOT = Decimal("0.001")
ANCHOR_TICKS = 300_000
INTERVAL_TICKS = 200
BUY_WINDOW = 10
LOTS = 10
FEE_RATE = Decimal("0.0002")
START_WALLET = Decimal(1000)
MINUTE_MS = 60_000
START_MS = 1_700_000_000_000 - 1_700_000_000_000 % MINUTE_MS

BUY, SELL = types.ORDER_SIDE_BUY, types.ORDER_SIDE_SELL


def money(value: Decimal) -> DecimalMessage:
    return DecimalMessage(value=format(value, "f"))


@dataclass
class Resting:
    client_id: str
    exchange_id: str
    slot: int
    side: types.OrderSide.ValueType
    price_ticks: int
    created_ms: int
    state: types.OrderState.ValueType = types.ORDER_STATE_LIVE
    filled_lots: int = 0


@dataclass
class Step:
    """What one step of the world did, for the connector's streams and the engine's."""

    candle: resources.Candle
    price: PriceChange
    orders: list[OrderUpdate] = field(default_factory=list)
    delta: engine.BotDelta = field(default_factory=lambda: engine.BotDelta(bot_id=BOT_ID))
    fills: int = 0


class FakeWorld:
    def __init__(self, seed: int = 7, *, now_ms: int = START_MS) -> None:
        self._rng = Random(seed)
        self.now_ms = self.started_ms = now_ms
        self.price_ticks = ANCHOR_TICKS + 130
        self.candles: list[resources.Candle] = []
        self.orders: dict[str, Resting] = {}
        self.held: dict[int, int] = {}
        self.cost: dict[int, int] = {}
        self.cycles: dict[int, int] = {}
        self.profit: dict[int, Decimal] = {}
        self.fills: list[engine.BotFill] = []
        self.journal: list[engine.JournalEntry] = []
        self.position_lots = 0
        self.fees = Decimal(0)
        self.turnover = Decimal(0)
        self.state: engine.TradingState.ValueType = engine.TRADING_STATE_ACTIVE
        self.reasons: list[engine.StateReason] = []
        self._ids = 0
        self._write_history()
        self._place_wanted(None)
        self._note(None, "info", "STARTED", "Grid of 10 levels below 3001.30, interval 2.00")

    # ---- one step ----

    def step(self, dt_ms: int = 1_000) -> Step:
        """Move price and time, fill what was crossed, place what is wanted then."""
        self.now_ms += dt_ms
        drift = (ANCHOR_TICKS - self.price_ticks) // 60
        self.price_ticks += self._rng.randint(-110, 110) + drift
        step = Step(candle=self._candle_step(), price=self.price_change())
        for order in [order for order in self.orders.values() if self._is_crossed(order)]:
            self._fill(order, step)
        self._place_wanted(step)
        delta = step.delta
        delta.last_price.CopyFrom(money(self.price_ticks * TICK))
        delta.mark_price.CopyFrom(money(self.price_ticks * TICK))
        delta.best_bid_ticks, delta.best_ask_ticks = self.price_ticks - 1, self.price_ticks + 1
        delta.pnl.CopyFrom(self.pnl())
        delta.position.CopyFrom(self.position())
        delta.account.CopyFrom(self.account())
        return step

    def set_state(self, state: "engine.TradingState.ValueType", code: str, message: str) -> engine.BotDelta:
        self.state = state
        self.reasons = (
            [engine.StateReason(code=code, message=message, since_ns=self.now_ms * 1_000_000)] if code else []
        )
        delta = engine.BotDelta(bot_id=BOT_ID, state=state, reasons=self.reasons)
        entry = self._note(None, "warning", code or "RESUMED", message)
        delta.journal.append(entry)
        return delta

    def _is_crossed(self, order: Resting) -> bool:
        return self.price_ticks <= order.price_ticks if order.side == BUY else self.price_ticks >= order.price_ticks

    def _fill(self, order: Resting, step: Step) -> None:
        del self.orders[order.client_id]
        notional = order.price_ticks * TICK * LOTS * LOT
        fee = notional * FEE_RATE
        self.fees += fee
        self.turnover += notional
        profit = Decimal(0)
        slot = order.slot
        if order.side == BUY:
            self.held[slot], self.cost[slot] = LOTS, order.price_ticks * LOTS
            self.position_lots += LOTS
        else:
            profit = (order.price_ticks * LOTS - self.cost[slot]) * TICK * LOT
            self.held[slot], self.cost[slot] = 0, 0
            self.cycles[slot] = self.cycles.get(slot, 0) + 1
            self.profit[slot] = self.profit.get(slot, Decimal(0)) + profit
            self.position_lots -= LOTS
        record = trade.FillRecord(
            symbol=SYMBOL,
            trade_id=str(len(self.fills) + 1),
            client_order_id=order.client_id,
            exchange_order_id=order.exchange_id,
            side=order.side,
            price_ticks=order.price_ticks,
            lots=LOTS,
            cumulative_filled_lots=LOTS,
            fee=money(fee),
            fee_asset="USDT",
            is_maker=True,
            origin=types.FILL_ORIGIN_OURS,
            venue_time_ns=self.now_ms * 1_000_000,
            receive_time_ns=self.now_ms * 1_000_000,
        )
        fill = engine.BotFill(fill=record, has_slot=True, slot=slot, grid_profit=money(profit), fee=money(fee))
        self.fills.append(fill)
        step.fills += 1
        step.delta.fills.append(fill)
        step.delta.removed_client_order_ids.append(order.client_id)
        step.delta.slots.append(self.slot_state(slot))
        step.orders.append(self.order_update(order, types.ORDER_STATUS_FILLED, filled=True))

    def _place_wanted(self, step: Step | None) -> None:
        centre = round((self.price_ticks - ANCHOR_TICKS) / INTERVAL_TICKS)
        for k in range(centre - BUY_WINDOW + 1, centre + 1):
            level = ANCHOR_TICKS + k * INTERVAL_TICKS
            if level < self.price_ticks - INTERVAL_TICKS // 10 and not self.held.get(k):
                self._place(k, BUY, level, step)
        for k, lots in list(self.held.items()):
            if lots:
                self._place(k, SELL, ANCHOR_TICKS + (k + 1) * INTERVAL_TICKS, step)
        for order in [
            order for order in self.orders.values() if order.side == BUY and order.slot < centre - BUY_WINDOW
        ]:
            del self.orders[order.client_id]
            if step is not None:
                step.delta.removed_client_order_ids.append(order.client_id)
                step.orders.append(self.order_update(order, types.ORDER_STATUS_CANCELED))

    def _place(self, slot: int, side: "types.OrderSide.ValueType", price_ticks: int, step: Step | None) -> None:
        if any(order.slot == slot for order in self.orders.values()):
            return
        self._ids += 1
        order = Resting(f"sqt1-{slot}-{self._ids}", str(9_000 + self._ids), slot, side, price_ticks, self.now_ms)
        self.orders[order.client_id] = order
        if step is not None:
            step.delta.orders.append(self.bot_order(order))
            step.delta.slots.append(self.slot_state(slot))
            step.orders.append(self.order_update(order, types.ORDER_STATUS_NEW))

    def _note(self, step: Step | None, level: str, code: str, message: str) -> engine.JournalEntry:
        entry = engine.JournalEntry(
            time_ns=self.now_ms * 1_000_000, level=level, code=code, message=message, bot_id=BOT_ID
        )
        self.journal.append(entry)
        if step is not None:
            step.delta.journal.append(entry)
        return entry

    # ---- candles ----

    def _write_history(self) -> None:
        price = self.price_ticks
        opens = [price]
        for _ in range(100):
            price += self._rng.randint(-150, 150) + (ANCHOR_TICKS - price) // 40
            opens.append(price)
        opens.reverse()
        first = self.now_ms // MINUTE_MS * MINUTE_MS - 100 * MINUTE_MS
        for index in range(100):
            low, high = sorted((opens[index], opens[index + 1]))
            self.candles.append(
                resources.Candle(
                    symbol=SYMBOL,
                    open=money(opens[index] * TICK),
                    high=money((high + self._rng.randint(0, 80)) * TICK),
                    low=money((low - self._rng.randint(0, 80)) * TICK),
                    close=money(opens[index + 1] * TICK),
                    volume=money(Decimal(self._rng.randint(500, 9_000)) / 100),
                    timestamp=first + index * MINUTE_MS,
                    is_closed=True,
                )
            )

    def _candle_step(self) -> resources.Candle:
        opened = self.now_ms // MINUTE_MS * MINUTE_MS
        price = money(self.price_ticks * TICK)
        last = self.candles[-1]
        if last.timestamp != opened:
            last.is_closed = True
            last = resources.Candle(
                symbol=SYMBOL,
                open=price,
                high=price,
                low=price,
                close=price,
                volume=money(Decimal(1)),
                timestamp=opened,
            )
            self.candles.append(last)
        value = self.price_ticks * TICK
        last.close.CopyFrom(price)
        last.high.CopyFrom(money(max(value, Decimal(last.high.value))))
        last.low.CopyFrom(money(min(value, Decimal(last.low.value))))
        last.volume.CopyFrom(money(Decimal(last.volume.value) + Decimal(self._rng.randint(1, 300)) / 100))
        copy = resources.Candle()
        copy.CopyFrom(last)
        return copy

    # ---- the connector's messages ----

    def price_change(self) -> PriceChange:
        stamp = Timestamp()
        stamp.FromMilliseconds(self.now_ms)
        return PriceChange(exchange="paper", symbol=SYMBOL, price=money(self.price_ticks * TICK), timestamp=stamp)

    def order_update(
        self, order: Resting, status: "types.OrderStatus.ValueType", *, filled: bool = False
    ) -> OrderUpdate:
        update = OrderUpdate(
            exchange="paper",
            order_id=int(order.exchange_id),
            client_order_id=order.client_id,
            symbol=SYMBOL,
            side=order.side,
            type=types.ORDER_TYPE_LIMIT,
            status=status,
            price=money(order.price_ticks * TICK),
            quantity=money(LOTS * LOT),
            executed_qty=money(LOTS * LOT if filled else Decimal(0)),
            update_time=self.now_ms,
            exchange_order_id=order.exchange_id,
        )
        if filled:
            update.avg_price.CopyFrom(money(order.price_ticks * TICK))
            update.last_trade.symbol = SYMBOL
            update.last_trade.side = order.side
            update.last_trade.price.CopyFrom(update.price)
            update.last_trade.quantity.CopyFrom(update.quantity)
        return update

    def venue_orders(self) -> list[resources.Order]:
        return [
            resources.Order(
                order_id=int(order.exchange_id),
                exchange_order_id=order.exchange_id,
                client_order_id=order.client_id,
                symbol=SYMBOL,
                side=order.side,
                type=types.ORDER_TYPE_LIMIT,
                price=money(order.price_ticks * TICK),
                quantity=money(LOTS * LOT),
                executed_qty=money(Decimal(0)),
                status=types.ORDER_STATUS_NEW,
                update_time=order.created_ms,
            )
            for order in self.orders.values()
        ]

    def venue_account(self) -> resources.Account:
        account = self.account()
        return resources.Account(
            total_wallet_balance=account.wallet_balance,
            total_margin_balance=account.margin_balance,
            available_balance=account.available_balance,
            total_unrealized_pnl=account.unrealized_pnl,
            asset="USDT",
            exchange="paper",
            update_time=self.now_ms,
        )

    def venue_position(self) -> resources.Position:
        position = self.position()
        return resources.Position(
            symbol=SYMBOL,
            size=money(self.position_lots * LOT),
            entry_price=position.entry_price,
            mark_price=position.mark_price,
            unrealized_pnl=position.unrealized_pnl,
            liquidation_price=position.liquidation_price,
            leverage=10,
            margin_type="cross",
            update_time=self.now_ms,
        )

    # ---- the engine's messages ----

    def inventory_pnl(self) -> Decimal:
        return sum(
            ((self.price_ticks * lots - self.cost[k]) * TICK * LOT for k, lots in self.held.items() if lots), Decimal(0)
        )

    def grid_profit(self) -> Decimal:
        return sum(self.profit.values(), Decimal(0))

    def pnl(self) -> engine.PnlState:
        change = self.grid_profit() + self.inventory_pnl() - self.fees
        return engine.PnlState(
            asset="USDT",
            grid_profit=money(self.grid_profit()),
            inventory_pnl=money(self.inventory_pnl()),
            fees=money(-self.fees),
            funding=money(Decimal(0)),
            transfers=money(Decimal(0)),
            equity_change=money(change),
            equity=money(START_WALLET + change),
            unexplained=money(Decimal(0)),
            turnover=money(self.turnover),
            fills=len(self.fills),
            maker_fills=len(self.fills),
            cycles=sum(self.cycles.values()),
            orders_placed=self._ids,
            history_complete=True,
        )

    def position(self) -> trade.PositionRecord:
        cost = sum(self.cost.values())
        entry = cost * TICK / self.position_lots if self.position_lots else Decimal(0)
        return trade.PositionRecord(
            symbol=SYMBOL,
            lots=self.position_lots,
            entry_price=money(entry.quantize(Decimal("0.0001"))),
            mark_price=money(self.price_ticks * TICK),
            unrealized_pnl=money(self.inventory_pnl()),
            liquidation_price=money(Decimal("2115.40") if self.position_lots else Decimal(0)),
            leverage=10,
            margin_type="cross",
            venue_time_ns=self.now_ms * 1_000_000,
        )

    def account(self) -> trade.AccountRecord:
        wallet = START_WALLET + self.grid_profit() - self.fees
        margin = wallet + self.inventory_pnl()
        used = self.position_lots * LOT * self.price_ticks * TICK / 10
        return trade.AccountRecord(
            asset="USDT",
            wallet_balance=money(wallet),
            available_balance=money((margin - used).quantize(Decimal("0.0001"))),
            margin_balance=money(margin),
            unrealized_pnl=money(self.inventory_pnl()),
            maintenance_margin=money((used / 20).quantize(Decimal("0.0001"))),
            venue_time_ns=self.now_ms * 1_000_000,
        )

    def slot_state(self, k: int) -> engine.SlotState:
        working = next((order.client_id for order in self.orders.values() if order.slot == k), "")
        return engine.SlotState(
            slot=k,
            level_ticks=ANCHOR_TICKS + k * INTERVAL_TICKS,
            take_profit_ticks=ANCHOR_TICKS + (k + 1) * INTERVAL_TICKS,
            held_lots=self.held.get(k, 0),
            cost_ticks_lots=self.cost.get(k, 0),
            working_client_order_id=working,
            cycles=self.cycles.get(k, 0),
            grid_profit=money(self.profit.get(k, Decimal(0))),
        )

    def bot_order(self, order: Resting) -> engine.BotOrder:
        record = trade.OrderRecord(
            symbol=SYMBOL,
            client_order_id=order.client_id,
            exchange_order_id=order.exchange_id,
            side=order.side,
            type=types.ORDER_TYPE_LIMIT,
            time_in_force=types.TIME_IN_FORCE_GTX,
            price_ticks=order.price_ticks,
            lots=LOTS,
            filled_lots=order.filled_lots,
            reduce_only=order.side == SELL,
            post_only=True,
            state=order.state,
            created_time_ns=order.created_ms * 1_000_000,
            updated_time_ns=order.created_ms * 1_000_000,
        )
        return engine.BotOrder(order=record, slot=order.slot, rule="buy_window" if order.side == BUY else "take_profit")

    def known_slots(self) -> list[int]:
        return sorted({*self.held, *(order.slot for order in self.orders.values())})

    def bot_state(self) -> engine.BotState:
        return engine.BotState(
            bot_id=BOT_ID,
            symbol=SYMBOL,
            state=self.state,
            reasons=self.reasons,
            grid=engine.GridSettings(
                spacing="arithmetic",
                direction="long",
                anchor_ticks=ANCHOR_TICKS,
                interval_ticks=INTERVAL_TICKS,
                order_quantity=money(Decimal(30)),
                buy_window=BUY_WINDOW,
                sell_window=BUY_WINDOW,
                max_open_orders=100,
                price_source="last",
                config_version=1,
            ),
            instrument=self.instrument(),
            slots=[self.slot_state(k) for k in self.known_slots()],
            orders=[self.bot_order(order) for order in self.orders.values()],
            recent_fills=self.fills[-200:],
            position=self.position(),
            account=self.account(),
            pnl=self.pnl(),
            connections=[
                engine.ConnectionState(name=name, up=True, since_ns=self.started_ms * 1_000_000)
                for name in ("connector", "book", "private")
            ],
            last_price=money(self.price_ticks * TICK),
            mark_price=money(self.price_ticks * TICK),
            best_bid_ticks=self.price_ticks - 1,
            best_ask_ticks=self.price_ticks + 1,
            window_low_slot=-9,
            window_high_slot=1,
            started_ns=self.started_ms * 1_000_000,
            epoch=1,
            exchange="paper",
            mode="paper",
            funding_rate=money(Decimal("0.0001")),
            next_funding_time_ms=self.now_ms + 3 * 3_600_000,
            recent_journal=self.journal[-100:],
        )

    @staticmethod
    def instrument() -> trade.InstrumentSpec:
        return trade.InstrumentSpec(
            symbol=SYMBOL,
            venue_symbol="ETHUSDT",
            base_asset="ETH",
            quote_asset="USDT",
            settle_asset="USDT",
            tick_size=money(TICK),
            lot_size=money(LOT),
            contract_multiplier=money(Decimal(1)),
            min_notional=money(Decimal(5)),
            maker_fee_rate=money(FEE_RATE),
            taker_fee_rate=money(Decimal("0.0005")),
            revision=1,
            status=types.INSTRUMENT_STATUS_TRADING,
        )

    def state_hash(self) -> int:
        hashes = [
            slot_hash(BOT_ID, k, self.held.get(k, 0), self.cost.get(k, 0), self.cycles.get(k, 0))
            for k in self.hashed_slots
        ]
        hashes += [
            order_hash(BOT_ID, order.client_id, order.price_ticks, LOTS, order.filled_lots, "LIVE")
            for order in self.orders.values()
        ]
        return combine([*hashes, position_hash(BOT_ID, self.position_lots)])

    @property
    def hashed_slots(self) -> list[int]:
        """Every slot a reader of the stream knows: none is ever removed here."""
        self._ever = getattr(self, "_ever", set()) | set(self.known_slots())
        return sorted(self._ever)
