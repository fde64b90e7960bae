"""Books and public trades from the connector, each stream kept alive on its own.

Every message is one turn (`market_books`). A broken stream makes its books invalid at once; the next begins with
snapshots.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, final

import structlog
from grpc import aio

from opensqt._core.book import BookError
from opensqt.engine.events import Event
from opensqt.engine.latency import EngineLatency
from opensqt.engine.market_books import MarketBooks
from opensqt.engine.stream_end import is_being_stopped
from opensqt.proto import market_data_pb2
from opensqt.runtime.backoff import Backoff
from opensqt.runtime.grpc_client import to_typed_error

if TYPE_CHECKING:
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

_log = structlog.get_logger(__name__)


@final
class MarketClient:
    """Subscriptions of all symbols.

    Args:
        stub: the connector.
        symbols: canonical names.
        depth: levels per side.
        take: hands a turn's events to the core.
        rng: jitter of the back-off.
    """

    def __init__(
        self,
        stub: "ExchangeServiceAsyncStub",
        symbols: Sequence[str],
        depth: int,
        take: Callable[[list[Event]], None],
        rng: Random,
        latency: EngineLatency,
    ) -> None:
        self._stub = stub
        self._symbols = list(symbols)
        self._depth = depth
        self._take = take
        self._rng = rng
        self._latency = latency
        self._books = MarketBooks(symbols)
        self._streams: dict[str, Any] = {}
        self._renew_reason = ""

    def renew(self, reason: str) -> None:
        """Begin every stream anew: what is on its way in the present ones may be old."""
        self._renew_reason = reason
        for stream in list(self._streams.values()):
            stream.cancel()

    async def run_books(self) -> None:
        """Read books for ever."""
        request = market_data_pb2.SubscribeBookRequest(symbols=self._symbols, depth=self._depth)
        await self._keep("book", lambda: self._stub.SubscribeBook(request), self._take_books, self._lose_books)

    async def run_trades(self) -> None:
        """Read public trades for ever."""
        request = market_data_pb2.SubscribeTradesRequest(symbols=self._symbols)
        await self._keep("trades", lambda: self._stub.SubscribeTrades(request), self._take_trades, lambda _why: None)

    async def _keep(
        self,
        name: str,
        subscribe: Callable[[], Any],
        take: Callable[[Any], None],
        lose: Callable[[str], None],
    ) -> None:
        backoff = Backoff(100, 2_000, self._rng)
        while True:
            reason = "the stream ended"
            stream = self._streams[name] = subscribe()
            try:
                async for message in stream:
                    backoff.reset()
                    take(message)
            except aio.AioRpcError as error:
                reason = str(to_typed_error(error))
            except BookError as error:
                reason = f"a book update could not be applied: {error}"
            except asyncio.CancelledError:
                # Cancelling the stream ourselves raises the same error as being stopped does.
                if not self._renew_reason or is_being_stopped():
                    raise
                reason = self._renew_reason
            finally:
                stream.cancel()
            lose(reason)
            if backoff.tries == 0:
                _log.warning("market_stream_lost", stream=name, reason=reason)
            await asyncio.sleep(backoff.next_ms() / 1000)

    def _take_books(self, message: market_data_pb2.BookUpdates) -> None:
        latency = self._latency
        latency.read()
        self._hand_over(self._books.take_books(message))
        # After the decision: nobody waits for the measuring.
        for update in message.updates:
            latency.took_book(update)

    def _lose_books(self, reason: str) -> None:
        self._hand_over(self._books.lose(reason))

    def _take_trades(self, message: market_data_pb2.PublicTrades) -> None:
        self._latency.read()
        self._hand_over(self._books.take_trades(message))

    def _hand_over(self, events: list[Event]) -> None:
        if events:
            self._take(events)
