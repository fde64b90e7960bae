"""The book of a synthetic market: one tick wide, dense near the touch, round prices far from it.

A price holds a level when it lies within `NEAR` ticks of the touch, or within `FAR` and is a round number. Sizes grow
with distance. Changes are collected until taken, as absolute sizes per price.
"""

from typing import Final, final

from opensqt.matching.exact import SplitMix64

NEAR: Final = 60
FAR: Final = 900
ROUND: Final = 50


@final
class SyntheticBook:
    """Two sides as price -> lots, the ask always one tick above the bid."""

    def __init__(self, bid_ticks: int, touch_lots: int) -> None:
        self.bid_ticks = bid_ticks
        self._touch_lots = touch_lots
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self._changed_bids: dict[int, None] = {}
        self._changed_asks: dict[int, None] = {}

    @property
    def ask_ticks(self) -> int:
        """Return the best ask."""
        return self.bid_ticks + 1

    def fill_up(self, random: SplitMix64) -> None:
        """Draw every level anew."""
        self.bids = {price: self._draw(random, distance) for distance, price in self._wanted(-1)}
        self.asks = {price: self._draw(random, distance) for distance, price in self._wanted(1)}
        self._changed_bids.clear()
        self._changed_asks.clear()

    def take(self, is_bid: bool, lots: int) -> int:
        """Take lots from the touch, leaving at least one; return how many were taken."""
        side, price = (self.bids, self.bid_ticks) if is_bid else (self.asks, self.bid_ticks + 1)
        taken = min(lots, side[price] - 1)
        if taken > 0:
            side[price] -= taken
            (self._changed_bids if is_bid else self._changed_asks)[price] = None
        return taken

    def touch_lots(self, is_bid: bool) -> int:
        """Return the lots at the touch."""
        return self.bids[self.bid_ticks] if is_bid else self.asks[self.bid_ticks + 1]

    def move_to(self, random: SplitMix64, bid_ticks: int) -> None:
        """Move the touch: levels it passes vanish, new ones appear behind it and at the far ends."""
        old = self.bid_ticks
        self.bid_ticks = bid_ticks
        if abs(bid_ticks - old) >= NEAR:
            self._redraw(random)
            return
        if bid_ticks > old:
            for price in range(old + 1, bid_ticks + 1):
                self._drop_ask(price)
                self._put_bid(random, price, bid_ticks - price)
            self._shift_far(random, old, bid_ticks)
        else:
            for price in range(old, bid_ticks, -1):
                self._drop_bid(price)
                self._put_ask(random, price, price - bid_ticks - 1)
            self._shift_far(random, old, bid_ticks)

    def refresh(self, random: SplitMix64) -> None:
        """Draw one level of each side anew: mostly near the touch."""
        bits = random.next64()
        distance = min(bits & 63, bits >> 6 & 63) * NEAR // 64
        self._put_bid(random, self.bid_ticks - distance, distance)
        distance = min(bits >> 12 & 63, bits >> 18 & 63) * NEAR // 64
        self._put_ask(random, self.bid_ticks + 1 + distance, distance)

    def take_changes(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the changed levels of both sides by price as (ticks, lots), 0 lots for one that vanished."""
        bids = [(price, self.bids.get(price, 0)) for price in sorted(self._changed_bids)]
        asks = [(price, self.asks.get(price, 0)) for price in sorted(self._changed_asks)]
        self._changed_bids.clear()
        self._changed_asks.clear()
        return bids, asks

    def _wanted(self, sign: int) -> list[tuple[int, int]]:
        touch = self.bid_ticks if sign < 0 else self.bid_ticks + 1
        near = [(distance, touch + sign * distance) for distance in range(NEAR)]
        far = [(d, touch + sign * d) for d in range(NEAR, FAR) if (touch + sign * d) % ROUND == 0]
        return near + far

    def _draw(self, random: SplitMix64, distance: int) -> int:
        scale = 128 + random.below(384) + 8 * min(distance, 4 * NEAR)
        return max(2, self._touch_lots * scale >> 8)

    def _redraw(self, random: SplitMix64) -> None:
        before_bids, before_asks = self.bids, self.asks
        changed_bids, changed_asks = dict(self._changed_bids), dict(self._changed_asks)
        self.fill_up(random)
        self._changed_bids = dict.fromkeys([*changed_bids, *before_bids, *self.bids])
        self._changed_asks = dict.fromkeys([*changed_asks, *before_asks, *self.asks])

    def _shift_far(self, random: SplitMix64, old: int, new: int) -> None:
        step = 1 if new > old else -1
        for touch in range(old + step, new + step, step):
            if step > 0:
                self._leave_near(touch - NEAR, self.bids, self._changed_bids)
                self._drop_bid(touch - FAR)
                self._enter(random, touch + NEAR, NEAR - 1, is_bid=False)
                self._enter_far(random, touch + FAR, is_bid=False)
            else:
                self._leave_near(touch + 1 + NEAR, self.asks, self._changed_asks)
                self._drop_ask(touch + 1 + FAR)
                self._enter(random, touch + 1 - NEAR, NEAR - 1, is_bid=True)
                self._enter_far(random, touch + 1 - FAR, is_bid=True)

    def _enter(self, random: SplitMix64, price: int, distance: int, *, is_bid: bool) -> None:
        if price not in (self.bids if is_bid else self.asks):
            (self._put_bid if is_bid else self._put_ask)(random, price, distance)

    def _enter_far(self, random: SplitMix64, price: int, *, is_bid: bool) -> None:
        if price % ROUND == 0:
            self._enter(random, price, FAR - 1, is_bid=is_bid)

    def _leave_near(self, price: int, side: dict[int, int], changed: dict[int, None]) -> None:
        if price % ROUND and side.pop(price, None) is not None:
            changed[price] = None

    def _put_bid(self, random: SplitMix64, price: int, distance: int) -> None:
        self.bids[price] = self._draw(random, distance)
        self._changed_bids[price] = None

    def _put_ask(self, random: SplitMix64, price: int, distance: int) -> None:
        self.asks[price] = self._draw(random, distance)
        self._changed_asks[price] = None

    def _drop_bid(self, price: int) -> None:
        if self.bids.pop(price, None) is not None:
            self._changed_bids[price] = None

    def _drop_ask(self, price: int) -> None:
        if self.asks.pop(price, None) is not None:
            self._changed_asks[price] = None
