"""Time that passes only when somebody sleeps: clocks and `asyncio.sleep` in step, without waiting."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

SECOND = 1_000_000_000
START_NS = 1_760_000_000 * SECOND


class ManualClock:
    """A `Clock` that is moved by hand."""

    def __init__(self) -> None:
        self.passed_ns = SECOND

    def now_ns(self) -> int:
        return START_NS + self.passed_ns

    def monotonic_ns(self) -> int:
        return self.passed_ns


class ManualTime:
    """A clock, and a sleep that moves it."""

    def __init__(self) -> None:
        self.clock = ManualClock()

    @contextmanager
    def sleeping(self) -> Iterator[None]:
        """Replace `asyncio.sleep` for the time being."""
        really = asyncio.sleep

        async def sleep(seconds: float) -> None:
            self.clock.passed_ns += int(seconds * SECOND)
            await really(0)

        with mock.patch("asyncio.sleep", sleep):
            yield
