"""The open state file: records in without waiting, history out on a thread of its own."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar, final

import structlog

from opensqt.engine.commands import StoreRecord
from opensqt.engine.store.load import connect
from opensqt.engine.store.write import write_records
from opensqt.runtime.sqlite import WriterThread

MAX_JOBS = 20_000
STALL_JOBS = 2_000

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@final
class Store:
    """Writer and reader of one state file. Construct, `start()`, use, `close()`.

    A full queue loses nothing that the venue does not know: `healthy` turns false long before, bots stop opening, and a
    job refused is counted and reported.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = WriterThread(partial(connect, path), max_queue=MAX_JOBS, on_error=self._on_error)
        self._reader: sqlite3.Connection | None = None
        self._read_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-reader")
        self._error = ""
        self._error_commit_ns = -1
        self.refused_jobs = 0

    def start(self) -> None:
        """Start the writer."""
        self._writer.start()

    @property
    def backlog(self) -> int:
        """Return how many turns are not on disk yet."""
        return self._writer.backlog

    @property
    def health(self) -> tuple[bool, str]:
        """Return whether what happens becomes durable, and if not, why."""
        if self._error and self._writer.last_commit_ns == self._error_commit_ns:
            return False, self._error
        if self.backlog > STALL_JOBS:
            return False, f"{self.backlog} writes wait for the disk"
        return True, ""

    def write(self, records: Sequence[StoreRecord]) -> None:
        """Queue one turn's records; they become durable together."""
        if not self._writer.submit(partial(write_records, records=records)):
            self.refused_jobs += 1
            self._error, self._error_commit_ns = "the queue to the disk is full", self._writer.last_commit_ns
            if self.refused_jobs == 1:
                _log.error("state_not_saved", why=self._error)

    async def flush(self) -> None:
        """Return when everything written so far is on disk."""
        await self._writer.flush()

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query on the reader's thread and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._read_thread, self._run, query)

    def close(self) -> None:
        """Write what waits and close."""
        self._writer.close()
        self._read_thread.submit(self._close_reader).result(timeout=5)
        self._read_thread.shutdown()

    def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._reader is None:
            self._reader = connect(self.path)
            self._reader.execute("PRAGMA query_only = ON")
        return query(self._reader)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _on_error(self, error: Exception) -> None:
        # On the writer's thread: plain assignments only.
        _log.error("state_write_failed", error=str(error))
        if isinstance(error, sqlite3.IntegrityError):
            return  # one job was undone and reported; the disk is well
        self._error, self._error_commit_ns = str(error), self._writer.last_commit_ns
