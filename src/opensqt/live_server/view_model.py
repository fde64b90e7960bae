"""Everything a browser may know, as one snapshot and the changes after it.

Pure composition of the engine's replica, the connector's market store and the state of their sources.
"""

from collections.abc import Iterable
from typing import Any, final

from opensqt.live_server.bot_view import render_bot, render_change
from opensqt.live_server.market import MarketStore
from opensqt.live_server.replica import EngineReplica
from opensqt.live_server.sources import SourceBoard
from opensqt.proto.latency_pb2 import HopLatency

Json = dict[str, Any]


@final
class ViewModel:
    """What is shown.

    Args:
        replica: bots, kept by the engine's stream.
        market: candles, prices, account, kept by the connector's streams.
        sources: state of those streams.
        server: facts about this server that do not change, for example its version.
    """

    def __init__(self, replica: EngineReplica, market: MarketStore, sources: SourceBoard, server: Json) -> None:
        self.replica = replica
        self.market = market
        self.sources = sources
        self._server = server

    @property
    def changed(self) -> bool:
        """Whether there is something new to tell."""
        return self.replica.changed or self.market.changed or self.sources.changed

    def snapshot(self) -> Json:
        """Return everything."""
        return {
            "server": self._server,
            "engine_sequence": self.replica.sequence,
            "sources": self.sources.render(),
            "bots": [render_bot(bot) for bot in self.replica.bots.values()],
            "latency": _latency(self.replica.latency),
            "market": self.market.render(),
        }

    def take_delta(self) -> Json:
        """Return what changed since the last call, and start afresh."""
        delta: Json = {}
        changes, removed = self.replica.take_changes()
        if changes:
            delta["bots"] = [render_change(self.replica.bots[bot_id], change) for bot_id, change in changes.items()]
        if removed:
            delta["removed_bots"] = sorted(removed)
        latency = self.replica.take_latency()
        if latency:
            delta["latency"] = _latency(latency)
        if changes or removed:
            delta["engine_sequence"] = self.replica.sequence
        market = self.market.take_changes()
        if market:
            delta["market"] = market
        sources = self.sources.take_changes()
        if sources:
            delta["sources"] = sources
        return delta


def _latency(hops: Iterable[HopLatency]) -> list[Json]:
    return [
        {"hop": item.hop, "count": item.count, "p50_ns": item.p50_ns, "p99_ns": item.p99_ns, "max_ns": item.max_ns}
        for item in hops
    ]
