"""Kernel work as plain functions over made-up but fixed data: what the instruction gate counts.

    python bench/kernels.py           runs each once, to see that it works
    python bench/kernels.py --count   runs each between two calls of getpgid(), where callgrind dumps its counters

No recorded market data is needed, so the gate works on any clone.
"""

import gc
import os
import random
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

from opensqt._core.book import OrderBook
from opensqt._core.decode.binance import decode_agg_trade, decode_book_ticker
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.decode.binance_order import decode_order_update
from opensqt._core.diff import Desired, Differ, Live
from opensqt._core.fixed import Increment
from opensqt._core.grid import Lattice
from opensqt._core.histogram import Histogram
from opensqt._core.match import BUY, Matcher
from opensqt._core.plan import GridPlanner, Holdings
from opensqt.connector.book_feed import BookFeed, BookReader
from opensqt.connector.venues.binance.sign import HmacSigner, signed_params
from opensqt.domain.clock import ManualClock
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.engine.market_books import MarketBooks
from opensqt.proto import market_data_pb2
from opensqt.runtime.secret import Secret

TICK, LOT = Increment("0.10"), Increment("0.001")
MID_TICKS = 640_000

ORDER_UPDATE = (
    b'{"e":"ORDER_TRADE_UPDATE","T":1721260622001,"E":1721260622002,"o":{"s":"BTCUSDT","c":"oqbotaZ0001000000B0000001",'
    b'"S":"BUY","o":"LIMIT","f":"GTX","q":"0.010","p":"60000.10","ap":"0","sp":"0","x":"NEW","X":"NEW","i":8886774,'
    b'"l":"0","z":"0","L":"0","n":"0","N":"USDT","T":1721260622001,"t":0,"b":"600.001","a":"0","m":false,"R":false,'
    b'"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"rp":"0","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER",'
    b'"pm":"NONE","gtd":0}}'
)


@dataclass(frozen=True)
class Kernel:
    """Some work, and how many items one call of it does."""

    name: str
    items: int
    work: Callable[[], object]


def price(ticks: int) -> str:
    return f"{ticks // 10}.{ticks % 10}0"


def levels(source: random.Random, count: int, *, is_bid: bool) -> str:
    sign = -1 if is_bid else 1
    prices = sorted(source.sample(range(1, 40 * count), count))
    return ",".join(
        f'["{price(MID_TICKS + sign * n)}","{source.randrange(1, 90)}.{source.randrange(1_000):03d}"]' for n in prices
    )


def diff_frames(count: int) -> list[bytes]:
    """Return combined depth diffs of 20 levels that chain."""
    source = random.Random(1)
    frames = []
    for number in range(count):
        bids, asks = levels(source, 10, is_bid=True), levels(source, 10, is_bid=False)
        frames.append(
            (
                f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1721260622{number:03d},'
                f'"T":1721260622{number:03d},"s":"BTCUSDT","U":{10 * number + 1},"u":{10 * number + 10},'
                f'"pu":{10 * number},"b":[{bids}],"a":[{asks}]}}}}'
            ).encode()
        )
    return frames


def snapshot_frame() -> bytes:
    source = random.Random(2)
    bids, asks = levels(source, 1_000, is_bid=True), levels(source, 1_000, is_bid=False)
    head = '{"lastUpdateId":5,"E":1721260622000,"T":1721260622000,'
    return (head + f'"bids":[{bids}],"asks":[{asks}]}}').encode()


def kernels() -> list[Kernel]:
    """Return all kernels."""
    return [*_decoding(), *_books(), *_quoting(), *_others()]


def _decoding() -> list[Kernel]:
    diffs, decoder, book = diff_frames(200), DepthDecoder(TICK, LOT), OrderBook()
    snapshot = snapshot_frame()
    decoder.decode_snapshot(snapshot)
    decoder.apply(book)
    ticker = (
        b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":4840423458,"s":"BTCUSDT","b":"64100.10",'
        b'"B":"3.120","a":"64100.20","A":"7.004","T":1721260622001,"E":1721260622002}}'
    )
    trade = (
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1721260622002,"a":2164387,"s":"BTCUSDT",'
        b'"p":"64100.10","q":"0.120","f":5100,"l":5103,"T":1721260622001,"m":true}}'
    )

    def apply_diffs() -> None:
        for frame in diffs:
            decoder.decode_and_apply(frame, book)

    def parse_diffs() -> None:
        for frame in diffs:
            decoder.decode(frame)

    def load_snapshot() -> None:
        decoder.decode_snapshot(snapshot)
        decoder.apply(book)

    def parse_tickers() -> None:
        for _ in range(500):
            decode_book_ticker(ticker, TICK, LOT)

    def parse_trades() -> None:
        for _ in range(500):
            decode_agg_trade(trade, TICK, LOT)

    def parse_order_updates() -> None:
        for _ in range(500):
            decode_order_update(ORDER_UPDATE).order_sizes(TICK, LOT)

    return [
        Kernel("parse and apply a 20-level diff", 200, apply_diffs),
        Kernel("parse a 20-level diff", 200, parse_diffs),
        Kernel("load a snapshot of 1000 levels", 1, load_snapshot),
        Kernel("parse a bookTicker", 500, parse_tickers),
        Kernel("parse an aggTrade", 500, parse_trades),
        Kernel("parse an order update", 500, parse_order_updates),
    ]


def _books() -> list[Kernel]:
    source = random.Random(7)
    moves = [(MID_TICKS - int(source.expovariate(1 / 200)), source.randrange(6)) for _ in range(5_000)]
    packed = b"".join(struct.pack("<qq", *move) for move in moves)
    book = OrderBook()
    clock = ManualClock(10**18)
    feed = BookFeed(
        "X",
        1,
        OrderBook(),
        now_ns=clock.now_ns,
        monotonic_ns=clock.monotonic_ns,
        on_validity=lambda _feed: None,
        latency=LatencyBoard(Hop, clock.monotonic_ns),
    )
    for step in range(1, 201):
        feed.book.set_level(True, MID_TICKS - step, step)
        feed.book.set_level(False, MID_TICKS + step, step)
    reader = BookReader([feed], 20, b"", lambda: None)
    messages = MarketBooks(["X"])
    messages.take_books(market_data_pb2.BookUpdates.FromString(reader.take()))
    sent = [0]

    def publish() -> bytes:
        sent[0] += 1
        for step in range(10):
            feed.book.set_level(True, MID_TICKS - 1 - step, 1 + (sent[0] + step) % 7)
            feed.book.set_level(False, MID_TICKS + 1 + step, 1 + (sent[0] + step) % 5)
        feed.updated(sent[0], sent[0], 0, 0)
        return reader.take()

    # The first message after so many changes is a snapshot; those that follow are what a market sends all day.
    messages.take_books(market_data_pb2.BookUpdates.FromString(publish()))
    update = publish()

    def read_best() -> None:
        for _ in range(1_000):
            book.best_bid_ticks  # noqa: B018

    return [
        Kernel("apply one level", 5_000, lambda: book.apply_packed(packed, b"")),
        Kernel("read the best bid", 1_000, read_best),
        Kernel("book message of 20 levels, encode", 50, lambda: [publish() for _ in range(50)]),
        Kernel(
            "book message of 20 levels, decode",
            50,
            lambda: [messages.take_books(market_data_pb2.BookUpdates.FromString(update)) for _ in range(50)],
        ),
    ]


def _quoting() -> list[Kernel]:
    planner = GridPlanner(Lattice.arithmetic(300_000, 200), buy_window=100, sell_window=100, quote_units=3_000_000)
    holdings, desired, live, differ = Holdings(), Desired(), Live(), Differ(max_open_orders=300)
    start2 = 600_260
    planner.plan(start2, holdings, desired)
    for handle, order in enumerate(differ.run(desired, live), start=1):
        live.put(handle, order.slot, order.side, order.price_ticks, order.lots, order.reduce_only)
    source = random.Random(3)
    prices2 = [start2 + source.choice((-800, -400, 0, 400, 800)) for _ in range(200)]

    def reprice() -> None:
        for price2 in prices2:
            planner.plan(price2, holdings, desired)
            differ.compute(desired, live)

    return [Kernel("lattice of 100 levels, reprice and diff", 200, reprice)]


def _others() -> list[Kernel]:
    signer = HmacSigner(Secret("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"))
    order: dict[str, str | int] = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.010",
        "timeInForce": "GTX",
        "price": "60000.10",
        "newClientOrderId": "oqbotaZ0001000000B0000001",
        "timestamp": 1_700_000_000_000,
    }
    texts = [price(MID_TICKS + n) for n in range(500)]
    record = Histogram().record
    source = random.Random(5)
    prints = [(MID_TICKS + source.randint(-20, 20), source.randint(1, 9), source.randint(0, 1)) for _ in range(500)]

    def match() -> None:
        matcher = Matcher()
        for number in range(20):
            matcher.submit(number, 1, BUY, MID_TICKS - 5 - 5 * number, 1 << 40, displayed_lots=100)
        for ticks, lots, aggressor in prints:
            matcher.on_trade(ticks, lots, aggressor)

    def measure() -> None:
        for ns in range(1_000, 501_000, 1_000):
            record(ns)

    return [
        Kernel("match a trade against 20 orders", 500, match),
        Kernel("fixed-point parse", 500, lambda: [TICK.parse(text) for text in texts]),
        Kernel("sign an order", 100, lambda: [signed_params(order, signer) for _ in range(100)]),
        Kernel("measure a latency", 500, measure),
    ]


def main(*, count: bool) -> None:
    """Run everything; with `count` the last of three rounds of each kernel lies between two dumps."""
    chosen = kernels()
    gc.collect()
    gc.disable()
    for kernel in chosen:
        kernel.work()
        kernel.work()
        if count:
            os.getpgid(0)
        kernel.work()
        if count:
            os.getpgid(0)


if __name__ == "__main__":
    main(count="--count" in sys.argv)
