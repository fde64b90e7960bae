"""The store's plumbing: migrations go forward only, writes are grouped, failures are kept apart and reported."""

import sqlite3
import threading

import pytest

from opensqt.runtime.config import ConfigError
from opensqt.runtime.sqlite import StoreError, WriterThread, open_database, quick_check

FIRST = "CREATE TABLE fill (id INTEGER PRIMARY KEY, lots INTEGER NOT NULL) STRICT;"
SECOND = "ALTER TABLE fill ADD COLUMN fee TEXT NOT NULL DEFAULT '0';"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "engine.db"


@pytest.fixture
def writer(path):
    errors: list[Exception] = []
    made = WriterThread(lambda: open_database(path, [FIRST]), max_queue=100, on_error=errors.append)
    made.errors = errors
    yield made
    made.close()


def insert(number: int):
    return lambda connection: connection.execute("INSERT INTO fill VALUES (?, 1)", (number,))


def ids(path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT id FROM fill ORDER BY id")]
    finally:
        connection.close()


def test_migrations_run_once_each_and_survive_reopening(path):
    open_database(path, [FIRST]).close()
    connection = open_database(path, [FIRST, SECOND])
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.execute("INSERT INTO fill (id, lots) VALUES (1, 2)")
    connection.close()
    assert ids(path) == [1]


def test_a_failed_migration_leaves_the_version_before_it(path):
    open_database(path, [FIRST]).close()
    with pytest.raises(ConfigError):
        open_database(path, [FIRST, "CREATE TABLE other (id INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"])
    connection = open_database(path, [FIRST])
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'other'").fetchone() == (0,)
    connection.close()


def test_a_database_of_a_newer_version_is_refused(path):
    open_database(path, [FIRST, SECOND]).close()
    with pytest.raises(ConfigError, match="newer OpenSQT"):
        open_database(path, [FIRST])


def test_a_file_that_is_no_database_is_refused(path):
    path.parent.mkdir()
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match="not a sound database"):
        open_database(path, [FIRST])
    with pytest.raises(StoreError, match="damaged"):
        quick_check(path)


def test_a_folder_that_cannot_be_made_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        open_database(tmp_path / "file" / "engine.db", [FIRST])


async def test_flush_means_durable(writer, path):
    writer.start()
    assert all(writer.submit(insert(number)) for number in range(50))
    await writer.flush()
    assert ids(path) == list(range(50))
    assert writer.backlog == 0
    assert writer.last_commit_ns > 0


async def test_waiting_jobs_share_one_transaction(writer, path):
    gate, entered, seen = threading.Event(), threading.Event(), []

    def block(_connection):
        entered.set()
        gate.wait(5)

    writer.start()
    writer.submit(block)
    assert entered.wait(5)
    for number in range(10):
        writer.submit(insert(number))
    writer.submit(lambda connection: seen.append(connection.total_changes))
    assert ids(path) == []
    gate.set()
    await writer.flush()
    assert seen == [10]
    assert len(ids(path)) == 10


async def test_a_bad_job_is_undone_alone_and_reported(writer, path):
    writer.start()
    writer.submit(insert(1))
    writer.submit(insert(1))
    writer.submit(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"))
    writer.submit(insert(2))
    await writer.flush()
    assert ids(path) == [1, 2]
    assert [type(error) for error in writer.errors] == [sqlite3.IntegrityError, sqlite3.OperationalError]


async def test_a_full_queue_refuses_instead_of_blocking(writer):
    assert all(writer.submit(insert(number)) for number in range(100))
    assert not writer.submit(insert(100))
    assert writer.backlog == 100
    writer.start()
    await writer.flush()
    assert writer.submit(insert(100))


async def test_a_disk_that_recovers_loses_nothing(path):
    tries, errors = [], []

    def open_late():
        tries.append(1)
        if len(tries) < 2:
            raise sqlite3.OperationalError("database or disk is full")
        return open_database(path, [FIRST])

    writer = WriterThread(open_late, on_error=errors.append)
    writer.start()
    writer.submit(insert(1))
    await writer.flush()
    writer.close()
    assert ids(path) == [1]
    assert len(errors) == 1


async def test_close_writes_what_waits_and_later_writes_are_refused(writer, path):
    writer.start()
    writer.submit(insert(7))
    writer.close()
    assert ids(path) == [7]
    assert not writer.submit(insert(8))


async def test_flush_tells_when_the_writer_ended_with_work_undone(path):
    def never():
        raise sqlite3.OperationalError("disk I/O error")

    writer = WriterThread(never)
    writer.start()
    writer.submit(insert(1))
    writer.close()
    with pytest.raises(StoreError, match="1 writes were not made"):
        await writer.flush()
