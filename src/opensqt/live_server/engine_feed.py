"""Reads the engine: its state stream into the replica."""

from typing import TYPE_CHECKING, final

from opensqt.live_server.feeds import Feed, reading
from opensqt.live_server.replica import EngineReplica
from opensqt.live_server.symbols import SymbolSet
from opensqt.proto.engine_pb2 import SubscribeStateRequest

if TYPE_CHECKING:  # a name of the type stubs alone
    from opensqt.proto.engine_pb2_grpc import EngineServiceAsyncStub


@final
class EngineReader:
    """Session of the engine's state stream.

    Args:
        stub: the engine.
        replica: what the stream describes.
        symbols: learns what the bots trade.
    """

    def __init__(self, stub: "EngineServiceAsyncStub", replica: EngineReplica, symbols: SymbolSet) -> None:
        self._stub = stub
        self._replica = replica
        self._symbols = symbols

    async def read_state(self, feed: Feed) -> None:
        """Apply state events until the stream ends or no longer fits."""
        self._replica.expect_snapshot()
        with reading(self._stub.SubscribeState(SubscribeStateRequest())) as messages:
            async for event in messages:
                self._replica.apply(event)
                if event.WhichOneof("event") == "snapshot":
                    self._symbols.learn(bot.head.symbol for bot in self._replica.bots.values())
                feed.heard()
