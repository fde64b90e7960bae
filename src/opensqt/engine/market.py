"""What a bot knows of its market: the touch, the last trade, the mark, and whether any of it may price an order."""

from decimal import Decimal
from typing import final

from opensqt.domain.instrument import Instrument
from opensqt.domain.market import MarkPrice
from opensqt.engine.events import BookTop, LastTrade

ZERO = Decimal(0)


@final
class MarketView:
    """Newest prices of one symbol, in ticks; 0 = not known."""

    __slots__ = (
        "ask_ticks",
        "bid_ticks",
        "distrusted",
        "invalid_reason",
        "last_ticks",
        "mark",
        "receive_ns",
        "use_last",
        "valid",
    )

    def __init__(self, *, use_last: bool) -> None:
        self.use_last = use_last
        self.bid_ticks = 0
        self.ask_ticks = 0
        self.last_ticks = 0
        self.receive_ns = 0
        self.valid = False
        self.invalid_reason = "no book yet"
        self.mark: MarkPrice | None = None
        self.distrusted = False

    def distrust(self, reason: str) -> None:
        """Price nothing until the book was lost and begun anew: what is on its way may be old."""
        self.distrusted = True
        self.valid = False
        self.invalid_reason = reason

    def take_top(self, top: BookTop) -> None:
        """Take the touch; a crossed or one-sided book prices nothing."""
        if self.distrusted:
            # A lost stream says so with an empty, invalid touch; what comes after it is new.
            self.distrusted = top.valid or top.bid_ticks != 0
            if self.distrusted:
                return
        self.bid_ticks = top.bid_ticks
        self.ask_ticks = top.ask_ticks
        self.receive_ns = top.receive_ns
        sound = 0 < top.bid_ticks < top.ask_ticks
        self.valid = top.valid and sound
        self.invalid_reason = "" if self.valid else top.reason or ("not valid" if sound else "crossed or one-sided")

    def take_trade(self, trade: LastTrade) -> None:
        """Take the last traded price."""
        self.last_ticks = trade.price_ticks
        self.receive_ns = trade.receive_ns

    @property
    def price2_ticks(self) -> int:
        """Return twice the reference price (the last trade, else the mid); 0 unless the book is valid.

        A last trade outside of the touch is older than it: the nearer side of the touch stands then, so
        that a stream of trades that has stopped never prices an order.
        """
        if not self.valid:
            return 0
        if self.use_last and self.last_ticks:
            return 2 * min(max(self.last_ticks, self.bid_ticks), self.ask_ticks)
        return self.bid_ticks + self.ask_ticks

    def mark_price(self, instrument: Instrument) -> Decimal:
        """Return the price to value the position at: the mark, else the mid, else the last trade, else 0."""
        if self.mark is not None and self.mark.mark_price > 0:
            return self.mark.mark_price
        if self.bid_ticks and self.ask_ticks:
            return instrument.ticks_to_price(self.bid_ticks + self.ask_ticks) / 2
        return instrument.ticks_to_price(self.last_ticks) if self.last_ticks else ZERO
