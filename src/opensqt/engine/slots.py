"""Slots: what each level holds and what was learnt about quoting there.

The ledger owns the lots; this keeps the kernel's `Holdings` equal to them, remembers per slot and side how often an
order was refused and until when to leave it alone, and merges remnants the venue would not let us sell alone.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import final

from opensqt._core.plan import Holdings
from opensqt.domain.instrument import Instrument
from opensqt.domain.ledger import Ledger, SlotLot
from opensqt.domain.order import Side

MAX_COOLDOWN_NS = 30_000_000_000
_MAX_DOUBLINGS = 16


@final
class Slots:
    """The slots of one bot.

    Args:
        ledger: owner of the lots.
        cooldown_ns: how long a slot's side rests after its first refusal; doubles with each in a row, up to 30 s.
    """

    def __init__(self, ledger: Ledger, cooldown_ns: int) -> None:
        self.ledger = ledger
        self.holdings = Holdings()
        self.dirty: set[int] = set()
        self.lot_step = 1
        """Lots that make one of the venue's: what a slot holds beyond a multiple of it cannot be sold."""
        self._cooldown_ns = cooldown_ns
        self._cool_until: dict[tuple[int, Side], int] = {}
        self._refusals: dict[tuple[int, Side], int] = {}
        self._steps_back: dict[tuple[int, Side], int] = {}
        self.refresh_all()

    def refresh_all(self) -> None:
        """Copy every slot's lots to the kernel."""
        self.holdings.clear()
        for slot in self.ledger.slots:
            self.refresh(slot)

    def refresh(self, slot: int) -> None:
        """Copy one slot's lots to the kernel; a slot that was oversold holds nothing to sell."""
        lot = self.ledger.slots.get(slot)
        lots = max(lot.lots, 0) if lot is not None else 0
        self.holdings.set(slot, lots - lots % self.lot_step)
        self.dirty.add(slot)

    def copy(self, ledger: Ledger) -> "Slots":
        """Return the same knowledge over another ledger."""
        twin = Slots(ledger, self._cooldown_ns)
        twin.lot_step = self.lot_step
        twin.refresh_all()
        twin._cool_until = dict(self._cool_until)
        twin._refusals = dict(self._refusals)
        twin._steps_back = dict(self._steps_back)
        return twin

    def relaid(self, old_slots: Iterable[int]) -> None:
        """Begin anew on another lattice: what was learnt about quoting was about other prices."""
        for known in (self._cool_until, self._refusals, self._steps_back):
            known.clear()
        self.dirty.update(old_slots)
        self.refresh_all()

    def get(self, slot: int) -> SlotLot:
        """Return what a slot holds; a blank lot for one that never did."""
        return self.ledger.slots.get(slot) or SlotLot()

    def is_cool(self, slot: int, side: Side, now_ns: int) -> bool:
        """Return whether an order may be sent for this slot and side."""
        return now_ns >= self._cool_until.get((slot, side), 0)

    def cool_until_ns(self, slot: int) -> int:
        """Return until when the slot rests, on either side; 0 = it does not."""
        return max(self._cool_until.get((slot, Side.BUY), 0), self._cool_until.get((slot, Side.SELL), 0))

    def steps_back(self, slot: int, side: Side) -> int:
        """Return how many of the venue's ticks behind its place the next order here goes."""
        return self._steps_back.get((slot, side), 0)

    def refused(self, slot: int, side: Side, now_ns: int, *, at_least_ns: int = 0, crossed_by: int = 0) -> None:
        """Note a refusal: the level rests, longer each time.

        One that would have crossed steps back as well: a tick more than before, or as many as the touch was beyond it.
        """
        key = (slot, side)
        if crossed_by:
            self._steps_back[key] = max(self._steps_back.get(key, 0) + 1, crossed_by)
        count = self._refusals.get(key, 0) + 1
        self._refusals[key] = count
        rest = min(self._cooldown_ns << min(count - 1, _MAX_DOUBLINGS), MAX_COOLDOWN_NS)
        self._cool_until[key] = now_ns + max(rest, at_least_ns)
        self.dirty.add(slot)

    def accepted(self, slot: int, side: Side) -> None:
        """Note that an order rests or traded: the level starts afresh."""
        self._steps_back.pop((slot, side), None)
        if self._refusals.pop((slot, side), None) is not None:
            self._cool_until.pop((slot, side), None)
            self.dirty.add(slot)

    def drop_expired(self, now_ns: int) -> None:
        """Forget cool-downs that ended long ago, so that levels far away leave nothing behind."""
        for key in [key for key, until in self._cool_until.items() if until + MAX_COOLDOWN_NS < now_ns]:
            del self._cool_until[key]
            self._refusals.pop(key, None)
            self._steps_back.pop(key, None)
            self.dirty.add(key[0])

    def merge_odd_lots(self, busy: set[int]) -> list[tuple[int, int]]:
        """Move what is less than one of the venue's lots to the next held slot above; returns (from, to) pairs.

        What the highest slot has too much stays there: with the next such remainder it makes a lot.
        """
        if self.lot_step == 1:
            return []
        held = sorted(slot for slot, lot in self.ledger.slots.items() if lot.lots > 0)
        moved = []
        for slot, above in pairwise(held):
            odd = self.ledger.slots[slot].lots % self.lot_step
            if odd and slot not in busy:
                self.ledger.move_lots(slot, above, odd)
                self.refresh(slot)
                self.refresh(above)
                moved.append((slot, above))
        return moved

    def merge_remnants(
        self, instrument: Instrument, level_ticks: dict[int, int], busy: set[int]
    ) -> list[tuple[int, int]]:
        """Move lots too small to be sold alone into a neighbour; returns (from, to) pairs.

        Args:
            instrument: its minimum notional and size say what is too small.
            level_ticks: price of each held slot's take-profit.
            busy: slots with an open order; their lot may still change.

        The neighbour is the nearest held slot above (its take-profit is no lower), else the nearest below.
        """
        held = [slot for slot, _lots in self.holdings.items()]
        moved = []
        for slot in held:
            lots = self.holdings.get(slot)
            if not lots or slot in busy or len(held) < 2:
                continue
            enough = instrument.notional_units(level_ticks[slot], lots) >= instrument.min_notional_units
            if lots >= instrument.min_lots and enough:
                continue
            others = [other for other in held if other != slot and self.holdings.get(other)]
            if not others:
                break
            above = [other for other in others if other > slot]
            target = min(above) if above else max(others)
            self.ledger.merge(slot, target)
            self.refresh(slot)
            self.refresh(target)
            moved.append((slot, target))
        return moved
