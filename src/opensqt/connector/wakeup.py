"""The asyncio end of a reader's `wake`: set from any callback of the loop, awaited by the stream that reads."""

import asyncio
from typing import final


@final
class Wakeup:
    """An event that is spent by waiting for it."""

    __slots__ = ("_event", "set")

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.set = self._event.set

    async def wait(self) -> None:
        """Return when `set` was called since the last wait."""
        await self._event.wait()
        self._event.clear()
