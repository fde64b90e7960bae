"""Waking at a time of CLOCK_MONOTONIC: the loop's own timers are whole milliseconds."""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable

SPIN_NS = 250_000
"""How much earlier to wake than is meant, to be there in time."""


class Timer:
    """Calls at a time."""

    def __init__(self, on_time: Callable[[], None]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._fd, self._ready)
        self._on_time = on_time

    def set(self, at_ns: int) -> None:
        spec = (ctypes.c_int64 * 4)(0, 0, at_ns // 1_000_000_000, at_ns % 1_000_000_000)
        self._libc.timerfd_settime(self._fd, 1, spec, None)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def _ready(self) -> None:
        os.read(self._fd, 8)
        self._on_time()
