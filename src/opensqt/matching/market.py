"""One symbol of the simulated exchange: its book, matcher, candles, mark and funding clock."""

from typing import final

from opensqt._core.book import OrderBook
from opensqt._core.match import BUY, SELL, Matcher, MatchEvent
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason, StateError
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import BookValidity
from opensqt.domain.order import Side
from opensqt.matching.candles import Bar, CandleSeries
from opensqt.matching.config import VenueConfig
from opensqt.matching.events import BookDelta, BookLost, BookSnapshot, TradePrint
from opensqt.matching.funding import FundingClock
from opensqt.matching.mark import MarkTracker

UNIT_FIELDS = ("symbol", "settle_asset", "tick_size", "lot_size", "contract_multiplier")
"""What may not change while orders, positions and money are counted in it."""


@final
class SymbolMarket:
    """Everything public about one symbol, and the queue of our orders in it."""

    def __init__(self, instrument: Instrument, config: VenueConfig, money_scale: int) -> None:
        queue = config.queue
        self.instrument = instrument
        self.money_factor = 10 ** (money_scale - instrument.money_scale)
        self.units_per_tick_lot = instrument.units_per_tick_lot * self.money_factor
        self.book = OrderBook()
        self.validity = BookValidity.SYNCING
        self.validity_reason = "no snapshot yet"
        self.matcher = Matcher(
            max_orders=config.max_working_orders,
            print_through_fills_all=queue.print_through_fills_all,
            partial_fills=queue.partial_fills,
            queue_power=queue.power,
            keep_queue_on_decrease=queue.keep_on_decrease,
        )
        self.candles = CandleSeries(instrument.symbol, config.history.candles)
        self.mark = MarkTracker(instrument, config.funding_rate)
        self.funding = FundingClock()
        self.last_trade_ticks = 0
        self.last_trade_ns = 0
        self.last_event_ns = 0
        # External liquidity our takers used up since the last change of the book: it cannot be used twice.
        self._consumed: dict[tuple[bool, int], int] = {}
        self._was_crossed = False

    def set_instrument(self, instrument: Instrument) -> None:
        """Take new limits, fees or another status; prices and sizes are counted as before.

        Raises:
            StateError: STALE_INSTRUMENT, the tick, the lot or the contract differs: nothing kept here would be true.
        """
        known = self.instrument
        if any(getattr(known, name) != getattr(instrument, name) for name in UNIT_FIELDS):
            raise StateError(
                ErrorReason.STALE_INSTRUMENT,
                f"{known.symbol} counts in other units now: tick {known.tick_size} -> {instrument.tick_size}, lot "
                f"{known.lot_size} -> {instrument.lot_size}",
            )
        self.instrument = instrument

    def on_delta(self, event: BookDelta) -> list[MatchEvent]:
        """Apply changed levels; return what they did to our orders."""
        book = self.book
        book.apply_packed(event.bids, event.asks)
        book.last_id = event.last_id
        if self._consumed:
            self._consumed.clear()
        if book.is_crossed:
            # Crossed for a moment, as recorded books can be: nothing trades on it until the next delta repairs it.
            self._was_crossed = self._was_crossed or self.validity is BookValidity.VALID
            return self.lose("the book is crossed") if self._was_crossed else []
        if self._was_crossed:
            return self._begin()
        if self.validity is not BookValidity.VALID:
            return []
        if len(self.matcher) == 0:
            return []
        return self.matcher.on_book(event.bids, event.asks, book.best_bid_ticks or 0, book.best_ask_ticks or 0)

    def on_snapshot(self, event: BookSnapshot) -> list[MatchEvent]:
        """Replace the book; queue positions are capped by what is displayed now."""
        self.book.load_packed(event.bids, event.asks)
        self.book.last_id = event.last_id
        self._consumed.clear()
        if self.book.is_crossed:
            self._was_crossed = True
            return self.lose("the snapshot is crossed")
        return self._begin()

    def _begin(self) -> list[MatchEvent]:
        self._was_crossed = False
        self.validity = BookValidity.VALID
        self.validity_reason = ""
        return self.show_book()

    def show_book(self) -> list[MatchEvent]:
        """Tell the matcher what is displayed at every price where an order rests."""
        book, matcher = self.book, self.matcher
        for row in matcher.dump():
            side, price_ticks = row[2], row[3]
            matcher.on_depth(side, price_ticks, book.lots_at(side == BUY, price_ticks))
        return matcher.on_best(book.best_bid_ticks or 0, book.best_ask_ticks or 0)

    def lose(self, reason: str, validity: BookValidity = BookValidity.SYNCING) -> list[MatchEvent]:
        """Stop believing the book."""
        self.validity = validity
        self.validity_reason = reason
        return []

    def restore_book(self, bids: bytes, asks: bytes, last_id: int, validity: BookValidity, reason: str) -> None:
        """Take a saved book."""
        self.book.load_packed(bids, asks)
        self.book.last_id = last_id
        self.validity = validity
        self.validity_reason = reason
        self._was_crossed = self.book.is_crossed

    def on_lost(self, event: BookLost) -> None:
        """Stop believing the book, whose continuity was broken; a jump of the price may follow."""
        self.lose(event.reason, event.validity)
        self._was_crossed = False
        self.book.clear()
        self.mark.jump()

    def on_trade(self, event: TradePrint) -> tuple[list[MatchEvent], list[Bar]]:
        """Book a public trade; return what it did to our orders and the minutes it closed."""
        closed = self.candles.on_trade(event.time_ns // NS_PER_MS, event.price_ticks, event.lots)
        self.last_trade_ticks = event.price_ticks
        self.last_trade_ns = event.time_ns
        if len(self.matcher) == 0:
            return [], closed
        aggressor = BUY if event.aggressor is Side.BUY else SELL
        return self.matcher.on_trade(event.price_ticks, event.lots, aggressor), closed

    def displayed_lots(self, side: Side, price_ticks: int) -> int:
        """Return what the market shows at a price of our side."""
        return self.book.lots_at(side is Side.BUY, price_ticks)

    def opposite_levels(self, side: Side, price_ticks: int) -> bytes:
        """Return the levels an order would meet, packed; empty when it would not cross. Price 0 is a market order."""
        is_bid = side is Side.SELL
        best = self.book.best_bid_ticks if is_bid else self.book.best_ask_ticks
        if best is None or (price_ticks and (best < price_ticks if is_bid else best > price_ticks)):
            return b""
        if not self._consumed:
            return self.book.pack(is_bid)
        left = bytearray()
        for level_ticks, lots in self.book.levels(is_bid):
            rest = lots - self._consumed.get((is_bid, level_ticks), 0)
            if rest > 0:
                left += level_ticks.to_bytes(8, "little") + rest.to_bytes(8, "little")
        return bytes(left)

    def consume(self, side: Side, price_ticks: int, lots: int) -> None:
        """Remember that a taker of `side` used up displayed lots."""
        key = (side is Side.SELL, price_ticks)
        self._consumed[key] = self._consumed.get(key, 0) + lots
