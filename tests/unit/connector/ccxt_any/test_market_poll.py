"""Books, trades, candles and marks by asking: what is pushed, and what a failed question does."""

from typing import Any

from models.ccxt_exchange import NOW_MS, SYMBOL, BaseError, FakeExchange, Sink, ccxt_error, config, trade_row

from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.venues.ccxt_any.adapter import CcxtAdapter
from opensqt.connector.venues.ccxt_any.library import Library
from opensqt.domain.clock import ManualClock
from opensqt.domain.market import BookValidity

BOOK = {"bids": [["60000.1", "3"]], "asks": [["60000.2", "5"]], "timestamp": NOW_MS}


async def started(exchange: FakeExchange, *kinds: ChannelKind) -> tuple[CcxtAdapter, Sink]:
    adapter = CcxtAdapter(config(), "live", ManualClock(NOW_MS * 1_000_000), lambda *_: Library(exchange, BaseError))
    sink: Any = Sink()
    await adapter.start(sink)
    for kind in kinds:
        adapter.subscribe(Channel(kind, SYMBOL, 60_000 if kind is ChannelKind.CANDLES else 0))
    return adapter, sink


async def test_book_is_replaced_whole_by_every_answer_and_stale_when_one_fails() -> None:
    exchange = FakeExchange(fetchOrderBook=BOOK)
    adapter, sink = await started(exchange, ChannelKind.BOOK)
    await adapter._market_poll.once()
    feed = sink.feeds[SYMBOL]
    assert (feed.validity, feed.book.levels(True)) == (BookValidity.VALID, [(600_001, 3)])
    exchange.answers["fetchOrderBook"] = BOOK | {"bids": [["59999.0", "1"]]}
    await adapter._market_poll.once()
    assert feed.book.levels(True) == [(599_990, 1)]
    exchange.answers["fetchOrderBook"] = ccxt_error("NetworkError")("down")
    await adapter._market_poll.once()
    assert (feed.validity, sink.of("on_session")[-1].market_stream_up) == (BookValidity.STALE, False)
    exchange.answers["fetchOrderBook"] = BOOK
    await adapter._market_poll.once()
    assert (feed.validity, sink.of("on_session")[-1].market_stream_up) == (BookValidity.VALID, True)


async def test_book_with_an_off_tick_price_is_not_believed() -> None:
    adapter, sink = await started(FakeExchange(fetchOrderBook=BOOK | {"asks": [["60000.15", "1"]]}), ChannelKind.BOOK)
    await adapter._market_poll.once()
    assert sink.feeds[SYMBOL].validity is BookValidity.STALE
    assert "tick size" in sink.feeds[SYMBOL].reason


async def test_trades_are_pushed_once_oldest_first_and_none_from_before() -> None:
    exchange = FakeExchange(fetchTrades=[trade_row("1")])
    adapter, sink = await started(exchange, ChannelKind.TRADES)
    await adapter._market_poll.once()
    assert sink.of("on_trade") == []
    odd = trade_row("9", price="60000.15")
    exchange.answers["fetchTrades"] = [
        trade_row("3", timestamp=NOW_MS + 2),
        odd,
        trade_row("2", timestamp=NOW_MS + 1),
        trade_row("1"),
    ]
    await adapter._market_poll.once()
    await adapter._market_poll.once()
    assert [trade.trade_id for trade in sink.of("on_trade")] == ["2", "3"]


async def test_marks_and_candles_are_pushed_while_subscribed() -> None:
    exchange = FakeExchange(fetchOHLCV=[[NOW_MS, "1", "1", "1", "1", "0"]])
    adapter, sink = await started(exchange, ChannelKind.CANDLES, ChannelKind.MARK)
    await adapter._market_poll.once()
    assert len(sink.of("on_candle")) == 1
    assert len(sink.of("on_mark")) == 2, "one at the start, one by subscription"
    adapter.unsubscribe(Channel(ChannelKind.CANDLES, SYMBOL, 60_000))
    await adapter._market_poll.once()
    assert len(sink.of("on_candle")) == 1
