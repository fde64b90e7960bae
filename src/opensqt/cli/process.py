"""One child process: its own process group, its errors in a file, stopped by SIGTERM and at last by SIGKILL.

The group keeps a terminal's Ctrl-C away from the children: the supervisor alone gets it and stops them in order.
The children watch the supervisor by its pid in their environment (`runtime.lifecycle`), so none outlives it.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

from opensqt.runtime.lifecycle import SUPERVISOR_PID_VARIABLE

_TAIL_BYTES = 8192


@final
class ChildProcess:
    """A started child; create it with `start`."""

    def __init__(self, process: asyncio.subprocess.Process, log_file: Path, log_start: int) -> None:
        self._process = process
        self._log_file = log_file
        self._log_start = log_start

    @classmethod
    async def start(cls, argv: Sequence[str], log_file: Path, env: Mapping[str, str]) -> "ChildProcess":
        """Start a program; its standard output and error are appended to `log_file`."""
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as log:
            start = log.tell()
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**env, SUPERVISOR_PID_VARIABLE: str(os.getpid())},
                start_new_session=True,
            )
        return cls(process, log_file, start)

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return its exit code (negative: the signal that killed it), None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Return its exit code when it has ended."""
        return await self._process.wait()

    async def stop(self, grace_s: float) -> bool:
        """Ask it to stop, kill its whole group after `grace_s`; returns whether it stopped by itself."""
        if self._process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), grace_s)
        except TimeoutError:
            self.kill()
            await self._process.wait()
            return False
        return True

    def kill(self) -> None:
        """Kill its whole process group at once."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def last_words(self, lines: int = 6) -> list[str]:
        """Return the last plain lines it wrote: a service says there why it ended, beside its JSON log lines."""
        try:
            with self._log_file.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, size - _TAIL_BYTES))
                text = log.read().decode("utf-8", errors="replace")
        except OSError:
            return []
        plain = [line for line in text.splitlines() if line.strip() and not line.startswith("{")]
        return plain[-lines:]
