"""A copy of a database in use is whole, or is not there."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from opensqt.runtime.sqlite import back_up, open_database

SCHEMA = ("CREATE TABLE numbers (value INTEGER NOT NULL) STRICT;",)


def test_a_copy_holds_what_is_committed_while_the_writer_goes_on(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "a.db", SCHEMA)) as database:
        database.execute("INSERT INTO numbers VALUES (1)")
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO numbers VALUES (2)")
        size = back_up(tmp_path / "a.db", tmp_path / "copy.db")
        database.execute("COMMIT")
    assert size == (tmp_path / "copy.db").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == ["copy.db"]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT value FROM numbers").fetchall() == [(1,)]
        assert copy.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_copy_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(OSError, match="not a database"):
        back_up(tmp_path / "a.db", tmp_path / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_a_copy_never_replaces_a_file(tmp_path: Path) -> None:
    open_database(tmp_path / "a.db", SCHEMA).close()
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(OSError, match="exists"):
        back_up(tmp_path / "a.db", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"
