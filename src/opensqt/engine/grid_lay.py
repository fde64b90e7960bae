"""Putting an edited configuration in force: new windows, sizes and limits, and a new lattice where the step changed.

The same function works on the real bot and on the copy a preview plays with. Orders that rest where the new lattice
wants them are not touched: identity is the slot, and slots are carried over (see `lattices`). What a slot holds is
carried over with its cost to the last unit.
"""

from decimal import Decimal

import msgspec

from opensqt._core.diff import Differ
from opensqt._core.grid import Lattice
from opensqt.engine.bot import FLATTEN_SLOT, Bot
from opensqt.engine.config import BotConfig
from opensqt.engine.configured import configured_limits, grid_of
from opensqt.engine.grid_values import Carry
from opensqt.engine.lattices import carried, carried_lot
from opensqt.engine.risk.reasons import Code
from opensqt.engine.upkeep import merge_remnants


def in_force(bot: Bot) -> BotConfig:
    """Return the bot's configuration with the limits that hold now, which an operator may have set."""
    instrument = bot.instrument
    assert instrument is not None, "limits count in an instrument's units"
    now, configured = bot.gate.limits, configured_limits(bot.config, instrument)
    risk: dict[str, Decimal | None] = {}
    if now.max_position_lots != configured.max_position_lots:
        risk["max_position"] = instrument.lots_to_quantity(now.max_position_lots) or None
    if now.max_notional_units != configured.max_notional_units:
        risk["max_notional"] = instrument.money(now.max_notional_units) or None
    if now.max_order_notional_units != configured.max_order_notional_units:
        risk["max_order_notional"] = instrument.money(now.max_order_notional_units) or None
    if not risk:
        return bot.config
    return msgspec.structs.replace(bot.config, risk=msgspec.structs.replace(bot.config.risk, **risk))


def lay(bot: Bot, config: BotConfig, now_ns: int) -> tuple[Carry, ...]:
    """Put a configuration in force; returns the lots that got another slot.

    Raises:
        RequestError: no grid can be laid with it (from `ClassicGrid`); nothing was changed then.
        ValueError: the step is no lattice, or a held slot has no level; nothing was changed then.
    """
    instrument, old = bot.instrument, bot.grid
    assert instrument is not None, "a lattice needs units"
    assert old is not None, "only a grid that was laid can be edited"
    grid = grid_of(bot, config, instrument)
    moves = carry_over(bot, old.lattice, grid.lattice) if grid.lattice != old.lattice else None
    wanted = configured_limits(config, instrument)
    bot.gate.limits = msgspec.structs.replace(
        bot.gate.limits,
        max_position_lots=wanted.max_position_lots,
        max_notional_units=wanted.max_notional_units,
        max_order_notional_units=wanted.max_order_notional_units,
    )
    bot.config, bot.grid = config, grid
    bot.config_version += 1
    bot.watch.config = config.risk
    bot.differ = Differ(config.grid.max_open_orders)
    bot.next_start_check_ns = 0
    if moves is not None:
        relay(bot, old.lattice, grid.lattice, now_ns)
    bot.gate.changed = True
    bot.unsaid.everything = True
    return moves or ()


def carry_over(bot: Bot, old: Lattice, new: Lattice) -> tuple[Carry, ...]:
    """Return where every held lot goes. Raises ValueError when one has no level."""
    moves = []
    for slot, lot in sorted(bot.ledger.slots.items()):
        target = carried_lot(old, new, slot)
        if lot.lots:
            moves.append(
                Carry(
                    from_slot=slot,
                    to_slot=target,
                    lots=lot.lots,
                    cost_ticks_lots=lot.cost_ticks_lots,
                    old_take_profit_ticks=old.level_ticks(slot + 1),
                    new_take_profit_ticks=new.level_ticks(target + 1),
                )
            )
    return tuple(moves)


def relay(bot: Bot, old: Lattice, new: Lattice, now_ns: int) -> None:
    """Count everything on the new lattice, under a new epoch that is durable before the next order."""
    bot.epoch += 1
    bot.past = bot.past.then(old, new, bot.epoch)
    old_slots = list(bot.ledger.slots)
    bot.ledger.relocate(lambda slot: carried_lot(old, new, slot))
    bot.slots.relaid(old_slots)
    for order in bot.orders.open.values():
        if order.slot != FLATTEN_SLOT:
            bot.orders.dirty_slots.add(order.slot)
            slot = carried(old, new, order.slot, order.side)
            if slot != order.slot:
                order.history.append(
                    f"{order.state.value}: slot {order.slot} is {slot} since version {bot.config_version}"
                )
            order.slot = slot
    bot.orders.rebuild_live()
    bot.mark_leaving()
    merge_remnants(bot, now_ns)
    bot.lattice_saved = False
    bot.gate.add(Code.WAITING_FOR_DISK, "the changed lattice is being made durable", now_ns)
