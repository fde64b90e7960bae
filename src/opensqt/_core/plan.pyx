"""The classic long grid as one call: a price and what the slots hold in, the whole desired set out.

Buys rest on the window of levels below the price, skipping slots that hold a lot. A slot that holds a lot sells that
lot one level higher, reduce-only, while it lies inside the sell window. The planner keeps a stretch of the lattice as
ready rows (price and size per level), so that moving the window is a copy, and does nothing where nothing changed.
"""

from cython cimport final
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from opensqt._core.order_sets cimport F_KEEP_ONLY, F_REDUCE_ONLY, Desired, Row, RowSet
from opensqt._core.grid cimport Lattice, check_price2, lots_for_quote_c

cdef int64_t MAX_WINDOW = 1_000_000
cdef int64_t MAX_LOTS = (<int64_t>1) << 58


@final
cdef class Holdings:
    """The lots each slot of a long grid has bought and not yet sold."""

    def __cinit__(self):
        self.slots = RowSet()

    def set(self, int64_t slot, int64_t lots):
        """Set what a slot holds; 0 empties it. ValueError on a negative number."""
        cdef int64_t index
        cdef Row row
        if not 0 <= lots <= MAX_LOTS:
            raise ValueError(f"lots was {lots}: a slot of a long grid holds between 0 and {MAX_LOTS} lots")
        index = self.slots.first_at(slot)
        self.version += 1
        if index < self.slots.count and self.slots.rows[index].slot == slot:
            if lots:
                self.slots.rows[index].lots = lots
            else:
                self.slots.remove(index)
        elif lots:
            row.slot, row.lots, row.price_ticks, row.flags = slot, lots, 0, 0
            self.slots.insert(index, row, 0)

    def get(self, int64_t slot):
        """Return what a slot holds, 0 for an empty one."""
        cdef int64_t index = self.slots.first_at(slot)
        if index < self.slots.count and self.slots.rows[index].slot == slot:
            return self.slots.rows[index].lots
        return 0

    def items(self):
        """Return (slot, lots) of the slots that hold something, by slot."""
        return [(self.slots.rows[i].slot, self.slots.rows[i].lots) for i in range(self.slots.count)]

    @property
    def total_lots(self):
        return sum([self.slots.rows[i].lots for i in range(self.slots.count)])

    def clear(self):
        self.version += 1
        self.slots.count = 0

    def __len__(self):
        return self.slots.count


@final
cdef class GridPlanner:
    """Fills a desired set with the classic long grid around a price.

    Each level buys either `quote_units` of money (floored to multiples of `lot_step` lots; one lot at one tick is worth
    `units_per_tick_lot` of those units) or `fixed_lots`. Levels below `min_lots` are left out. Live buys up to
    `hysteresis` levels outside the window are kept, and so are live take-profits up to `hysteresis` levels beyond the
    sell window. Nothing is bought outside of `lowest_slot` to `highest_slot`, and no buy is kept there.
    """

    def __cinit__(self, Lattice lattice not None, *, int64_t buy_window, int64_t sell_window, int64_t quote_units=0,
                  int64_t units_per_tick_lot=1, int64_t fixed_lots=0, int64_t min_lots=1, int64_t hysteresis=1,
                  int64_t lot_step=1,
                  int64_t safety_permille=100, int64_t lowest_slot=INT64_MIN, int64_t highest_slot=INT64_MAX):
        for name, value in (("buy_window", buy_window), ("sell_window", sell_window), ("hysteresis", hysteresis)):
            if not 0 <= value <= MAX_WINDOW:
                raise ValueError(f"{name} was {value}: it must lie between 0 and {MAX_WINDOW} levels")
        if not 0 <= safety_permille <= 1000:
            raise ValueError(f"safety_permille was {safety_permille}: it must lie between 0 and 1000 of an interval")
        if (quote_units > 0) == (fixed_lots > 0) or quote_units < 0 or not 0 <= fixed_lots <= MAX_LOTS:
            raise ValueError(
                f"quote_units was {quote_units} and fixed_lots {fixed_lots}: give one of them a positive value, "
                "the money or the lots of each level"
            )
        if units_per_tick_lot <= 0 or min_lots <= 0 or lot_step <= 0:
            raise ValueError(
                f"units_per_tick_lot was {units_per_tick_lot}, min_lots {min_lots} and lot_step {lot_step}: all three "
                "must be positive"
            )
        self.lattice = lattice
        self.buy_window, self.sell_window = buy_window, sell_window
        self.quote_units, self.units_per_tick_lot = quote_units, units_per_tick_lot
        self.fixed_lots, self.min_lots, self.lot_step = fixed_lots, min_lots, lot_step
        self.hysteresis, self.safety_permille = hysteresis, safety_permille
        self.lowest_slot, self.highest_slot = lowest_slot, highest_slot

    def __dealloc__(self):
        free(self.levels)

    def lots_at(self, int64_t k):
        """Return the size of a buy at level k; ValueError where the level does not exist."""
        cdef int64_t price_ticks = self.lattice.level_ticks(k)
        if self.fixed_lots:
            return self.fixed_lots
        return self._bought_at(price_ticks)

    def plan(self, int64_t price2_ticks, Holdings holdings not None, Desired desired not None):
        """Replace the rows and keep ranges of `desired` by the grid around half of `price2_ticks`; return the centre.

        Calling it again with nothing changed costs next to nothing.
        """
        check_price2(price2_ticks)
        return self.plan_c(price2_ticks, holdings, desired)

    cdef int64_t _bought_at(self, int64_t price_ticks) noexcept:
        cdef int64_t lots = min(lots_for_quote_c(self.quote_units, price_ticks, self.units_per_tick_lot), MAX_LOTS)
        return lots - lots % self.lot_step

    cdef int _cover(self, int64_t bottom, int64_t top) except -1:
        """Have every level from bottom to top as a row, with slack to both sides for the moves to come."""
        cdef int64_t slack, low, count, i, price_ticks
        cdef Row* rows
        if bottom >= self.levels_low and top < self.levels_low + self.levels_count:
            return 0
        slack = top - bottom + 64
        low = max(bottom - slack, self.lattice._lowest())
        count = top + slack - low + 1
        rows = <Row*>realloc(self.levels, <size_t>count * sizeof(Row))
        if rows is NULL:
            raise MemoryError
        self.levels = rows
        self.levels_count = 0
        for i in range(count):
            price_ticks = self.lattice.level_c(low + i)
            if price_ticks == 0:
                break
            rows[i].slot = low + i
            rows[i].price_ticks = price_ticks
            rows[i].lots = self.fixed_lots
            if not self.fixed_lots:
                rows[i].lots = self._bought_at(price_ticks)
            rows[i].flags = 0
            self.levels_count = i + 1
        self.levels_low = low
        return 0

    cdef int64_t plan_c(self, int64_t price2_ticks, Holdings holdings, Desired desired) except? -1:
        cdef Lattice lattice = self.lattice
        cdef RowSet held = holdings.slots
        cdef int64_t centre, top, bottom, sell_top, inside, near
        cdef bint fresh
        centre = lattice.index_near_c(price2_ticks)
        top = min(lattice.buy_top_c(price2_ticks, centre, self.safety_permille), self.highest_slot)
        bottom = max(centre - self.buy_window + 1, lattice._lowest(), self.lowest_slot)
        sell_top = lattice.sell_top_c(price2_ticks, centre, self.sell_window)
        inside = held.first_at(sell_top + 1)
        near = held.first_at(sell_top + self.hysteresis + 1)
        desired.price2 = price2_ticks
        fresh = (
            desired is not self.filled or desired.version != self.filled_version
            or holdings is not self.last_holdings or holdings.version != self.last_version
        )
        # Before the first row changes: a set that is filled half is never taken for a full one.
        desired.version += 1
        if fresh or top != self.last_top or bottom != self.last_bottom:
            self._plan_buys(bottom, top, held, desired.buys)
        if fresh or inside != self.last_inside or near != self.last_near:
            self._plan_sells(0 if fresh else min(inside, self.last_inside), inside, near, held, desired.sells)
        desired.keep_low[0] = max(bottom - self.hysteresis, self.lowest_slot)
        desired.keep_high[0] = min(centre + self.hysteresis, self.highest_slot)
        desired.keep_low[1], desired.keep_high[1] = 0, -1
        self.filled, self.filled_version = desired, desired.version
        self.last_holdings, self.last_version = holdings, holdings.version
        self.last_top, self.last_bottom, self.last_inside, self.last_near = top, bottom, inside, near
        return centre

    cdef int _plan_buys(self, int64_t bottom, int64_t top, RowSet held, RowSet rows) except -1:
        """Copy the window, leaving out the slots that hold a lot."""
        cdef int64_t i, k = bottom, n = 0, run_end
        rows.count = 0
        if top < bottom:
            return 0
        self._cover(bottom, top)
        # A level too dear for the smallest order is left out; sizes only grow downward.
        while top >= bottom and self.levels[top - self.levels_low].lots < self.min_lots:
            top -= 1
        rows.reserve(top - bottom + 1)
        i = held.first_at(bottom)
        while k <= top:
            run_end = min(held.rows[i].slot, top + 1) if i < held.count else top + 1
            memcpy(rows.rows + n, self.levels + (k - self.levels_low), <size_t>(run_end - k) * sizeof(Row))
            n += run_end - k
            k = run_end + 1
            i += 1
        rows.count = n
        return 0

    cdef int _plan_sells(self, int64_t first, int64_t inside, int64_t near, RowSet held, RowSet rows) except -1:
        """Sell every lot inside the window one level higher, and keep those just beyond it; rows before `first` stand.

        Holdings and rows have the same indices: only the very last level of a lattice has none above it to sell at.
        """
        cdef int64_t i
        cdef Row* row
        rows.reserve(near)
        rows.count = min(rows.count, first)
        for i in range(rows.count, near):
            row = rows.rows + i
            row.slot = held.rows[i].slot
            row.price_ticks = self.lattice.level_c(row.slot + 1)
            if row.price_ticks == 0:
                break
            row.lots = held.rows[i].lots
            row.flags = F_REDUCE_ONLY if i < inside else F_REDUCE_ONLY | F_KEEP_ONLY
            rows.count = i + 1
        return 0
