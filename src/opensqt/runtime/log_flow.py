"""Keeping a log storm from being one: a pace per event, and writes that never wait.

Each kind of event (its level, name and code) may write a burst, then a few lines per second; the rest is dropped and
counted, and the next line of that kind says how many were (`dropped_before`). All kinds together have a pace too. A
reader that does not take lines (a pipe that is full, a stopped terminal) costs lines, not time.
"""

import collections
import contextlib
import os
import select
import stat
import time
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO, final

import structlog

from opensqt.domain.clock import NS_PER_S

BURST = 50
PER_SECOND = 5
ALL_BURST = 1_000
ALL_PER_SECOND = 200
MAX_KINDS = 500
PIPE_SAFE_BYTES = 4_096
"""What a pipe that polls writable takes without waiting (PIPE_BUF, pipe(7))."""

Event = MutableMapping[str, Any]


class _Bucket:
    __slots__ = ("dropped", "left_ns", "seen_ns")

    def __init__(self, now_ns: int) -> None:
        self.left_ns = -1
        self.seen_ns = now_ns
        self.dropped = 0

    def take(self, now_ns: int, burst: int, per_second: int) -> bool:
        """Spend one line; time is the currency: one line costs 1/per_second."""
        cost = NS_PER_S // per_second
        full = burst * cost
        grown = full if self.left_ns < 0 else self.left_ns + max(0, now_ns - self.seen_ns)
        self.left_ns, self.seen_ns = min(full, grown), now_ns
        if self.left_ns < cost:
            self.dropped += 1
            return False
        self.left_ns -= cost
        return True


@final
class LogPace:
    """A structlog processor that drops what is too much.

    Args:
        monotonic_ns: measures the pace.
    """

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._kinds: collections.OrderedDict[tuple[str, str], _Bucket] = collections.OrderedDict()
        self._all = _Bucket(monotonic_ns())
        self.dropped = 0

    @property
    def kinds(self) -> int:
        """Return how many kinds of events are remembered."""
        return len(self._kinds)

    def __call__(self, _logger: object, method: str, event: Event) -> Event:
        """Pass an event on or drop it."""
        now_ns = self._monotonic_ns()
        # One event may stand for many things: a line of a journal for its code, a library's message for the library.
        what = event.get("code") or event.get("logger_name") or ""
        kind = (method, f"{event.get('event', '')}:{what}"[:80])
        bucket = self._kinds.pop(kind, None) or _Bucket(now_ns)
        self._kinds[kind] = bucket
        if len(self._kinds) > MAX_KINDS:
            self._kinds.popitem(last=False)
        if not bucket.take(now_ns, BURST, PER_SECOND) or not self._take_of_all(bucket, now_ns):
            self.dropped += 1
            raise structlog.DropEvent
        if bucket.dropped:
            event["dropped_before"], bucket.dropped = bucket.dropped, 0
        return event

    def _take_of_all(self, bucket: _Bucket, now_ns: int) -> bool:
        if self._all.take(now_ns, ALL_BURST, ALL_PER_SECOND):
            return True
        bucket.dropped += 1
        return False


@final
class LineSink:
    """Write whole lines; one that cannot be written at once is counted in `dropped`, not raised and not waited for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.dropped = 0
        self._poll: select.poll | None = None
        with contextlib.suppress(OSError, ValueError, AttributeError):
            mode = os.fstat(stream.fileno()).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode):
                self._poll = select.poll()
                self._poll.register(stream.fileno(), select.POLLOUT)

    def msg(self, line: str) -> None:
        """Write one line and flush it."""
        try:
            if self._poll is not None:
                line = _fit(line)
                ready = self._poll.poll(0)
                if not ready or ready[0][1] != select.POLLOUT:
                    self.dropped += 1
                    return
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self.dropped += 1

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg


def _fit(line: str) -> str:
    """Cut a line to what a pipe takes without waiting."""
    if len(line) < PIPE_SAFE_BYTES // 4:
        return line
    data = line.encode()
    if len(data) < PIPE_SAFE_BYTES:
        return line
    return data[: PIPE_SAFE_BYTES - 8].decode(errors="ignore") + "..."
