"""What a bot counts in, and what the venue counts in: the same, until a filter changes while the bot lives.

A bot counts prices and sizes in the finest tick and lot its instrument ever had since it began, so that whatever it
holds, owes and has earned stays a whole number. Where the venue's tick or lot is coarser now, it is a multiple of the
bot's: `tick_step` and `lot_step`. Whatever comes from the venue says in which revision of the instrument it is counted
and is multiplied here; what goes to the venue is divided here, and nothing that lies off the venue's grid can leave.
"""

from decimal import Decimal
from math import gcd
from typing import final

import msgspec

from opensqt.domain.account import Position
from opensqt.domain.fill import Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import decimals_of, from_units, to_units, whole_multiple
from opensqt.domain.order import Order, OrderRequest
from opensqt.engine.events import BookTop

MAX_FACTOR = 10_000
"""A larger ratio of two ticks or lots is no change of a filter, and would make numbers too long to count with."""


class UnitSpan(msgspec.Struct, frozen=True):
    """Tick and lot size of one revision."""

    revision: int
    tick_size: Decimal
    lot_size: Decimal


class UnknownRevisionError(Exception):
    """A number came in units of a revision that is not known here, so nobody can say what it is."""


def factor_between(coarse: Decimal, fine: Decimal) -> int:
    """Return how many of the fine unit make the coarse one; 0 where that is no whole number."""
    return whole_multiple(coarse, fine) or 0


def common_unit(one: Decimal, other: Decimal) -> Decimal:
    """Return the largest unit of which both are whole multiples."""
    scale = max(decimals_of(one), decimals_of(other))
    return from_units(gcd(to_units(one, scale), to_units(other, scale)), scale)


@final
class Units:
    """The units of one bot. Immutable: a change of the filters makes others.

    Args:
        tick_size: what the bot counts prices in.
        lot_size: what it counts sizes in.
        revision: the venue's revision now; its units must be whole multiples of the bot's.
        spans: the revisions known, each with its units.
    """

    __slots__ = ("_factors", "is_plain", "lot_size", "lot_step", "revision", "spans", "tick_size", "tick_step")

    def __init__(self, tick_size: Decimal, lot_size: Decimal, revision: int, spans: tuple[UnitSpan, ...]) -> None:
        self.tick_size = tick_size
        self.lot_size = lot_size
        self.revision = revision
        self.spans = spans
        self._factors = {
            span.revision: (factor_between(span.tick_size, tick_size), factor_between(span.lot_size, lot_size))
            for span in spans
        }
        self.tick_step, self.lot_step = self._factors[revision]
        if not (self.tick_step and self.lot_step):
            raise ValueError(f"revision {revision} does not count in multiples of {tick_size} and {lot_size}")
        self.is_plain = all(factors == (1, 1) for factors in self._factors.values())

    def __deepcopy__(self, memo: object) -> "Units":
        return self

    def view(self, instrument: Instrument) -> Instrument:
        """Return the venue's instrument in the bot's units; its revision stays the venue's."""
        if (self.tick_step, self.lot_step) == (1, 1):
            return instrument
        return msgspec.structs.replace(
            instrument,
            tick_size=self.tick_size,
            lot_size=self.lot_size,
            min_lots=instrument.min_lots * self.lot_step,
            max_lots=instrument.max_lots * self.lot_step,
        )

    def fits(self, price_ticks: int, lots: int) -> bool:
        """Return whether the venue can express a price and a size now."""
        return price_ticks % self.tick_step == 0 and lots % self.lot_step == 0

    def whole_lots(self, lots: int) -> int:
        """Return a size without what is less than one of the venue's lots."""
        return lots - lots % self.lot_step if lots >= 0 else lots + -lots % self.lot_step

    # ---- to the venue

    def outward(self, request: OrderRequest) -> OrderRequest:
        """Return a placement in the venue's units. Raises ValueError when it lies off the venue's grid."""
        if (self.tick_step, self.lot_step) == (1, 1):
            return request
        if not self.fits(request.price_ticks, request.lots):
            raise ValueError(
                f"{request.lots} lots at {request.price_ticks} ticks are not multiples of {self.lot_step} lots and "
                f"{self.tick_step} ticks"
            )
        return msgspec.structs.replace(
            request, price_ticks=request.price_ticks // self.tick_step, lots=request.lots // self.lot_step
        )

    # ---- from the venue: all raise UnknownRevisionError

    def order(self, order: Order) -> Order:
        """Return an order in the bot's units."""
        ticks, lots = self._of(order.instrument_revision)
        if ticks == lots == 1:
            return order
        return msgspec.structs.replace(
            order,
            price_ticks=order.price_ticks * ticks,
            lots=order.lots * lots,
            filled_lots=order.filled_lots * lots,
            filled_ticks_lots=order.filled_ticks_lots * ticks * lots,
        )

    def fill(self, fill: Fill) -> Fill:
        """Return a fill in the bot's units."""
        ticks, lots = self._of(fill.instrument_revision)
        if ticks == lots == 1:
            return fill
        return msgspec.structs.replace(
            fill,
            price_ticks=fill.price_ticks * ticks,
            lots=fill.lots * lots,
            cumulative_filled_lots=fill.cumulative_filled_lots * lots,
        )

    def position(self, position: Position) -> Position:
        """Return a position in the bot's units."""
        _ticks, lots = self._of(position.instrument_revision)
        return position if lots == 1 else msgspec.structs.replace(position, lots=position.lots * lots)

    def top(self, top: BookTop) -> BookTop:
        """Return a touch in the bot's units."""
        ticks, _lots = self._of(top.revision)
        if ticks == 1:
            return top
        return msgspec.structs.replace(top, bid_ticks=top.bid_ticks * ticks, ask_ticks=top.ask_ticks * ticks)

    def _of(self, revision: int) -> tuple[int, int]:
        if self.is_plain and (revision in self._factors or not revision):
            return 1, 1
        factors = self._factors.get(revision or self.revision)
        if factors is None or not (factors[0] and factors[1]):
            raise UnknownRevisionError(f"it counts in revision {revision} of the instrument, which is not known here")
        return factors


KEPT_SPANS = 16
"""Revisions whose units are remembered; what is counted in an older one has long been told."""


def span_of(instrument: Instrument) -> UnitSpan:
    """Return what a revision counts in."""
    return UnitSpan(instrument.revision, instrument.tick_size, instrument.lot_size)


def spans_with(spans: tuple[UnitSpan, ...], instrument: Instrument) -> tuple[UnitSpan, ...]:
    """Return the revisions known, and the venue's one now.

    A revision that is lower than one we know, or that counts in something else than we knew, is of a connector that
    began to number anew: what was known of the numbers is void.
    """
    span = span_of(instrument)
    restarted = any(
        known.revision > span.revision or (known.revision == span.revision and known != span) for known in spans
    )
    older = () if restarted else tuple(known for known in spans if known.revision != span.revision)
    return (*older[1 - KEPT_SPANS :], span)
