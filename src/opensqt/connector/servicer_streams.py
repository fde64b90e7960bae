"""Streams: each starts with the current state, then tells changes; none can grow behind a slow reader."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, final

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.book_feed import DEFAULT_DEPTH, MAX_DEPTH, BookReader
from opensqt.connector.core import CandleKey, ConnectorCore, price_frame
from opensqt.connector.hub import ConflatedReader, Lazy, LosslessReader, SamplingReader
from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.servicer_market import last_price, read_interval
from opensqt.connector.symbols import canonical_list, canonical_or_all
from opensqt.connector.wakeup import Wakeup
from opensqt.domain.account import Account, Position
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.convert_exchange import (
    account_message,
    candle_message,
    order_update_message,
    position_message,
)
from opensqt.domain.convert_trade import decimal_message
from opensqt.domain.errors import invalid_field
from opensqt.domain.market import MarkPrice
from opensqt.proto import events_pb2, exchange_pb2, market_data_pb2, resources_pb2

Context = Any
Frames = AsyncIterator[bytes]

MAX_PENDING_ORDERS = 10_000
MAX_PENDING_TRADES = 5_000


@final
class StreamServicer:
    """Server-streaming RPCs."""

    def __init__(self, core: ConnectorCore, adapter: VenueAdapter) -> None:
        self._core = core
        self._adapter = adapter
        self._market_readers = 0

    async def subscribe_price(self, request: exchange_pb2.SubscribePriceRequest, _context: Context) -> Frames:
        """Tell the last price of each symbol, newest wins."""
        symbols = canonical_list(self._core.mirror, request.symbols, "symbols")
        wakeup = Wakeup()
        reader: ConflatedReader[str, Lazy] = ConflatedReader(wakeup.set)
        topic = self._core.topics.prices
        topic.add(reader, symbols)
        try:
            with self._channels(ChannelKind.TRADES, symbols):
                for symbol in symbols:
                    ticks, time_ns = await last_price(self._core, self._adapter, symbol)
                    if ticks:
                        price = self._core.mirror.instruments[symbol].ticks_to_price(ticks)
                        yield price_frame(self._core.capabilities.exchange, symbol, price, time_ns)
                while True:
                    await wakeup.wait()
                    for lazy in reader.take():
                        yield lazy.frame()
        finally:
            topic.remove(reader)

    async def subscribe_klines(self, request: exchange_pb2.SubscribeKlinesRequest, _context: Context) -> Frames:
        """Tell the forming candle of each symbol and every closed one."""
        symbols = canonical_list(self._core.mirror, request.symbols, "symbols")
        interval_ms = read_interval(self._core, request.interval)
        wakeup = Wakeup()
        reader: ConflatedReader[CandleKey, Lazy] = ConflatedReader(wakeup.set)
        topic = self._core.topics.candles
        topic.add(reader, [(symbol, interval_ms, 0) for symbol in symbols])
        try:
            with self._channels(ChannelKind.CANDLES, symbols, interval_ms):
                for symbol in symbols:
                    for candle in await self._adapter.market.candles(symbol, interval_ms, 1, 0):
                        yield candle_message(candle, self._core.mirror.instruments[symbol]).SerializeToString()
                while True:
                    await wakeup.wait()
                    for lazy in reader.take():
                        yield lazy.frame()
        finally:
            topic.remove(reader)

    async def subscribe_funding_rate(
        self, request: exchange_pb2.SubscribeFundingRateRequest, _context: Context
    ) -> Frames:
        """Tell the funding terms of a symbol, or of all."""
        symbols = canonical_or_all(self._core.mirror, request.symbol)
        wakeup = Wakeup()
        reader: ConflatedReader[str, MarkPrice] = ConflatedReader(wakeup.set)
        topic = self._core.topics.marks
        topic.add_with_latest(reader, symbols)
        try:
            with self._channels(ChannelKind.MARK, symbols):
                while True:
                    await wakeup.wait()
                    for mark in reader.take():
                        yield self._funding(mark).SerializeToString()
        finally:
            topic.remove(reader)

    async def subscribe_orders(self, _request: exchange_pb2.SubscribeOrdersRequest, _context: Context) -> Frames:
        """Tell the open orders, then every order event, in order and without a hole."""
        core = self._core
        wakeup = Wakeup()
        reader: LosslessReader[str, Lazy] = LosslessReader(wakeup.set, max_pending=MAX_PENDING_ORDERS)
        core.topics.orders.add(reader)
        exchange = core.capabilities.exchange
        # Taken in the turn in which the reader was added: an event is in the state or behind it, never in both.
        open_orders = [
            order_update_message(order, core.mirror.instrument_of(order.symbol, order.instrument_revision), exchange)
            for order in core.mirror.open_orders()
        ]
        try:
            for update in open_orders:
                yield update.SerializeToString()
            while True:
                await wakeup.wait()
                for lazy in reader.take():
                    yield lazy.frame()
        finally:
            core.topics.orders.remove(reader)

    async def subscribe_account(self, _request: exchange_pb2.SubscribeAccountRequest, _context: Context) -> Frames:
        """Push the account whenever the venue does."""
        wakeup = Wakeup()
        reader: ConflatedReader[str, Account] = ConflatedReader(wakeup.set)
        topic = self._core.topics.accounts
        topic.add_with_latest(reader)
        try:
            while True:
                await wakeup.wait()
                for account in reader.take():
                    positions = [self._position(p) for p in self._core.mirror.positions.values()]
                    message = account_message(account, positions, self._core.capabilities.exchange)
                    yield message.SerializeToString()
        finally:
            topic.remove(reader)

    async def subscribe_positions(self, request: exchange_pb2.SubscribePositionsRequest, _context: Context) -> Frames:
        """Push the positions of a symbol, or all, whenever the venue does."""
        symbols = canonical_or_all(self._core.mirror, request.symbol)
        wakeup = Wakeup()
        reader: ConflatedReader[str, Position] = ConflatedReader(wakeup.set)
        topic = self._core.topics.positions
        topic.add_with_latest(reader, symbols)
        try:
            while True:
                await wakeup.wait()
                for position in reader.take():
                    yield self._position(position).SerializeToString()
        finally:
            topic.remove(reader)

    async def subscribe_book(self, request: market_data_pb2.SubscribeBookRequest, _context: Context) -> Frames:
        """Tell books: a snapshot each, then conflated deltas; all of one turn in one message."""
        symbols = canonical_list(self._core.mirror, request.symbols, "symbols")
        if not 0 <= request.depth <= MAX_DEPTH:
            raise invalid_field("depth", request.depth, f"must be between 1 and {MAX_DEPTH}, or 0 for {DEFAULT_DEPTH}")
        wakeup = Wakeup()
        header = market_data_pb2.BookUpdates(session_epoch=self._core.session_epoch).SerializeToString()
        feeds = [self._core.feeds[symbol] for symbol in symbols]
        reader = BookReader(feeds, request.depth or DEFAULT_DEPTH, header, wakeup.set)
        try:
            with self._channels(ChannelKind.BOOK, symbols):
                while True:
                    await wakeup.wait()
                    await self._let_orders_go_first()
                    updates = reader.take()
                    if updates:
                        yield updates
        finally:
            reader.close()

    async def subscribe_trades(self, request: market_data_pb2.SubscribeTradesRequest, _context: Context) -> Frames:
        """Tell public trades; all of one turn in one message, with a count of those that a slow reader missed."""
        symbols = canonical_list(self._core.mirror, request.symbols, "symbols")
        wakeup = Wakeup()
        reader: SamplingReader[str, Lazy] = SamplingReader(wakeup.set, max_pending=MAX_PENDING_TRADES)
        topic = self._core.topics.trades
        topic.add(reader, symbols)
        epoch = self._core.session_epoch
        try:
            with self._channels(ChannelKind.TRADES, symbols):
                while True:
                    await wakeup.wait()
                    await self._let_orders_go_first()
                    header = market_data_pb2.PublicTrades(session_epoch=epoch, dropped_count=reader.take_dropped())
                    yield header.SerializeToString() + b"".join(lazy.frame() for lazy in reader.take())
        finally:
            topic.remove(reader)

    # ---- inside

    @contextlib.contextmanager
    def _channels(self, kind: ChannelKind, symbols: Iterable[str], interval_ms: int = 0) -> Iterator[None]:
        channels = [Channel(kind, symbol, interval_ms) for symbol in symbols]
        for channel in channels:
            self._core.upstreams.acquire(channel)
        self._market_readers += 1
        try:
            yield
        finally:
            self._market_readers -= 1
            for channel in channels:
                self._core.upstreams.release(channel)

    async def _let_orders_go_first(self) -> None:
        """Step back behind what the loop has to do in this turn, when that may be an order or its event.

        A message costs tens of microseconds to send; sixteen readers of a book would hold an order up for a
        millisecond. One reader alone has nobody to let pass unless order events wait.
        """
        if self._market_readers > 1 or self._core.trade.has_pending:
            await asyncio.sleep(0)

    def _position(self, position: Position) -> resources_pb2.Position:
        return position_message(
            position,
            self._core.mirror.instrument_of(position.symbol, position.instrument_revision),
            self._core.capabilities.exchange,
        )

    def _funding(self, mark: MarkPrice) -> events_pb2.FundingUpdate:
        return events_pb2.FundingUpdate(
            exchange=self._core.capabilities.exchange,
            symbol=mark.symbol,
            rate=decimal_message(mark.funding_rate),
            predicted_rate=decimal_message(mark.funding_rate),
            next_funding_time=mark.next_funding_time_ms,
            timestamp=mark.venue_time_ns // NS_PER_MS,
        )
