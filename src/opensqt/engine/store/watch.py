"""Whether what happens becomes durable, and what follows when it does not: pure, from readings of the store.

The disk fills, fails or stalls: the bots stop opening at once and an alarm is raised, while records wait in memory.
That is not borne for ever: after `halt_after_s`, or when half of the queue is used, everything is taken off the market,
because what is not on disk is known only to the venue. Nothing ever waits for the disk meanwhile.
"""

from typing import final

import msgspec

from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.engine.config import StoreConfig
from opensqt.engine.events import StoreHealth

MIB = 1024 * 1024
UNKNOWN_SPACE = -1


class StoreReading(msgspec.Struct, frozen=True, kw_only=True):
    """The store at one moment. `error` is the last write's, empty when it went well."""

    error: str = ""
    oldest_wait_ns: int = 0
    backlog: int = 0
    room: int
    """How many turns the queue takes in all."""
    lost: bool = False
    """A turn was refused: from then on nothing is written, so that the disk keeps a consistent past."""
    free_bytes: int = UNKNOWN_SPACE


@final
class StoreWatch:
    """Turns readings into health, and tells it when it changes."""

    def __init__(self, config: StoreConfig) -> None:
        self._stall_ns = config.stall_ms * NS_PER_MS
        self._floor = config.min_free_mb * MIB
        self._halt_after_ns = config.halt_after_s * NS_PER_S
        self._stuck_since_ns = 0
        self._told = StoreHealth(healthy=True, detail="")

    def judge(self, reading: StoreReading, now_ns: int) -> StoreHealth | None:
        """Return the health when it is another than the last one told."""
        stuck = self._stuck(reading)
        self._stuck_since_ns = (self._stuck_since_ns or now_ns) if stuck else 0
        lost = self._why_lost(reading, stuck, now_ns)
        problem = lost or stuck or self._crowded(reading)
        health = StoreHealth(healthy=not problem, detail=problem, lost=bool(lost))
        if (health.healthy, health.lost) == (self._told.healthy, self._told.lost):
            return None
        self._told = health
        return health

    def _stuck(self, reading: StoreReading) -> str:
        """Say why nothing becomes durable; empty when it does."""
        if reading.error:
            return reading.error
        if reading.oldest_wait_ns > self._stall_ns:
            return f"a write has waited for {reading.oldest_wait_ns // NS_PER_MS} ms: the disk does not keep up"
        return ""

    def _crowded(self, reading: StoreReading) -> str:
        """Say that the disk is nearly full, while writes still succeed."""
        # Once it was low, a quarter more must be free, so that the state does not flicker.
        floor = self._floor if self._told.healthy else self._floor * 5 // 4
        if UNKNOWN_SPACE < reading.free_bytes < floor:
            return (
                f"the disk has {reading.free_bytes // MIB} MiB free, at least {floor // MIB} MiB are needed; free some"
            )
        return ""

    def _why_lost(self, reading: StoreReading, stuck: str, now_ns: int) -> str:
        if reading.lost:
            return (
                "the queue to the disk overflowed and nothing more is written; restart the engine when the disk works: "
                "it takes what is missing from the venue"
            )
        if reading.backlog * 2 > reading.room:
            return f"{reading.backlog} turns wait for the disk, half of what fits in memory"
        if stuck and now_ns - self._stuck_since_ns >= self._halt_after_ns:
            return f"nothing was saved for {self._halt_after_ns // NS_PER_S} s: {stuck}"
        return ""
