"""Domain values -> the original's messages of `ExchangeService`: decimals in ordinary units, times in ms."""

from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.decimal_pb2 import Decimal as DecimalMessage

from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.convert_trade import decimal_message
from opensqt.domain.fill import Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import Candle
from opensqt.domain.money import EXACT, decimals_of
from opensqt.domain.order import Order
from opensqt.domain.order_state import OrderState
from opensqt.domain.wire_enum import reason_to_wire, state_to_wire
from opensqt.proto import events_pb2, resources_pb2, types_pb2

_MAX_INT64 = (1 << 63) - 1
_AVERAGE_DECIMALS = Decimal("1e-12")

_STATUS: dict[OrderState, types_pb2.OrderStatus.ValueType] = {
    OrderState.PENDING_NEW: types_pb2.ORDER_STATUS_UNSPECIFIED,
    OrderState.UNKNOWN: types_pb2.ORDER_STATUS_UNSPECIFIED,
    OrderState.LIVE: types_pb2.ORDER_STATUS_NEW,
    OrderState.PARTIALLY_FILLED: types_pb2.ORDER_STATUS_PARTIALLY_FILLED,
    OrderState.PENDING_AMEND: types_pb2.ORDER_STATUS_NEW,
    OrderState.PENDING_CANCEL: types_pb2.ORDER_STATUS_NEW,
    OrderState.FILLED: types_pb2.ORDER_STATUS_FILLED,
    OrderState.CANCELED: types_pb2.ORDER_STATUS_CANCELED,
    OrderState.REJECTED: types_pb2.ORDER_STATUS_REJECTED,
    OrderState.EXPIRED: types_pb2.ORDER_STATUS_EXPIRED,
}


def venue_order_number(exchange_order_id: str) -> int:
    """Return the venue's id as the original's integer, 0 when it is none that fits."""
    if exchange_order_id.isascii() and exchange_order_id.isdigit() and len(exchange_order_id) <= 19:
        number = int(exchange_order_id)
        return number if number <= _MAX_INT64 else 0
    return 0


def status_of_order(order: Order) -> types_pb2.OrderStatus.ValueType:
    """Return the status a venue would report; UNSPECIFIED while no venue has."""
    status = _STATUS[order.state]
    if status == types_pb2.ORDER_STATUS_NEW and order.filled_lots:
        return types_pb2.ORDER_STATUS_PARTIALLY_FILLED
    return status


def average_price(order: Order, instrument: Instrument) -> Decimal:
    """Return the average fill price, to 12 decimals; 0 when nothing is filled or the venue did not say."""
    if not order.filled_lots or not order.filled_ticks_lots:
        return Decimal(0)
    total = EXACT.multiply(Decimal(order.filled_ticks_lots), instrument.tick_size)
    return (total / order.filled_lots).quantize(_AVERAGE_DECIMALS)


def timestamp(time_ns: int) -> Timestamp:
    """Write a Unix time."""
    seconds, nanos = divmod(time_ns, NS_PER_S)
    return Timestamp(seconds=seconds, nanos=nanos)


def order_message(order: Order, instrument: Instrument, fills: list[Fill] | None = None) -> resources_pb2.Order:
    """Write an order."""
    return resources_pb2.Order(
        order_id=venue_order_number(order.exchange_order_id),
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=types_pb2.OrderSide.ValueType(order.side),
        type=types_pb2.OrderType.ValueType(order.type),
        price=decimal_message(instrument.ticks_to_price(order.price_ticks)),
        quantity=decimal_message(instrument.lots_to_quantity(order.lots)),
        executed_qty=decimal_message(instrument.lots_to_quantity(order.filled_lots)),
        avg_price=decimal_message(average_price(order, instrument)),
        status=status_of_order(order),
        created_at=timestamp(order.created_time_ns),
        update_time=order.updated_time_ns // NS_PER_MS,
        trades=[fill_message(fill, instrument) for fill in fills or ()],
        exchange_order_id=order.exchange_order_id,
        reduce_only=order.reduce_only,
        post_only=order.post_only,
        time_in_force=types_pb2.TimeInForce.ValueType(order.time_in_force),
        state=state_to_wire(order.state),
        reason=reason_to_wire(order.reason),
    )


def order_update_message(
    order: Order, instrument: Instrument, exchange: str, last_fill: Fill | None = None
) -> events_pb2.OrderUpdate:
    """Write an order update, with the fill that caused it if there is one."""
    return events_pb2.OrderUpdate(
        exchange=exchange,
        order_id=venue_order_number(order.exchange_order_id),
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=types_pb2.OrderSide.ValueType(order.side),
        type=types_pb2.OrderType.ValueType(order.type),
        status=status_of_order(order),
        price=decimal_message(instrument.ticks_to_price(order.price_ticks)),
        quantity=decimal_message(instrument.lots_to_quantity(order.lots)),
        executed_qty=decimal_message(instrument.lots_to_quantity(order.filled_lots)),
        avg_price=decimal_message(average_price(order, instrument)),
        update_time=order.updated_time_ns // NS_PER_MS,
        last_trade=None if last_fill is None else fill_message(last_fill, instrument),
        exchange_order_id=order.exchange_order_id,
        reduce_only=order.reduce_only,
        post_only=order.post_only,
        state=state_to_wire(order.state),
        reason=reason_to_wire(order.reason),
    )


def fill_message(fill: Fill, instrument: Instrument) -> resources_pb2.Trade:
    """Write a fill; `realized_pnl` stays absent, because a venue's fill does not carry it everywhere."""
    return resources_pb2.Trade(
        trade_id=fill.trade_id,
        order_id=venue_order_number(fill.exchange_order_id),
        symbol=fill.symbol,
        side=types_pb2.OrderSide.ValueType(fill.side),
        price=decimal_message(instrument.ticks_to_price(fill.price_ticks)),
        quantity=decimal_message(instrument.lots_to_quantity(fill.lots)),
        fee=decimal_message(fill.fee),
        fee_asset=fill.fee_asset,
        timestamp=timestamp(fill.venue_time_ns),
        exchange_order_id=fill.exchange_order_id,
        client_order_id=fill.client_order_id,
        is_maker=fill.is_maker,
        origin=types_pb2.FillOrigin.ValueType(fill.origin),
    )


def position_message(position: Position, instrument: Instrument, exchange: str) -> resources_pb2.Position:
    """Write a position; its size is signed and in base units."""
    size = instrument.lots_to_quantity(abs(position.lots))
    return resources_pb2.Position(
        symbol=position.symbol,
        size=decimal_message(-size if position.lots < 0 else size),
        entry_price=decimal_message(position.entry_price),
        mark_price=decimal_message(position.mark_price),
        unrealized_pnl=decimal_message(position.unrealized_pnl),
        leverage=position.leverage,
        margin_type=position.margin_type,
        liquidation_price=decimal_message(position.liquidation_price),
        exchange=exchange,
        update_time=position.venue_time_ns // NS_PER_MS,
    )


def account_message(account: Account, positions: list[resources_pb2.Position], exchange: str) -> resources_pb2.Account:
    """Write an account. Its health score is the part of the margin balance that maintenance does not need, 0 to 1."""
    equity, maintenance = account.margin_balance, account.maintenance_margin
    health = max(Decimal(0), 1 - maintenance / equity) if equity > 0 else Decimal(0)
    return resources_pb2.Account(
        total_wallet_balance=decimal_message(account.wallet_balance),
        total_margin_balance=decimal_message(equity),
        available_balance=decimal_message(account.available_balance),
        positions=positions,
        account_leverage=max((position.leverage for position in positions), default=1),
        is_unified=False,
        health_score=decimal_message(health.quantize(Decimal("0.0001"))),
        margin_mode=types_pb2.MARGIN_MODE_REGULAR,
        adjusted_equity=decimal_message(equity),
        total_maintenance_margin=decimal_message(maintenance),
        exchange=exchange,
        asset=account.asset,
        total_unrealized_pnl=decimal_message(account.unrealized_pnl),
        update_time=account.venue_time_ns // NS_PER_MS,
    )


def symbol_info_message(instrument: Instrument) -> resources_pb2.SymbolInfo:
    """Write an instrument; tick and step are true increments, the precisions are their decimals."""
    step = instrument.lots_to_quantity(1)
    return resources_pb2.SymbolInfo(
        symbol=instrument.symbol,
        price_precision=decimals_of(instrument.tick_size),
        quantity_precision=decimals_of(step),
        base_asset=instrument.base_asset,
        quote_asset=instrument.quote_asset,
        min_quantity=decimal_message(instrument.lots_to_quantity(instrument.min_lots)),
        min_notional=decimal_message(instrument.min_notional),
        tick_size=decimal_message(instrument.tick_size),
        step_size=decimal_message(step),
        venue_symbol=instrument.venue_symbol,
        settle_asset=instrument.settle_asset,
        contract_multiplier=decimal_message(instrument.contract_multiplier),
        max_quantity=decimal_message(instrument.lots_to_quantity(instrument.max_lots)),
        maker_fee_rate=decimal_message(instrument.maker_fee_rate),
        taker_fee_rate=decimal_message(instrument.taker_fee_rate),
        max_open_orders=instrument.max_open_orders,
        revision=instrument.revision,
        status=types_pb2.InstrumentStatus.ValueType(instrument.status),
    )


def candle_message(candle: Candle, instrument: Instrument) -> resources_pb2.Candle:
    """Write a candle, keyed by its open time in ms."""
    return resources_pb2.Candle(
        symbol=candle.symbol,
        open=_price(instrument, candle.open_ticks),
        high=_price(instrument, candle.high_ticks),
        low=_price(instrument, candle.low_ticks),
        close=_price(instrument, candle.close_ticks),
        volume=decimal_message(instrument.lots_to_quantity(candle.volume_lots)),
        timestamp=candle.open_time_ms,
        is_closed=candle.is_closed,
    )


def _price(instrument: Instrument, ticks: int) -> DecimalMessage:
    return decimal_message(instrument.ticks_to_price(ticks))
