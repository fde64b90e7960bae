"""What the public can know of one symbol: update ids, trades, aggregate trades, klines. Fed by market events.

Update ids are counted over all symbols, so between two events of a symbol there are always some missing; only `pu`
chains them. The ids of the market's source are not shown: a capture that begins again would repeat them.
"""

from collections import deque
from typing import Final, final

import msgspec

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.order import Side
from opensqt.matching.events import BookDelta, BookSnapshot, CandleHistory, TradePrint
from opensqt.matching.exact import SplitMix64
from opensqt.matching.venue import SimulatedVenue
from opensqt.sim.dialects.binance.klines import KlineSeries
from opensqt.sim.dialects.binance.rules import SymbolRules

AGGREGATE_MS: Final = 100
_TRADES_KEPT: Final = 5_000
_FIRST_ID: Final = 9_924_360_000_000


class PublicPrint(msgspec.Struct, frozen=True):
    """One public trade."""

    id: int
    time_ms: int
    ticks: int
    lots: int
    is_buyer_maker: bool


class AggregateTrade(msgspec.Struct):
    """Trades of one taker side at one price within 100 ms."""

    id: int
    time_ms: int
    ticks: int
    lots: int
    is_buyer_maker: bool
    first_id: int
    last_id: int
    opened_ms: int


class DepthStep(msgspec.Struct, frozen=True):
    """One change of the book under venue ids; a restart says that what came before no longer leads here."""

    first_id: int
    last_id: int
    time_ms: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    is_restart: bool = False


@final
class UpdateIds:
    """Numbers of book updates over all symbols."""

    def __init__(self, seed: int) -> None:
        self._random = SplitMix64(seed)
        self.last = _FIRST_ID

    def take(self, count: int) -> tuple[int, int]:
        """Return (first, last) id of an update with so many changes; other symbols took some before it."""
        first = self.last + 2 + self._random.below(50)
        self.last = first + max(1, count) - 1
        return first, self.last


@final
class SymbolData:
    """One symbol's public record."""

    def __init__(self, rules: SymbolRules, venue: SimulatedVenue, ids: UpdateIds) -> None:
        self.rules = rules
        self._venue = venue
        self._ids = ids
        self.book = venue.view.book(rules.instrument.symbol)
        self.klines = KlineSeries()
        self.trades: deque[PublicPrint] = deque(maxlen=_TRADES_KEPT)
        self.aggregates: deque[AggregateTrade] = deque(maxlen=_TRADES_KEPT)
        self.open_aggregate: AggregateTrade | None = None
        self.last_id = 0
        self.book_time_ms = 0
        self._next_trade_id = 1
        self._next_aggregate_id = 1

    @property
    def best(self) -> tuple[int, int, int, int]:
        """Return (bid ticks, bid lots, ask ticks, ask lots), 0 where there is none."""
        book = self.book
        return (
            book.best_bid_ticks or 0,
            book.best_bid_lots or 0,
            book.best_ask_ticks or 0,
            book.best_ask_lots or 0,
        )

    @property
    def last_price_ticks(self) -> int:
        """Return the price of the last trade, else of the last kline or the bid."""
        if self.trades:
            return self.trades[-1].ticks
        current = self.klines.current("1m")
        return current.close if current is not None else self.best[0]

    def on_depth(self, event: BookDelta | BookSnapshot) -> DepthStep:
        """Number a change of the book."""
        self.book_time_ms = event.time_ns // NS_PER_MS
        if isinstance(event, BookSnapshot):
            first, self.last_id = self._ids.take(1)
            return DepthStep(first, self.last_id, self.book_time_ms, (), (), is_restart=True)
        bids, asks = unpack(event.bids), unpack(event.asks)
        first, self.last_id = self._ids.take(len(bids) + len(asks))
        return DepthStep(first, self.last_id, self.book_time_ms, bids, asks)

    def on_trade(self, event: TradePrint) -> tuple[PublicPrint, AggregateTrade | None]:
        """Record a trade; return it, and the aggregate that it ended, if any."""
        time_ms = event.time_ns // NS_PER_MS
        print_ = PublicPrint(self._next_trade_id, time_ms, event.price_ticks, event.lots, event.aggressor is Side.SELL)
        self._next_trade_id += 1
        self.trades.append(print_)
        self.klines.on_trade(time_ms, print_.id, print_.ticks, print_.lots, is_buy=not print_.is_buyer_maker)
        return print_, self._aggregate(print_)

    def load_history(self, event: CandleHistory) -> None:
        """Take klines from before the first trade."""
        self.klines.load(event.candles)

    def close_aggregate(self, now_ms: int) -> AggregateTrade | None:
        """Return the open aggregate if its 100 ms are over."""
        open_ = self.open_aggregate
        if open_ is None or now_ms < open_.opened_ms + AGGREGATE_MS:
            return None
        self.open_aggregate = None
        return open_

    def _aggregate(self, print_: PublicPrint) -> AggregateTrade | None:
        open_ = self.open_aggregate
        if (
            open_ is not None
            and (open_.ticks, open_.is_buyer_maker) == (print_.ticks, print_.is_buyer_maker)
            and print_.time_ms < open_.opened_ms + AGGREGATE_MS
        ):
            open_.lots += print_.lots
            open_.last_id = print_.id
            return None
        self.open_aggregate = AggregateTrade(
            self._next_aggregate_id,
            print_.time_ms,
            print_.ticks,
            print_.lots,
            print_.is_buyer_maker,
            print_.id,
            print_.id,
            print_.time_ms,
        )
        self._next_aggregate_id += 1
        self.aggregates.append(self.open_aggregate)
        return open_


def unpack(packed: bytes) -> tuple[tuple[int, int], ...]:
    """Return packed levels as (ticks, lots)."""
    numbers = memoryview(packed).cast("q")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
