"""Matching market events against a grid of resting orders: the kernel against plain Python."""

import random
import struct
from bisect import bisect_left, insort
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from opensqt._core.match import BUY, SELL, Matcher, fee_units

MID_TICKS = 640_000
ORDERS = 40
EVENTS = 5_000


def ladder() -> list[tuple[int, int, int]]:
    """Return (order id, side, price): twenty bids and twenty asks, five ticks apart."""
    bids = [(i, BUY, MID_TICKS - 5 - 5 * i) for i in range(ORDERS // 2)]
    asks = [(ORDERS + i, SELL, MID_TICKS + 5 + 5 * i) for i in range(ORDERS // 2)]
    return bids + asks


class PythonMatcher:
    """Resting orders in dictionaries by price, with the same queue rules."""

    def __init__(self) -> None:
        self.levels: dict[tuple[int, int], list[list[int]]] = defaultdict(list)

    def add(self, order_id: int, side: int, price: int, lots: int, ahead: int) -> None:
        self.levels[(side, price)].append([order_id, lots, ahead])

    def on_trade(self, price: int, lots: int, aggressor: int) -> list[tuple[int, int]]:
        fills = []
        side = 1 - aggressor
        for level_side, level in list(self.levels):
            better = level > price if side == BUY else level < price
            if level_side == side and better:
                fills += [(order[0], order[1]) for order in self.levels.pop((level_side, level))]
        for order in self.levels.get((side, price), ()):
            if lots > order[2]:
                got = min(order[1], lots - order[2])
                order[1] -= got
                order[2] = 0
                lots -= got
                fills.append((order[0], got))
            else:
                order[2] -= lots
        return fills

    def on_depth(self, side: int, price: int, lots: int) -> None:
        for order in self.levels.get((side, price), ()):
            order[2] = min(order[2], lots)


def market() -> list[tuple[bool, int, int, int]]:
    """Draw (is trade, side, price, lots): trades at the touch, three changes of depth to each."""
    rng = random.Random(5)
    events = []
    for _ in range(EVENTS):
        side = rng.randrange(2)
        distance = 5 if rng.random() < 0.25 else rng.randrange(4, 120)
        price = MID_TICKS + distance if side else MID_TICKS - distance
        events.append((distance == 5, side, price, rng.randrange(1, 50)))
    return events


def test_market_events_against_forty_resting_orders(race: Any) -> None:
    """Target of a full-fidelity backtest is a million events a second: matching has to cost far less than 1 us each."""
    events = market()

    def ours() -> None:
        matcher = Matcher()
        for order_id, side, price in ladder():
            matcher.submit(order_id, 1, side, price, 1 << 40, displayed_lots=100)
        for is_trade, side, price, lots in events:
            if is_trade:
                matcher.on_trade(price, lots, 1 - side)
            else:
                matcher.on_depth(side, price, lots)
        assert len(matcher) == ORDERS

    def baseline() -> None:
        matcher = PythonMatcher()
        for order_id, side, price in ladder():
            matcher.add(order_id, side, price, 1 << 40, 100)
        for is_trade, side, price, lots in events:
            if is_trade:
                matcher.on_trade(price, lots, 1 - side)
            else:
                matcher.on_depth(side, price, lots)

    race(ours, baseline, items=EVENTS, at_least=4)


def test_depth_changes_by_the_message(race: Any) -> None:
    """Twenty changed levels a side in one call, as the book publishes them."""
    events = [(side, price, lots) for _, side, price, lots in market()][:40]
    bids = b"".join(struct.pack("<qq", price, lots) for side, price, lots in events if side == BUY)
    asks = b"".join(struct.pack("<qq", price, lots) for side, price, lots in events if side == SELL)
    matcher, python = Matcher(), PythonMatcher()
    for order_id, side, price in ladder():
        matcher.submit(order_id, 1, side, price, 5, displayed_lots=100)
        python.add(order_id, side, price, 5, 100)

    def ours() -> None:
        for _ in range(100):
            matcher.on_book(bids, asks, MID_TICKS - 4, MID_TICKS + 4)

    def baseline() -> None:
        for _ in range(100):
            for side, price, lots in events:
                python.on_depth(side, price, lots)

    race(ours, baseline, items=100 * len(events), at_least=5)


def test_an_order_from_arrival_to_cancel(race: Any) -> None:
    """Submit with every check, cancel, and an event for each, against a sorted list without checks or events."""
    opposite = struct.pack("<qq", MID_TICKS + 1, 10)

    def ours() -> None:
        matcher = Matcher()
        for i in range(500):
            matcher.submit(i, 1, BUY, MID_TICKS - i, 5, post_only=True, opposite=opposite, displayed_lots=9)
        for i in range(500):
            matcher.cancel(i)
        assert len(matcher) == 0

    def baseline() -> None:
        queue: list[tuple[int, int]] = []
        orders: dict[int, dict[str, int | bool]] = {}
        best_ask = struct.unpack("<qq", opposite)[0]
        for i in range(500):
            price = MID_TICKS - i
            if i not in orders and price < best_ask:
                orders[i] = {"id": i, "owner": 1, "price": price, "lots": 5, "ahead": 9, "post_only": True}
                insort(queue, (-price, i))
        for i in range(500):
            order = orders.pop(i)
            del queue[bisect_left(queue, (-order["price"], i))]

    race(ours, baseline, items=500, at_least=0.5)


def test_a_fee(race: Any) -> None:
    """Half-even in integers against Decimal, which is how exact money is usually done."""
    notionals = [1_000_003 * n for n in range(1, 2_000)]
    rate = Decimal("0.0002")

    def ours() -> None:
        for notional in notionals:
            fee_units(notional, 200_000)

    def baseline() -> None:
        for notional in notionals:
            int((notional * rate).to_integral_value(ROUND_HALF_EVEN))

    race(ours, baseline, items=len(notionals), at_least=2)
