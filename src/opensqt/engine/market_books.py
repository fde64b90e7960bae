"""The engine's copy of the books, and what of a message the core is told. Without I/O.

Every message is one turn: its updates go into the books, and the core hears once per symbol whose touch or validity
changed.
"""

from collections.abc import Iterable
from typing import final

from opensqt._core.book import OrderBook
from opensqt.engine.events import BookTop, Event, LastTrade
from opensqt.proto import market_data_pb2, types_pb2

_PAIR_BYTES = 16


@final
class _SymbolBook:
    """One symbol's book and what the core was last told of it."""

    __slots__ = ("book", "reason", "revision", "told", "valid")

    def __init__(self) -> None:
        self.book = OrderBook()
        self.valid = False
        self.reason = "no snapshot yet"
        self.revision = 0
        self.told: tuple[int, int, bool, int] | None = None

    def apply(self, update: market_data_pb2.BookUpdate) -> None:
        self.valid = update.validity == types_pb2.BOOK_VALIDITY_VALID
        self.reason = update.validity_reason
        self.revision = update.instrument_revision
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
        top = (self.book.best_bid_ticks or 0, self.book.best_ask_ticks or 0, self.valid, self.revision)
        if top == self.told:
            return None
        self.told = top
        return BookTop(symbol, top[0], top[1], self.valid, self.reason, receive_ns, self.revision)


@final
class MarketBooks:
    """The books of all symbols."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self._symbols = list(symbols)
        self._books: dict[str, _SymbolBook] = {}

    def take_books(self, message: market_data_pb2.BookUpdates) -> list[Event]:
        """Apply one message. Raises BookError when it does not fit: the stream is to be begun anew."""
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
        return events

    def lose(self, reason: str) -> list[Event]:
        """Forget everything: the stream broke, and the next begins with snapshots."""
        self._books.clear()
        return [BookTop(symbol, 0, 0, False, reason) for symbol in self._symbols]

    def take_trades(self, message: market_data_pb2.PublicTrades) -> list[Event]:
        """Return the newest trade of each symbol."""
        newest = {trade.symbol: trade for trade in message.trades}
        return [LastTrade(symbol, one.price_ticks, one.receive_time_ns) for symbol, one in newest.items()]
