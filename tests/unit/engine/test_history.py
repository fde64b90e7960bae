"""Pages of the stored history follow on without holes or repeats, in both directions."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.domain.errors import RequestError
from opensqt.domain.fill import CashFlow, CashFlowKind
from opensqt.engine.commands import CashFlowRecord, EquityRecord, JournalRecord
from opensqt.engine.store import history
from opensqt.engine.store.load import connect
from opensqt.engine.store.write import write_records

BOTH = ("a", "b")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = connect(tmp_path / "engine.db")
    yield made
    made.close()


def write_journal(database: sqlite3.Connection) -> None:
    # Several lines share one time: a page may end between them.
    levels = ("info", "warning", "alarm")
    write_records(
        database,
        [
            JournalRecord(bot_id=BOTH[n % 2], time_ns=n // 4, level=levels[n % 3], code=f"C{n}", message="")
            for n in range(20)
        ],
    )


def journal(database: sqlite3.Connection, **changes: object) -> list[str]:
    asked: dict[str, object] = {"since_ns": 0, "min_level": "info", "limit": 3, "newest_first": False}
    asked.update(changes)
    bot_ids = asked.pop("bot_ids", BOTH)
    codes, token = [], ""
    while True:
        records, token = history.journal_page(database, bot_ids, page_token=token, **asked)  # type: ignore[arg-type]
        assert len(records) <= asked["limit"]  # type: ignore[operator]
        codes.extend(record.code for record in records)
        if not token:
            return codes


def test_journal_pages_follow_on_oldest_first(database: sqlite3.Connection) -> None:
    write_journal(database)
    assert journal(database) == [f"C{n}" for n in range(20)]


def test_journal_pages_follow_on_newest_first(database: sqlite3.Connection) -> None:
    write_journal(database)
    assert journal(database, newest_first=True) == [f"C{n}" for n in reversed(range(20))]


def test_journal_can_be_of_one_bot_of_one_level_and_of_late(database: sqlite3.Connection) -> None:
    write_journal(database)
    assert journal(database, bot_ids=("a",)) == [f"C{n}" for n in range(0, 20, 2)]
    assert journal(database, min_level="alarm") == [f"C{n}" for n in range(2, 20, 3)]
    assert journal(database, min_level="warning", since_ns=4) == ["C16", "C17", "C19"]


@pytest.mark.parametrize("token", ["x", "1", "1:2:3", "1:-2", "99999999999999999999:1"])
def test_a_page_token_of_no_page_is_refused(database: sqlite3.Connection, token: str) -> None:
    with pytest.raises(RequestError, match="next_page_token"):
        history.journal_page(
            database, BOTH, since_ns=0, min_level="info", limit=3, page_token=token, newest_first=False
        )


def sample(time_ns: int) -> EquityRecord:
    parts = dict.fromkeys(
        ("mark_price", "entry_price", "grid_profit", "inventory", "fees", "funding", "transfers", "unexplained"),
        Decimal(0),
    )
    return EquityRecord(bot_id="a", time_ns=time_ns, equity=Decimal(time_ns), position_lots=0, **parts)


def curve(database: sqlite3.Connection, **changes: int) -> list[int]:
    asked = {"since_ns": 0, "until_ns": 1_000, "step_ns": 0, "limit": 3} | changes
    times, token = [], ""
    while True:
        samples, token = history.equity_page(database, "a", page_token=token, **asked)
        assert all(one.equity == one.time_ns for one in samples), "the columns are of another row than the time"
        times.extend(one.time_ns for one in samples)
        if not token:
            return times


def test_equity_pages_follow_on(database: sqlite3.Connection) -> None:
    write_records(database, [sample(n) for n in range(0, 100, 7)])
    assert curve(database) == list(range(0, 100, 7))
    assert curve(database, since_ns=8, until_ns=28) == [14, 21]


def test_equity_of_a_coarser_resolution_is_the_last_sample_of_each_span(database: sqlite3.Connection) -> None:
    write_records(database, [sample(n) for n in range(0, 100, 7)])
    assert curve(database, step_ns=20) == [14, 35, 56, 77, 98]
    assert curve(database, step_ns=20, limit=1) == [14, 35, 56, 77, 98]


def test_cash_flow_pages_follow_on(database: sqlite3.Connection) -> None:
    flows = [
        CashFlow(id=f"f{n}", kind=CashFlowKind.FUNDING, asset="USDT", amount=Decimal(n), venue_time_ns=n // 3)
        for n in range(10)
    ]
    write_records(database, [CashFlowRecord("a", flow) for flow in flows])
    found, token = [], ""
    while True:
        page, token = history.cash_flows_page(database, "a", since_ns=1, limit=2, page_token=token)
        found.extend(page)
        if not token:
            break
    assert found == flows[3:]
