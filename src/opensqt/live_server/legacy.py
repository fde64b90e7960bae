"""The original's browser messages, exactly: `{"type": ..., "data": ...}` with the original's field names.

Times of `kline` and `history` are Unix seconds, that of `trade_event` is Unix milliseconds; other numbers are text.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from opensqt.live_server import names
from opensqt.live_server.market_view import MS_PER_S, order_id
from opensqt.live_server.units import decimal_text
from opensqt.proto.events_pb2 import OrderUpdate
from opensqt.proto.resources_pb2 import Account, Candle, Order, Position

Json = dict[str, Any]

HISTORY_CANDLES: Final = 100


def history(candles: Iterable[Candle]) -> Json:
    """Return the `history` message: one-minute candles, oldest first."""
    return {"type": "history", "data": [_kline(candle) for candle in candles]}


def kline(candle: Candle) -> Json:
    """Return the `kline` message of a candle that forms."""
    return {"type": "kline", "data": _kline(candle)}


def account(account: Account, symbol: str) -> Json:
    """Return the `account` message for the page of a symbol."""
    data = {
        "asset": account.asset,
        "free": decimal_text(account.available_balance),
        "balance": decimal_text(account.total_wallet_balance),
        "marginBalance": decimal_text(account.total_margin_balance),
        "symbol": symbol,
    }
    return {"type": "account", "data": data}


def orders(open_orders: Iterable[Order | OrderUpdate]) -> Json:
    """Return the `orders` message with the list of open orders, sent on connect."""
    return {"type": "orders", "data": [_order(order) for order in open_orders]}


def order(update: OrderUpdate) -> Json:
    """Return the `orders` message with the one order that changed."""
    return {"type": "orders", "data": _order(update)}


def trade_event(update: OrderUpdate) -> Json | None:
    """Return the `trade_event` message of an update that carries an execution; None for any other."""
    if not update.HasField("last_trade"):
        return None
    amount = decimal_text(update.last_trade.quantity)
    if Decimal(amount) == 0:
        return None
    average_price = decimal_text(update.avg_price)
    data = {
        "side": names.side(update.side).lower(),
        "price": average_price if Decimal(average_price) else decimal_text(update.last_trade.price),
        "amount": amount,
        "symbol": update.symbol,
        "time": update.update_time,
    }
    return {"type": "trade_event", "data": data}


def position(position: Position) -> Json:
    """Return the `position` message."""
    data = {
        "symbol": position.symbol,
        "amount": decimal_text(position.size),
        "entryPrice": decimal_text(position.entry_price),
        "unrealizedPnL": decimal_text(position.unrealized_pnl),
    }
    return {"type": "position", "data": data}


def _kline(candle: Candle) -> Json:
    return {
        "time": candle.timestamp // MS_PER_S,
        "open": decimal_text(candle.open),
        "high": decimal_text(candle.high),
        "low": decimal_text(candle.low),
        "close": decimal_text(candle.close),
        "volume": decimal_text(candle.volume),
    }


def _order(order: Order | OrderUpdate) -> Json:
    return {
        "id": order_id(order),
        "price": decimal_text(order.price),
        "side": names.side(order.side),
        "status": names.order_status(order.status),
        "type": names.order_type(order.type),
        "symbol": order.symbol,
    }
