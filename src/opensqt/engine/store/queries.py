"""Questions to the stored history, paged by time; a cursor is the time and id of the last row, opaque to callers."""

import sqlite3
from typing import NamedTuple

from opensqt.domain.errors import invalid_field
from opensqt.engine.commands import EquityRecord, OrderRecord
from opensqt.engine.ledger_check import Books
from opensqt.engine.restored import BookedFill
from opensqt.engine.store.rows import booked_fill_of, cash_flow_of, equity_of, order_of

DEFAULT_LIMIT = 500
MAX_LIMIT = 1_000
MAX_TIME_NS = (1 << 63) - 1


class Span(NamedTuple):
    """Which rows: of symbols (empty = all), from `start_ns` to before `end_ns`, at most `limit`, after a cursor."""

    symbols: tuple[str, ...]
    start_ns: int
    end_ns: int
    limit: int
    cursor: str = ""


def fills_page(connection: sqlite3.Connection, span: Span) -> tuple[list[BookedFill], str]:
    """Return fills oldest first, and the cursor of the next page (empty = the end)."""
    rows, cursor = _page(connection, "fills", "venue_time_ns", "trade_id", span)
    return [booked_fill_of(row) for row in rows], cursor


def fills_before(
    connection: sqlite3.Connection, symbol: str, bot_id: str, before: tuple[int, str], limit: int
) -> tuple[list[BookedFill], bool]:
    """Return a bot's newest fills before a time and trade id, oldest first, and whether there are older ones."""
    rows = connection.execute(
        "SELECT * FROM fills WHERE symbol = ? AND bot_id = ? AND (venue_time_ns, trade_id) < (?, ?) "
        "ORDER BY venue_time_ns DESC, trade_id DESC LIMIT ?",
        (symbol, bot_id, *before, limit + 1),
    ).fetchall()
    return [booked_fill_of(row) for row in reversed(rows[:limit])], len(rows) > limit


def orders_before(
    connection: sqlite3.Connection, symbol: str, bot_id: str, before: tuple[int, str], limit: int
) -> tuple[list[OrderRecord], bool]:
    """Return a bot's orders that changed last before a time and client id, oldest first, and whether there are older.

    An order without an answer of the venue yet has no time and comes first of all.
    """
    rows = connection.execute(
        "SELECT * FROM orders WHERE symbol = ? AND bot_id = ? AND (updated_ns, client_order_id) < (?, ?) "
        "ORDER BY updated_ns DESC, client_order_id DESC LIMIT ?",
        (symbol, bot_id, *before, limit + 1),
    ).fetchall()
    return [order_of(row) for row in reversed(rows[:limit])], len(rows) > limit


def orders_page(connection: sqlite3.Connection, span: Span) -> tuple[list[OrderRecord], str]:
    """Return orders by last change, oldest first, and the cursor of the next page (empty = the end)."""
    rows, cursor = _page(connection, "orders", "updated_ns", "client_order_id", span)
    return [order_of(row) for row in rows], cursor


def find_order(connection: sqlite3.Connection, order_id: str) -> OrderRecord | None:
    """Return an order by client or venue id."""
    row = connection.execute(
        "SELECT * FROM orders WHERE client_order_id = ?1 OR (exchange_order_id = ?1 AND ?1 <> '') LIMIT 1", (order_id,)
    ).fetchone()
    return None if row is None else order_of(row)


def fills_of_order(connection: sqlite3.Connection, client_order_id: str) -> list[BookedFill]:
    """Return an order's fills, oldest first."""
    rows = connection.execute(
        "SELECT * FROM fills WHERE client_order_id = ? ORDER BY venue_time_ns", (client_order_id,)
    )
    return [booked_fill_of(row) for row in rows]


def equity_between(connection: sqlite3.Connection, bot_id: str, start_ns: int, end_ns: int) -> list[EquityRecord]:
    """Return equity samples, oldest first."""
    rows = connection.execute(
        "SELECT * FROM equity WHERE bot_id = ? AND time_ns >= ? AND time_ns < ? ORDER BY time_ns LIMIT 10000",
        (bot_id, start_ns, end_ns),
    )
    return [equity_of(row) for row in rows]


class RealizedProfit(NamedTuple):
    """Of one symbol in a time span: sums in ticks times lots, and how the closing fills did."""

    symbol: str
    profit_ticks_lots: int
    closing_fills: int
    winning: int
    losing: int


def realized(connection: sqlite3.Connection, symbol: str, start_ns: int, end_ns: int) -> RealizedProfit:
    """Return what closing fills of a symbol earned."""
    row = connection.execute(
        "SELECT coalesce(sum(profit_ticks_lots), 0), count(*), coalesce(sum(profit_ticks_lots > 0), 0), "
        "coalesce(sum(profit_ticks_lots < 0), 0) FROM fills "
        "WHERE symbol = ? AND side = 2 AND venue_time_ns >= ? AND venue_time_ns < ?",
        (symbol, start_ns, end_ns),
    ).fetchone()
    return RealizedProfit(symbol, row[0], row[1], row[2], row[3])


def paid_fees(connection: sqlite3.Connection, symbol: str, asset: str, start_ns: int, end_ns: int) -> list[str]:
    """Return the fees of a symbol's fills in one asset, as decimal texts."""
    rows = connection.execute(
        "SELECT fee FROM fills WHERE symbol = ? AND fee_asset = ? AND venue_time_ns >= ? AND venue_time_ns < ?",
        (symbol, asset, start_ns, end_ns),
    )
    return [row[0] for row in rows]


def books_since(
    connection: sqlite3.Connection, bot_id: str, symbol: str, since_ns: int, limit: int
) -> tuple[Books, int]:
    """Return a bot's fills (the newest `limit` of them) and cash flows since a time, and the time really begun at."""
    rows = connection.execute(
        "SELECT * FROM fills WHERE symbol = ? AND bot_id = ? AND venue_time_ns >= ? "
        "ORDER BY venue_time_ns DESC LIMIT ?",
        (symbol, bot_id, since_ns, limit),
    )
    fills = [booked_fill_of(row).fill for row in rows]
    if len(fills) == limit:
        since_ns = fills[-1].venue_time_ns
    flows = connection.execute(
        "SELECT * FROM cash_flows WHERE bot_id = ? AND venue_time_ns >= ? ORDER BY venue_time_ns", (bot_id, since_ns)
    )
    return Books(fills=tuple(reversed(fills)), flows=tuple(cash_flow_of(row) for row in flows)), since_ns


def _page(
    connection: sqlite3.Connection, table: str, time_column: str, id_column: str, span: Span
) -> tuple[list[sqlite3.Row], str]:
    after_ns, after_id = _read_cursor(span.cursor)
    marks = ", ".join("?" * len(span.symbols))
    where = f"symbol IN ({marks}) AND" if span.symbols else ""
    rows = connection.execute(
        # Names come from the callers above, values are bound.
        f"SELECT * FROM {table} WHERE {where} {time_column} >= ? AND {time_column} < ? "  # noqa: S608
        f"AND ({time_column}, {id_column}) > (?, ?) ORDER BY {time_column}, {id_column} LIMIT ?",
        (*span.symbols, span.start_ns, span.end_ns, after_ns, after_id, span.limit + 1),
    ).fetchall()
    if len(rows) <= span.limit:
        return rows, ""
    last = rows[span.limit - 1]
    return rows[: span.limit], f"{last[time_column]}:{last[id_column]}"


def _read_cursor(cursor: str) -> tuple[int, str]:
    if not cursor:
        return -1, ""
    time_text, colon, row_id = cursor.partition(":")
    if not colon or not time_text.isdecimal():
        raise invalid_field("cursor", repr(cursor), "must be the next_cursor of an earlier answer")
    return int(time_text), row_id
