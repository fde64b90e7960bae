"""The market by asking in turns: what public streams would push.

Every answer replaces the book as a whole. Between two answers trades can be lost when there are more of them than one
answer lists; nothing here claims otherwise.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, final

import structlog

from opensqt.connector.adapter import AdapterSink
from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.venues.ccxt_any.client import CcxtClient
from opensqt.connector.venues.ccxt_any.figures import UnreadableError, rows
from opensqt.connector.venues.ccxt_any.market_queries import CcxtMarketQueries
from opensqt.connector.venues.ccxt_any.pace import Lane, in_lane
from opensqt.connector.venues.ccxt_any.parse_market import parse_book, parse_mark, parse_trade
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import OpensqtError
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity, PublicTrade

TRADES_PAGE: Final = 100
KEPT_TRADE_IDS: Final = 1_000
MARK_EVERY: Final = 5
"""Rounds from one question for the mark price to the next."""

_log = structlog.get_logger(__name__)


@final
class MarketPoll:
    """Asks for what is subscribed; `on_status` is told whether books come."""

    def __init__(
        self,
        client: CcxtClient,
        queries: CcxtMarketQueries,
        instruments: Mapping[str, Instrument],
        sink: AdapterSink,
        book_levels: int,
        on_status: Callable[[bool, str], None],
    ) -> None:
        self._client = client
        self._queries = queries
        self._instruments = instruments
        self._sink = sink
        self._book_levels = book_levels
        self._on_status = on_status
        self._clock = client.clock
        self._channels: dict[Channel, None] = {}
        self._seen: dict[str, dict[str, None]] = {}
        self._sequence = 0
        self._round = 0

    def subscribe(self, channel: Channel) -> None:
        """Ask for a channel from the next round on."""
        self._channels[channel] = None

    def unsubscribe(self, channel: Channel) -> None:
        """Ask no more."""
        self._channels.pop(channel, None)

    async def run(self, period_ms: int) -> None:
        """Ask until cancelled, at most once per period; on a slow exchange as often as the limiter lets polls go."""
        with in_lane(Lane.POLL):
            while True:
                started_ns = self._clock.monotonic_ns()
                await self.once()
                spent_ms = (self._clock.monotonic_ns() - started_ns) // NS_PER_MS
                await asyncio.sleep(max(period_ms - spent_ms, 0) / 1_000)

    async def once(self) -> None:
        """Ask for every channel once; what fails is told, and asked for again in the next round."""
        self._round += 1
        for channel in sorted(self._channels, key=lambda one: one.kind is not ChannelKind.BOOK):
            if channel not in self._channels:
                continue
            try:
                await self._ask(channel)
            except OpensqtError as error:
                _log.warning("market_query_failed", channel=channel.kind.value, symbol=channel.symbol, why=str(error))
                if channel.kind is ChannelKind.BOOK:
                    self._sink.book(channel.symbol).set_validity(BookValidity.STALE, str(error))
                    self._on_status(False, str(error))

    async def _ask(self, channel: Channel) -> None:
        instrument = self._instruments[channel.symbol]
        if channel.kind is ChannelKind.BOOK:
            await self._book(instrument)
        elif channel.kind is ChannelKind.TRADES:
            await self._trades(instrument)
        elif channel.kind is ChannelKind.CANDLES:
            for candle in await self._queries.candles(instrument.symbol, channel.interval_ms, 2, 0):
                self._sink.on_candle(candle)
        elif self._round % MARK_EVERY == 1:
            await self.mark(instrument)

    async def mark(self, instrument: Instrument) -> None:
        """Push the mark price, where the exchange tells one with its funding rate.

        Raises:
            OpensqtError: it could not be asked.
        """
        if not self._client.has("fetchFundingRate"):
            return
        mark = await self._client.ask(
            "fetchFundingRate",
            "query mark price",
            lambda value: parse_mark(value, instrument.symbol, self._clock.now_ns()),
            instrument.symbol,
        )
        if mark is not None:
            self._sink.on_mark(mark)

    async def _book(self, instrument: Instrument) -> None:
        bids, asks, venue_time_ns = await self._client.ask(
            "fetchOrderBook",
            "query book",
            lambda value: parse_book(value, instrument),
            instrument.symbol,
            self._book_levels,
        )
        writer = self._sink.book(instrument.symbol)
        self._sequence += 1
        now_ns = self._clock.now_ns()
        writer.book.load_packed(bids, asks)
        writer.updated(self._sequence, self._sequence, venue_time_ns or now_ns, now_ns)
        writer.set_validity(BookValidity.VALID)
        self._on_status(True, "")

    async def _trades(self, instrument: Instrument) -> None:
        now_ns = self._clock.now_ns()

        def read(value: Any) -> list[PublicTrade]:
            found = []
            for row in rows(value, "trades"):
                try:
                    found.append(parse_trade(row, instrument, now_ns))
                except UnreadableError as error:
                    # One odd trade never hides the others.
                    _log.warning("trade_unreadable", symbol=instrument.symbol, why=str(error))
            return found

        trades = await self._client.ask("fetchTrades", "query trades", read, instrument.symbol, None, TRADES_PAGE)
        trades.sort(key=lambda trade: trade.venue_time_ns)
        seen = self._seen.get(instrument.symbol)
        if seen is None:
            # What was before the subscription is not news.
            self._seen[instrument.symbol] = dict.fromkeys(trade.trade_id for trade in trades)
            return
        for trade in trades:
            if trade.trade_id not in seen:
                seen[trade.trade_id] = None
                self._sink.on_trade(trade)
        for old in list(seen)[: max(0, len(seen) - KEPT_TRADE_IDS)]:
            del seen[old]
