"""The paper venue's memory: all of a turn or nothing, and a full disk stops the venue with words."""

import sqlite3
from pathlib import Path

import pytest

from opensqt.connector.venues.paper.store import PaperStore
from opensqt.domain.errors import UnavailableError
from opensqt.runtime.config import ConfigError


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = PaperStore(tmp_path / "paper.db")
    opened.open()
    yield opened
    opened.close()


def rows(path: Path) -> dict[tuple[str, str], bytes]:
    with sqlite3.connect(path) as connection:
        found = {(kind, key): value for kind, key, value in connection.execute("SELECT kind, key, value FROM rows")}
    connection.close()
    return found


def test_rows_and_source_position_are_written_together(store: PaperStore, tmp_path: Path) -> None:
    store.write([("order", "1", b"a"), ("order", "2", b"b")], {"taken": 5})
    store.write([("order", "1", b"c"), ("order", "2", None)], {"taken": 6})
    assert rows(tmp_path / "paper.db") == {("order", "1"): b"c", ("source_position", ""): b'{"taken":6}'}
    assert store.position() == {"taken": 6}


def test_full_disk_writes_nothing_of_the_turn_and_says_what_to_do(store: PaperStore, tmp_path: Path) -> None:
    store.write([("order", "1", b"a")], {"taken": 1})
    assert store._connection is not None
    store._connection.execute("PRAGMA max_page_count = 4")
    with pytest.raises(UnavailableError, match="free the disk"):
        store.write([("order", "1", b"z"), *(("fill", str(n), b"x" * 2_000) for n in range(50))], {"taken": 2})
    assert rows(tmp_path / "paper.db")["order", "1"] == b"a"
    assert store.position() == {"taken": 1}


def test_settled_funding_rates_come_back_in_order(store: PaperStore) -> None:
    store.write(
        [store.funding_row("BTC/USDT:USDT", 200, "0.0002"), store.funding_row("BTC/USDT:USDT", 100, "-0.1")], None
    )
    assert store.funding_settlements() == [("BTC/USDT:USDT", 100, "-0.1"), ("BTC/USDT:USDT", 200, "0.0002")]


def test_other_settings_are_refused_by_name(store: PaperStore) -> None:
    store.check_settings({"source": "synthetic", "seed": 1})
    store.check_settings({"source": "synthetic", "seed": 1})
    with pytest.raises(ConfigError, match="seed was 1 and is 2 now"):
        store.check_settings({"source": "synthetic", "seed": 2})


def test_unreadable_row_is_refused(store: PaperStore) -> None:
    store.write([("meta", "", b"{not json")], None)
    with pytest.raises(ConfigError, match="cannot be read"):
        store.load()
