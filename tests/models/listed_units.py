"""Units that change: a venue counts in the finest ones it ever listed, and tells in those it lists now.

Every report names the revision it is counted in: the newest one that expresses all of its numbers.
"""

from typing import Any

import msgspec

from opensqt.domain.account import Position
from opensqt.domain.fill import Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order, OrderRequest


class ListedUnits:
    """`revisions` holds, by number, how many of the finest ticks and lots make a listed one; the last is in force."""

    def __init__(self, finest: Instrument, revisions: list[tuple[int, int]] | None = None) -> None:
        self.finest = finest
        self.revisions = revisions or [(1, 1)]

    @property
    def instrument(self) -> Instrument:
        """Return the instrument as it is listed now."""
        ticks, lots = self.revisions[-1]
        listed: Instrument = msgspec.structs.replace(
            self.finest,
            tick_size=self.finest.tick_size * ticks,
            lot_size=self.finest.lot_size * lots,
            max_lots=self.finest.max_lots // lots,
            revision=len(self.revisions),
        )
        return listed

    def factors(self, revision: int) -> tuple[int, int]:
        """Return how many of the finest ticks and lots make one of a revision; 0 = the one in force."""
        return self.revisions[min(revision or len(self.revisions), len(self.revisions)) - 1]

    def placed(self, request: OrderRequest) -> OrderRequest:
        """Return a placement in the finest units."""
        ticks, lots = self.factors(request.instrument_revision)
        return msgspec.structs.replace(
            request,
            price_ticks=request.price_ticks * ticks,
            lots=request.lots * lots,
            instrument_revision=self.finest.revision,
        )

    def told(self, value: Any) -> Any:
        """Return an order, a fill or a position in listed units."""
        if isinstance(value, Order):
            revision, ticks, lots = self._counted((value.price_ticks,), (value.lots, value.filled_lots))
            return msgspec.structs.replace(
                value,
                price_ticks=value.price_ticks // ticks,
                lots=value.lots // lots,
                filled_lots=value.filled_lots // lots,
                filled_ticks_lots=value.filled_ticks_lots // (ticks * lots),
                instrument_revision=revision,
            )
        if isinstance(value, Fill):
            revision, ticks, lots = self._counted((value.price_ticks,), (value.lots, value.cumulative_filled_lots))
            return msgspec.structs.replace(
                value,
                price_ticks=value.price_ticks // ticks,
                lots=value.lots // lots,
                cumulative_filled_lots=value.cumulative_filled_lots // lots,
                instrument_revision=revision,
            )
        if isinstance(value, Position):
            revision, _ticks, lots = self._counted((), (value.lots,))
            return msgspec.structs.replace(value, lots=value.lots // lots, instrument_revision=revision)
        return value

    def _counted(self, prices: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, int, int]:
        for revision in range(len(self.revisions), 0, -1):
            ticks, lots = self.revisions[revision - 1]
            if not any(price % ticks for price in prices) and not any(size % lots for size in sizes):
                return revision, ticks, lots
        raise AssertionError(f"no revision expresses {prices} and {sizes}: {self.revisions}")
