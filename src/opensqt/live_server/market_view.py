"""The connector's messages as the browser reads them: JSON-ready dicts, decimals as text, times in Unix ms."""

from typing import Any, Final

from opensqt.live_server import names
from opensqt.live_server.units import decimal_text, optional_decimal_text
from opensqt.proto.events_pb2 import OrderUpdate, PriceChange
from opensqt.proto.exchange_pb2 import Capabilities, RateBudget
from opensqt.proto.resources_pb2 import Account, Candle, Order, Position

Json = dict[str, Any]

MS_PER_S: Final = 1_000


def candle_row(candle: Candle) -> list[Any]:
    """Return [open time in Unix seconds, open, high, low, close, volume]; all but the time are text."""
    return [
        candle.timestamp // MS_PER_S,
        decimal_text(candle.open),
        decimal_text(candle.high),
        decimal_text(candle.low),
        decimal_text(candle.close),
        decimal_text(candle.volume),
    ]


def price(change: PriceChange) -> Json:
    """Return a last price with its time."""
    return {
        "symbol": change.symbol,
        "price": decimal_text(change.price),
        "time_ms": change.timestamp.ToMilliseconds(),
    }


def account(account: Account) -> Json:
    """Return the account's balances."""
    return {
        "asset": account.asset,
        "wallet": decimal_text(account.total_wallet_balance),
        "available": decimal_text(account.available_balance),
        "margin": decimal_text(account.total_margin_balance),
        "unrealized_pnl": decimal_text(account.total_unrealized_pnl),
        "maintenance_margin": decimal_text(account.total_maintenance_margin),
        "time_ms": account.update_time,
    }


def position(position: Position) -> Json:
    """Return a position; prices that do not apply are null."""
    return {
        "symbol": position.symbol,
        "size": decimal_text(position.size),
        "entry_price": optional_decimal_text(position.entry_price),
        "mark_price": optional_decimal_text(position.mark_price),
        "unrealized_pnl": decimal_text(position.unrealized_pnl),
        "liquidation_price": optional_decimal_text(position.liquidation_price),
        "leverage": position.leverage,
        "margin_type": position.margin_type,
        "time_ms": position.update_time,
    }


def order_id(order: Order | OrderUpdate) -> str:
    """Return the venue's id of an order as text."""
    return order.exchange_order_id or str(order.order_id or order.client_order_id)


def order(order: Order | OrderUpdate) -> Json:
    """Return an open order."""
    return {
        "id": order_id(order),
        "client_id": order.client_order_id,
        "symbol": order.symbol,
        "side": names.side(order.side),
        "type": names.order_type(order.type),
        "price": decimal_text(order.price),
        "size": decimal_text(order.quantity),
        "filled": decimal_text(order.executed_qty),
        "status": names.order_status(order.status),
        "updated_ms": order.update_time,
    }


def budget(budget: RateBudget) -> Json:
    """Return the venue's rate limits with what is used of each, and the circuit a ban opens."""
    return {
        "windows": [
            {
                "scope": window.scope,
                "name": window.name,
                "interval_ms": window.interval_ms,
                "limit": window.limit,
                "used": window.used,
                "cancel_reserve": window.cancel_reserve,
            }
            for window in budget.windows
        ],
        "circuit_open": budget.circuit_open,
        "circuit_reason": budget.circuit_reason,
        "circuit_until_ms": budget.circuit_opens_until,
    }


def capabilities(can: Capabilities) -> Json:
    """Return what of a venue's abilities a reader should know."""
    return {"exchange": can.exchange, "mode": can.mode, "amend": can.amend, "dead_man_switch": can.dead_man_switch}
