"""Public streams: which are listened to, what each says and when. Nothing is written that nobody listens to.

A depth stream gathers changes for its interval and chains its events by `pu`; all listeners of one stream get the same
bytes. Time-driven streams speak when `advance` passes their moment.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, final

import orjson

from opensqt.domain.clock import NS_PER_MS
from opensqt.matching.events import BookDelta, BookSnapshot, CandleHistory, MarketEvent, TradePrint
from opensqt.sim.dialects.binance import encode_market as write
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.klines import Kline
from opensqt.sim.dialects.binance.market_data import AggregateTrade, DepthStep, SymbolData, UpdateIds
from opensqt.sim.dialects.binance.stream_names import Kind, Stream
from opensqt.sim.dialects.binance.tickers import day_of

Publish = Callable[[Stream, bytes], None]
_TIMED: Final = frozenset(
    {Kind.PARTIAL, Kind.MARK_PRICE, Kind.KLINE, Kind.TICKER, Kind.MINI_TICKER, Kind.DEPTH, Kind.BOOK_TICKER}
)


@final
class _Channel:
    """One stream with listeners."""

    __slots__ = (
        "asks",
        "bids",
        "first_id",
        "last_bar",
        "last_best",
        "last_id",
        "listeners",
        "next_ms",
        "sent_id",
        "stream",
        "time_ms",
    )

    def __init__(self, stream: Stream, sent_id: int) -> None:
        self.stream = stream
        self.listeners = 0
        self.next_ms = 0
        self.sent_id = sent_id
        self.first_id = self.last_id = self.time_ms = 0
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.last_best: tuple[int, int, int, int] | None = None
        self.last_bar: Kline | None = None


@final
class MarketStreams:
    """All public streams of the venue.

    Args:
        exchange: whose market it is.
        publish: takes a stream and the bytes of one message.
        extra: whether to send the members added in June 2026.
    """

    def __init__(self, exchange: Exchange, publish: Publish, *, extra: bool) -> None:
        self._exchange = exchange
        self._publish = publish
        self._extra = extra
        ids = UpdateIds(exchange.config.seed)
        self.data: dict[str, SymbolData] = {
            symbol: SymbolData(rules, exchange.venue, ids) for symbol, rules in exchange.rules.items()
        }
        self._by_canonical = {item.rules.instrument.symbol: item for item in self.data.values()}
        self._channels: dict[str, _Channel] = {}
        self._by_symbol: dict[str, list[_Channel]] = {}

    # ---- listeners

    def subscribe(self, stream: Stream) -> None:
        """Count one more listener."""
        channel = self._channels.get(stream.name)
        if channel is None:
            data = self.data.get(stream.symbol)
            channel = self._channels[stream.name] = _Channel(stream, data.last_id if data is not None else 0)
            self._by_symbol.setdefault(stream.symbol, []).append(channel)
        channel.listeners += 1

    def unsubscribe(self, stream: Stream) -> None:
        """Count one listener less."""
        channel = self._channels.get(stream.name)
        if channel is None:
            return
        channel.listeners -= 1
        if channel.listeners <= 0:
            del self._channels[stream.name]
            self._by_symbol[stream.symbol].remove(channel)

    # ---- market

    def on_market(self, event: MarketEvent) -> None:
        """Record a market event (the exchange has taken it already) and tell who listens."""
        data = self._by_canonical[event.symbol]
        now_ms = event.time_ns // NS_PER_MS
        if isinstance(event, BookDelta | BookSnapshot):
            self._depth(data, data.on_depth(event), now_ms)
        elif isinstance(event, TradePrint):
            trade, ended = data.on_trade(event)
            if ended is not None:
                self._aggregate(data, ended, now_ms)
            for channel in self._of(data, Kind.TRADE):
                self._send(channel, write.trade_event(data.rules, trade, now_ms))
        elif isinstance(event, CandleHistory):
            data.load_history(event)

    def advance(self, now_ms: int) -> None:
        """Let streams speak whose moment has come."""
        for data in self.data.values():
            ended = data.close_aggregate(now_ms)
            if ended is not None:
                self._aggregate(data, ended, now_ms)
            data.klines.roll(now_ms)
        for channel in list(self._channels.values()):
            stream = channel.stream
            if stream.kind in _TIMED and now_ms >= channel.next_ms and stream.speed_ms:
                channel.next_ms = now_ms - now_ms % stream.speed_ms + stream.speed_ms
                self._on_time(channel, now_ms)

    def force_order(self, order: Mapping[str, Any], now_ms: int) -> None:
        """Tell the public of a liquidation, given the members of its ORDER_TRADE_UPDATE."""
        names = ("s", "S", "o", "f", "q", "p", "ap", "X", "l", "z", "T")
        message = {"e": "forceOrder", "E": now_ms, "o": {name: order[name] for name in names}}
        for name in (f"{order['s'].lower()}@forceOrder", "!forceOrder@arr"):
            channel = self._channels.get(name)
            if channel is not None:
                self._send(channel, message)

    def skip_ids(self, symbol: str) -> None:
        """Break the chain of a symbol's diffs, as if an event had been lost inside the venue."""
        data = self.data[symbol]
        for channel in self._of(data, Kind.DEPTH):
            channel.sent_id = max(channel.sent_id, data.last_id) + 1

    def contract_info(self, symbol: str, now_ms: int) -> None:
        """Tell that a symbol's rules or status changed."""
        rules = self.data[symbol].rules
        channel = self._channels.get("!contractInfo")
        if channel is not None:
            listing = rules.listing()
            self._send(
                channel,
                {
                    "e": "contractInfo",
                    "E": now_ms,
                    "s": symbol,
                    "ct": listing["contractType"],
                    "dt": listing["deliveryDate"],
                    "ot": listing["onboardDate"],
                    "cs": listing["status"],
                },
            )

    # ---- parts

    def _of(self, data: SymbolData, kind: Kind) -> list[_Channel]:
        return [channel for channel in self._by_symbol.get(data.rules.symbol, ()) if channel.stream.kind is kind]

    def _send(self, channel: _Channel, message: Mapping[str, Any] | list[Any]) -> None:
        self._publish(channel.stream, orjson.dumps(message))

    def _aggregate(self, data: SymbolData, trade: AggregateTrade, now_ms: int) -> None:
        for channel in self._of(data, Kind.AGG_TRADE):
            self._send(channel, write.aggregate_event(data.rules, trade, now_ms, extra=self._extra))

    def _depth(self, data: SymbolData, step: DepthStep, now_ms: int) -> None:
        for channel in self._by_symbol.get(data.rules.symbol, ()):
            kind = channel.stream.kind
            if kind is Kind.DEPTH:
                self._gather(channel, step)
                if not channel.stream.speed_ms:
                    self._flush_depth(channel, data, now_ms)
            elif kind is Kind.PARTIAL:
                channel.last_id = step.last_id
                channel.first_id = channel.first_id or step.first_id
                channel.time_ms = step.time_ms
                if not channel.stream.speed_ms:
                    self._flush_partial(channel, data, now_ms)
            elif kind is Kind.BOOK_TICKER and data.best != channel.last_best:
                channel.last_best = data.best
                self._send_best(channel, data, now_ms)

    def _gather(self, channel: _Channel, step: DepthStep) -> None:
        if step.is_restart:
            channel.bids.clear()
            channel.asks.clear()
            channel.first_id = 0
            channel.sent_id = step.last_id
            return
        channel.bids.update(step.bids)
        channel.asks.update(step.asks)
        channel.first_id = channel.first_id or step.first_id
        channel.last_id = step.last_id
        channel.time_ms = step.time_ms

    def _flush_depth(self, channel: _Channel, data: SymbolData, now_ms: int) -> None:
        if not channel.first_id:
            return
        message = write.depth_event(
            data.rules,
            event_ms=now_ms,
            time_ms=channel.time_ms,
            first_id=channel.first_id,
            last_id=channel.last_id,
            previous_id=channel.sent_id,
            bids=sorted(channel.bids.items()),
            asks=sorted(channel.asks.items()),
            extra=self._extra,
        )
        channel.sent_id = channel.last_id
        channel.first_id = 0
        channel.bids.clear()
        channel.asks.clear()
        self._send(channel, message)

    def _flush_partial(self, channel: _Channel, data: SymbolData, now_ms: int) -> None:
        if not channel.first_id:
            return
        count = channel.stream.levels
        message = write.depth_event(
            data.rules,
            event_ms=now_ms,
            time_ms=channel.time_ms,
            first_id=channel.first_id,
            last_id=channel.last_id,
            previous_id=channel.sent_id,
            bids=data.book.levels(True, count),
            asks=data.book.levels(False, count),
            extra=self._extra,
        )
        channel.sent_id, channel.first_id = channel.last_id, 0
        self._send(channel, message)

    def _send_best(self, channel: _Channel, data: SymbolData, now_ms: int) -> None:
        self._send(
            channel,
            write.book_ticker_event(
                data.rules,
                data.best,
                update_id=data.last_id,
                event_ms=now_ms,
                time_ms=data.book_time_ms,
                extra=self._extra,
            ),
        )

    def _on_time(self, channel: _Channel, now_ms: int) -> None:
        stream = channel.stream
        if not stream.symbol:
            self._on_time_all(channel, now_ms)
            return
        data = self.data[stream.symbol]
        if stream.kind is Kind.DEPTH:
            self._flush_depth(channel, data, now_ms)
        elif stream.kind is Kind.PARTIAL:
            self._flush_partial(channel, data, now_ms)
        elif stream.kind is Kind.KLINE:
            self._kline(channel, data, now_ms)
        elif stream.kind is Kind.MARK_PRICE:
            mark = self._exchange.venue.view.mark(data.rules.instrument.symbol)
            if mark is not None:
                self._send(channel, write.mark_event(data.rules, mark, now_ms, extra=self._extra))
        else:
            self._send(channel, self._day(stream.kind, data, now_ms))

    def _on_time_all(self, channel: _Channel, now_ms: int) -> None:
        kind = channel.stream.kind
        if kind is Kind.BOOK_TICKER:
            for data in self.data.values():
                self._send_best(channel, data, now_ms)
        elif kind is Kind.MARK_PRICE:
            marks = [
                (item, self._exchange.venue.view.mark(item.rules.instrument.symbol)) for item in self.data.values()
            ]
            self._send(
                channel,
                [
                    write.mark_event(item.rules, mark, now_ms, extra=self._extra)
                    for item, mark in marks
                    if mark is not None
                ],
            )
        elif kind in {Kind.TICKER, Kind.MINI_TICKER}:
            self._send(channel, [self._day(kind, data, now_ms) for data in self.data.values()])

    def _day(self, kind: Kind, data: SymbolData, now_ms: int) -> dict[str, Any]:
        row = day_of(data, now_ms)
        return write.ticker_event(row, now_ms) if kind is Kind.TICKER else write.mini_ticker_event(row, now_ms)

    def _kline(self, channel: _Channel, data: SymbolData, now_ms: int) -> None:
        interval = channel.stream.interval
        bar = data.klines.current(interval)
        before = channel.last_bar
        if bar is None:
            return
        if before is not None and before.open_ms < bar.open_ms:
            closed = data.klines.bars(interval, before.open_ms, before.open_ms, 1)
            for ended in closed:
                self._send(channel, write.kline_event(data.rules, interval, ended, now_ms, is_closed=True))
        if before != bar:
            channel.last_bar = bar
            self._send(channel, write.kline_event(data.rules, interval, bar, now_ms, is_closed=False))
