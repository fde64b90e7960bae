"""The same work by what a user would reach for instead, on made-up frames, so that any clone can run it."""

import time
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import report
from kernels import LOT, TICK, diff_frames, snapshot_frame

from opensqt._core.book import OrderBook
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.parse_user import UserContext, parse_user_event
from opensqt.matching.sources.instruments import known_instrument

ROUNDS = 60

ORDER_UPDATE = (
    b'{"e":"ORDER_TRADE_UPDATE","T":1721260622001,"E":1721260622002,"o":{"s":"BTCUSDT","c":"oqbotaZ0001000000B0000001",'
    b'"S":"BUY","o":"LIMIT","f":"GTX","q":"0.010","p":"60000.10","ap":"0","sp":"0","x":"NEW","X":"NEW","i":8886774,'
    b'"l":"0","z":"0","L":"0","n":"0","N":"USDT","T":1721260622001,"t":0,"b":"600.001","a":"0","m":false,"R":false,'
    b'"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"rp":"0","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER",'
    b'"pm":"NONE","gtd":0}}'
)


class _Diff(msgspec.Struct):
    U: int
    u: int
    pu: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class _Message(msgspec.Struct):
    data: _Diff


def test_parse_a_diff_against_msgspec(race: Any) -> None:
    """Typed decoding is the best that a library does; its levels are still text."""
    frames, decoder, typed = diff_frames(200), DepthDecoder(TICK, LOT), msgspec.json.Decoder(_Message)

    def ours() -> None:
        for frame in frames:
            decoder.decode(frame)

    def baseline() -> None:
        for frame in frames:
            typed.decode(frame)

    race(ours, baseline, items=len(frames), at_least=3, target=5)


def test_parse_an_order_update(race: Any) -> None:
    """Target: 5 times orjson, which a kernel would reach; msgspec and exact numbers do not. There is no gate."""
    listings = Listings.of([known_instrument("BTCUSDT")])
    context = UserContext(listings=listings, own_prefix="")
    assert parse_user_event(ORDER_UPDATE, context)

    def ours() -> None:
        for _ in range(100):
            parse_user_event(ORDER_UPDATE, context)

    def baseline() -> None:
        for _ in range(100):
            order = orjson.loads(ORDER_UPDATE)["o"]
            Decimal(order["p"])
            Decimal(order["q"])

    race(ours, baseline, items=100, at_least=0, target=5)


def test_parse_and_apply_against_ccxt_pro() -> None:
    """Target: 50 times ccxt.pro on the same frames: its own handlers, from the text to its book."""
    import ccxt.pro

    exchange = ccxt.pro.binanceusdm()
    frames = diff_frames(200)
    start: Any = orjson.loads(snapshot_frame())
    peer_book = exchange.order_book({"bids": [[float(p), float(q)] for p, q in start["bids"]], "asks": []})
    for price, size in start["asks"]:
        peer_book["asks"].store(float(price), float(size))
    decoder, book = DepthDecoder(TICK, LOT), OrderBook()
    decoder.decode_snapshot(snapshot_frame())
    decoder.apply(book)
    best_ours, best_peer = 1 << 62, 1 << 62
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        for frame in frames:
            decoder.decode_and_apply(frame, book)
        best_ours = min(best_ours, time.perf_counter_ns() - begun)
        begun = time.perf_counter_ns()
        for frame in frames:
            message = exchange.parse_json(frame.decode())["data"]
            exchange.handle_deltas(peer_book["bids"], message["b"])
            exchange.handle_deltas(peer_book["asks"], message["a"])
        best_peer = min(best_peer, time.perf_counter_ns() - begun)
    ours_ns, peer_ns = best_ours / len(frames), best_peer / len(frames)
    ratio = peer_ns / ours_ns
    report.add(
        report.Row(
            "parse and apply a 20-level diff, beside ccxt.pro",
            "ns",
            ours_ns,
            None,
            peer_ns,
            ratio,
            ">= 50x",
            ratio >= 50,
        )
    )
    assert ratio >= 25
