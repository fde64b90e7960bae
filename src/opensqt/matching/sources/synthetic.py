"""A seeded market: trades, book, marks and candles that belong to each other, the same for a seed on every machine.

Each symbol moves in steps (about 50 ms apart). A step moves the fair price, lets some traders take from the touch,
lets the touch follow the fair price (now and then after a trade that empties it), and ends with one book delta. Trades
happen only at the touch of the book as published before them; candles come from these trades alone. The mark is the
smoothed mid, once per second. The state of a symbol is a handful of integers and its levels.
"""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, final

import msgspec

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Side
from opensqt.matching.events import BookDelta, BookSnapshot, CandleHistory, MarketEvent, MarkUpdate, TradePrint
from opensqt.matching.exact import SplitMix64
from opensqt.matching.funding import next_funding_ms
from opensqt.matching.sources.errors import CaptureError
from opensqt.matching.sources.instruments import known_instrument
from opensqt.matching.sources.packing import pack_levels
from opensqt.matching.sources.synthetic_book import SyntheticBook
from opensqt.matching.sources.synthetic_path import PricePath, history

_START_PRICES = {
    "BTCUSDT": Decimal(64_000),
    "ETHUSDT": Decimal(3_400),
    "BNBUSDT": Decimal(580),
    "SOLUSDT": Decimal(160),
    "XRPUSDT": Decimal("0.58"),
    "DOGEUSDT": Decimal("0.12"),
    "ADAUSDT": Decimal("0.42"),
    "LTCUSDT": Decimal(72),
    "LINKUSDT": Decimal(14),
    "TRXUSDT": Decimal("0.24"),
    "APEUSDT": Decimal("0.78"),
    "NEXOUSDT": Decimal("1.21"),
}

_MARK_PERIOD_MS = 1_000
_MARK_SMOOTHING = 8
_TRADES_PER_STEP = (0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 0)


class SyntheticSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol. Volatility and drift are per year (0.75 = 75 %); a half-life of 0 turns the pull-back off."""

    instrument: Instrument
    start_price: Decimal
    annual_volatility: float = 0.75
    annual_drift: float = 0.0
    reversion_half_life_s: int = 1_800
    touch_notional: Decimal = Decimal(40_000)
    trade_notional: Decimal = Decimal(5_000)


class SyntheticConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A seeded market that begins at a time."""

    seed: int
    start_time_ns: int
    symbols: tuple[SyntheticSymbol, ...]
    history_minutes: int = 300
    step_ms: int = 50


def synthetic_symbol(venue_symbol: str, **settings: Any) -> SyntheticSymbol:
    """Return the defaults of a common symbol (BTCUSDT); `settings` override fields. KeyError for an unknown one."""
    defaults: dict[str, Any] = {
        "instrument": known_instrument(venue_symbol),
        "start_price": _START_PRICES[venue_symbol],
    }
    return SyntheticSymbol(**(defaults | settings))


@final
class _SymbolFeed:
    """One symbol's generator."""

    def __init__(self, config: SyntheticConfig, index: int) -> None:
        setting = config.symbols[index]
        self.setting = setting
        instrument = setting.instrument
        self.symbol = instrument.symbol
        self._step_ms = config.step_ms
        self._half_tick_e8 = int(instrument.tick_size.scaleb(8) / 2)
        start_ticks = int(setting.start_price / instrument.tick_size)
        lot_value = instrument.ticks_to_price(start_ticks) * instrument.lots_to_quantity(1)
        self._trade_lots = max(1, int(setting.trade_notional / lot_value))
        self.random = SplitMix64(config.seed * 1_000_003 + index)
        self.path = PricePath(
            start_ticks,
            step_ms=config.step_ms,
            annual_volatility=setting.annual_volatility,
            annual_drift=setting.annual_drift,
            half_life_s=setting.reversion_half_life_s,
        )
        self._touch_lots = max(4, int(setting.touch_notional / lot_value))
        self.book = SyntheticBook(start_ticks, self._touch_lots)
        self.book.fill_up(self.random)
        self.now_ms = config.start_time_ns // NS_PER_MS
        self.next_ms = self.now_ms + 1
        self.next_mark_ms = self.now_ms
        self.mark_e8 = self._mid_e8()
        self.update_id = 1
        self.trade_id = 1
        self.rate_period_ms = 0
        self.rate_e6 = 0
        self.start_ticks = start_ticks

    def opening(self, config: SyntheticConfig) -> list[MarketEvent]:
        """Return history, book and mark of the beginning."""
        candles = history(
            self.symbol,
            SplitMix64(self.random.state ^ 0x5DEECE66D),
            end_ticks=self.start_ticks,
            end_ms=self.now_ms,
            minutes=config.history_minutes,
            annual_volatility=self.setting.annual_volatility,
            mean_minute_lots=780 * self._trade_lots + 375 * self._touch_lots,
        )
        events: list[MarketEvent] = [CandleHistory(self.symbol, self.now_ms * NS_PER_MS, candles)] if candles else []
        return [*events, self.snapshot(), self._mark()]

    def snapshot(self) -> BookSnapshot:
        """Return the book as it is."""
        return BookSnapshot(
            self.symbol,
            self.now_ms * NS_PER_MS,
            self.update_id,
            pack_levels(sorted(self.book.bids.items(), reverse=True)),
            pack_levels(sorted(self.book.asks.items())),
        )

    def step(self) -> list[MarketEvent]:
        """Move to the next step and return what happened, in order."""
        random, book = self.random, self.book
        self.now_ms = self.next_ms
        self.next_ms += self._step_ms // 2 + random.below(self._step_ms + 1)
        time_ns = self.now_ms * NS_PER_MS
        events: list[MarketEvent] = []
        target = self.path.step(random)
        move = target - book.bid_ticks
        bits = random.next64()
        for index in range(_TRADES_PER_STEP[bits & 15]):
            # Takers lean towards where the price goes.
            lean = 6 if move > 0 else 2 if move < 0 else 4
            is_buy = (bits >> 4 + 3 * index & 7) < lean
            taken = book.take(not is_buy, self._size())
            if taken:
                events.append(self._trade(time_ns, is_buy, taken))
        if move:
            is_buy = move > 0
            if bits >> 20 & 3 == 0:
                events.append(self._trade(time_ns, is_buy, book.touch_lots(not is_buy)))
            book.move_to(random, target)
        book.refresh(random)
        bids, asks = book.take_changes()
        first_id = self.update_id + 1
        self.update_id += len(bids) + len(asks)
        events.append(BookDelta(self.symbol, time_ns, first_id, self.update_id, pack_levels(bids), pack_levels(asks)))
        if self.now_ms >= self.next_mark_ms:
            events.append(self._mark())
        return events

    def _size(self) -> int:
        bits = self.random.next64()
        # The product of two uniform numbers: many small trades, a few large ones; its mean is a quarter.
        return 1 + (4 * self._trade_lots * (bits & 65_535) * (bits >> 16 & 65_535) >> 32)

    def _trade(self, time_ns: int, is_buy: bool, lots: int) -> TradePrint:
        price = self.book.ask_ticks if is_buy else self.book.bid_ticks
        trade_id = self.trade_id
        self.trade_id += 1
        return TradePrint(self.symbol, time_ns, str(trade_id), Side.BUY if is_buy else Side.SELL, price, lots)

    def _mid_e8(self) -> int:
        return (2 * self.book.bid_ticks + 1) * self._half_tick_e8

    def _mark(self) -> MarkUpdate:
        self.next_mark_ms = self.now_ms - self.now_ms % _MARK_PERIOD_MS + _MARK_PERIOD_MS
        mid_e8 = self._mid_e8()
        self.mark_e8 += (mid_e8 - self.mark_e8) // _MARK_SMOOTHING
        funding_ms = next_funding_ms(self.now_ms)
        if funding_ms != self.rate_period_ms:
            self.rate_period_ms = funding_ms
            self.rate_e6 = 70 + self.random.below(61)
        return MarkUpdate(
            self.symbol,
            self.now_ms * NS_PER_MS,
            Decimal(self.mark_e8).scaleb(-8),
            Decimal(mid_e8).scaleb(-8),
            Decimal(self.rate_e6).scaleb(-6),
            funding_ms,
        )

    def position(self) -> dict[str, Any]:
        """Return everything that the next step depends on."""
        return {
            "random": self.random.state,
            "fair": self.path.fair,
            "anchor": self.path.anchor,
            "bid": self.book.bid_ticks,
            "bids": sorted(self.book.bids.items()),
            "asks": sorted(self.book.asks.items()),
            **{name: getattr(self, name) for name in _POSITION_FIELDS},
        }

    def seek(self, position: dict[str, Any]) -> None:
        """Take a position."""
        self.random.state = position["random"]
        self.path.fair = position["fair"]
        self.path.anchor = position["anchor"]
        self.book.bid_ticks = position["bid"]
        self.book.bids = dict(map(tuple, position["bids"]))
        self.book.asks = dict(map(tuple, position["asks"]))
        self.book.take_changes()
        for name in _POSITION_FIELDS:
            setattr(self, name, position[name])


_POSITION_FIELDS = (
    "now_ms",
    "next_ms",
    "next_mark_ms",
    "mark_e8",
    "update_id",
    "trade_id",
    "rate_period_ms",
    "rate_e6",
)


@final
class SyntheticSource:
    """The market of a `SyntheticConfig`; it never ends."""

    def __init__(self, config: SyntheticConfig) -> None:
        self._config = config
        self._feeds = [_SymbolFeed(config, index) for index in range(len(config.symbols))]
        self._opening: deque[MarketEvent] = deque()
        for feed in self._feeds:
            self._opening.extend(feed.opening(config))
        self._start_time_ns = config.start_time_ns

    @property
    def start_time_ns(self) -> int:
        """Return when the market begins, or goes on after `seek`."""
        return self._start_time_ns

    def instruments(self) -> tuple[Instrument, ...]:
        """Return what is traded."""
        return tuple(setting.instrument for setting in self._config.symbols)

    def next_time_ns(self) -> int | None:
        """Return the time of the next event."""
        if self._opening:
            return self._opening[0].time_ns
        return min(feed.next_ms for feed in self._feeds) * NS_PER_MS

    def pop(self, until_ns: int) -> Iterator[MarketEvent]:
        """Yield the events up to and including a time."""
        until_ms = until_ns // NS_PER_MS
        while self._opening and self._opening[0].time_ns <= until_ns:
            yield self._opening.popleft()
        while True:
            feed = min(self._feeds, key=_next_of)
            if feed.next_ms > until_ms:
                return
            yield from feed.step()

    def position(self) -> dict[str, Any]:
        """Return where the market stands; valid once everything popped was consumed."""
        return {
            "kind": "synthetic",
            "seed": self._config.seed,
            "symbols": {feed.symbol: feed.position() for feed in self._feeds},
        }

    def seek(self, position: dict[str, Any]) -> None:
        """Go on from a position of the same seed and symbols."""
        saved = position.get("symbols", {})
        same = position.get("kind") == "synthetic" and position.get("seed") == self._config.seed
        if not same or set(saved) != {feed.symbol for feed in self._feeds}:
            raise CaptureError(
                "the saved position belongs to another market (kind, seed or symbols differ); use the same settings, "
                "or start with a new state file"
            )
        self._opening.clear()
        for feed in self._feeds:
            feed.seek(saved[feed.symbol])
            self._opening.append(feed.snapshot())
        self._start_time_ns = max(feed.now_ms for feed in self._feeds) * NS_PER_MS


def _next_of(feed: _SymbolFeed) -> int:
    return feed.next_ms
