"""Recorded sessions through the market feed, whole: valid books, no crossing, trades once and in order."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from models.binance_payloads import make_instrument

from opensqt._core.book import OrderBook
from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.market_feed import MarketFeed, SymbolFeed
from opensqt.connector.venues.binance.stream_runner import stream_of
from opensqt.domain.clock import NS_PER_S, ManualClock
from opensqt.domain.market import BookValidity


class Writer:
    """A book's writer that keeps what it was told."""

    def __init__(self) -> None:
        self.book = OrderBook()
        self.sequences: list[int] = []
        self.states: list[BookValidity] = []

    def updated(self, _first: int, last_sequence: int, _venue_time_ns: int, _receive_time_ns: int) -> None:
        self.sequences.append(last_sequence)
        assert not self.book.is_crossed

    def alive(self) -> None:
        pass

    def set_validity(self, validity: BookValidity, reason: str = "") -> None:
        del reason
        if not self.states or self.states[-1] is not validity:
            self.states.append(validity)


class Sink:
    """Keeps what the feed pushes."""

    def __init__(self) -> None:
        self.writers: dict[str, Writer] = {}
        self.trades: list[Any] = []
        self.candles: list[Any] = []
        self.marks: list[Any] = []
        self.on_trade = self.trades.append
        self.on_candle = self.candles.append
        self.on_mark = self.marks.append

    def book(self, symbol: str, book: OrderBook | None = None) -> Writer:
        assert book is None
        return self.writers.setdefault(symbol, Writer())


def make_feed(sizes: dict[str, tuple[str, str]]) -> tuple[MarketFeed, Sink, list[SymbolFeed], ManualClock, list[str]]:
    sink, due, clock, hints = Sink(), [], ManualClock(1), []
    take: Callable[[SymbolFeed], None] = due.append
    feed = MarketFeed(
        sink,  # type: ignore[arg-type]
        clock,
        Random(1),
        snapshot_due=take,
        rules_changed=hints.append,
    )
    feed.set_listings(Listings.of(make_instrument(name, tick, lot) for name, (tick, lot) in sizes.items()))
    for symbol in feed.feeds:
        for kind in (ChannelKind.BOOK, ChannelKind.TRADES, ChannelKind.MARK):
            feed.streams_of(Channel(kind, symbol))
        feed.streams_of(Channel(ChannelKind.CANDLES, symbol, 60_000))
    return feed, sink, due, clock, hints


def test_the_four_symbol_session_gives_four_valid_books(payloads: Path) -> None:
    # CTKUSDT's tick is 0.001, but levels from before the tick size grew still rest at finer prices.
    sizes = {
        "SUSHIUSDT": ("0.001", "1"),
        "AKROUSDT": ("0.00001", "1"),
        "KEEPUSDT": ("0.0001", "1"),
        "CTKUSDT": ("0.00001", "1"),
    }
    feed, sink, due, _clock, hints = make_feed(sizes)
    taken_at = {
        "SUSHIUSDT": 1626992741.301402,
        "AKROUSDT": 1626992741.475372,
        "KEEPUSDT": 1626992742.110451,
        "CTKUSDT": 1626992742.283408,
    }
    answered: set[str] = set()
    for line in (payloads / "recording_4symbols_20210722.txt").read_bytes().splitlines():
        stamp, _, data = line.partition(b": ")
        for waiting in list(due):
            name = waiting.listing.instrument.venue_symbol
            if name not in answered and float(stamp) > taken_at[name]:
                answered.add(name)
                due.remove(waiting)
                feed.on_snapshot(waiting, (payloads / f"rest_depth_snapshot_{name.lower()}_20210722.json").read_bytes())
        feed.on_message(stream_of(data), data)
    assert answered == set(sizes)
    for writer in sink.writers.values():
        assert writer.states == [BookValidity.SYNCING, BookValidity.VALID]
        assert writer.sequences == sorted(writer.sequences)
        assert len(writer.sequences) > 20
    assert len(sink.trades) > 20
    assert len(sink.candles) > 20
    assert (feed.unreadable, hints) == (0, [])


def test_the_recorded_btcusdt_session_gives_a_valid_book(payloads: Path) -> None:
    feed, sink, due, _clock, _hints = make_feed({"BTCUSDT": ("0.10", "0.001")})
    for line in (payloads / "recording_btcusdt_20240808.txt").read_bytes().splitlines():
        _, _, data = line.partition(b" ")
        name = stream_of(data).replace("@0ms", "@100ms")
        if name:
            feed.on_message(name, data)
        else:
            feed.on_snapshot(due.pop(), data)
    (writer,) = sink.writers.values()
    assert writer.states == [BookValidity.SYNCING, BookValidity.VALID]
    (symbol_feed,) = feed.feeds.values()
    assert symbol_feed.sync.counts.contradicted == 0


def agg_trade(number: int) -> bytes:
    data = {"e": "aggTrade", "E": 2, "a": number, "s": "BTCUSDT", "p": "60000.10", "q": "0.001", "f": 1, "l": 1}
    return json.dumps({"stream": "btcusdt@aggTrade", "data": {**data, "T": 2, "m": True}}).encode()


def test_trades_that_two_connections_deliver_are_pushed_once() -> None:
    feed, sink, *_ = make_feed({"BTCUSDT": ("0.10", "0.001")})
    for number in (1, 2, 1, 2, 3):
        feed.on_message("btcusdt@aggTrade", agg_trade(number))
    assert [trade.trade_id for trade in sink.trades] == ["1", "2", "3"]


@pytest.mark.parametrize("data", [b"", b"{", b'{"stream":"btcusdt@aggTrade","data":{"p":"NaN"}}', b"\xff\xfe", b"[[[["])
def test_unreadable_messages_are_counted_and_ask_for_the_rules_now_and_then(data: bytes) -> None:
    feed, sink, _due, clock, hints = make_feed({"BTCUSDT": ("0.10", "0.001")})
    for _ in range(3):
        feed.on_message("btcusdt@aggTrade", data)
    clock.advance(11 * NS_PER_S)
    feed.on_message("btcusdt@aggTrade", data)
    assert feed.unreadable == 4
    assert len(hints) == 2
    assert sink.trades == []


def test_lost_stream_makes_every_book_stale() -> None:
    feed, sink, *_ = make_feed({"BTCUSDT": ("0.10", "0.001"), "ETHUSDT": ("0.01", "0.001")})
    feed.on_lost("reset by peer")
    assert [writer.states[-1] for writer in sink.writers.values()] == [BookValidity.STALE] * 2
