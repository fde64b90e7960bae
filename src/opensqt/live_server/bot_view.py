"""A bot as the browser reads it: JSON-ready dicts, decimals as text in ordinary units, times in Unix ms.

`render_bot` describes a whole bot. `render_change` carries only what changed, under the same keys: parts replace what
the browser had, `slots` and `orders` update by their key, `fills` and `journal` append.
"""

from collections.abc import Callable
from typing import Any, Final

from opensqt.live_server import bot_items as items
from opensqt.live_server import names, risk_view
from opensqt.live_server.replica import (
    PART_ACCOUNT,
    PART_CONNECTIONS,
    PART_DEAD_MAN,
    PART_FUNDING,
    PART_GRID,
    PART_LIMITS,
    PART_PNL,
    PART_POSITION,
    PART_PRICES,
    PART_RECONCILE,
    PART_STATE,
    PART_VOLUME_HALT,
    PART_WINDOW,
    BotChange,
    BotReplica,
)
from opensqt.live_server.units import decimal_text, ms, optional_decimal_text

Json = dict[str, Any]


def render_bot(bot: BotReplica) -> Json:
    """Return everything about a bot."""
    head = bot.head
    rendered: Json = {
        "id": head.bot_id,
        "symbol": head.symbol,
        "exchange": head.exchange,
        "mode": head.mode,
        "started_ms": ms(head.started_ns),
        "epoch": head.epoch,
        "instrument": _instrument(bot),
    }
    for part, render in _PARTS.items():
        rendered[part] = render(bot)
    rendered["slots"] = [items.slot(bot.scale, slot) for slot in bot.slots.values()]
    rendered["orders"] = [items.order(bot.scale, order) for order in bot.orders.values()]
    rendered["fills"] = [items.fill(bot.scale, fill) for fill in bot.fills]
    rendered["journal"] = [items.journal_entry(entry) for entry in bot.journal]
    return rendered


def render_change(bot: BotReplica, change: BotChange) -> Json:
    """Return what changed of a bot; with `full` the browser replaces all it knew of it."""
    if change.full:
        return {"full": True, **render_bot(bot)}
    rendered: Json = {"id": bot.head.bot_id}
    for part in sorted(change.parts):
        rendered[part] = _PARTS[part](bot)
    if change.slots:
        rendered["slots"] = [items.slot(bot.scale, bot.slots[index]) for index in sorted(change.slots)]
    if change.removed_slots:
        rendered["removed_slots"] = sorted(change.removed_slots)
    if change.orders:
        rendered["orders"] = [items.order(bot.scale, bot.orders[client_id]) for client_id in sorted(change.orders)]
    if change.removed_orders:
        rendered["removed_orders"] = sorted(change.removed_orders)
    if change.fills:
        rendered["fills"] = [items.fill(bot.scale, fill) for fill in change.fills]
    if change.journal:
        rendered["journal"] = [items.journal_entry(entry) for entry in change.journal]
    return rendered


def _instrument(bot: BotReplica) -> Json:
    spec = bot.head.instrument
    return {
        "venue_symbol": spec.venue_symbol,
        "base": spec.base_asset,
        "quote": spec.quote_asset,
        "settle": spec.settle_asset,
        "tick_size": decimal_text(spec.tick_size),
        "lot_size": decimal_text(spec.lot_size),
        "price_decimals": bot.scale.price_decimals,
        "size_decimals": bot.scale.size_decimals,
        "min_notional": decimal_text(spec.min_notional),
        "maker_fee_rate": decimal_text(spec.maker_fee_rate),
        "taker_fee_rate": decimal_text(spec.taker_fee_rate),
        "revision": spec.revision,
        "status": names.instrument_status(spec.status),
    }


def _state(bot: BotReplica) -> Json:
    return {
        "name": names.trading_state(bot.head.state),
        "reasons": [
            {
                "code": reason.code,
                "title": reason.title,
                "title_zh": reason.title_zh,
                "message": reason.message,
                "since_ms": ms(reason.since_ns),
            }
            for reason in bot.head.reasons
        ],
    }


def _grid(bot: BotReplica) -> Json:
    grid = bot.head.grid
    return {
        "spacing": grid.spacing,
        "direction": grid.direction,
        "anchor": bot.scale.price(grid.anchor_ticks),
        "interval": bot.scale.price(grid.interval_ticks),
        "ratio_ppb": grid.ratio_ppb,
        "order_quantity": decimal_text(grid.order_quantity),
        "buy_window": grid.buy_window,
        "sell_window": grid.sell_window,
        "max_open_orders": grid.max_open_orders,
        "price_source": grid.price_source,
        "config_version": grid.config_version,
        "range_lower": optional_decimal_text(grid.range_lower),
        "range_upper": optional_decimal_text(grid.range_upper),
        "range_action": grid.range_action,
        "max_position": optional_decimal_text(grid.max_position),
        "max_notional": optional_decimal_text(grid.max_notional),
        "max_order_notional": optional_decimal_text(grid.max_order_notional),
    }


def _position(bot: BotReplica) -> Json:
    position = bot.head.position
    return {
        "size": bot.scale.size(position.lots),
        "entry_price": optional_decimal_text(position.entry_price),
        "mark_price": optional_decimal_text(position.mark_price),
        "unrealized_pnl": decimal_text(position.unrealized_pnl),
        "liquidation_price": optional_decimal_text(position.liquidation_price),
        "leverage": position.leverage,
        "margin_type": position.margin_type,
        "time_ms": ms(position.venue_time_ns),
    }


def _account(bot: BotReplica) -> Json:
    account = bot.head.account
    return {
        "asset": account.asset,
        "wallet": decimal_text(account.wallet_balance),
        "available": decimal_text(account.available_balance),
        "margin": decimal_text(account.margin_balance),
        "unrealized_pnl": decimal_text(account.unrealized_pnl),
        "maintenance_margin": decimal_text(account.maintenance_margin),
        "time_ms": ms(account.venue_time_ns),
    }


def _pnl(bot: BotReplica) -> Json:
    pnl = bot.head.pnl
    return {
        "asset": pnl.asset,
        "grid_profit": decimal_text(pnl.grid_profit),
        "inventory_pnl": decimal_text(pnl.inventory_pnl),
        "fees": decimal_text(pnl.fees),
        "funding": decimal_text(pnl.funding),
        "transfers": decimal_text(pnl.transfers),
        "equity_change": decimal_text(pnl.equity_change),
        "equity": decimal_text(pnl.equity),
        "unexplained": decimal_text(pnl.unexplained),
        "turnover": decimal_text(pnl.turnover),
        "fills": pnl.fills,
        "maker_fills": pnl.maker_fills,
        "cycles": pnl.cycles,
        "orders_placed": pnl.orders_placed,
        "history_complete": pnl.history_complete,
    }


def _connections(bot: BotReplica) -> list[Json]:
    return [
        {"name": item.name, "up": item.up, "detail": item.detail, "since_ms": ms(item.since_ns)}
        for item in bot.connections.values()
    ]


def _prices(bot: BotReplica) -> Json:
    head = bot.head
    return {
        "last": optional_decimal_text(head.last_price),
        "mark": optional_decimal_text(head.mark_price),
        "bid": bot.scale.price(head.best_bid_ticks) if head.best_bid_ticks else None,
        "ask": bot.scale.price(head.best_ask_ticks) if head.best_ask_ticks else None,
    }


def _window(bot: BotReplica) -> Json:
    return {"low_slot": bot.head.window_low_slot, "high_slot": bot.head.window_high_slot}


def _funding(bot: BotReplica) -> Json:
    return {"rate": decimal_text(bot.head.funding_rate), "next_ms": bot.head.next_funding_time_ms}


_PARTS: Final[dict[str, Callable[[BotReplica], Any]]] = {
    PART_STATE: _state,
    PART_GRID: _grid,
    PART_POSITION: _position,
    PART_ACCOUNT: _account,
    PART_PNL: _pnl,
    PART_CONNECTIONS: _connections,
    PART_PRICES: _prices,
    PART_WINDOW: _window,
    PART_FUNDING: _funding,
    PART_LIMITS: risk_view.limits,
    PART_VOLUME_HALT: risk_view.volume_halt,
    PART_DEAD_MAN: risk_view.dead_man,
    PART_RECONCILE: risk_view.reconcile,
}
