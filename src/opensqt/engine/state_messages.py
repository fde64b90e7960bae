"""A bot's state as messages of EngineService: pure functions from the bot to protobuf."""

from collections.abc import Iterable
from decimal import Decimal

from opensqt.domain.convert_trade import (
    account_to_wire,
    decimal_message,
    fill_to_wire,
    instrument_to_wire,
    order_to_wire,
    position_to_wire,
)
from opensqt.domain.order import Order, Side
from opensqt.domain.state_hash import order_hash, slot_hash
from opensqt.engine.bot import Bot
from opensqt.engine.commands import JournalRecord
from opensqt.engine.grid_lay import in_force
from opensqt.engine.grid_messages import settings_message
from opensqt.engine.orders import TrackedOrder
from opensqt.engine.restored import BookedFill
from opensqt.engine.risk.limit_reading import LimitReading
from opensqt.engine.risk.reason_texts import REASON_TEXTS
from opensqt.engine.risk.reasons import Code
from opensqt.proto import engine_pb2, trade_pb2

ZERO = Decimal(0)
TOLD_CORRECTIONS = 20


def grid_settings(bot: Bot) -> engine_pb2.GridSettings:
    """Describe the lattice and its windows."""
    return settings_message(bot, in_force(bot) if bot.instrument is not None else bot.config, bot.config_version)


def known_slots(bot: Bot) -> set[int]:
    """Return the slots that hold a lot, have an order, or have a history."""
    slots = {slot for slot, lot in bot.ledger.slots.items() if not lot.is_blank}
    slots.update(order.slot for order in bot.orders.open.values() if bot.grid and bot.grid.has_level(order.slot))
    return slots


def working_orders(bot: Bot) -> dict[int, str]:
    """Return the client id of each slot's order; of two, the one that sells."""
    found: dict[int, str] = {}
    for order in bot.orders.open.values():
        if order.side is Side.SELL or order.slot not in found:
            found[order.slot] = order.client_order_id
    return found


def slot_state(bot: Bot, slot: int, working: dict[int, str]) -> engine_pb2.SlotState:
    """Describe one slot."""
    lot, grid, instrument = bot.slots.get(slot), bot.grid, bot.instrument
    on_lattice = grid is not None and grid.has_level(slot)
    profit = instrument.money(lot.profit_ticks_lots * instrument.units_per_tick_lot) if instrument else ZERO
    return engine_pb2.SlotState(
        slot=slot,
        level_ticks=grid.lattice.level_ticks(slot) if grid is not None and on_lattice else 0,
        take_profit_ticks=grid.lattice.level_ticks(slot + 1) if grid is not None and on_lattice else 0,
        held_lots=lot.lots,
        cost_ticks_lots=lot.cost_ticks_lots,
        working_client_order_id=working.get(slot, ""),
        cycles=lot.cycles,
        grid_profit=decimal_message(profit),
        cooldown_until_ns=bot.slots.cool_until_ns(slot),
    )


def own_order(order: TrackedOrder) -> engine_pb2.BotOrder:
    """Describe one of our orders."""
    return engine_pb2.BotOrder(order=order_to_wire(order.to_order()), slot=order.slot, rule=order.rule)


def foreign_order(order: Order) -> engine_pb2.BotOrder:
    """Describe an order of somebody else on our symbol."""
    return engine_pb2.BotOrder(order=order_to_wire(order), foreign=True)


def open_orders(bot: Bot) -> list[engine_pb2.BotOrder]:
    """Describe every order that is not over, ours first."""
    return [
        *(own_order(order) for order in bot.orders.open.values()),
        *(foreign_order(order) for order in bot.orders.foreign.values()),
    ]


def hash_of_slot(bot: Bot, slot: int) -> int:
    """Return a slot's part of the state hash."""
    lot = bot.slots.get(slot)
    return slot_hash(bot.id, slot, lot.lots, lot.cost_ticks_lots, lot.cycles)


def hash_of_order(bot: Bot, order: Order) -> int:
    """Return an order's part of the state hash."""
    return order_hash(
        bot.id, order.client_order_id, order.price_ticks, order.lots, order.filled_lots, order.state.value
    )


def bot_fill(bot: Bot, booked: BookedFill) -> engine_pb2.BotFill:
    """Describe a fill with what it earned."""
    instrument = bot.instrument
    message = engine_pb2.BotFill(fill=fill_to_wire(booked.fill), fee=decimal_message(booked.fill.fee))
    if booked.slot is not None:
        message.has_slot = True
        message.slot = booked.slot
    if instrument is not None:
        profit = instrument.money(booked.profit_ticks_lots * instrument.units_per_tick_lot)
        message.grid_profit.CopyFrom(decimal_message(profit))
    return message


def pnl_state(bot: Bot) -> engine_pb2.PnlState:
    """Describe the profit in its parts."""
    pnl, book, totals = bot.pnl(), bot.account_book, bot.ledger.totals
    message = engine_pb2.PnlState(
        fills=totals.fills,
        maker_fills=totals.maker_fills,
        cycles=totals.cycles,
        orders_placed=bot.orders_placed,
        history_complete=bot.history_complete,
        equity=decimal_message(bot.account.margin_balance if bot.account else ZERO),
        unexplained=decimal_message(book.unexplained if book else ZERO),
    )
    if pnl is not None:
        message.asset = pnl.asset
        message.grid_profit.CopyFrom(decimal_message(pnl.grid_profit))
        message.inventory_pnl.CopyFrom(decimal_message(pnl.inventory))
        message.fees.CopyFrom(decimal_message(pnl.fees))
        message.funding.CopyFrom(decimal_message(pnl.funding))
        message.transfers.CopyFrom(decimal_message(pnl.transfers))
        message.equity_change.CopyFrom(decimal_message(pnl.equity_change))
        message.turnover.CopyFrom(decimal_message(pnl.turnover))
    return message


def reasons(bot: Bot) -> list[engine_pb2.StateReason]:
    """Describe why the bot is in its state, oldest reason first."""
    return [
        engine_pb2.StateReason(
            code=reason.code.value,
            message=reason.message,
            since_ns=reason.since_ns,
            title=REASON_TEXTS[reason.code].title,
            title_zh=REASON_TEXTS[reason.code].title_zh,
        )
        for reason in sorted(bot.gate.reasons.values(), key=lambda reason: reason.since_ns)
    ]


def risk_limit(reading: LimitReading) -> engine_pb2.RiskLimit:
    """Describe how much of one limit is used."""
    text = REASON_TEXTS[reading.code]
    return engine_pb2.RiskLimit(
        name=reading.name,
        value=decimal_message(reading.value),
        cap=decimal_message(reading.cap),
        unit=reading.unit,
        action=reading.action,
        code=reading.code.value,
        is_floor=reading.is_floor,
        is_reached=reading.is_reached,
        title=text.title,
        title_zh=text.title_zh,
    )


def volume_halt(bot: Bot) -> engine_pb2.VolumeHaltState | None:
    """Describe the engine's volume halt; None when it is not used, or was not judged yet."""
    view = bot.halt_view
    if view is None:
        return None
    config = view.config
    return engine_pb2.VolumeHaltState(
        is_enabled=config.enabled,
        is_halted=view.is_halted,
        since_ns=view.since_ns,
        interval=config.interval,
        window=config.window,
        multiplier=decimal_message(config.multiplier),
        recovered=view.recovered,
        recovery_threshold=config.recovery_threshold,
        is_blind=view.is_blind,
        symbols=[
            engine_pb2.VolumeHaltSymbol(
                symbol=one.symbol,
                is_fresh=one.is_fresh,
                detail=one.detail,
                open_time_ms=one.open_time_ms,
                close=decimal_message(one.close),
                mean_close=decimal_message(one.mean_close),
                volume=decimal_message(one.volume),
                mean_volume=decimal_message(one.mean_volume),
                is_dumping=one.is_dumping,
                has_recovered=one.has_recovered,
            )
            for one in view.symbols
        ],
    )


def connection_facts(bot: Bot) -> list[tuple[str, bool, str]]:
    """Return name, up and detail of what the bot depends on."""
    down = bot.gate.reasons.get(Code.CONNECTOR_DOWN)
    private = bot.gate.reasons.get(Code.PRIVATE_STREAM_DOWN)
    return [
        ("connector", bot.attached, down.message if down else ""),
        ("book", bot.market.valid, bot.market.invalid_reason),
        ("private", bot.attached and private is None, private.message if private else ""),
    ]


def correction(bot: Bot, client_order_id: str, what: str, evidence: str) -> engine_pb2.Correction:
    """Describe one correction with its evidence."""
    return engine_pb2.Correction(bot_id=bot.id, client_order_id=client_order_id, what=what, evidence=evidence)


def reconcile_state(bot: Bot) -> engine_pb2.ReconcileState:
    """Describe how the venue's lists compare with what we believe."""
    reconciler = bot.reconciler
    return engine_pb2.ReconcileState(
        last_read_ns=reconciler.last_read_ns,
        reads=reconciler.reads,
        stale_reads=reconciler.stale_reads,
        failures=reconciler.failures,
        last_error=reconciler.last_error,
        suspects=reconciler.suspects,
        corrected=reconciler.corrected,
    )


def journal_entry(record: JournalRecord) -> engine_pb2.JournalEntry:
    """Describe a journal line."""
    return engine_pb2.JournalEntry(
        time_ns=record.time_ns, level=record.level, code=record.code, message=record.message, bot_id=record.bot_id
    )


def fill_prices(message: engine_pb2.BotState | engine_pb2.BotDelta, bot: Bot) -> None:
    """Set the prices, the window and the funding terms."""
    market, instrument, grid = bot.market, bot.instrument, bot.grid
    message.best_bid_ticks = market.bid_ticks
    message.best_ask_ticks = market.ask_ticks
    if instrument is not None:
        last = market.last_ticks or (market.bid_ticks + market.ask_ticks) // 2
        if last:
            message.last_price.CopyFrom(decimal_message(instrument.ticks_to_price(last)))
        message.mark_price.CopyFrom(decimal_message(market.mark_price(instrument)))
    if market.mark is not None:
        message.funding_rate.CopyFrom(decimal_message(market.mark.funding_rate))
        message.next_funding_time_ms = market.mark.next_funding_time_ms
    price2 = market.price2_ticks
    if grid is not None and price2:
        message.window_low_slot, message.window_high_slot = grid.window(price2)


def bot_state(
    bot: Bot, connections: Iterable[engine_pb2.ConnectionState], exchange: str, mode: str
) -> engine_pb2.BotState:
    """Describe the whole bot."""
    working = working_orders(bot)
    message = engine_pb2.BotState(
        bot_id=bot.id,
        symbol=bot.symbol,
        state=engine_pb2.TradingState.ValueType(bot.gate.state),
        reasons=reasons(bot),
        grid=grid_settings(bot),
        instrument=instrument_to_wire(bot.instrument) if bot.instrument else None,
        slots=[slot_state(bot, slot, working) for slot in sorted(known_slots(bot))],
        orders=open_orders(bot),
        recent_fills=[bot_fill(bot, booked) for booked in bot.recent_fills],
        position=position_to_wire(bot.position),
        account=account_to_wire(bot.account) if bot.account else None,
        pnl=pnl_state(bot),
        connections=connections,
        started_ns=bot.started_ns,
        epoch=bot.epoch,
        dead_man=trade_pb2.DeadManState.ValueType(bot.dead_man),
        exchange=exchange,
        mode=mode,
        recent_journal=[journal_entry(record) for record in bot.recent_journal],
        corrections=[correction(bot, *change) for change in list(bot.corrections)[-TOLD_CORRECTIONS:]],
        reconcile=reconcile_state(bot),
        limits=[risk_limit(reading) for reading in bot.readings],
        volume_halt=volume_halt(bot),
    )
    fill_prices(message, bot)
    return message
