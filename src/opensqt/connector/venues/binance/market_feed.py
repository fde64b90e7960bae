"""Market messages in, the sink's books, trades, candles and marks out; by symbol, with what was seen before dropped.

A message is handed to what its stream's name says. One that cannot be read changes nothing: it is counted, and a depth
diff that was lost in it shows as a gap. Prices that fit no tick mean that the filters changed: the instruments are read
again. Pure; snapshots are fetched by whoever is told that one is due.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, final

import structlog

from opensqt._core.decode import binance as kernel
from opensqt._core.decode.errors import DecodeError
from opensqt.connector.adapter import BookWriter, MarketSink
from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.venues.binance import stream
from opensqt.connector.venues.binance.book_sync import Best, BookSync
from opensqt.connector.venues.binance.listing import Listing, Listings
from opensqt.connector.venues.binance.parse_market import INTERVAL_WORDS
from opensqt.connector.venues.binance.payload import PayloadError, to_ns
from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.errors import ErrorReason, UnsupportedError

DEPTH_SILENCE_NS: Final = 10 * NS_PER_S
MARK_SILENCE_NS: Final = 10 * NS_PER_S
COMPLAIN_EVERY_NS: Final = 10 * NS_PER_S

Handler = Callable[[bytes, int], None]

_log = structlog.get_logger(__name__)


@final
class SymbolFeed:
    """What flows of one symbol."""

    def __init__(self, listing: Listing, writer: BookWriter, rng: Random) -> None:
        self.listing = listing
        self.writer = writer
        units = listing.units[0]
        self.sync = BookSync(writer.book, units.price, units.lot, rng)
        self.last_trade_id = 0
        self.last_mark_ms = 0


@final
class MarketFeed:
    """All symbols of the market streams.

    Args:
        sink: where it goes.
        clock: monotonic for pauses, realtime for the receive time.
        rng: jitter of snapshots.
        snapshot_due: called when a symbol's snapshot is to be fetched now.
        rules_changed: called when the instruments are to be read again.
    """

    def __init__(
        self,
        sink: MarketSink,
        clock: Clock,
        rng: Random,
        *,
        snapshot_due: Callable[[SymbolFeed], None],
        rules_changed: Callable[[str], None],
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._rng = rng
        self._snapshot_due = snapshot_due
        self._rules_changed = rules_changed
        self._feeds: dict[str, SymbolFeed] = {}
        self._handlers: dict[str, Handler] = {stream.CONTRACT_INFO: self._on_contract_info}
        self._complained_ns = -COMPLAIN_EVERY_NS
        self._receive_ns = 0
        self.unreadable = 0

    @property
    def feeds(self) -> Mapping[str, SymbolFeed]:
        """Return the feeds by canonical symbol."""
        return self._feeds

    def set_listings(self, listings: Listings) -> None:
        """Serve these instruments; one with a new revision starts over in its units."""
        for symbol in listings.instruments:
            listing = listings.by_symbol(symbol)
            assert listing is not None, "the name comes from the listings"
            feed = self._feeds.get(symbol)
            if feed is None:
                self._feeds[symbol] = SymbolFeed(listing, self._sink.book(symbol), self._rng)
                continue
            is_new = feed.listing.units[0].revision != listing.units[0].revision
            feed.listing = listing
            if is_new:
                feed.sync.set_units(listing.units[0].price, listing.units[0].lot, self._clock.monotonic_ns())
                self._show(feed)

    def streams_of(self, channel: Channel) -> dict[str, int]:
        """Return the streams of a channel with their silence limits, and be ready to read them.

        Raises:
            UnsupportedError: NOT_SUPPORTED, a candle interval the venue does not have.
        """
        feed = self._feeds[channel.symbol]
        name = feed.listing.instrument.venue_symbol
        if channel.kind is ChannelKind.BOOK:
            depth, best = stream.depth_stream(name), stream.book_ticker_stream(name)
            self._handlers[depth] = lambda data, now_ns: self._on_depth(feed, data, now_ns)
            self._handlers[best] = lambda data, _now_ns: self._on_best(feed, data)
            return {depth: DEPTH_SILENCE_NS, best: DEPTH_SILENCE_NS}
        if channel.kind is ChannelKind.TRADES:
            trades = stream.trade_stream(name)
            self._handlers[trades] = lambda data, _now_ns: self._on_trade(feed, data)
            return {trades: 0}
        if channel.kind is ChannelKind.MARK:
            mark = stream.mark_stream(name)
            self._handlers[mark] = lambda data, _now_ns: self._on_mark(feed, data)
            return {mark: MARK_SILENCE_NS}
        word = INTERVAL_WORDS.get(channel.interval_ms)
        if word is None:
            raise UnsupportedError(ErrorReason.NOT_SUPPORTED, f"Binance has no candles of {channel.interval_ms} ms")
        kline = stream.kline_stream(name, word)
        self._handlers[kline] = lambda data, _now_ns: self._on_kline(feed, data)
        return {kline: 0}

    # ---- what happened

    def on_message(self, name: str, data: bytes) -> None:
        """Take one message of a stream."""
        self._receive_ns = self._clock.now_ns()
        handler = self._handlers.get(name)
        if handler is None:
            return
        try:
            handler(data, self._clock.monotonic_ns())
        except (DecodeError, PayloadError) as error:
            self._complain(name, error)

    def on_lost(self, why: str) -> None:
        """Note that the books' streams are down."""
        for feed in self._feeds.values():
            feed.sync.on_lost(why)
            self._show(feed)

    def on_snapshot(self, feed: SymbolFeed, data: bytes) -> None:
        """Take a fetched snapshot."""
        self._receive_ns = self._clock.now_ns()
        if feed.sync.on_snapshot(data, self._clock.monotonic_ns()):
            self._updated(feed)
        self._show(feed)

    def on_snapshot_failed(self, feed: SymbolFeed, why: str, retry_after_ms: int) -> None:
        """Note that a snapshot could not be fetched."""
        feed.sync.on_snapshot_failed(why, self._clock.monotonic_ns(), retry_after_ms)
        self._show(feed)

    def tick(self) -> None:
        """Let time pass: snapshots whose pause is over."""
        for feed in self._feeds.values():
            self._fetch_when_due(feed)

    # ---- streams

    def _on_depth(self, feed: SymbolFeed, data: bytes, now_ns: int) -> None:
        unreadable = feed.sync.counts.unreadable
        if feed.sync.on_diff(data, now_ns):
            self._updated(feed)
        self._show(feed)
        if feed.sync.counts.unreadable != unreadable:
            self._complain(feed.listing.instrument.symbol, DecodeError(feed.sync.reason))
        self._fetch_when_due(feed)

    def _on_best(self, feed: SymbolFeed, data: bytes) -> None:
        units = feed.listing.units[0]
        best = kernel.decode_book_ticker(data, feed.sync.price_grid, units.lot)
        feed.sync.on_best(Best(best.update_id, best.bid_ticks, best.bid_lots, best.ask_ticks, best.ask_lots))

    def _on_trade(self, feed: SymbolFeed, data: bytes) -> None:
        units = feed.listing.units[0]
        try:
            trade = kernel.decode_agg_trade(data, units.price, units.lot)
        except DecodeError:
            if feed.sync.price_grid == units.price:
                raise
            # Known: levels rest between the ticks, and a trade met one. It has no price in ticks.
            self.unreadable += 1
            return
        if trade.agg_id > feed.last_trade_id:
            feed.last_trade_id = trade.agg_id
            self._sink.on_trade(stream.to_agg_trade(feed.listing, trade, self._receive_ns))

    def _on_mark(self, feed: SymbolFeed, data: bytes) -> None:
        mark = kernel.decode_mark_price(data)
        if mark.event_time_ms > feed.last_mark_ms:
            feed.last_mark_ms = mark.event_time_ms
            self._sink.on_mark(stream.to_mark(feed.listing, mark))

    def _on_kline(self, feed: SymbolFeed, data: bytes) -> None:
        units = feed.listing.units[0]
        self._sink.on_candle(stream.to_candle(feed.listing, kernel.decode_kline(data, units.price, units.lot)))

    def _on_contract_info(self, data: bytes, _now_ns: int) -> None:
        news = stream.parse_contract_info(data)
        self._rules_changed(f"{news.venue_symbol} is {news.status} now")

    # ---- inside

    def _updated(self, feed: SymbolFeed) -> None:
        sync = feed.sync
        feed.writer.updated(sync.first_id, sync.last_id, to_ns(sync.time_ms), self._receive_ns)

    def _show(self, feed: SymbolFeed) -> None:
        feed.writer.set_validity(feed.sync.validity, feed.sync.reason)

    def _fetch_when_due(self, feed: SymbolFeed) -> None:
        if feed.sync.take_snapshot_request(self._clock.monotonic_ns()):
            self._snapshot_due(feed)

    def _complain(self, name: str, error: Exception) -> None:
        self.unreadable += 1
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._complained_ns >= COMPLAIN_EVERY_NS:
            self._complained_ns = now_ns
            _log.warning("message_unreadable", stream=name, why=str(error), so_far=self.unreadable)
            # A tick that no longer fits looks like this, too.
            self._rules_changed("a message was not readable")
