"""Snapshot, then deltas: what the page hears on `/ws/v1`.

    {"type": "snapshot", "protocol": 1, "sequence": n, "time_ms": t, "data": {...}}
    {"type": "delta", "sequence": n + 1, "time_ms": t, "data": {...}}
    {"type": "tick", "sequence": n, "time_ms": t, "data": {"heard_ms": {source: t}}}

The sequence rises by one with every delta, without holes: a browser that sees one reconnects. Changes of one publish
interval are one delta; an idle server publishes at once. Ticks prove that the connection lives and how old data is.
"""

import asyncio
from typing import Any, Final, final

import orjson

from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.live_server.broadcast import Client, Group
from opensqt.live_server.view_model import ViewModel

PROTOCOL_VERSION: Final = 1
TICK_INTERVAL_S: Final = 1.0


@final
class Publisher:
    """Turn changes of the view into messages for a group of browsers.

    Args:
        view: what is shown.
        group: who hears it.
        clock: wall clock for the messages' time.
        interval_ms: shortest time between two deltas.
    """

    def __init__(self, view: ViewModel, group: Group, clock: Clock, *, interval_ms: int) -> None:
        self._view = view
        self._group = group
        self._clock = clock
        self._interval_s = interval_ms / 1_000
        self._sequence = 0
        self._dirty = asyncio.Event()
        self._snapshot: str | None = None

    @property
    def group(self) -> Group:
        """The browsers that listen."""
        return self._group

    def notify(self) -> None:
        """Note that the view may have changed."""
        self._dirty.set()

    def join(self, client: Client) -> str:
        """Add a browser and return its snapshot; it then hears every delta after it.

        There is no await between the two, so nothing can fall between snapshot and first delta.
        """
        self.flush()
        if self._snapshot is None:
            self._snapshot = self._encode("snapshot", self._view.snapshot(), protocol=PROTOCOL_VERSION)
        self._group.add(client)
        return self._snapshot

    def flush(self) -> None:
        """Publish what changed, if anything did."""
        if not self._view.changed:
            return
        delta = self._view.take_delta()
        self._sequence += 1
        self._snapshot = None
        if len(self._group):
            self._group.publish(self._encode("delta", delta))

    def tick(self) -> None:
        """Check for sources that fell silent, and tell every browser how old each one is."""
        self._view.sources.refresh()
        self.flush()
        # A snapshot is only as old as its ages: after a tick the next one is made anew.
        self._snapshot = None
        heard_ms = {source["name"]: source["heard_ms"] for source in self._view.sources.render()}
        self._group.publish(self._encode("tick", {"heard_ms": heard_ms}))

    async def run(self) -> None:
        """Publish deltas for ever."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            self.flush()
            await asyncio.sleep(self._interval_s)

    async def run_ticks(self) -> None:
        """Tick for ever."""
        while True:
            await asyncio.sleep(TICK_INTERVAL_S)
            self.tick()

    def _encode(self, kind: str, data: Any, **extra: Any) -> str:
        message = {
            "type": kind,
            **extra,
            "sequence": self._sequence,
            "time_ms": self._clock.now_ns() // NS_PER_MS,
            "data": data,
        }
        return orjson.dumps(message).decode()
