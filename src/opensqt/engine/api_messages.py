"""Domain values as the original API's messages: decimals in ordinary units, times in Unix milliseconds."""

from collections.abc import Iterable
from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp

from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.convert_trade import decimal_message
from opensqt.domain.errors import ErrorReason, RequestError, invalid_field
from opensqt.domain.fill import Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT
from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState
from opensqt.domain.wire_enum import reason_to_wire, state_to_wire
from opensqt.engine.bot import Bot
from opensqt.engine.core import EngineCore
from opensqt.proto import position_pb2, resources_pb2, types_pb2

ZERO = Decimal(0)
MAX_INT64 = (1 << 63) - 1
MAX_OPERATOR = 60

_STATUS = {
    OrderState.PENDING_NEW: types_pb2.ORDER_STATUS_NEW,
    OrderState.LIVE: types_pb2.ORDER_STATUS_NEW,
    OrderState.PARTIALLY_FILLED: types_pb2.ORDER_STATUS_PARTIALLY_FILLED,
    OrderState.FILLED: types_pb2.ORDER_STATUS_FILLED,
    OrderState.CANCELED: types_pb2.ORDER_STATUS_CANCELED,
    OrderState.REJECTED: types_pb2.ORDER_STATUS_REJECTED,
    OrderState.EXPIRED: types_pb2.ORDER_STATUS_EXPIRED,
}


def ms(time_ns: int) -> int:
    """Return whole milliseconds."""
    return time_ns // NS_PER_MS


def api_order(order: Order, instrument: Instrument) -> resources_pb2.Order:
    """Write an order; states between two words of the venue read as what the venue last said."""
    partly = types_pb2.ORDER_STATUS_PARTIALLY_FILLED if order.filled_lots else types_pb2.ORDER_STATUS_NEW
    average = Decimal(order.filled_ticks_lots) / order.filled_lots * instrument.tick_size if order.filled_lots else ZERO
    number = int(order.exchange_order_id) if order.exchange_order_id.isdecimal() else 0
    return resources_pb2.Order(
        order_id=number if number <= MAX_INT64 else 0,
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id,
        symbol=order.symbol,
        side=types_pb2.OrderSide.ValueType(order.side),
        type=types_pb2.OrderType.ValueType(order.type),
        price=decimal_message(instrument.ticks_to_price(order.price_ticks)),
        quantity=decimal_message(instrument.lots_to_quantity(order.lots)),
        executed_qty=decimal_message(instrument.lots_to_quantity(order.filled_lots)),
        avg_price=decimal_message(average),
        status=_STATUS.get(order.state, partly),
        created_at=Timestamp(seconds=order.created_time_ns // NS_PER_S, nanos=order.created_time_ns % NS_PER_S),
        update_time=ms(order.updated_time_ns),
        reduce_only=order.reduce_only,
        post_only=order.post_only,
        time_in_force=types_pb2.TimeInForce.ValueType(order.time_in_force),
        state=state_to_wire(order.state),
        reason=reason_to_wire(order.reason),
    )


def api_fill(fill: Fill, instrument: Instrument) -> position_pb2.Fill:
    """Write a fill."""
    return position_pb2.Fill(
        fill_id=fill.trade_id,
        order_id=fill.exchange_order_id or fill.client_order_id,
        symbol=fill.symbol,
        side=fill.side.name,
        quantity=decimal_message(instrument.lots_to_quantity(fill.lots)),
        price=decimal_message(instrument.ticks_to_price(fill.price_ticks)),
        fee=decimal_message(fill.fee),
        fee_currency=fill.fee_asset,
        filled_at=ms(fill.venue_time_ns),
    )


def choose_bots(core: EngineCore, symbols: Iterable[str]) -> list[tuple[Bot, Instrument]]:
    """Return the bots of symbols (none = all) that know their instrument; canonical and venue spellings are accepted.

    Raises:
        RequestError: UNKNOWN_SYMBOL.
    """
    known = [(bot, bot.instrument) for bot in core.bots.values()]
    wanted = [symbol for symbol in symbols if symbol]
    if wanted:
        for symbol in wanted:
            if not any(_is_named(bot, symbol) for bot, _instrument in known):
                names = ", ".join(core.by_symbol)
                raise RequestError(
                    ErrorReason.UNKNOWN_SYMBOL,
                    f"symbol was {symbol!r}: this engine trades {names}",
                    metadata={"field": "symbol", "value": symbol},
                )
        known = [item for item in known if any(_is_named(item[0], symbol) for symbol in wanted)]
    return [(bot, instrument) for bot, instrument in known if instrument is not None]


def _is_named(bot: Bot, symbol: str) -> bool:
    return symbol == bot.symbol or (bot.instrument is not None and symbol == bot.instrument.venue_symbol)


def notional(bot: Bot, instrument: Instrument) -> Decimal:
    """Return the position's size at the mark, unsigned."""
    size = instrument.lots_to_quantity(abs(bot.position.lots))
    return EXACT.multiply(size, bot.market.mark_price(instrument))


def entry_price(bot: Bot, instrument: Instrument) -> Decimal:
    """Return the venue's entry price, or ours by slot when the venue gives none."""
    if bot.position.entry_price or not bot.ledger.position_lots:
        return bot.position.entry_price
    return Decimal(bot.ledger.cost_ticks_lots) / bot.ledger.position_lots * instrument.tick_size


def opened_ns(bot: Bot) -> int:
    """Return when the position began, as far back as the recent fills tell; 0 = not known or flat."""
    lots = bot.ledger.position_lots
    if lots == 0:
        return 0
    for booked in reversed(bot.recent_fills):
        lots -= booked.fill.side.sign * booked.fill.lots
        if lots == 0:
            return booked.fill.venue_time_ns
    return 0


def operator_name(name: str) -> str:
    """Return who asks, as it may be stored and shown.

    Raises:
        RequestError: longer than a name is, or with signs that could forge a line of a log.
    """
    if len(name) > MAX_OPERATOR or not name.isprintable():
        raise invalid_field("operator", repr(name[:MAX_OPERATOR]), f"must be at most {MAX_OPERATOR} printable signs")
    return name
