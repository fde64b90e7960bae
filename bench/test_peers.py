"""The same work by what a user would reach for instead, on made-up frames, so that any clone can run it."""

import time
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import report
from kernels import LOT, ORDER_UPDATE, TICK, diff_frames, snapshot_frame

from opensqt._core.book import OrderBook
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.decode.binance_order import decode_order_update
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.parse_user import UserContext, parse_user_event
from opensqt.matching.sources.instruments import known_instrument

ROUNDS = 60


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


def _order_by_orjson() -> None:
    for _ in range(100):
        order = orjson.loads(ORDER_UPDATE)["o"]
        Decimal(order["p"])
        Decimal(order["q"])


def test_parse_an_order_update(race: Any) -> None:
    """Target: at least 5 times orjson; the gate leaves room for a busy machine."""

    def ours() -> None:
        for _ in range(100):
            decode_order_update(ORDER_UPDATE).order_sizes(TICK, LOT)

    race(ours, _order_by_orjson, items=100, at_least=2.5, target=5)


def test_turn_an_order_update_into_an_event(race: Any) -> None:
    """The whole way to the adapter's own values, for which orjson has no counterpart: there is no gate."""
    context = UserContext(listings=Listings.of([known_instrument("BTCUSDT")]), own_prefix="")
    assert parse_user_event(ORDER_UPDATE, context)

    def ours() -> None:
        for _ in range(100):
            parse_user_event(ORDER_UPDATE, context)

    race(ours, _order_by_orjson, items=100, at_least=0)


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
