"""A published grid run, fill by fill: the matcher's conservative queue on recorded markets.

The rule, the latencies and the fills are those of `data/reference/R3_slotgrid_*`; hftbacktest 2.4.4 and an independent
replay agree on every one of them.
"""

import csv
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from models.captures import read_capture

from opensqt._core import match
from opensqt._core.book import OrderBook
from opensqt._core.decode.binance import Kind, classify, decode_trade
from opensqt._core.decode.binance_depth import DepthDecoder
from opensqt._core.fixed import Increment
from opensqt._core.match import Matcher

pytestmark = [pytest.mark.captures, pytest.mark.slow]

DECISION_NS = 100_000_000
OWNER = 1


class Depth(NamedTuple):
    exchange_ns: int
    local_ns: int
    bids: bytes
    asks: bytes


class Trade(NamedTuple):
    exchange_ns: int
    local_ns: int
    side: int
    price_ticks: int
    lots: int


@dataclass
class Slot:
    """What the strategy knows of one slot."""

    state: str = "EMPTY"  # EMPTY, HELD, BUYING, SELLING
    order_id: int = 0
    is_new: bool = False
    is_cancelling: bool = False


class Fill(NamedTuple):
    exchange_ns: int
    side: str
    price_ticks: int


@dataclass
class Exchange:
    """The market and the orders in it, at exchange time."""

    events: list[Depth | Trade]
    book: OrderBook
    response_ns: int
    matcher: Matcher = field(default_factory=lambda: Matcher(partial_fills=False))
    arrivals: deque[tuple[int, str, int, int, int]] = field(default_factory=deque)
    answers: list[tuple[int, int, str]] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    lots: int = 0
    _at: int = 0

    def advance(self, now_ns: int) -> None:
        while True:
            market_ns = self.events[self._at].exchange_ns if self._at < len(self.events) else 1 << 62
            order_ns = self.arrivals[0][0] if self.arrivals else 1 << 62
            if min(market_ns, order_ns) > now_ns:
                return
            if market_ns <= order_ns:
                self._market(self.events[self._at])
                self._at += 1
            else:
                self._arrive(*self.arrivals.popleft())

    def _market(self, event: Depth | Trade) -> None:
        if isinstance(event, Trade):
            events = self.matcher.on_trade(event.price_ticks, event.lots, event.side)
        else:
            self.book.apply_packed(event.bids, event.asks)
            events = self.matcher.on_book(
                event.bids, event.asks, self.book.best_bid_ticks or 0, self.book.best_ask_ticks or 0
            )
        self._note(event.exchange_ns, events)

    def _arrive(self, time_ns: int, kind: str, order_id: int, side: int, price_ticks: int) -> None:
        if kind == "cancel":
            if order_id in self.matcher:
                self._note(time_ns, self.matcher.cancel(order_id))
            return
        is_buy = side == match.BUY
        self._note(
            time_ns,
            self.matcher.submit(
                order_id,
                OWNER,
                side,
                price_ticks,
                self.lots,
                post_only=True,
                opposite=self.book.pack(not is_buy, 1),
                displayed_lots=self.book.lots_at(is_buy, price_ticks),
            ),
        )

    def _note(self, time_ns: int, events: list[match.MatchEvent]) -> None:
        words = {
            match.ACCEPTED: "NEW",
            match.REJECTED: "EXPIRED",
            match.FILL: "FILLED",
            match.CANCELED: "CANCELED",
        }
        for event in events:
            self.answers.append((time_ns + self.response_ns, event.order_id, words[event.kind]))
            if event.kind == match.FILL:
                side = "buy" if event.side == match.BUY else "sell"
                self.fills.append(Fill(time_ns, side, event.price_ticks))


class Grid:
    """The slot grid of the reference, at local time."""

    def __init__(self, run: dict[str, Any], exchange: Exchange, local_book: OrderBook) -> None:
        self.step: int = run["interval_ticks"]
        self.window: int = run["window"]
        self.cap: int = run["cap"]
        self.entry_ns: int = run["entry_latency_ns"]
        self.exchange = exchange
        self.book = local_book
        self.slots: dict[int, Slot] = {}
        self.owners: dict[int, int] = {}
        self.next_id = 1

    def send(self, now_ns: int, slot: int, side: int) -> None:
        order_id = self.next_id
        self.next_id += 1
        self.owners[order_id] = slot
        price = slot * self.step if side == match.BUY else (slot + 1) * self.step
        self.exchange.arrivals.append((now_ns + self.entry_ns, "submit", order_id, side, price))
        self.slots[slot] = Slot("BUYING" if side == match.BUY else "SELLING", order_id)

    def read(self, now_ns: int) -> None:
        answers = self.exchange.answers
        ready = [answer for answer in answers if answer[0] <= now_ns]
        answers[:] = [answer for answer in answers if answer[0] > now_ns]
        for _, order_id, word in ready:
            number = self.owners[order_id]
            slot = self.slots[number]
            if slot.order_id != order_id:
                continue
            if word == "NEW":
                slot.is_new = True
            elif slot.state == "BUYING":
                self.slots[number] = Slot("HELD" if word == "FILLED" else "EMPTY")
            else:
                self.slots[number] = Slot("EMPTY" if word == "FILLED" else "HELD")

    def decide(self, now_ns: int) -> None:
        self.read(now_ns)
        bid, ask = self.book.best_bid_ticks, self.book.best_ask_ticks
        assert bid is not None
        assert ask is not None
        held = sum(slot.state in {"HELD", "SELLING"} for slot in self.slots.values())
        top = bid // self.step
        low = top - self.window + 1
        for number, slot in self.slots.items():
            outside = not low <= number <= top
            if slot.state == "BUYING" and outside and slot.is_new and not slot.is_cancelling:
                slot.is_cancelling = True
                self.exchange.arrivals.append((now_ns + self.entry_ns, "cancel", slot.order_id, 0, 0))
        for number in sorted(self.slots):
            if self.slots[number].state == "HELD" and (number + 1) * self.step > bid:
                self.send(now_ns, number, match.SELL)
        working = sum(slot.state == "BUYING" and not slot.is_cancelling for slot in self.slots.values())
        for number in range(top, low - 1, -1):
            is_empty = self.slots.get(number, Slot()).state == "EMPTY"
            if is_empty and held + working < self.cap and number * self.step < ask:
                self.send(now_ns, number, match.BUY)
                working += 1


def _messages(path: Path, tick: Increment, lot: Increment, offset_ns: int) -> Iterator[Depth | Trade | bytes]:
    """Yield depth messages and market trades in order of arrival; the REST snapshot as raw bytes."""
    decoder = DepthDecoder(tick, lot)
    for receive_ns, frame in read_capture(path):
        kind = classify(frame)
        local_ns = receive_ns + offset_ns
        if kind is Kind.DEPTH_UPDATE:
            decoder.decode(frame)
            yield Depth(decoder.transaction_time_ms * 1_000_000, local_ns, decoder.bids, decoder.asks)
        elif kind is Kind.TRADE:
            trade = decode_trade(frame, tick, lot)
            if trade.is_market:
                side = match.SELL if trade.is_buyer_maker else match.BUY
                yield Trade(trade.transaction_time_ms * 1_000_000, local_ns, side, trade.price_ticks, trade.lots)
        elif kind is Kind.DEPTH_SNAPSHOT:
            yield frame


def _opening_book(path: Path, tick: Increment, lot: Increment) -> OrderBook:
    """Return the book at the end of the part before: all diffs, with the snapshot replacing its own price range."""
    book = OrderBook()
    decoder = DepthDecoder(tick, lot)
    for message in _messages(path, tick, lot, 0):
        if isinstance(message, Depth):
            book.apply_packed(message.bids, message.asks)
        elif isinstance(message, bytes):
            decoder.decode_snapshot(message)
            fresh = OrderBook()
            fresh.load_packed(decoder.bids, decoder.asks)
            for is_bid in (True, False):
                prices = [price for price, _ in fresh.levels(is_bid)]
                for price, _ in book.levels(is_bid):
                    if (price >= prices[-1]) if is_bid else (price <= prices[-1]):
                        book.set_level(is_bid, price, 0)
            book.apply_packed(decoder.bids, decoder.asks)
    return book


RUNS = [
    "R3_slotgrid_btcusdt_20240719_d50_n10_lat10ms",
    "R3_slotgrid_btcusdt_20240719_d100_n10_lat50ms",
    "R3_slotgrid_ethusdt_20240719_d50_n10_lat10ms",
]


@pytest.mark.parametrize("name", RUNS)
def test_every_fill_of_the_reference_grid_is_reproduced(shared_dir: Path, name: str) -> None:
    data = shared_dir / "data"
    summary = json.loads((data / "reference" / "R3_slotgrid_summary.json").read_text())
    run = next(run for run in summary["runs"] if run["name"] == name)
    tick, lot = Increment(f"{run['tick']:g}"), Increment(f"{run['lot']:g}")
    folder = data / "binance_usdm"
    parts = sorted(folder.glob(f"raw_ws_{run['symbol']}_2024*.jsonl.gz"))
    assert len(parts) == 2

    arrived = [m for m in _messages(parts[1], tick, lot, run["local_offset_ns"]) if not isinstance(m, bytes)]
    exchange = Exchange(
        sorted(arrived, key=lambda message: message.exchange_ns),
        _opening_book(parts[0], tick, lot),
        run["response_latency_ns"],
        lots=round(run["qty"] / run["lot"]),
    )
    local_book = _opening_book(parts[0], tick, lot)
    grid = Grid(run, exchange, local_book)
    start_ns = min(min(m.exchange_ns, m.local_ns) for m in arrived)
    end_ns = max(max(m.exchange_ns, m.local_ns) for m in arrived)

    at = 0
    now_ns = start_ns
    while now_ns + DECISION_NS <= end_ns:
        now_ns += DECISION_NS
        exchange.advance(now_ns)
        while at < len(arrived) and arrived[at].local_ns <= now_ns:
            message = arrived[at]
            if isinstance(message, Depth):
                local_book.apply_packed(message.bids, message.asks)
            at += 1
        grid.decide(now_ns)
    exchange.advance(end_ns)

    with (data / "reference" / f"{name}_fills.csv").open() as stream:
        expected = [
            Fill(int(row["exch_fill_ts_ns"]), row["side"], int(row["price_ticks"])) for row in csv.DictReader(stream)
        ]
    assert sorted(exchange.fills) == sorted(expected)
    assert len(expected) == run["fills"]
