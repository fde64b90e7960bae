"""The book kernel agrees with a dict that is sorted on demand, through any history."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from models.book_model import ModelBook, pack, unpack

from opensqt._core.book import OrderBook

RING_TICKS = 16384
MAX_TICKS = 2**53 - 1

# Offsets from a wandering centre: at the touch, at the ring's borders, and anywhere.
offsets = (
    st.integers(-40, 40)
    | st.integers(-4, 4).flatmap(lambda rings: st.integers(-70, 70).map(lambda d: rings * RING_TICKS // 4 + d))
    | st.integers(-200_000, 200_000)
)
lots = st.just(0) | st.integers(1, 9) | st.integers(1, 2**53 - 1)
deltas = st.lists(st.tuples(offsets, lots), max_size=30)


class BookAgainstModel(RuleBasedStateMachine):
    """Drive kernel and model with the same history; every view must stay equal."""

    def __init__(self) -> None:
        super().__init__()
        self.book = OrderBook()
        self.model = ModelBook()
        self.published = ModelBook()
        self.centre = 640_000

    def ticks(self, offset: int) -> int:
        return min(max(self.centre + offset, 1), MAX_TICKS)

    @initialize(centre=st.sampled_from([1, 5_000, 640_000, 2**40, MAX_TICKS]))
    def start(self, centre: int) -> None:
        self.centre = centre

    @rule(bids=deltas, asks=deltas)
    def apply(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        sides = {True: bids, False: asks}
        packed = {}
        for is_bid, changes in sides.items():
            levels = [(self.ticks(offset), quantity) for offset, quantity in changes]
            packed[is_bid] = pack(levels)
            for ticks, quantity in levels:
                self.model.set_level(is_bid, ticks, quantity)
        self.book.apply_packed(packed[True], packed[False])

    @rule(is_bid=st.booleans(), depth=st.integers(1, 20))
    def eat_from_the_touch(self, is_bid: bool, depth: int) -> None:
        for ticks, _ in self.model.levels(is_bid)[:depth]:
            self.book.set_level(is_bid, ticks, 0)
            self.model.set_level(is_bid, ticks, 0)

    @rule(move=st.integers(-3 * RING_TICKS, 3 * RING_TICKS) | st.integers(-(10**12), 10**12))
    def wander(self, move: int) -> None:
        self.centre = self.ticks(move)

    @rule(bids=deltas, asks=deltas)
    def load(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
        self.model.clear()
        packed = {}
        for is_bid, changes in {True: bids, False: asks}.items():
            levels = [(self.ticks(offset), quantity) for offset, quantity in changes]
            packed[is_bid] = pack(levels)
            for ticks, quantity in levels:
                self.model.set_level(is_bid, ticks, quantity)
        self.book.load_packed(packed[True], packed[False])

    @rule()
    def clear(self) -> None:
        self.book.clear()
        self.model.clear()

    @rule()
    def publish(self) -> None:
        changes = self.book.take_changes()
        if changes is None:
            self.published.clear()
            changes = self.book.pack(True), self.book.pack(False)
        for is_bid, packed in zip((True, False), changes, strict=True):
            for ticks, quantity in unpack(packed):
                self.published.set_level(is_bid, ticks, quantity)
        assert self.published.sides == self.model.sides

    @rule(is_bid=st.booleans(), offset=offsets)
    def look(self, is_bid: bool, offset: int) -> None:
        ticks = self.ticks(offset)
        assert self.book.lots_at(is_bid, ticks) == self.model.sides[is_bid].get(ticks, 0)
        assert self.book.depth_lots(is_bid, ticks) == self.model.depth_lots(is_bid, ticks)

    @invariant()
    def same_levels(self) -> None:
        for is_bid in (True, False):
            expected = self.model.levels(is_bid)
            assert self.book.levels(is_bid) == expected
            assert self.book.level_count(is_bid) == len(expected)
            assert self.book.levels(is_bid, 3) == expected[:3]

    @invariant()
    def same_touch(self) -> None:
        bid, ask = self.model.best(True), self.model.best(False)
        assert (self.book.best_bid_ticks, self.book.best_bid_lots) == (bid or (None, None))
        assert (self.book.best_ask_ticks, self.book.best_ask_lots) == (ask or (None, None))
        assert self.book.is_crossed == (bid is not None and ask is not None and bid[0] >= ask[0])
        assert self.book.mid2_ticks == (bid[0] + ask[0] if bid and ask else None)


TestBookAgainstModel = BookAgainstModel.TestCase
TestBookAgainstModel.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
