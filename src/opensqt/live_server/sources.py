"""Where each number comes from, and whether it can still be trusted.

A source is one stream this server reads. It is `up` while its stream stands, and `stale` when it is down or has been
silent longer than its data may be. Values of a stale source stay visible, with the time since when they are old.
"""

from dataclasses import dataclass
from typing import Any, Final, final

from opensqt.domain.clock import NS_PER_MS, Clock

SOURCE_ENGINE: Final = "engine"
SOURCE_VENUE: Final = "venue"
SOURCE_CANDLES: Final = "candles"
SOURCE_PRICES: Final = "prices"
SOURCE_ORDERS: Final = "orders"
SOURCE_ACCOUNT: Final = "account"
SOURCE_POSITIONS: Final = "positions"
SOURCE_BUDGET: Final = "budget"

# Served by the connector; the rest by the engine.
CONNECTOR_SOURCES: Final = (
    SOURCE_VENUE,
    SOURCE_CANDLES,
    SOURCE_PRICES,
    SOURCE_ORDERS,
    SOURCE_ACCOUNT,
    SOURCE_POSITIONS,
    SOURCE_BUDGET,
)

_NOT_YET: Final = "not connected yet"


@dataclass(slots=True)
class _Source:
    name: str
    silence_limit_ns: int  # 0 = may be silent for ever
    up: bool = False
    stale: bool = True
    detail: str = _NOT_YET
    since_ns: int = 0  # wall clock: when `stale` or `up` last changed
    heard_ns: int = 0  # wall clock: last message, 0 = never
    heard_monotonic_ns: int = 0
    reconnects: int = 0


@final
class SourceBoard:
    """State of every source.

    Args:
        clock: wall clock for times shown, monotonic clock for ages.
        silence_limits_ms: how long each source may be silent before its data counts as stale; 0 = for ever.
    """

    def __init__(self, clock: Clock, silence_limits_ms: dict[str, int]) -> None:
        self._clock = clock
        now_ns = clock.now_ns()
        self._sources = {
            name: _Source(name, limit_ms * NS_PER_MS, since_ns=now_ns) for name, limit_ms in silence_limits_ms.items()
        }
        self._changed: set[str] = set()

    def up(self, name: str) -> None:
        """Note that a source's stream stands and its current state was read."""
        source = self._sources[name]
        self._hear(source)
        source.detail = ""
        self._set(source, up=True, stale=False)

    def heard(self, name: str) -> None:
        """Note a message of a source."""
        source = self._sources[name]
        self._hear(source)
        if source.up and source.stale:
            source.detail = ""
            self._set(source, up=True, stale=False)

    def down(self, name: str, detail: str) -> None:
        """Note that a source's stream ended, and why."""
        source = self._sources[name]
        source.reconnects += 1
        if source.detail != detail:
            source.detail = detail
            self._changed.add(name)
        self._set(source, up=False, stale=True)

    def refresh(self) -> None:
        """Mark sources that have been silent too long."""
        now_ns = self._clock.monotonic_ns()
        for source in self._sources.values():
            limit_ns = source.silence_limit_ns
            if source.up and not source.stale and limit_ns and now_ns - source.heard_monotonic_ns > limit_ns:
                source.detail = f"connected, but silent for more than {limit_ns // NS_PER_MS} ms"
                self._set(source, up=True, stale=True)

    def is_up(self, name: str) -> bool:
        """Return whether the source's stream stands."""
        return self._sources[name].up

    def is_fresh(self, name: str) -> bool:
        """Return whether the source's values can be trusted now."""
        return not self._sources[name].stale

    @property
    def all_fresh(self) -> bool:
        """Whether every source can be trusted now."""
        return not any(source.stale for source in self._sources.values())

    @property
    def changed(self) -> bool:
        """Whether changes wait to be taken."""
        return bool(self._changed)

    def render(self) -> list[dict[str, Any]]:
        """Return every source: name, up, stale, detail, since when (Unix ms), last heard (Unix ms, 0 = never)."""
        return [self._render(source) for source in self._sources.values()]

    def take_changes(self) -> list[dict[str, Any]]:
        """Return the sources whose state changed, and start afresh."""
        changed, self._changed = self._changed, set()
        return [self._render(self._sources[name]) for name in sorted(changed)]

    def reconnects(self) -> dict[str, int]:
        """Return how often each source was lost or could not be reached."""
        return {source.name: source.reconnects for source in self._sources.values()}

    def _hear(self, source: _Source) -> None:
        source.heard_ns = self._clock.now_ns()
        source.heard_monotonic_ns = self._clock.monotonic_ns()

    def _set(self, source: _Source, *, up: bool, stale: bool) -> None:
        if source.up != up or source.stale != stale:
            source.up, source.stale = up, stale
            source.since_ns = self._clock.now_ns()
            self._changed.add(source.name)

    @staticmethod
    def _render(source: _Source) -> dict[str, Any]:
        return {
            "name": source.name,
            "up": source.up,
            "stale": source.stale,
            "detail": source.detail,
            "since_ms": source.since_ns // NS_PER_MS,
            "heard_ms": source.heard_ns // NS_PER_MS,
        }
