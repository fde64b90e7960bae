"""The machine itself: 64 bytes there and back between two processes over a unix socket, with nothing in between.

Everything else in a run is also told as a multiple of this: it contains what waking a process on another core costs
here and now, which differs between machines and hours by a factor of ten.
"""

import os
import socket
import time

from opensqt._core.histogram import Histogram

SIZE = 64
PAUSE_S = 0.001


def ping_pong(count: int = 1_000, *, cpu: int | None = None) -> Histogram:
    """Return round trips in ns; a pause before each lets both sides fall asleep, as they do between ticks."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _pin(cpu)
        while data := theirs.recv(SIZE):
            theirs.sendall(data)
        os._exit(0)
    theirs.close()
    before = os.sched_getaffinity(0)
    _pin(cpu)
    found = Histogram()
    payload = bytes(SIZE)
    for _ in range(count):
        time.sleep(PAUSE_S)
        start = time.perf_counter_ns()
        ours.sendall(payload)
        ours.recv(SIZE)
        found.record(time.perf_counter_ns() - start)
    ours.close()
    os.waitpid(pid, 0)
    os.sched_setaffinity(0, before)
    return found


def _pin(cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
