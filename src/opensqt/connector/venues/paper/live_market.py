"""A real venue's live market under the paper venue: takes what its public half pushes, and plays it as it comes.

    venue's public half  --books, trades, marks-->  here  --market events, in order-->  matching
                         --candles, instruments, session------------------------------>  the connector

What may not price does not match: a book that is lost, silent, or whose market streams are down is a lost book for the
matching core, as it is for whoever reads it; trades of that time are published, and fill nothing. Prices and sizes stay
counted in the units of the start: when the venue changes a tick or a lot, that symbol stops, since orders, positions
and money of the paper account could not be carried over exactly.

Queue: bounded. When it overflows, every book is lost and begins again with a snapshot.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, final

import msgspec
import structlog

from opensqt._core.book import OrderBook
from opensqt.connector.adapter import AdapterSink, PublicMarket, SessionStatus
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.venues.paper.live_book import LiveBook
from opensqt.connector.venues.paper.player import MAX_TURN_S, Take
from opensqt.domain.clock import Clock
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.market import BookValidity, Candle, MarkPrice, PublicTrade
from opensqt.matching.events import BookLost, MarketEvent, MarkUpdate, TradePrint
from opensqt.matching.market import UNIT_FIELDS

MAX_QUEUED: Final = 50_000

_log = structlog.get_logger(__name__)


@final
class LiveMarket:
    """Sink of a venue's public half, and player of the paper venue.

    Args:
        feed: the public half; it is started, run and stopped by the paper adapter.
        clock: of this process.
        max_book_age_ms: a book whose feed is silent for longer is not believed.

    `on_event` is called when something came, `on_change` with an instrument whose limits, fees or status changed.
    """

    def __init__(self, feed: PublicMarket, clock: Clock, max_book_age_ms: int) -> None:
        self.feed = feed
        # The venue's limits on questions are apart from those on paper orders: a 429 must not stop those.
        self.budget = RateBudget(feed.rate_windows)
        self._clock = clock
        self._max_age_ns = max_book_age_ms * 1_000_000
        self._instruments: dict[str, Instrument] = {}
        self._books: dict[str, LiveBook] = {}
        self._events: deque[MarketEvent] = deque()
        self._clock_ns = 0
        self._market_down = "not connected yet"
        self.on_event: Callable[[], None] = _nothing
        self.on_change: Callable[[Instrument], None] = _nothing_changes
        self.is_behind = False
        self.end_reason = ""
        self.dropped = 0

    async def open(self, sink: AdapterSink) -> None:
        """Start the feed.

        Raises:
            OpensqtError: the venue cannot be reached; says what to do.
        """
        self._sink = sink
        await self.feed.start(self)
        self._instruments = dict(self.feed.instruments)

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Return what is traded."""
        return list(self._instruments.values())

    def fingerprint(self) -> dict[str, Any]:
        """Return what must stay the same for a saved account to make sense: the venue, and the units it counts in."""
        return {
            "source": "live",
            "exchange": self.feed.capabilities.exchange,
            "units": {
                symbol: [format(item.tick_size, "f"), format(item.lot_size, "f")]
                for symbol, item in sorted(self._instruments.items())
            },
        }

    # ---- the player

    def now_ns(self) -> int:
        """Return the venue's clock, which never goes back."""
        self._clock_ns = max(self._clock_ns, self.feed.venue_time_ns())
        return self._clock_ns

    def seconds_until(self, venue_ns: int) -> float:
        """Return how long until then."""
        return max(0.0, (venue_ns - self.now_ns()) / 1e9)

    def play(self, take: Take, clock_ns: int) -> int:
        """Hand over what has come, at most `MAX_TURN_S` of work, and something in every turn."""
        for book in self._books.values():
            book.check_age()
        began = time.monotonic()
        events = self._events
        while events:
            take(events.popleft())
            if time.monotonic() - began > MAX_TURN_S:
                break
        self.is_behind = bool(events)
        return max(clock_ns, self.now_ns())

    def alive(self) -> Iterable[str]:
        """Return the symbols whose feed spoke since the last call."""
        return [symbol for symbol, book in self._books.items() if book.take_spoken()]

    def position(self) -> dict[str, Any] | None:
        """Return None: what is over cannot be played again."""
        return None

    # ---- the feed's sink

    def book(self, symbol: str, book: OrderBook | None = None) -> LiveBook:
        """Return the writer of a symbol's book."""
        assert book is None, "a feed writes into the book it is given"
        found = self._books.get(symbol)
        if found is None:
            monotonic_ns = self._clock.monotonic_ns
            found = self._books[symbol] = LiveBook(symbol, self._put, self._stamp, monotonic_ns, self._max_age_ns)
            found.set_market_down(self._market_down)
        return found

    def on_trade(self, trade: PublicTrade) -> None:
        """Match a trade, or only publish it while its book may not price."""
        book = self.book(trade.symbol)
        if book.is_given_up:
            return
        if not book.is_playing:
            self._sink.on_trade(trade)
            return
        self._put(
            TradePrint(
                trade.symbol,
                self._stamp(trade.venue_time_ns),
                trade.trade_id,
                trade.aggressor,
                trade.price_ticks,
                trade.lots,
            )
        )

    def on_mark(self, mark: MarkPrice) -> None:
        """Value positions by a mark price; funding goes by its terms."""
        self._put(
            MarkUpdate(
                mark.symbol,
                self._stamp(mark.venue_time_ns),
                mark.mark_price,
                mark.index_price,
                mark.funding_rate,
                mark.next_funding_time_ms,
            )
        )

    def on_candle(self, candle: Candle) -> None:
        """Pass the venue's own candle on."""
        if not self.book(candle.symbol).is_given_up:
            self._sink.on_candle(candle)

    def on_instrument(self, instrument: Instrument) -> None:
        """Take new limits; a symbol whose units changed stops."""
        known = self._instruments.get(instrument.symbol)
        if known is None or known == instrument:
            return
        if self.book(instrument.symbol).is_given_up:
            return
        if all(getattr(known, name) == getattr(instrument, name) for name in UNIT_FIELDS):
            self._change(instrument)
            return
        reason = (
            f"the venue counts {instrument.symbol} in other units now (tick {known.tick_size:f} -> "
            f"{instrument.tick_size:f}, lot {known.lot_size:f} -> {instrument.lot_size:f}); start again with another "
            "paper.state_file"
        )
        _log.error("paper_symbol_stopped", symbol=instrument.symbol, why=reason)
        self.book(instrument.symbol).give_up(reason)
        self._change(msgspec.structs.replace(known, status=InstrumentStatus.HALTED))

    def on_session(self, status: SessionStatus) -> None:
        """Lose every book with the market's streams; the account, which is here, stands."""
        self._market_down = "" if status.market_stream_up else status.reason or "not connected yet"
        for book in self._books.values():
            book.set_market_down(self._market_down)
        self._sink.on_session(
            SessionStatus(market_stream_up=status.market_stream_up, private_stream_up=True, reason=self._market_down)
        )

    # ---- inside

    def _change(self, instrument: Instrument) -> None:
        self._instruments[instrument.symbol] = instrument
        self.on_change(instrument)
        self._sink.on_instrument(instrument)

    def _stamp(self, venue_time_ns: int) -> int:
        """Return a message's time; one that is ahead of the venue's clock would drag the account's along."""
        now_ns = self.now_ns()
        return min(venue_time_ns or now_ns, now_ns)

    def _put(self, event: MarketEvent) -> None:
        self.on_event()
        if len(self._events) < MAX_QUEUED:
            self._events.append(event)
            return
        self.dropped += len(self._events)
        _log.error("paper_market_dropped", events=len(self._events), consequence="books begin again")
        self._events.clear()
        for book in self._books.values():
            if book.is_playing:
                self._events.append(
                    BookLost(book.symbol, self.now_ns(), "this machine was too slow for the feed", BookValidity.STALE)
                )
            book.restart()


def _nothing() -> None:
    """Play what has come in the next turn anyway."""


def _nothing_changes(_instrument: Instrument) -> None:
    """Note nothing: there is no venue yet."""
