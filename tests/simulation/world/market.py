"""A short seeded walk of a market: a ladder around a mid that moves, trades at the touch, and its naive twin.

The walk is quick on purpose: it crosses a few grid levels per second, so that a run of half a minute has fills, cycles
and jumps. Its ladder is kept in two dicts, which is also the naive model that every other book is compared with.
"""

from random import Random
from struct import pack

from msgspec.structs import replace

from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Side
from opensqt.matching.events import BookDelta, BookSnapshot, MarketEvent, TradePrint

LEVELS = 5
SPACING_TICKS = 30
KEPT_TOPS = 20_000


class MarketWalk:
    """One symbol. `tops` maps an update id to the (best bid, best ask) it led to."""

    def __init__(self, instrument: Instrument, start_ticks: int, rng: Random) -> None:
        self.symbol = instrument.symbol
        self.mid = start_ticks
        self.start = start_ticks
        self.speed = 1.0
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.update_id = 1_000
        self.trade_id = 1
        self.tops: dict[int, tuple[int, int]] = {}
        self.stands_still = False
        self.lot_step = 1
        """Sizes are multiples of it; prices lie on ticks of ten in any case."""
        self._last: TradePrint | None = None
        self._rng = rng
        self._move_to(start_ticks)
        self._keep()

    def snapshot(self, time_ns: int) -> BookSnapshot:
        """Return the whole book."""
        return BookSnapshot(self.symbol, time_ns, self.update_id, _packed(self.bids, -1), _packed(self.asks, 1))

    def snapshot_json(self, time_ns: int) -> bytes:
        """Return the whole book as the venue's REST reply."""
        ms = time_ns // 1_000_000
        return (
            f'{{"lastUpdateId":{self.update_id},"E":{ms},"T":{ms},"bids":[{_wire(self.bids)}],'
            f'"asks":[{_wire(self.asks)}]}}'
        ).encode()

    def step(self, time_ns: int) -> tuple[list[MarketEvent], bytes]:
        """Move; return what the venue is told, and its depth message."""
        rng, events = self._rng, list[MarketEvent]()
        before_bids, before_asks = self.bids, self.asks
        if self.stands_still:
            if self._last is not None:
                self.trade_id += 1
                events.append(replace(self._last, time_ns=time_ns, trade_id=str(self.trade_id)))
        else:
            events += [self._trade(time_ns) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
            pull = (self.start - self.mid) // 64
            jump = rng.choice((-220, 220)) if rng.random() < 0.01 else 0
            self._move_to(self.mid + int((rng.randint(-55, 55) + pull + jump) * self.speed))
        bids, asks = _changes(before_bids, self.bids), _changes(before_asks, self.asks)
        previous = self.update_id
        first, self.update_id = previous + 1, previous + rng.randint(1, 3)
        self._keep()
        events.append(BookDelta(self.symbol, time_ns, first, self.update_id, _packed(bids, -1), _packed(asks, 1)))
        ms = time_ns // 1_000_000
        message = (
            f'{{"e":"depthUpdate","E":{ms},"T":{ms},"s":"ETHUSDT","U":{first},"u":{self.update_id},"pu":{previous},'
            f'"b":[{_wire(bids)}],"a":[{_wire(asks)}]}}'
        ).encode()
        return events, message

    def stand_still(self) -> None:
        """Let nothing move any more: the book stays, and the last trade repeats."""
        self.stands_still = True

    def print_at(self, time_ns: int, aggressor: Side, price_ticks: int, lots: int) -> TradePrint:
        """Return one more public trade."""
        self.trade_id += 1
        lots = -(-lots // self.lot_step) * self.lot_step
        self._last = TradePrint(self.symbol, time_ns, str(self.trade_id), aggressor, price_ticks, lots)
        return self._last

    def _trade(self, time_ns: int) -> TradePrint:
        buys = self._rng.random() < 0.5
        price_ticks = min(self.asks) if buys else max(self.bids)
        return self.print_at(time_ns, Side.BUY if buys else Side.SELL, price_ticks, self._rng.randint(1, 60))

    def _move_to(self, mid: int) -> None:
        rng = self._rng
        self.mid = max(1_000, mid)
        base = self.mid - self.mid % SPACING_TICKS
        bids, asks = {}, {}
        for step in range(LEVELS):
            bid, ask = base - step * SPACING_TICKS, base + (step + 1) * SPACING_TICKS
            # A level that stays keeps its size most of the time: deltas are small, as real ones are.
            bids[bid] = self.bids.get(bid, 0) if rng.random() < 0.8 else 0
            asks[ask] = self.asks.get(ask, 0) if rng.random() < 0.8 else 0
            bids[bid] = bids[bid] or rng.randint(1, 400)
            asks[ask] = asks[ask] or rng.randint(1, 400)
            bids[bid], asks[ask] = (-(-lots // self.lot_step) * self.lot_step for lots in (bids[bid], asks[ask]))
        self.bids, self.asks = bids, asks

    def _keep(self) -> None:
        self.tops[self.update_id] = (max(self.bids), min(self.asks))
        if len(self.tops) > KEPT_TOPS:
            del self.tops[next(iter(self.tops))]


def _changes(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    changed = {price: 0 for price in before if price not in after}
    changed.update({price: lots for price, lots in after.items() if before.get(price) != lots})
    return changed


def _packed(levels: dict[int, int], order: int) -> bytes:
    rows = sorted(levels.items(), reverse=order < 0)
    return pack(f"<{2 * len(rows)}q", *(number for row in rows for number in row))


def _wire(levels: dict[int, int]) -> str:
    return ",".join(
        f'["{price // 100}.{price % 100:02d}","{lots // 1000}.{lots % 1000:03d}"]' for price, lots in levels.items()
    )
