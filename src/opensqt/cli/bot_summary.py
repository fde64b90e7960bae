"""A bot's state in a few plain values, decimals as exact strings: for status lines, tables and JSON."""

from typing import Any

from opensqt.proto import engine_pb2

_STATE_PREFIX = "TRADING_STATE_"

PNL_FIELDS = (
    "grid_profit",
    "inventory_pnl",
    "fees",
    "funding",
    "transfers",
    "equity_change",
    "equity",
    "unexplained",
    "turnover",
)
PNL_COUNTS = ("fills", "maker_fills", "cycles", "orders_placed")


def state_name(bot: engine_pb2.BotState) -> str:
    """Return the trading state as a word, for example `active`."""
    return engine_pb2.TradingState.Name(bot.state).removeprefix(_STATE_PREFIX).lower()


def pnl_values(pnl: engine_pb2.PnlState) -> dict[str, str | int]:
    """Return the PnL's parts as decimal strings, and its counts."""
    values: dict[str, str | int] = {name: getattr(pnl, name) for name in PNL_COUNTS}
    for name in PNL_FIELDS:
        values[name] = getattr(pnl, name).value or "0"
    return values


def summarise_bot(bot: engine_pb2.BotState) -> dict[str, Any]:
    """Return what people want to know of a bot at a glance."""
    return {
        "bot_id": bot.bot_id,
        "symbol": bot.symbol,
        "state": state_name(bot),
        "reasons": [f"{reason.code}: {reason.message}" for reason in bot.reasons],
        "exchange": bot.exchange,
        "mode": bot.mode,
        "last_price": bot.last_price.value,
        "open_orders": sum(not order.foreign for order in bot.orders),
        "slots_held": sum(slot.held_lots != 0 for slot in bot.slots),
        "asset": bot.pnl.asset,
        **pnl_values(bot.pnl),
        "connections": [f"{one.name} {'up' if one.up else 'down'}" for one in bot.connections],
    }
