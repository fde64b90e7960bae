"""Journal, equity samples and cash flows from the state file, a page at a time."""

import sqlite3

from opensqt.domain.errors import invalid_field
from opensqt.domain.fill import CashFlow
from opensqt.engine.commands import EquityRecord, JournalRecord
from opensqt.engine.store.rows import cash_flow_of, equity_of

LEVELS = ("info", "warning", "alarm")


def journal_page(
    connection: sqlite3.Connection,
    bot_ids: tuple[str, ...],
    *,
    since_ns: int,
    min_level: str,
    limit: int,
    page_token: str,
    newest_first: bool,
) -> tuple[list[JournalRecord], str]:
    """Return journal lines of at least a level, and the token of the next page (empty = the end)."""
    levels = LEVELS[LEVELS.index(min_level) :]
    after = read_token(page_token, parts=2)
    turn, order = ("<", "DESC") if newest_first else (">", "ASC")
    rows = connection.execute(
        # Only marks, one of two signs and one of two orders are put in; values are bound.
        f"SELECT rowid, bot_id, time_ns, level, code, message FROM journal "  # noqa: S608
        f"WHERE bot_id IN ({_marks(bot_ids)}) AND time_ns >= ? AND level IN ({_marks(levels)}) "
        f"{f'AND (time_ns, rowid) {turn} (?, ?)' if after else ''} ORDER BY time_ns {order}, rowid {order} LIMIT ?",
        (*bot_ids, since_ns, *levels, *after, limit + 1),
    ).fetchall()
    records = [
        JournalRecord(
            bot_id=row["bot_id"],
            time_ns=row["time_ns"],
            level=row["level"],
            code=row["code"],
            message=row["message"],
        )
        for row in rows[:limit]
    ]
    return records, f"{rows[limit - 1]['time_ns']}:{rows[limit - 1]['rowid']}" if len(rows) > limit else ""


def equity_page(
    connection: sqlite3.Connection,
    bot_id: str,
    *,
    since_ns: int,
    until_ns: int,
    step_ns: int,
    limit: int,
    page_token: str,
) -> tuple[list[EquityRecord], str]:
    """Return the last sample of every step (0 = every sample), oldest first, and the token of the next page."""
    after = read_token(page_token, parts=1)
    since_ns = max(since_ns, after[0] + 1) if after else since_ns
    # With max() in the query SQLite takes the other columns from the row that has the maximum.
    rows = connection.execute(
        "SELECT *, max(time_ns) FROM equity WHERE bot_id = ? AND time_ns >= ? AND time_ns < ? "
        "GROUP BY time_ns / ? ORDER BY time_ns LIMIT ?",
        (bot_id, since_ns, until_ns, max(1, step_ns), limit + 1),
    ).fetchall()
    samples = [equity_of(row) for row in rows[:limit]]
    return samples, str(samples[-1].time_ns) if len(rows) > limit else ""


def cash_flows_page(
    connection: sqlite3.Connection, bot_id: str, *, since_ns: int, limit: int, page_token: str
) -> tuple[list[CashFlow], str]:
    """Return booked cash flows, oldest first, and the token of the next page."""
    after = read_token(page_token, parts=2)
    rows = connection.execute(
        f"SELECT rowid, * FROM cash_flows WHERE bot_id = ? AND venue_time_ns >= ? "  # noqa: S608  only marks are put in
        f"{'AND (venue_time_ns, rowid) > (?, ?)' if after else ''} ORDER BY venue_time_ns, rowid LIMIT ?",
        (bot_id, since_ns, *after, limit + 1),
    ).fetchall()
    flows = [cash_flow_of(row) for row in rows[:limit]]
    return flows, f"{rows[limit - 1]['venue_time_ns']}:{rows[limit - 1]['rowid']}" if len(rows) > limit else ""


def read_token(token: str, *, parts: int) -> tuple[int, ...]:
    """Return the numbers of a page token; none for an empty one. Raises RequestError."""
    if not token:
        return ()
    texts = token.split(":")
    if len(texts) != parts or not all(text.isdecimal() and len(text) < 20 for text in texts):
        raise invalid_field("page_token", repr(token[:40]), "must be the next_page_token of an earlier answer")
    return tuple(int(text) for text in texts)


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))
