"""Domain values <-> the records of the Trade stream (`proto/opensqt/proto/trade.proto`), field for field."""

from decimal import Decimal

from google.type.decimal_pb2 import Decimal as DecimalMessage

from opensqt.domain.account import Account, Position
from opensqt.domain.fill import CashFlow, CashFlowKind, Fill, FillOrigin
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.market import BookValidity, DeadManState, FeedHealth, MarkPrice
from opensqt.domain.money import parse_decimal, plain
from opensqt.domain.order import Order, OrderRequest, OrderType, Side, TimeInForce
from opensqt.domain.wire_enum import read_enum, reason_from_wire, reason_to_wire, state_from_wire, state_to_wire
from opensqt.proto import market_data_pb2, trade_pb2, types_pb2


def decimal_message(value: Decimal) -> DecimalMessage:
    """Write a decimal as google.type.Decimal, without exponent."""
    return DecimalMessage(value=plain(value))


def read_decimal(message: DecimalMessage, field: str) -> Decimal:
    """Read a google.type.Decimal; an absent or empty one is an error naming `field`.

    Raises:
        RequestError: not a finite number.
    """
    return parse_decimal(message.value, field)


def _optional(message: DecimalMessage) -> Decimal:
    return parse_decimal(message.value, "value") if message.value else Decimal(0)


def instrument_to_wire(value: Instrument) -> trade_pb2.InstrumentSpec:
    """Write an instrument."""
    return trade_pb2.InstrumentSpec(
        symbol=value.symbol,
        venue_symbol=value.venue_symbol,
        base_asset=value.base_asset,
        quote_asset=value.quote_asset,
        settle_asset=value.settle_asset,
        # Increments keep their zeros: 0.10 says how prices are written.
        tick_size=DecimalMessage(value=format(value.tick_size, "f")),
        lot_size=DecimalMessage(value=format(value.lot_size, "f")),
        contract_multiplier=decimal_message(value.contract_multiplier),
        min_lots=value.min_lots,
        max_lots=value.max_lots,
        min_notional=decimal_message(value.min_notional),
        maker_fee_rate=decimal_message(value.maker_fee_rate),
        taker_fee_rate=decimal_message(value.taker_fee_rate),
        max_open_orders=value.max_open_orders,
        revision=value.revision,
        status=types_pb2.InstrumentStatus.ValueType(value.status),
        price_band_up=decimal_message(value.price_band_up),
        price_band_down=decimal_message(value.price_band_down),
        maintenance_margin_rate=decimal_message(value.maintenance_margin_rate),
        max_leverage=value.max_leverage,
    )


def instrument_from_wire(message: trade_pb2.InstrumentSpec) -> Instrument:
    """Read an instrument."""
    return Instrument(
        symbol=message.symbol,
        venue_symbol=message.venue_symbol,
        base_asset=message.base_asset,
        quote_asset=message.quote_asset,
        settle_asset=message.settle_asset,
        tick_size=read_decimal(message.tick_size, "tick_size"),
        lot_size=read_decimal(message.lot_size, "lot_size"),
        contract_multiplier=read_decimal(message.contract_multiplier, "contract_multiplier"),
        min_lots=message.min_lots,
        max_lots=message.max_lots,
        min_notional=_optional(message.min_notional),
        maker_fee_rate=_optional(message.maker_fee_rate),
        taker_fee_rate=_optional(message.taker_fee_rate),
        max_open_orders=message.max_open_orders,
        revision=message.revision,
        status=read_enum(InstrumentStatus, message.status, "status"),
        price_band_up=_optional(message.price_band_up),
        price_band_down=_optional(message.price_band_down),
        maintenance_margin_rate=_optional(message.maintenance_margin_rate),
        max_leverage=message.max_leverage,
    )


def order_to_wire(value: Order) -> trade_pb2.OrderRecord:
    """Write an order."""
    return trade_pb2.OrderRecord(
        symbol=value.symbol,
        client_order_id=value.client_order_id,
        exchange_order_id=value.exchange_order_id,
        side=types_pb2.OrderSide.ValueType(value.side),
        type=types_pb2.OrderType.ValueType(value.type),
        time_in_force=types_pb2.TimeInForce.ValueType(value.time_in_force),
        price_ticks=value.price_ticks,
        lots=value.lots,
        filled_lots=value.filled_lots,
        reduce_only=value.reduce_only,
        post_only=value.post_only,
        state=state_to_wire(value.state),
        reason=reason_to_wire(value.reason),
        created_time_ns=value.created_time_ns,
        updated_time_ns=value.updated_time_ns,
        instrument_revision=value.instrument_revision,
        filled_ticks_lots=value.filled_ticks_lots,
    )


def order_from_wire(message: trade_pb2.OrderRecord) -> Order:
    """Read an order."""
    return Order(
        symbol=message.symbol,
        client_order_id=message.client_order_id,
        exchange_order_id=message.exchange_order_id,
        side=read_enum(Side, message.side, "side"),
        type=read_enum(OrderType, message.type, "type"),
        time_in_force=read_enum(TimeInForce, message.time_in_force, "time_in_force"),
        price_ticks=message.price_ticks,
        lots=message.lots,
        filled_lots=message.filled_lots,
        reduce_only=message.reduce_only,
        state=state_from_wire(message.state),
        reason=reason_from_wire(message.reason),
        created_time_ns=message.created_time_ns,
        updated_time_ns=message.updated_time_ns,
        instrument_revision=message.instrument_revision,
        filled_ticks_lots=message.filled_ticks_lots,
    )


def place_to_wire(value: OrderRequest) -> trade_pb2.PlaceCommand:
    """Write a placement."""
    return trade_pb2.PlaceCommand(
        symbol=value.symbol,
        instrument_revision=value.instrument_revision,
        side=types_pb2.OrderSide.ValueType(value.side),
        type=types_pb2.OrderType.ValueType(value.type),
        time_in_force=types_pb2.TimeInForce.ValueType(value.time_in_force),
        price_ticks=value.price_ticks,
        lots=value.lots,
        reduce_only=value.reduce_only,
        post_only=value.post_only,
        client_order_id=value.client_order_id,
    )


def place_from_wire(message: trade_pb2.PlaceCommand) -> OrderRequest:
    """Read a placement.

    Raises:
        RequestError: a field is unspecified; nothing has a dangerous default.
    """
    return OrderRequest(
        symbol=message.symbol,
        client_order_id=message.client_order_id,
        side=read_enum(Side, message.side, "side"),
        type=read_enum(OrderType, message.type, "type"),
        time_in_force=read_enum(TimeInForce, message.time_in_force, "time_in_force"),
        price_ticks=message.price_ticks,
        lots=message.lots,
        reduce_only=message.reduce_only,
        instrument_revision=message.instrument_revision,
    )


def fill_to_wire(value: Fill) -> trade_pb2.FillRecord:
    """Write a fill."""
    return trade_pb2.FillRecord(
        symbol=value.symbol,
        trade_id=value.trade_id,
        client_order_id=value.client_order_id,
        exchange_order_id=value.exchange_order_id,
        side=types_pb2.OrderSide.ValueType(value.side),
        price_ticks=value.price_ticks,
        lots=value.lots,
        cumulative_filled_lots=value.cumulative_filled_lots,
        fee=decimal_message(value.fee),
        fee_asset=value.fee_asset,
        is_maker=value.is_maker,
        origin=types_pb2.FillOrigin.ValueType(value.origin),
        venue_time_ns=value.venue_time_ns,
        receive_time_ns=value.receive_time_ns,
        instrument_revision=value.instrument_revision,
    )


def fill_from_wire(message: trade_pb2.FillRecord) -> Fill:
    """Read a fill."""
    return Fill(
        symbol=message.symbol,
        trade_id=message.trade_id,
        client_order_id=message.client_order_id,
        exchange_order_id=message.exchange_order_id,
        side=read_enum(Side, message.side, "side"),
        price_ticks=message.price_ticks,
        lots=message.lots,
        cumulative_filled_lots=message.cumulative_filled_lots,
        fee=read_decimal(message.fee, "fee"),
        fee_asset=message.fee_asset,
        is_maker=message.is_maker,
        origin=read_enum(FillOrigin, message.origin, "origin"),
        venue_time_ns=message.venue_time_ns,
        receive_time_ns=message.receive_time_ns,
        instrument_revision=message.instrument_revision,
    )


def cash_flow_to_wire(value: CashFlow) -> trade_pb2.CashFlow:
    """Write a cash flow."""
    message = trade_pb2.CashFlow(
        id=value.id,
        kind=trade_pb2.CashFlowKind.ValueType(value.kind),
        symbol=value.symbol,
        asset=value.asset,
        amount=decimal_message(value.amount),
        venue_time_ns=value.venue_time_ns,
    )
    if value.rate is not None:
        message.rate.CopyFrom(decimal_message(value.rate))
    return message


def cash_flow_from_wire(message: trade_pb2.CashFlow) -> CashFlow:
    """Read a cash flow."""
    return CashFlow(
        id=message.id,
        kind=read_enum(CashFlowKind, message.kind, "kind"),
        symbol=message.symbol,
        asset=message.asset,
        amount=read_decimal(message.amount, "amount"),
        rate=read_decimal(message.rate, "rate") if message.HasField("rate") else None,
        venue_time_ns=message.venue_time_ns,
    )


def account_to_wire(value: Account) -> trade_pb2.AccountRecord:
    """Write an account."""
    return trade_pb2.AccountRecord(
        asset=value.asset,
        wallet_balance=decimal_message(value.wallet_balance),
        available_balance=decimal_message(value.available_balance),
        margin_balance=decimal_message(value.margin_balance),
        unrealized_pnl=decimal_message(value.unrealized_pnl),
        maintenance_margin=decimal_message(value.maintenance_margin),
        venue_time_ns=value.venue_time_ns,
    )


def account_from_wire(message: trade_pb2.AccountRecord) -> Account:
    """Read an account."""
    return Account(
        asset=message.asset,
        wallet_balance=read_decimal(message.wallet_balance, "wallet_balance"),
        available_balance=read_decimal(message.available_balance, "available_balance"),
        margin_balance=read_decimal(message.margin_balance, "margin_balance"),
        unrealized_pnl=_optional(message.unrealized_pnl),
        maintenance_margin=_optional(message.maintenance_margin),
        venue_time_ns=message.venue_time_ns,
    )


def position_to_wire(value: Position) -> trade_pb2.PositionRecord:
    """Write a position."""
    return trade_pb2.PositionRecord(
        symbol=value.symbol,
        lots=value.lots,
        entry_price=decimal_message(value.entry_price),
        mark_price=decimal_message(value.mark_price),
        unrealized_pnl=decimal_message(value.unrealized_pnl),
        liquidation_price=decimal_message(value.liquidation_price),
        leverage=value.leverage,
        margin_type=value.margin_type,
        venue_time_ns=value.venue_time_ns,
        instrument_revision=value.instrument_revision,
    )


def position_from_wire(message: trade_pb2.PositionRecord) -> Position:
    """Read a position."""
    return Position(
        symbol=message.symbol,
        lots=message.lots,
        entry_price=_optional(message.entry_price),
        mark_price=_optional(message.mark_price),
        unrealized_pnl=_optional(message.unrealized_pnl),
        liquidation_price=_optional(message.liquidation_price),
        leverage=message.leverage,
        margin_type=message.margin_type,
        venue_time_ns=message.venue_time_ns,
        instrument_revision=message.instrument_revision,
    )


def feed_to_wire(value: FeedHealth) -> trade_pb2.FeedHealth:
    """Write feed health."""
    return trade_pb2.FeedHealth(
        symbol=value.symbol,
        book=types_pb2.BookValidity.ValueType(value.book),
        reason=value.reason,
        market_stream_up=value.market_stream_up,
        private_stream_up=value.private_stream_up,
        last_market_data_ns=value.last_market_data_ns,
        dead_man=trade_pb2.DeadManState.ValueType(value.dead_man),
    )


def feed_from_wire(message: trade_pb2.FeedHealth) -> FeedHealth:
    """Read feed health."""
    return FeedHealth(
        symbol=message.symbol,
        book=read_enum(BookValidity, message.book, "book"),
        reason=message.reason,
        market_stream_up=message.market_stream_up,
        private_stream_up=message.private_stream_up,
        last_market_data_ns=message.last_market_data_ns,
        dead_man=dead_man_from_wire(message.dead_man),
    )


def dead_man_from_wire(value: int) -> DeadManState:
    """Read the state of a dead-man switch; what an older or newer connector says is not known here."""
    try:
        return DeadManState(value)
    except ValueError:
        return DeadManState.UNSPECIFIED


def mark_to_wire(value: MarkPrice) -> market_data_pb2.MarkPrice:
    """Write a mark price."""
    return market_data_pb2.MarkPrice(
        symbol=value.symbol,
        mark_price=decimal_message(value.mark_price),
        index_price=decimal_message(value.index_price),
        funding_rate=decimal_message(value.funding_rate),
        next_funding_time_ms=value.next_funding_time_ms,
        venue_time_ns=value.venue_time_ns,
    )


def mark_from_wire(message: market_data_pb2.MarkPrice) -> MarkPrice:
    """Read a mark price."""
    return MarkPrice(
        symbol=message.symbol,
        mark_price=read_decimal(message.mark_price, "mark_price"),
        index_price=_optional(message.index_price),
        funding_rate=_optional(message.funding_rate),
        next_funding_time_ms=message.next_funding_time_ms,
        venue_time_ns=message.venue_time_ns,
    )
