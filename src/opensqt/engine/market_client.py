"""Books and public trades from the connector, each stream kept alive on its own.

Every message is one turn: its updates go into the books, and the core hears once per symbol whose touch or validity
changed. A broken stream makes its books invalid at once; the next begins with snapshots.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, final

import structlog
from grpc import aio

from opensqt._core.book import BookError, OrderBook
from opensqt.engine.events import BookTop, Event, LastTrade
from opensqt.proto import market_data_pb2, types_pb2
from opensqt.runtime.backoff import Backoff
from opensqt.runtime.grpc_client import to_typed_error

if TYPE_CHECKING:
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

_PAIR_BYTES = 16

_log = structlog.get_logger(__name__)


@final
class _SymbolBook:
    """One symbol's book and what the core was last told of it."""

    __slots__ = ("book", "reason", "told", "valid")

    def __init__(self) -> None:
        self.book = OrderBook()
        self.valid = False
        self.reason = "no snapshot yet"
        self.told: tuple[int, int, bool] | None = None

    def apply(self, update: market_data_pb2.BookUpdate) -> None:
        self.valid = update.validity == types_pb2.BOOK_VALIDITY_VALID
        self.reason = update.validity_reason
        if update.kind == market_data_pb2.BOOK_UPDATE_KIND_STATUS:
            return
        split = update.bid_count * _PAIR_BYTES
        bids, asks = update.levels[:split], update.levels[split:]
        if update.kind == market_data_pb2.BOOK_UPDATE_KIND_SNAPSHOT:
            self.book.load_packed(bids, asks)
        else:
            self.book.apply_packed(bids, asks)

    def news(self, symbol: str, receive_ns: int) -> BookTop | None:
        """Return the touch when it or the validity changed."""
        top = (self.book.best_bid_ticks or 0, self.book.best_ask_ticks or 0, self.valid)
        if top == self.told:
            return None
        self.told = top
        return BookTop(symbol, top[0], top[1], self.valid, self.reason, receive_ns)


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
    ) -> None:
        self._stub = stub
        self._symbols = list(symbols)
        self._depth = depth
        self._take = take
        self._rng = rng
        self._books: dict[str, _SymbolBook] = {}

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
            stream = subscribe()
            try:
                async for message in stream:
                    backoff.reset()
                    take(message)
            except aio.AioRpcError as error:
                reason = str(to_typed_error(error))
            except BookError as error:
                reason = f"a book update could not be applied: {error}"
            finally:
                stream.cancel()
            lose(reason)
            if backoff.tries == 0:
                _log.warning("market_stream_lost", stream=name, reason=reason)
            await asyncio.sleep(backoff.next_ms() / 1000)

    def _take_books(self, message: market_data_pb2.BookUpdates) -> None:
        touched: dict[str, int] = {}
        for update in message.updates:
            book = self._books.get(update.symbol)
            if book is None:
                book = self._books[update.symbol] = _SymbolBook()
            book.apply(update)
            touched[update.symbol] = update.receive_time_ns
        events: list[Event] = []
        for symbol, receive_ns in touched.items():
            news = self._books[symbol].news(symbol, receive_ns)
            if news is not None:
                events.append(news)
        if events:
            self._take(events)

    def _lose_books(self, reason: str) -> None:
        self._books.clear()
        self._take([BookTop(symbol, 0, 0, False, reason) for symbol in self._symbols])

    def _take_trades(self, message: market_data_pb2.PublicTrades) -> None:
        newest = {trade.symbol: trade for trade in message.trades}
        if newest:
            self._take([LastTrade(symbol, one.price_ticks, one.receive_time_ns) for symbol, one in newest.items()])
