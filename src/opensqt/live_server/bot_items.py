"""Slots, orders, fills and journal entries of a bot as the browser reads them: JSON-ready dicts, decimals as text."""

from typing import Any

from opensqt.live_server import names
from opensqt.live_server.replica import order_key
from opensqt.live_server.units import UnitScale, decimal_text, ms, optional_decimal_text
from opensqt.proto.engine_pb2 import BotFill, BotOrder, ExplainResponse, JournalEntry, SlotState

Json = dict[str, Any]


def slot(scale: UnitScale, slot: SlotState) -> Json:
    """Return a level of the lattice with its lot, its order and its history."""
    return {
        "k": slot.slot,
        "level": scale.price(slot.level_ticks),
        "take_profit": scale.price(slot.take_profit_ticks) if slot.take_profit_ticks else None,
        "held": scale.size(slot.held_lots),
        "average_price": scale.average_price(slot.cost_ticks_lots, slot.held_lots),
        "order": slot.working_client_order_id or None,
        "cycles": slot.cycles,
        "profit": decimal_text(slot.grid_profit),
        "cooldown_until_ms": ms(slot.cooldown_until_ns),
    }


def order(scale: UnitScale, bot_order: BotOrder) -> Json:
    """Return an order that is not terminal."""
    order = bot_order.order
    return {
        "id": order_key(bot_order),
        "exchange_id": order.exchange_order_id,
        "slot": None if bot_order.foreign else bot_order.slot,
        "side": names.side(order.side),
        "type": names.order_type(order.type),
        "price": scale.price(order.price_ticks),
        "size": scale.size(order.lots),
        "filled": scale.size(order.filled_lots),
        "state": names.order_state(order.state),
        "rule": bot_order.rule,
        "reduce_only": order.reduce_only,
        "post_only": order.post_only,
        "foreign": bot_order.foreign,
        "reason": names.error_reason(order.reason) if order.reason else None,
        "created_ms": ms(order.created_time_ns),
        "updated_ms": ms(order.updated_time_ns),
    }


def fill(scale: UnitScale, bot_fill: BotFill) -> Json:
    """Return an execution with its slot and profit."""
    fill = bot_fill.fill
    return {
        "id": fill.trade_id,
        "order": fill.client_order_id,
        "side": names.side(fill.side),
        "price": scale.price(fill.price_ticks),
        "size": scale.size(fill.lots),
        "slot": bot_fill.slot if bot_fill.has_slot else None,
        "grid_profit": optional_decimal_text(bot_fill.grid_profit),
        "fee": decimal_text(bot_fill.fee if bot_fill.HasField("fee") else fill.fee),
        "fee_asset": fill.fee_asset,
        "maker": fill.is_maker,
        "origin": names.fill_origin(fill.origin),
        "time_ms": ms(fill.venue_time_ns),
    }


def journal_entry(entry: JournalEntry) -> Json:
    """Return what the engine noted."""
    return {
        "time_ms": ms(entry.time_ns),
        "level": entry.level,
        "code": entry.code,
        "message": entry.message,
    }


def explanation(scale: UnitScale, answer: ExplainResponse) -> Json:
    """Return why an order exists and what became of it."""
    own = BotOrder(order=answer.order, slot=answer.slot, rule=answer.rule)
    return {
        "order": order(scale, own),
        "inputs": dict(sorted(answer.inputs.items())),
        "config_version": answer.config_version,
        "history": list(answer.history),
        "fills": [
            {
                "id": item.trade_id,
                "price": scale.price(item.price_ticks),
                "size": scale.size(item.lots),
                "fee": decimal_text(item.fee),
                "fee_asset": item.fee_asset,
                "maker": item.is_maker,
                "time_ms": ms(item.venue_time_ns),
            }
            for item in answer.fills
        ],
    }
