"""Funding: who pays what at 00:00, 08:00 and 16:00 UTC of the venue's clock.

The position held when the clock passes the settlement counts. The mark is the first one at or after it; the rate is
the one in force for that settlement: of that very mark if it still announces it, else of the last one that did
(Binance, "Mark Price Stream": `T` stays at the settlement until it is done). Amount = -lots * mark * rate, rounded half
to even to the money unit of the account, as venues book it.
"""

from decimal import Decimal
from typing import Final, final

from opensqt.domain.instrument import Instrument
from opensqt.domain.market import MarkPrice
from opensqt.domain.money import EXACT

PERIOD_MS: Final = 8 * 3_600_000


def next_funding_ms(time_ms: int) -> int:
    """Return the first settlement after a time."""
    return time_ms - time_ms % PERIOD_MS + PERIOD_MS


def funding_amount(instrument: Instrument, lots: int, mark: Decimal, rate: Decimal) -> Decimal:
    """Return what a position receives (negative: pays) at a settlement, exactly, before rounding to money units."""
    return -EXACT.multiply(EXACT.multiply(instrument.lots_to_quantity(lots), mark), rate)


@final
class FundingClock:
    """Knows, for one symbol, which settlement comes next, who held what at it, and at which rate it settles."""

    def __init__(self) -> None:
        self.due_ms = 0
        self.announced: dict[int, Decimal] = {}
        self.holders: dict[str, int] | None = None

    def passes(self, time_ms: int) -> bool:
        """Return whether the clock passes the next settlement at this time."""
        if self.due_ms == 0:
            self.due_ms = next_funding_ms(time_ms - 1)
        return self.holders is None and time_ms >= self.due_ms

    def freeze(self, holders: dict[str, int]) -> None:
        """Remember the positions (account -> lots) of the settlement that the clock has just passed."""
        self.holders = holders

    def settle(self, mark: MarkPrice, time_ms: int) -> tuple[int, Decimal, dict[str, int]] | None:
        """Take a mark; return (settlement, rate, holders) if it settles one. Without a known rate nothing is paid."""
        if mark.next_funding_time_ms:
            self.announced = {when: rate for when, rate in self.announced.items() if when >= self.due_ms} | {
                mark.next_funding_time_ms: mark.funding_rate
            }
        if self.holders is None:
            return None
        settlement, holders = self.due_ms, self.holders
        rate = self.announced.get(settlement)
        self.holders = None
        self.due_ms = next_funding_ms(time_ms)
        return None if rate is None else (settlement, rate, holders)
