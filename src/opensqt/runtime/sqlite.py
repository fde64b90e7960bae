"""SQLite as state store: safe settings, forward migrations, and one writer thread that commits in groups.

A commit costs tens of microseconds to milliseconds and may stall with the disk, so it never happens on the event loop:
jobs go into a bounded queue, one thread runs all that wait inside one transaction, and whoever needs durability awaits
`flush()`. A job that fails alone is undone alone; a disk that fails keeps the whole group waiting and is reported.
"""

import asyncio
import collections
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

from opensqt.runtime.config_problems import ConfigError
from opensqt.runtime.crash_points import crash_point

BUSY_TIMEOUT_MS = 5_000
RETRY_AFTER_S = 0.5

Job = Callable[[sqlite3.Connection], None]


@final
class StoreError(Exception):
    """A database cannot be used or a write did not become durable; the message says what to do."""


def open_database(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open or create a database and bring it to the newest version, one transaction per migration.

    Args:
        path: the file; its folder is created.
        migrations: scripts, oldest first; the database's `user_version` is how many have run.

    Raises:
        ConfigError: the file cannot be used: no folder, no permission, a full disk, or written by a newer version.
        StoreError: the file is damaged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The writer thread uses what another thread opened; only one thread uses a connection at any time.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.OperationalError) as error:
        raise _unusable(path, str(error)) from None
    try:
        _prepare(connection)
        _migrate(connection, path, migrations)
    except sqlite3.OperationalError as error:
        connection.close()
        raise _unusable(path, str(error)) from None
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"{path} is not a sound database ({error}); restore a copy, or move it away") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise ConfigError.single(
            "database",
            repr(str(path)),
            f"was written by a newer OpenSQT (version {version}, this one knows {len(migrations)})",
            "use that newer OpenSQT, or another database file",
        )
    for number, script in enumerate(migrations[version:], start=version + 1):
        # executescript commits what is open before it starts, so the transaction is part of the script.
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n;PRAGMA user_version = {number};\nCOMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def quick_check(path: Path) -> None:
    """Read the whole file and check its structure. Raises StoreError when it is damaged."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA quick_check")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        raise StoreError(f"{path} is damaged ({'; '.join(found[:3])}); restore a copy, or move it away")


def back_up(source: Path, target: Path) -> int:
    """Copy a database that may be in use, consistently; returns the copy's size in bytes.

    The copy appears under its name when it is whole and on disk. Raises OSError when it cannot be made.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reader,
            contextlib.closing(sqlite3.connect(part)) as writer,
        ):
            # In steps, so that a long copy never keeps the writer from its log.
            reader.backup(writer, pages=1_000, sleep=0.001)
            writer.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        quick_check(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.link(part, target)  # unlike a rename it never replaces what appeared meanwhile
        return target.stat().st_size
    except (sqlite3.Error, StoreError) as error:
        raise OSError(str(error)) from error
    finally:
        part.unlink(missing_ok=True)


_AT_BEGIN = crash_point("store.begin", "records wait in memory, nothing of them is on disk")
_AT_COMMIT = crash_point("store.commit", "records are in the transaction, which is not committed")
_COMMITTED = crash_point("store.committed", "records are on disk, nobody was told")


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError.single(
        "database", repr(str(path)), f"cannot be used ({why})", "free the disk, or choose a folder that can be written"
    )


@final
class WriterThread:
    """Run write jobs on one thread, all that wait in one transaction.

    Args:
        open_connection: opens the database; called once, on the writer's thread.
        max_queue: how many jobs may wait; `submit` refuses more.
        on_error: called on the writer's thread with each error: of a job that was undone (the others go on), or of the
            database as a whole (the group waits and is tried again).
    """

    def __init__(
        self,
        open_connection: Callable[[], sqlite3.Connection],
        *,
        max_queue: int = 10_000,
        on_error: Callable[[Exception], None] = lambda _error: None,
    ) -> None:
        self._open = open_connection
        self._max_queue = max_queue
        self._on_error = on_error
        self._jobs: collections.deque[tuple[Job, int]] = collections.deque()
        self._group_since_ns = 0
        self._wake = threading.Condition()
        self._submitted = 0
        self._done = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._closing = False
        self._ended = False
        self._last_commit_ns = 0
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)

    @property
    def backlog(self) -> int:
        """Return how many jobs are not durable yet."""
        return self._submitted - self._done

    @property
    def oldest_wait_ns(self) -> int:
        """Return for how long the oldest job that is not durable has waited; 0 when none waits."""
        with self._wake:
            since_ns = self._group_since_ns or (self._jobs[0][1] if self._jobs else 0)
        return time.monotonic_ns() - since_ns if since_ns else 0

    @property
    def last_commit_ns(self) -> int:
        """Return the monotonic time of the last commit in ns, 0 before the first."""
        return self._last_commit_ns

    def start(self) -> None:
        """Open the database and start the thread."""
        self._thread.start()

    def submit(self, job: Job) -> bool:
        """Queue a job without waiting; returns False, and queues nothing, when the queue is full or closed."""
        with self._wake:
            if self._closing or self.backlog >= self._max_queue:
                return False
            self._jobs.append((job, time.monotonic_ns()))
            self._submitted += 1
            self._wake.notify()
        return True

    async def flush(self) -> None:
        """Return when all jobs submitted so far are durable (or undone and reported).

        Raises StoreError when the writer was closed before it could write them.
        """
        future = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._done >= self._submitted:
                return
            if self._ended or not self._thread.is_alive():
                raise StoreError(f"{self.backlog} writes were not made: the writer is not running")
            self._waiters.append((self._submitted, future))
        await future

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits, close the database and stop the thread; a disk that still fails ends the attempt."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        group: list[Job] = []
        try:
            while True:
                with self._wake:
                    while not (group or self._jobs or self._closing):
                        self._wake.wait()
                    if self._jobs and not group:
                        self._group_since_ns = self._jobs[0][1]
                    group.extend(job for job, _since_ns in self._jobs)
                    self._jobs.clear()
                    closing = self._closing
                try:
                    connection = connection or self._open()
                    if group:
                        self._commit(connection, group)
                except (sqlite3.Error, ConfigError, StoreError) as error:
                    self._on_error(error)
                    if closing:
                        return
                    with self._wake:
                        self._wake.wait_for(lambda: self._closing, RETRY_AFTER_S)
                    continue
                self._settle(len(group))
                group.clear()
                if closing and not self._jobs:
                    return
        finally:
            if connection is not None:
                connection.close()
            self._fail_waiters()

    def _commit(self, connection: sqlite3.Connection, group: list[Job]) -> None:
        failed: list[Exception] = []
        _AT_BEGIN()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for job in group:
                connection.execute("SAVEPOINT job")
                try:
                    job(connection)
                except Exception as error:  # one bad job must not take its neighbours along; it is reported
                    if _is_of_the_database(error):
                        raise
                    connection.execute("ROLLBACK TO job")
                    failed.append(error)
                connection.execute("RELEASE job")
            _AT_COMMIT()
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        _COMMITTED()
        self._last_commit_ns = time.monotonic_ns()
        for failure in failed:
            self._on_error(failure)

    def _settle(self, count: int) -> None:
        with self._wake:
            self._done += count
            self._group_since_ns = 0
            ready = [future for need, future in self._waiters if need <= self._done]
            self._waiters = [(need, future) for need, future in self._waiters if need > self._done]
        for future in ready:
            _resolve(future, None)

    def _fail_waiters(self) -> None:
        with self._wake:
            self._ended = True
            waiters, self._waiters = self._waiters, []
        for _need, future in waiters:
            _resolve(future, StoreError(f"{self.backlog} writes were not made: the writer was closed"))


def _is_of_the_database(error: Exception) -> bool:
    """Return whether an error is of the disk or the file, not of one job's SQL (SQLite code 1) or Python."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR


def _resolve(future: asyncio.Future[None], error: Exception | None) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        future.get_loop().call_soon_threadsafe(settle)
