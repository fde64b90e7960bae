"""The mark price of a symbol: published by the market, or derived from the book when it publishes none.

Derived: once per second of venue time the mid of a VALID book, smoothed by one part in eight per second, in whole
units of 1e-8. A real venue also weighs in an index; a capture without a mark stream has none, so mark = index here.
Once a published mark was seen, nothing is derived any more.
"""

from decimal import Decimal
from typing import Final, final

from opensqt.domain.clock import NS_PER_MS, NS_PER_S
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import MarkPrice
from opensqt.matching.events import MarkUpdate
from opensqt.matching.exact import round_decimals
from opensqt.matching.funding import next_funding_ms

_DECIMALS: Final = 8
_SMOOTHING: Final = 8


@final
class MarkTracker:
    """Keeps the newest mark of one symbol."""

    def __init__(self, instrument: Instrument, funding_rate: Decimal | None) -> None:
        self._symbol = instrument.symbol
        self._half_tick = instrument.tick_size / 2
        self._funding_rate = funding_rate
        self._next_sample_ns = 0
        self.published = False
        self.current: MarkPrice | None = None

    def on_update(self, update: MarkUpdate) -> MarkPrice:
        """Take a published mark."""
        self.published = True
        self.current = MarkPrice(
            symbol=self._symbol,
            mark_price=update.mark_price,
            index_price=update.index_price,
            funding_rate=update.funding_rate,
            next_funding_time_ms=update.next_funding_time_ms,
            venue_time_ns=update.time_ns,
        )
        return self.current

    def is_due(self, time_ns: int) -> bool:
        """Return whether it is time to derive a mark."""
        return not self.published and time_ns >= self._next_sample_ns

    def on_mid(self, time_ns: int, mid2_ticks: int) -> MarkPrice:
        """Derive a mark from the book; `mid2_ticks` is best bid plus best ask."""
        self._next_sample_ns = time_ns - time_ns % NS_PER_S + NS_PER_S
        mid = self._half_tick * mid2_ticks
        if self.current is not None:
            mid = self.current.mark_price + (mid - self.current.mark_price) / _SMOOTHING
        mark = round_decimals(mid, _DECIMALS)
        has_funding = self._funding_rate is not None
        self.current = MarkPrice(
            symbol=self._symbol,
            mark_price=mark,
            index_price=mark,
            funding_rate=self._funding_rate if self._funding_rate is not None else Decimal(0),
            next_funding_time_ms=next_funding_ms(time_ns // NS_PER_MS) if has_funding else 0,
            venue_time_ns=time_ns,
        )
        return self.current

    def jump(self) -> None:
        """Forget the smoothing: the price is about to jump (a capture begins again)."""
        if not self.published:
            self.current = None
            self._next_sample_ns = 0

    def restore(self, current: MarkPrice | None, published: bool) -> None:
        """Take a saved state."""
        self.current = current
        self.published = published
