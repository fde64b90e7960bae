"""How orders, trades and user events are written. Prices and sizes are strings, ids and times numbers.

Replies of REST and WebSocket API pad their decimals, the user stream does not (TRADE_LITE does); the member order is
that of recorded messages. `legacy` adds avgPrice and cumQuote, which replies to placements lost in June 2026.
"""

from typing import Any

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason
from opensqt.domain.money import plain
from opensqt.domain.order import Order, OrderType, Side
from opensqt.domain.order_state import OrderState
from opensqt.sim.dialects.binance.accounts import OrderFacts
from opensqt.sim.dialects.binance.rules import SymbolRules

_STATUS = {
    OrderState.LIVE: "NEW",
    OrderState.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderState.FILLED: "FILLED",
    OrderState.CANCELED: "CANCELED",
    OrderState.EXPIRED: "EXPIRED",
}


def status_of(order: Order, facts: OrderFacts) -> str:
    """Return the venue's word for an order's state."""
    if order.state is OrderState.CANCELED and facts.is_expired:
        return "EXPIRED"
    if order.state is OrderState.EXPIRED and order.reason is ErrorReason.SELF_TRADE:
        return "EXPIRED_IN_MATCH"
    return _STATUS[order.state]


def expiry_reason(order: Order, facts: OrderFacts) -> str:
    """Return `er`: why an order expired, "0" for any that did not."""
    if order.state is not OrderState.EXPIRED:
        return "0"
    if order.reason is ErrorReason.SELF_TRADE:
        return "1"
    if order.reason is ErrorReason.REDUCE_ONLY_REJECTED:
        return "4"
    return "9" if facts.type == "MARKET" else "2"


def order_reply(order: Order, facts: OrderFacts, rules: SymbolRules, *, legacy: bool) -> dict[str, Any]:
    """Return the reply to placing, amending or cancelling."""
    executed = rules.quantity(order.filled_lots)
    reply: dict[str, Any] = {
        "orderId": int(order.exchange_order_id),
        "symbol": rules.symbol,
        "status": status_of(order, facts),
        "clientOrderId": order.client_order_id,
        "price": rules.price(_price_ticks(order)),
        "origQty": rules.quantity(order.lots),
        "executedQty": executed,
        "cumQty": executed,
        "timeInForce": facts.time_in_force,
        "type": facts.type,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": order.side.name,
        "positionSide": facts.position_side,
        "stopPrice": rules.price(0),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": facts.type,
        "priceMatch": facts.price_match,
        "selfTradePreventionMode": facts.self_trade,
        "goodTillDate": facts.good_till_ms,
        "updateTime": order.updated_time_ns // NS_PER_MS,
    }
    if legacy:
        reply["avgPrice"] = _average(order, rules)
        reply["cumQuote"] = plain(rules.notional(order.filled_ticks_lots))
    return reply


def order_query(order: Order, facts: OrderFacts, rules: SymbolRules) -> dict[str, Any]:
    """Return an order as queries list it."""
    reply = order_reply(order, facts, rules, legacy=True)
    del reply["cumQty"]
    reply["time"] = order.created_time_ns // NS_PER_MS
    return reply


def order_event(
    order: Order,
    facts: OrderFacts,
    rules: SymbolRules,
    *,
    execution: str,
    time_ms: int,
    fill: dict[str, Any] | None,
    bid_notional: str,
    ask_notional: str,
    asset: str,
) -> dict[str, Any]:
    """Return ORDER_TRADE_UPDATE; `fill` holds l, L, n, t, m, rp of an execution."""
    last = fill or {"l": "0", "L": "0", "n": "0", "t": 0, "m": False, "rp": "0"}
    members = {
        "s": rules.symbol,
        "c": order.client_order_id,
        "S": order.side.name,
        "o": facts.type,
        "f": facts.time_in_force,
        "q": rules.plain_quantity(order.lots),
        "p": rules.plain_price(_price_ticks(order)),
        "ap": plain(rules.average(order.filled_ticks_lots, order.filled_lots)),
        "sp": "0",
        "x": execution,
        "X": status_of(order, facts),
        "i": int(order.exchange_order_id),
        "l": last["l"],
        "z": rules.plain_quantity(order.filled_lots),
        "L": last["L"],
        "n": last["n"],
        "N": asset,
        "T": time_ms,
        "t": last["t"],
        "b": bid_notional,
        "a": ask_notional,
        "m": last["m"],
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": facts.type,
        "ps": facts.position_side,
        "cp": False,
        "rp": last["rp"],
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": facts.self_trade,
        "pm": facts.price_match,
        "gtd": facts.good_till_ms,
        "er": expiry_reason(order, facts),
    }
    return {"e": "ORDER_TRADE_UPDATE", "T": time_ms, "E": time_ms, "o": members}


def trade_lite(
    order: Order, rules: SymbolRules, *, trade_id: int, price_ticks: int, lots: int, is_maker: bool, time_ms: int
) -> dict[str, Any]:
    """Return TRADE_LITE: the first word of a fill."""
    return {
        "e": "TRADE_LITE",
        "E": time_ms,
        "T": time_ms,
        "s": rules.symbol,
        "q": rules.quantity(order.lots),
        "p": rules.price(_price_ticks(order)),
        "m": is_maker,
        "c": order.client_order_id,
        "S": order.side.name,
        "L": rules.price(price_ticks),
        "l": rules.quantity(lots),
        "t": trade_id,
        "i": int(order.exchange_order_id),
    }


def trade_row(
    rules: SymbolRules,
    *,
    trade_id: int,
    order_id: int,
    side: Side,
    position_side: str,
    price_ticks: int,
    lots: int,
    commission: str,
    asset: str,
    realized: str,
    is_maker: bool,
    time_ms: int,
) -> dict[str, Any]:
    """Return one entry of `userTrades`."""
    return {
        "symbol": rules.symbol,
        "id": trade_id,
        "orderId": order_id,
        "side": side.name,
        "price": rules.price(price_ticks),
        "qty": rules.quantity(lots),
        "realizedPnl": realized,
        "quoteQty": plain(rules.notional(price_ticks * lots)),
        "commission": commission,
        "commissionAsset": asset,
        "time": time_ms,
        "positionSide": position_side,
        "buyer": side is Side.BUY,
        "maker": is_maker,
    }


def _price_ticks(order: Order) -> int:
    return 0 if order.type is OrderType.MARKET else order.price_ticks


def _average(order: Order, rules: SymbolRules) -> str:
    average = rules.average(order.filled_ticks_lots, order.filled_lots)
    return f"{average:.{max(rules.price_decimals, 2)}f}" if not order.filled_lots else plain(average)
