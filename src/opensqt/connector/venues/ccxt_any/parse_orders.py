"""Orders and executions of ccxt -> domain values. Words are tables; a figure that is not exact is refused."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from opensqt.connector.venues.ccxt_any.figures import (
    UnreadableError,
    lots,
    optional,
    payload,
    text,
    ticks,
    time_ns,
)
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.fill import Fill, FillOrigin
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT, whole_multiple
from opensqt.domain.order import Order, OrderRequest, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState

SIDES: Final[Mapping[str, Side]] = {"buy": Side.BUY, "sell": Side.SELL}
SIDE_WORDS: Final[Mapping[Side, str]] = {side: word for word, side in SIDES.items()}
TYPE_WORDS: Final[Mapping[OrderType, str]] = {OrderType.LIMIT: "limit", OrderType.MARKET: "market"}

# "closed" is ccxt's word for filled; with a remainder it is an order that ended early.
STATES: Final[Mapping[str, OrderState]] = {
    "open": OrderState.LIVE,
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "canceling": OrderState.LIVE,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}
TIMES_IN_FORCE: Final[Mapping[str, TimeInForce]] = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "PO": TimeInForce.GTX,
}


def parse_order(value: object, instrument: Instrument) -> Order:
    """Read one order.

    Raises:
        UnreadableError: an id, a side or a size is missing, or a figure is not exact.
    """
    order = payload(value, "order")
    order_id = text(order, "id")
    side = SIDES.get(text(order, "side"))
    if not order_id or side is None:
        raise UnreadableError(f"order {order_id!r} has the side {order.get('side')!r}")
    size = lots(order.get("amount"), instrument, "order amount")
    if not size:
        raise UnreadableError(f"order {order_id} has no amount")
    filled = lots(order.get("filled"), instrument, "order filled")
    is_market = text(order, "type") == "market"
    created_ns = time_ns(order.get("timestamp"))
    return Order(
        symbol=instrument.symbol,
        client_order_id=text(order, "clientOrderId"),
        exchange_order_id=order_id,
        side=side,
        type=OrderType.MARKET if is_market else OrderType.LIMIT,
        time_in_force=_time_in_force(order.get("timeInForce"), order.get("postOnly"), is_market=is_market),
        price_ticks=0 if is_market else ticks(order.get("price"), instrument, "order price"),
        lots=size,
        filled_lots=filled,
        reduce_only=order.get("reduceOnly") is True,
        state=state_of(text(order, "status"), filled, size),
        filled_ticks_lots=_exact_total(order.get("average"), filled, instrument),
        created_time_ns=created_ns,
        updated_time_ns=time_ns(order.get("lastUpdateTimestamp"))
        or time_ns(order.get("lastTradeTimestamp"))
        or created_ns,
        instrument_revision=instrument.revision,
    )


def placed_order(value: object, request: OrderRequest, instrument: Instrument) -> Order:
    """Read the reply to a placement: often no more than an id, so the rest is what was asked for.

    Raises:
        UnreadableError: not even an id.
    """
    reply = payload(value, "reply to the placement")
    order_id = text(reply, "id")
    if not order_id:
        raise UnreadableError("the reply to the placement has no order id")
    filled = lots(reply.get("filled"), instrument, "order filled")
    # A market order without a status is on its way: it is not known to be filled.
    return Order(
        symbol=request.symbol,
        client_order_id=request.client_order_id,
        exchange_order_id=order_id,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        price_ticks=request.price_ticks,
        lots=request.lots,
        filled_lots=filled,
        reduce_only=request.reduce_only,
        state=state_of(text(reply, "status") or "open", filled, request.lots),
        filled_ticks_lots=_exact_total(reply.get("average"), filled, instrument),
        created_time_ns=time_ns(reply.get("timestamp")),
        updated_time_ns=time_ns(reply.get("lastUpdateTimestamp")) or time_ns(reply.get("timestamp")),
        instrument_revision=instrument.revision,
    )


def state_of(status: str, filled_lots: int, size_lots: int) -> OrderState:
    """Return where an order stands; sizes overrule a status that does not end it."""
    state = STATES.get(status, OrderState.UNKNOWN)
    if 0 < size_lots <= filled_lots:
        return OrderState.FILLED
    if state is OrderState.FILLED:
        return OrderState.CANCELED
    return OrderState.PARTIALLY_FILLED if filled_lots and not state.is_terminal else state


def parse_fill(value: object, instrument: Instrument, order: Order | None, receive_time_ns: int) -> Fill:
    """Read one execution of the account; `order` is the one it belongs to, when that is known.

    A fee that ccxt does not tell is taken from the market's rates.

    Raises:
        UnreadableError: an id, a side or a figure is missing or not exact.
    """
    trade = payload(value, "trade")
    trade_id, side = text(trade, "id"), SIDES.get(text(trade, "side"))
    price_ticks = ticks(trade.get("price"), instrument, "trade price")
    size = lots(trade.get("amount"), instrument, "trade amount")
    if not trade_id or side is None or not price_ticks or not size:
        raise UnreadableError(f"trade {trade_id!r} has no id, side, price or amount")
    is_maker = text(trade, "takerOrMaker") == "maker"
    fee, fee_asset = _fee(trade.get("fee"), instrument)
    if fee is None:
        rate = instrument.maker_fee_rate if is_maker else instrument.taker_fee_rate
        fee = EXACT.multiply(rate, instrument.money(instrument.notional_units(price_ticks, size)))
    client_order_id = order.client_order_id if order else ""
    return Fill(
        symbol=instrument.symbol,
        trade_id=trade_id,
        client_order_id=client_order_id,
        exchange_order_id=text(trade, "order"),
        side=side,
        price_ticks=price_ticks,
        lots=size,
        fee=fee,
        fee_asset=fee_asset,
        is_maker=is_maker,
        origin=FillOrigin.OURS if client_order_id else FillOrigin.MANUAL,
        venue_time_ns=time_ns(trade.get("timestamp")),
        receive_time_ns=receive_time_ns,
        instrument_revision=instrument.revision,
    )


def with_prices(order: Order, fills: Mapping[str, Fill]) -> Order:
    """Return the order with the exact sum of its fills when they are all known; what they prove filled counts."""
    filled = sum(fill.lots for fill in fills.values())
    if filled < order.filled_lots or not filled:
        return order
    total = sum(fill.lots * fill.price_ticks for fill in fills.values())
    state = order.state
    if filled >= order.lots:
        state = OrderState.FILLED
    elif state is OrderState.LIVE:
        state = OrderState.PARTIALLY_FILLED
    return msgspec.structs.replace(order, filled_lots=filled, filled_ticks_lots=total, state=state)


def _exact_total(average: object, filled_lots: int, instrument: Instrument) -> int:
    """Return the sum of price_ticks * lots that an average price stands for; 0 when it was rounded."""
    price = optional(average, "order average")
    if not price or not filled_lots:
        return 0
    return whole_multiple(EXACT.multiply(price, Decimal(filled_lots)), instrument.tick_size) or 0


def _fee(value: object, instrument: Instrument) -> tuple[Decimal | None, str]:
    if not isinstance(value, dict):
        return None, instrument.settle_asset
    asset = text(value, "currency") or instrument.settle_asset
    return optional(value.get("cost"), "fee"), asset


def _time_in_force(word: object, post_only: object, *, is_market: bool) -> TimeInForce:
    if post_only is True:
        return TimeInForce.GTX
    known = TIMES_IN_FORCE.get(str(word))
    return known or (TimeInForce.IOC if is_market else TimeInForce.GTC)


def order_params(request: OrderRequest) -> dict[str, object]:
    """Return ccxt's unified parameters of a placement, besides price and amount."""
    params: dict[str, object] = {"clientOrderId": request.client_order_id}
    if request.reduce_only:
        params["reduceOnly"] = True
    if request.type is OrderType.LIMIT:
        if request.post_only:
            params["postOnly"] = True
        else:
            params["timeInForce"] = request.time_in_force.name
    return params


def since_ms(time_in_ns: int) -> int | None:
    """Return a time as ccxt's `since`; None = from the start."""
    return time_in_ns // NS_PER_MS if time_in_ns > 0 else None
