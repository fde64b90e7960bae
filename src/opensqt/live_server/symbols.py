"""Which symbols have a chart: those of the config, else those the engine's bots trade, else those of a small venue."""

import asyncio
from collections.abc import Iterable
from typing import Final, final

# A venue lists hundreds of symbols; without bots or config only a small one is shown whole.
SMALL_VENUE: Final = 8


@final
class SymbolSet:
    """Symbols in the order they became known; it only grows.

    Args:
        configured: fixed symbols; empty = learn them.
    """

    def __init__(self, configured: Iterable[str] = ()) -> None:
        self._symbols = tuple(dict.fromkeys(configured))
        self._is_fixed = bool(self._symbols)
        self._changed = asyncio.Event()

    @property
    def current(self) -> tuple[str, ...]:
        """The symbols known now."""
        return self._symbols

    def learn(self, symbols: Iterable[str]) -> None:
        """Add symbols, unless the config named them all."""
        if self._is_fixed:
            return
        merged = tuple(dict.fromkeys((*self._symbols, *symbols)))
        if merged != self._symbols:
            self._symbols = merged
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def wait_change(self) -> None:
        """Wait until the set grows."""
        await self._changed.wait()
