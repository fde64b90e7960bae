"""Rows back to domain values."""

import sqlite3
from decimal import Decimal

import msgspec

from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import CashFlow, CashFlowKind, Fill, FillOrigin
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.engine.commands import EquityRecord, OrderRecord
from opensqt.engine.restored import BookedFill


def order_of(row: sqlite3.Row) -> OrderRecord:
    """Read one row of `orders`."""
    order = Order(
        symbol=row["symbol"],
        client_order_id=row["client_order_id"],
        exchange_order_id=row["exchange_order_id"],
        side=Side(row["side"]),
        type=OrderType(row["type"]),
        time_in_force=TimeInForce(row["time_in_force"]),
        price_ticks=row["price_ticks"],
        lots=row["lots"],
        filled_lots=row["filled_lots"],
        reduce_only=bool(row["reduce_only"]),
        state=OrderState(row["state"]),
        reason=ErrorReason(row["reason"]) if row["reason"] else None,
        created_time_ns=row["created_ns"],
        updated_time_ns=row["updated_ns"],
        instrument_revision=row["instrument_revision"],
        filled_ticks_lots=row["filled_ticks_lots"],
    )
    return OrderRecord(
        bot_id=row["bot_id"],
        order=order,
        slot=row["slot"],
        rule=row["rule"],
        inputs=msgspec.json.decode(row["inputs"], type=dict[str, str]),
        config_version=row["config_version"],
        history=msgspec.json.decode(row["history"], type=tuple[str, ...]),
        is_open=bool(row["is_open"]),
    )


def booked_fill_of(row: sqlite3.Row) -> BookedFill:
    """Read one row of `fills`."""
    fill = Fill(
        symbol=row["symbol"],
        trade_id=row["trade_id"],
        client_order_id=row["client_order_id"],
        exchange_order_id=row["exchange_order_id"],
        side=Side(row["side"]),
        price_ticks=row["price_ticks"],
        lots=row["lots"],
        cumulative_filled_lots=row["cumulative_filled_lots"],
        fee=Decimal(row["fee"]),
        fee_asset=row["fee_asset"],
        is_maker=bool(row["is_maker"]),
        origin=FillOrigin(row["origin"]),
        venue_time_ns=row["venue_time_ns"],
        receive_time_ns=row["receive_time_ns"],
        instrument_revision=row["instrument_revision"],
    )
    return BookedFill(fill, row["slot"], row["profit_ticks_lots"])


def cash_flow_of(row: sqlite3.Row) -> CashFlow:
    """Read one row of `cash_flows`."""
    return CashFlow(
        id=row["id"],
        kind=CashFlowKind(row["kind"]),
        symbol=row["symbol"],
        asset=row["asset"],
        amount=Decimal(row["amount"]),
        rate=None if row["rate"] is None else Decimal(row["rate"]),
        venue_time_ns=row["venue_time_ns"],
    )


def equity_of(row: sqlite3.Row) -> EquityRecord:
    """Read one row of `equity`."""
    return EquityRecord(
        bot_id=row["bot_id"],
        time_ns=row["time_ns"],
        equity=Decimal(row["equity"]),
        mark_price=Decimal(row["mark_price"]),
        position_lots=row["position_lots"],
        entry_price=Decimal(row["entry_price"]),
        grid_profit=Decimal(row["grid_profit"]),
        inventory=Decimal(row["inventory"]),
        fees=Decimal(row["fees"]),
        funding=Decimal(row["funding"]),
        transfers=Decimal(row["transfers"]),
        unexplained=Decimal(row["unexplained"]),
    )
