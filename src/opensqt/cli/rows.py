"""Orders, fills and journal lines as flat rows of plain values, and rows as CSV, JSON or a table.

Decimals are exact texts; times are ISO 8601 in UTC.
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated

from cyclopts import Parameter

from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.cli.options import time_text
from opensqt.cli.output import print_columns, print_json, print_line
from opensqt.domain.money import EXACT, plain
from opensqt.proto import engine_pb2, trade_pb2, types_pb2

Row = dict[str, str | int | bool]

Csv = Annotated[bool, Parameter(help="Print comma-separated values with a header.", negative="")]
Limit = Annotated[int, Parameter(help="At most so many, the newest; 0 = all.")]


def order_row(told: engine_pb2.BotOrder, bot: engine_pb2.BotState) -> Row:
    """Return an order of a bot, open or ended."""
    order, units = told.order, bot.instrument
    average = ""
    if order.filled_lots and order.filled_ticks_lots:
        average = plain((Decimal(order.filled_ticks_lots) / order.filled_lots * _tick(units)).normalize())
    return {
        "updated": time_text(order.updated_time_ns),
        "bot_id": bot.bot_id,
        "symbol": order.symbol,
        "side": side_name(order.side),
        "price": price_text(units, order.price_ticks),
        "quantity": size_text(units, order.lots),
        "filled": size_text(units, order.filled_lots),
        "average_price": average,
        "state": types_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_").lower(),
        "slot": "" if told.foreign else told.slot,
        "rule": "foreign" if told.foreign else told.rule,
        "reduce_only": order.reduce_only,
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "created": time_text(order.created_time_ns),
    }


def fill_row(told: engine_pb2.BotFill, units: trade_pb2.InstrumentSpec) -> Row:
    """Return an execution with its slot and what it earned."""
    fill = told.fill
    return {
        "time": time_text(fill.venue_time_ns),
        "venue_time_ns": fill.venue_time_ns,
        "symbol": fill.symbol,
        "trade_id": fill.trade_id,
        "client_order_id": fill.client_order_id,
        "exchange_order_id": fill.exchange_order_id,
        "side": side_name(fill.side),
        "price": price_text(units, fill.price_ticks),
        "quantity": size_text(units, fill.lots),
        "fee": fill.fee.value or "0",
        "fee_asset": fill.fee_asset,
        "maker": fill.is_maker,
        "origin": types_pb2.FillOrigin.Name(fill.origin).removeprefix("FILL_ORIGIN_").lower(),
        "slot": told.slot if told.has_slot else "",
        "grid_profit": told.grid_profit.value or "0",
    }


def journal_row(entry: engine_pb2.JournalEntry) -> Row:
    """Return a line of the engine's journal."""
    return {
        "time": time_text(entry.time_ns),
        "level": entry.level,
        "bot_id": entry.bot_id,
        "code": entry.code,
        "message": entry.message,
    }


def side_name(side: int) -> str:
    """Return buy or sell."""
    return types_pb2.OrderSide.Name(types_pb2.OrderSide.ValueType(side)).removeprefix("ORDER_SIDE_").lower()


def price_text(units: trade_pb2.InstrumentSpec, ticks: int) -> str:
    """Return a price exactly."""
    return plain(EXACT.multiply(_tick(units), Decimal(ticks)))


def size_text(units: trade_pb2.InstrumentSpec, lots: int) -> str:
    """Return a size in base currency exactly."""
    lot = EXACT.multiply(Decimal(units.lot_size.value or "1"), Decimal(units.contract_multiplier.value or "1"))
    return plain(EXACT.multiply(lot, Decimal(lots)))


def order_columns() -> list[str]:
    """Return the name of every value of an `order_row`, in order."""
    return list(order_row(engine_pb2.BotOrder(), engine_pb2.BotState()))


def fill_columns() -> list[str]:
    """Return the name of every value of a `fill_row`, in order."""
    return list(fill_row(engine_pb2.BotFill(), trade_pb2.InstrumentSpec()))


def show_rows(
    name: str, rows: Sequence[Row], columns: Sequence[str], every_column: Sequence[str], *, as_csv: bool, as_json: bool
) -> None:
    """Print rows: `every_column` of them for programs, `columns` as a table for people.

    Raises:
        CliError: both formats were asked for.
    """
    if as_csv and as_json:
        raise CliError("--csv and --json were both given; choose one", EXIT_USAGE)
    if as_json:
        print_json({name: list(rows)})
    elif as_csv:
        write_csv(rows, every_column)
    elif rows:
        heads = [column.replace("_", " ") for column in columns]
        print_columns(name, heads, [[str(row[column]) for column in columns] for row in rows])
    else:
        print_line(f"no {name}")


def write_csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Print rows as CSV under a header, which is there without rows, too."""
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def json_line(row: Row) -> str:
    """Return a row as one line of JSON."""
    return json.dumps(row, ensure_ascii=False)


def _tick(units: trade_pb2.InstrumentSpec) -> Decimal:
    return Decimal(units.tick_size.value or "1")
