"""The open state file: records in without waiting, history out on a thread of its own."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar, final

import structlog

from opensqt.engine.commands import StoreRecord
from opensqt.engine.config import StoreConfig
from opensqt.engine.store.load import connect
from opensqt.engine.store.watch import UNKNOWN_SPACE, StoreReading
from opensqt.engine.store.write import write_records
from opensqt.runtime.sqlite import StoreError, WriterThread

MAX_JOBS = 20_000
SETTLE_S = 1.0

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@final
class Store:
    """Writer and reader of one state file. Construct, `start()`, use, `close()`.

    A turn that finds the queue full is refused, and every later one with it: what is on disk stays a consistent past,
    from which a restart fetches the rest from the venue. `StoreWatch` takes the bots off the market long before.
    """

    def __init__(self, path: Path, config: StoreConfig | None = None) -> None:
        self.config = config or StoreConfig()
        self.path = path
        self._writer = WriterThread(partial(connect, path), max_queue=MAX_JOBS, on_error=self._on_error)
        self._reader: sqlite3.Connection | None = None
        self._read_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-reader")
        self._error = ""
        self._error_commit_ns = -1
        self._free_bytes = UNKNOWN_SPACE
        self.refused_jobs = 0

    def start(self) -> None:
        """Start the writer."""
        self._writer.start()

    @property
    def backlog(self) -> int:
        """Return how many turns are not on disk yet."""
        return self._writer.backlog

    @property
    def reading(self) -> StoreReading:
        """Return how the store is now."""
        failing = self._error and self._writer.last_commit_ns == self._error_commit_ns
        return StoreReading(
            error=self._error if failing else "",
            oldest_wait_ns=self._writer.oldest_wait_ns,
            backlog=self.backlog,
            room=MAX_JOBS,
            lost=self.refused_jobs > 0,
            free_bytes=self._free_bytes,
        )

    def write(self, records: Sequence[StoreRecord]) -> None:
        """Queue one turn's records; they become durable together."""
        if self.refused_jobs or not self._writer.submit(partial(write_records, records=records)):
            self.refused_jobs += 1
            if self.refused_jobs == 1:
                _log.error("state_not_saved", why="the queue to the disk is full")

    async def measure_space(self) -> None:
        """Look how much of the disk is free, on the reader's thread: a hung disk must not hold the loop."""
        loop = asyncio.get_running_loop()
        usage = await loop.run_in_executor(self._read_thread, shutil.disk_usage, self.path.parent)
        self._free_bytes = usage.free

    async def flush(self) -> None:
        """Return when everything written so far is on disk."""
        await self._writer.flush()

    async def settle(self, timeout_s: float = SETTLE_S) -> bool:
        """Wait a moment for what was written; False when the disk does not take it, and history ends before now."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.flush()
        except (TimeoutError, StoreError):
            return False
        return True

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
