"""The lattices a bot had, and how what was counted on an earlier one is counted on the present one.

An edit of the step lays the lattice anew from the same anchor, so slot numbers mean other prices. Client order ids keep
the slot they were sent with; their epoch says on which lattice. Every new lattice begins with a new epoch, durable
before its first order, so the slot of any fill follows from the id and this list alone, also after a crash.

Two rules carry a slot over, from lattice to lattice:

- a held lot goes to the lowest slot whose take-profit is not below the one it had: a take-profit never comes down;
- a buy stays at its price where the new lattice has that level. Elsewhere it is on its way out, and should it still
  fill, its lot belongs to the first level above it.
"""

from collections.abc import Iterable
from typing import final

import msgspec

from opensqt._core.grid import Lattice
from opensqt.domain.client_id import MAX_SLOT
from opensqt.domain.order import Side

KEPT_SPANS = 1_000
"""Earlier lattices that are remembered; orders of older ones have long been replaced."""


class LatticeSpan(msgspec.Struct, frozen=True):
    """A lattice, and the first epoch whose orders are counted on it."""

    first_epoch: int
    anchor_ticks: int
    interval_ticks: int
    ratio_ppb: int
    unit_ticks: int = 1

    def lattice(self) -> Lattice:
        """Return it as the kernel's object."""
        return Lattice(self.anchor_ticks, self.interval_ticks, self.ratio_ppb, self.unit_ticks)

    def rescaled(self, tick_factor: int) -> "LatticeSpan":
        """Return it with the same prices in ticks of which `tick_factor` make one of the present ones."""
        return LatticeSpan(
            self.first_epoch,
            self.anchor_ticks * tick_factor,
            self.interval_ticks * tick_factor,
            self.ratio_ppb,
            self.unit_ticks * tick_factor if self.ratio_ppb else 1,
        )


def span_of(lattice: Lattice, first_epoch: int) -> LatticeSpan:
    """Return a lattice as it is stored."""
    return LatticeSpan(first_epoch, lattice.anchor_ticks, lattice.interval_ticks, lattice.ratio_ppb, lattice.unit_ticks)


def slot_at_or_above(lattice: Lattice, price_ticks: int) -> int:
    """Return the lowest slot whose level is not below a price."""
    below = lattice.index_at_or_below(price_ticks)
    if below < lattice.lowest_index:
        return lattice.lowest_index
    return below if lattice.level_ticks(below) == price_ticks else below + 1


def carried(old: Lattice, new: Lattice, slot: int, side: Side) -> int:
    """Return the slot on the new lattice of an order of the old one: of the lot it sells, or of the buy."""
    if side is Side.BUY:
        return slot_at_or_above(new, old.level_ticks(slot))
    return max(new.lowest_index, slot_at_or_above(new, old.level_ticks(slot + 1)) - 1)


def carried_lot(old: Lattice, new: Lattice, slot: int) -> int:
    """Return the slot on the new lattice that takes over what a slot holds."""
    return carried(old, new, slot, Side.SELL)


@final
class LatticePast:
    """The lattices of one bot, oldest first, the present one last; empty for one whose lattice never changed."""

    def __init__(self, spans: Iterable[LatticeSpan] = ()) -> None:
        self.spans = tuple(spans)
        self._lattices = [span.lattice() for span in self.spans]

    def then(self, old: Lattice, new: Lattice, first_epoch: int) -> "LatticePast":
        """Return the past of a bot that lays a new lattice with an epoch."""
        spans = self.spans or (span_of(old, 0),)
        return LatticePast((*spans[-KEPT_SPANS:], span_of(new, first_epoch)))

    def rescaled(self, tick_factor: int) -> "LatticePast":
        """Return the same lattices in finer ticks."""
        return LatticePast(span.rescaled(tick_factor) for span in self.spans)

    def slot_now(self, epoch: int, slot: int, side: Side) -> int:
        """Return the present slot of an order that an epoch sent for a slot."""
        if len(self.spans) < 2 or epoch >= self.spans[-1].first_epoch or slot == MAX_SLOT:
            return slot
        first = max((i for i, span in enumerate(self.spans) if span.first_epoch <= epoch), default=0)
        for old, new in zip(self._lattices[first:-1], self._lattices[first + 1 :], strict=True):
            try:
                slot = carried(old, new, slot, side)
            except ValueError:
                return slot  # no level of a lattice we ever laid: nothing is known better than what it says
        return slot
