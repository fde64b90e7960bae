"""The matcher against a plain model through any sequence of commands and market events."""

import struct

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from models.match_model import BUY, FILL, GTC, SELL, Levels, MatcherModel, Order

from opensqt._core.match import Matcher, MatchEvent

prices = st.integers(95, 105)
lots = st.integers(1, 12)
owners = st.integers(1, 3)
sides = st.integers(0, 1)
ids = st.integers(1, 25)
displays = st.integers(0, 15)


@st.composite
def ladders(draw: st.DrawFn) -> Levels:
    """Return levels as (price, lots), ascending; a test reverses them for bids."""
    return [(price, draw(lots)) for price in sorted(draw(st.sets(prices, max_size=4)))]


def packed(levels: Levels) -> bytes:
    return b"".join(struct.pack("<qq", *level) for level in levels)


class MatcherAgainstModel(RuleBasedStateMachine):
    @initialize(
        through_all=st.booleans(),
        partial_fills=st.booleans(),
        queue_power=st.integers(0, 3),
        keep_queue=st.booleans(),
    )
    def start(self, through_all: bool, partial_fills: bool, queue_power: int, keep_queue: bool) -> None:
        self.settings = {
            "max_orders": 12,
            "print_through_fills_all": through_all,
            "partial_fills": partial_fills,
            "queue_power": queue_power,
            "keep_queue_on_decrease": keep_queue,
        }
        self.matcher = Matcher(**self.settings)
        self.model = MatcherModel(12, through_all, partial_fills, queue_power, keep_queue)
        self.asked: dict[int, int] = {}
        self.filled: dict[int, int] = {}
        self.next_id = 1

    def agree(self, events: list[MatchEvent], expected: list[tuple[int, int, int, int, int, bool, int]]) -> None:
        assert [event.as_tuple() for event in events] == expected
        for event in events:
            if event.kind == FILL:
                self.filled[event.order_id] = self.filled.get(event.order_id, 0) + event.lots

    @rule(
        owner=owners,
        side=sides,
        price=st.one_of(prices, prices, prices, st.just(0)),
        size=lots,
        kind=st.sampled_from(["gtc", "gtc", "post", "post", "ioc", "fok"]),
        reduce_only=st.booleans(),
        ladder=ladders(),
        display=displays,
        stp=st.integers(0, 2),
        reuse=st.integers(0, 9),
    )
    def submit(
        self,
        owner: int,
        side: int,
        price: int,
        size: int,
        kind: str,
        reduce_only: bool,
        ladder: Levels,
        display: int,
        stp: int,
        reuse: int,
    ) -> None:
        order_id = self.next_id
        if reuse == 0 and self.model.orders:
            order_id = self.model.orders[0].id
        else:
            self.next_id += 1
            self.asked[order_id] = size
        post_only = kind == "post" and price > 0
        tif = {"ioc": 1, "fok": 2}.get(kind, GTC)
        opposite = ladder if side == BUY else ladder[::-1]
        events = self.matcher.submit(
            order_id,
            owner,
            side,
            price,
            size,
            tif=tif,
            post_only=post_only,
            reduce_only=reduce_only,
            opposite=packed(opposite),
            displayed_lots=display,
            stp=stp,
        )
        order = Order(order_id, owner, side, price, size, reduce_only=reduce_only, post_only=post_only)
        self.agree(events, self.model.submit(order, tif, opposite, display, stp))

    @rule(order_id=ids)
    def cancel(self, order_id: int) -> None:
        self.agree(self.matcher.cancel(order_id), self.model.cancel(order_id))

    @rule(order_id=ids, price=prices, size=lots, ladder=ladders(), display=displays, stp=st.integers(0, 2))
    def amend(self, order_id: int, price: int, size: int, ladder: Levels, display: int, stp: int) -> None:
        resting = self.model.find(order_id)
        opposite = ladder if resting is None or resting.side == BUY else ladder[::-1]
        if resting is not None:
            self.asked[order_id] = max(self.asked[order_id], size)
        self.agree(
            self.matcher.amend(order_id, price, size, opposite=packed(opposite), displayed_lots=display, stp=stp),
            self.model.amend(order_id, price, size, opposite, display, stp),
        )

    @rule(price=prices, size=st.integers(0, 30), aggressor=sides)
    def trade(self, price: int, size: int, aggressor: int) -> None:
        self.agree(self.matcher.on_trade(price, size, aggressor), self.model.on_trade(price, size, aggressor))

    @rule(changes=st.lists(st.tuples(sides, prices, st.integers(0, 20)), max_size=5), bid=prices, ask=prices)
    def book(self, changes: list[tuple[int, int, int]], bid: int, ask: int) -> None:
        bids = [(p, n) for side, p, n in changes if side == BUY]
        asks = [(p, n) for side, p, n in changes if side == SELL]
        bid, ask = min(bid, 99), max(ask, 101)
        events = self.matcher.on_book(packed(bids), packed(asks), bid, ask)
        for side, levels in ((BUY, bids), (SELL, asks)):
            for price, shown in levels:
                self.model.on_depth(side, price, shown)
        self.agree(events, self.model.on_best(bid, ask))

    @rule(owner=owners, position=st.integers(-15, 15))
    def set_position(self, owner: int, position: int) -> None:
        self.agree(self.matcher.set_position(owner, position), self.model.set_position(owner, position))

    @rule()
    def save_and_load(self) -> None:
        fresh = Matcher(**self.settings)
        fresh.load(self.matcher.dump(), self.matcher.positions())
        assert fresh.dump() == self.matcher.dump()
        self.matcher = fresh

    @invariant()
    def states_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        expected = [
            (
                o.id,
                o.owner,
                o.side,
                o.price,
                o.lots,
                o.filled,
                o.ahead,
                o.displayed,
                o.traded,
                o.reduce_only,
                o.post_only,
            )
            for o in self.model.orders
        ]
        assert self.matcher.dump() == expected
        assert len(self.matcher) == len(expected)
        for owner in (1, 2, 3):
            assert self.matcher.position(owner) == self.model.position.get(owner, 0)

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.matcher.dump()
        # Nothing is filled beyond what was asked.
        assert all(done <= self.asked[order_id] for order_id, done in self.filled.items())
        assert all(row[4] > 0 for row in rows)
        # Reduce-only orders could all fill without turning a position around.
        for owner in (1, 2, 3):
            position = self.matcher.position(owner)
            for side in (BUY, SELL):
                reducing = sum(row[4] for row in rows if row[1] == owner and row[2] == side and row[9])
                assert reducing <= max(position if side == SELL else -position, 0)
        # Resting orders never lock or cross each other.
        bids = [row[3] for row in rows if row[2] == BUY]
        asks = [row[3] for row in rows if row[2] == SELL]
        assert not bids or not asks or max(bids) < min(asks)


TestMatcherAgainstModel = MatcherAgainstModel.TestCase
TestMatcherAgainstModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
