"""Records to rows: one function per kind of record, and the table that names them."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from opensqt.engine.commands import (
    AuditRecord,
    BaselineRecord,
    BotRecord,
    CashFlowRecord,
    EquityRecord,
    FillRecord,
    GridVersionRecord,
    JournalRecord,
    OrderRecord,
    RescaleRecord,
    SlotRecord,
    StoreRecord,
    TotalsRecord,
)
from opensqt.engine.store.rescale import rescale_rows

_encoder = msgspec.json.Encoder(decimal_format="string")


def to_json(value: Any) -> str:
    """Write a value as JSON text, decimals as strings."""
    return _encoder.encode(value).decode()


def write_records(connection: sqlite3.Connection, records: Iterable[StoreRecord]) -> None:
    """Write records in order; the caller owns the transaction."""
    for record in records:
        _WRITERS[type(record)](connection, record)


def _bot(connection: sqlite3.Connection, record: BotRecord) -> None:
    connection.execute(
        "INSERT INTO bots VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (bot_id) DO UPDATE SET tag = excluded.tag, "
        "symbol = excluded.symbol, epoch = max(epoch, excluded.epoch), config_version = excluded.config_version, "
        "config_text = excluded.config_text, document = excluded.document",
        (
            record.bot_id,
            record.tag,
            record.symbol,
            record.epoch,
            record.config_version,
            record.config_text,
            to_json(record),
        ),
    )


def _baseline(connection: sqlite3.Connection, record: BaselineRecord) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO baselines VALUES (?, ?, ?)", (record.asset, record.bot_ids, str(record.cash))
    )


def _totals(connection: sqlite3.Connection, record: TotalsRecord) -> None:
    connection.execute("INSERT OR REPLACE INTO totals VALUES (?, ?)", (record.bot_id, to_json(record.totals)))


def _slot(connection: sqlite3.Connection, record: SlotRecord) -> None:
    if not (record.lots or record.cost_ticks_lots or record.cycles or record.profit_ticks_lots):
        connection.execute("DELETE FROM slots WHERE bot_id = ? AND slot = ?", (record.bot_id, record.slot))
        return
    connection.execute(
        "INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?, ?, ?)",
        (record.bot_id, record.slot, record.lots, record.cost_ticks_lots, record.cycles, record.profit_ticks_lots),
    )


def _order(connection: sqlite3.Connection, record: OrderRecord) -> None:
    order = record.order
    connection.execute(
        f"INSERT OR REPLACE INTO orders VALUES ({', '.join('?' * 23)})",  # noqa: S608  only question marks
        (
            order.client_order_id,
            record.bot_id,
            order.symbol,
            order.exchange_order_id,
            record.slot,
            record.rule,
            to_json(record.inputs),
            record.config_version,
            int(order.side),
            int(order.type),
            int(order.time_in_force),
            order.price_ticks,
            order.lots,
            order.filled_lots,
            order.filled_ticks_lots,
            order.reduce_only,
            order.state.value,
            order.reason.value if order.reason is not None else "",
            record.is_open,
            order.created_time_ns,
            order.updated_time_ns,
            order.instrument_revision,
            to_json(record.history),
        ),
    )


def _fill(connection: sqlite3.Connection, record: FillRecord) -> None:
    fill = record.fill
    connection.execute(
        f"INSERT INTO fills VALUES ({', '.join('?' * 19)})",  # noqa: S608  only question marks
        (
            fill.symbol,
            fill.trade_id,
            record.bot_id,
            fill.client_order_id,
            fill.exchange_order_id,
            record.slot,
            int(fill.side),
            fill.price_ticks,
            fill.lots,
            fill.cumulative_filled_lots,
            str(fill.fee),
            fill.fee_asset,
            fill.is_maker,
            int(fill.origin),
            fill.venue_time_ns,
            fill.receive_time_ns,
            fill.instrument_revision,
            record.profit_ticks_lots,
            record.cycles,
        ),
    )


def _cash_flow(connection: sqlite3.Connection, record: CashFlowRecord) -> None:
    flow = record.flow
    connection.execute(
        "INSERT INTO cash_flows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            flow.id,
            record.bot_id,
            int(flow.kind),
            flow.symbol,
            flow.asset,
            str(flow.amount),
            None if flow.rate is None else str(flow.rate),
            flow.venue_time_ns,
        ),
    )


def _equity(connection: sqlite3.Connection, record: EquityRecord) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO equity VALUES ({', '.join('?' * 12)})",  # noqa: S608  only question marks
        (
            record.bot_id,
            record.time_ns,
            str(record.equity),
            str(record.mark_price),
            record.position_lots,
            str(record.entry_price),
            str(record.grid_profit),
            str(record.inventory),
            str(record.fees),
            str(record.funding),
            str(record.transfers),
            str(record.unexplained),
        ),
    )


def _journal(connection: sqlite3.Connection, record: JournalRecord) -> None:
    connection.execute(
        "INSERT INTO journal VALUES (?, ?, ?, ?, ?)",
        (record.bot_id, record.time_ns, record.level, record.code, record.message),
    )


def _audit(connection: sqlite3.Connection, record: AuditRecord) -> None:
    connection.execute(
        "INSERT INTO audit VALUES (?, ?, ?, ?, ?)",
        (record.bot_id, record.time_ns, record.action, record.detail, record.who),
    )


def _grid_version(connection: sqlite3.Connection, record: GridVersionRecord) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO grid_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.bot_id,
            record.version,
            record.time_ns,
            record.action,
            record.who,
            to_json(record.what),
            record.undo_version,
            record.document,
        ),
    )


_WRITERS: dict[type, Callable[[sqlite3.Connection, Any], None]] = {
    BotRecord: _bot,
    BaselineRecord: _baseline,
    TotalsRecord: _totals,
    SlotRecord: _slot,
    OrderRecord: _order,
    FillRecord: _fill,
    CashFlowRecord: _cash_flow,
    EquityRecord: _equity,
    JournalRecord: _journal,
    AuditRecord: _audit,
    GridVersionRecord: _grid_version,
    RescaleRecord: rescale_rows,
}
