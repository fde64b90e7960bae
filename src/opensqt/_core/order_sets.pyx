"""Sets of orders by slot: what we want, and what is live.

Both keep the rows of a side sorted by slot in one block of memory, so that comparing them is one walk and a whole
window of rows can be copied in.
"""

from cython cimport final
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memmove

BUY, SELL = SIDE_BUY, SIDE_SELL
# WORKING: the venue has the order, it may be amended or cancelled. PENDING: a placement or an amendment is in flight.
# UNKNOWN: the outcome of a command is not known. CANCELLING: a cancel is in flight.
WORKING, PENDING, UNKNOWN, CANCELLING = range(4)

cdef int64_t MAX_MAGNITUDE = (<int64_t>1) << 58


@final
cdef class RowSet:
    def __dealloc__(self):
        free(self.rows)
        free(self.handles)

    cdef int reserve(self, int64_t room) except -1:
        cdef void* larger
        if room <= self.room:
            return 0
        room = max(room, 2 * self.room, 64)
        larger = realloc(self.rows, <size_t>room * sizeof(Row))
        if larger is NULL:
            raise MemoryError
        self.rows = <Row*>larger
        larger = realloc(self.handles, <size_t>room * sizeof(int64_t))
        if larger is NULL:
            raise MemoryError
        self.handles = <int64_t*>larger
        self.room = room
        return 0

    cdef int64_t first_at(self, int64_t slot) noexcept nogil:
        """Return the index of the first row whose slot is at least this one."""
        cdef int64_t low = 0, high = self.count, middle
        while low < high:
            middle = (low + high) // 2
            if self.rows[middle].slot < slot:
                low = middle + 1
            else:
                high = middle
        return low

    cdef int insert(self, int64_t index, Row row, int64_t handle) except -1:
        cdef size_t after = <size_t>(self.count - index)
        self.reserve(self.count + 1)
        memmove(self.rows + index + 1, self.rows + index, after * sizeof(Row))
        memmove(self.handles + index + 1, self.handles + index, after * sizeof(int64_t))
        self.rows[index] = row
        self.handles[index] = handle
        self.count += 1
        return 0

    cdef void remove(self, int64_t index) noexcept nogil:
        cdef size_t after = <size_t>(self.count - index - 1)
        memmove(self.rows + index, self.rows + index + 1, after * sizeof(Row))
        memmove(self.handles + index, self.handles + index + 1, after * sizeof(int64_t))
        self.count -= 1


cdef int _check_order(int64_t side, int64_t price_ticks, int64_t lots) except -1:
    if side != SIDE_BUY and side != SIDE_SELL:
        raise ValueError(f"side was {side}: it must be BUY ({SIDE_BUY}) or SELL ({SIDE_SELL})")
    if not 0 < price_ticks <= MAX_MAGNITUDE or not 0 < lots <= MAX_MAGNITUDE:
        raise ValueError(f"price_ticks was {price_ticks} and lots {lots}: both must lie between 1 and {MAX_MAGNITUDE}")
    return 0


@final
cdef class Desired:
    """The orders we want: at most one per (slot, side)."""

    def __cinit__(self):
        self.buys = RowSet()
        self.sells = RowSet()
        self.clear()

    def clear(self):
        """Forget all rows, the reference price and both keep ranges."""
        self.version += 1
        self.buys.count = self.sells.count = 0
        self.price2 = 0
        self.keep_low[0] = self.keep_low[1] = 0
        self.keep_high[0] = self.keep_high[1] = -1

    def add(self, int64_t slot, int64_t side, int64_t price_ticks, int64_t lots, bint reduce_only=False,
            bint keep_only=False):
        """Want an order.

        A `keep_only` row is satisfied by an order that exists and never asks for a new one. ValueError if the slot
        already wants an order of that side, or a number is out of range.
        """
        cdef RowSet rows
        cdef Row row
        cdef int64_t index
        _check_order(side, price_ticks, lots)
        rows = self.sells if side else self.buys
        index = rows.first_at(slot)
        if index < rows.count and rows.rows[index].slot == slot:
            raise ValueError(f"slot {slot} already wants a {'sell' if side else 'buy'}: one order per slot and side")
        row.slot, row.price_ticks, row.lots = slot, price_ticks, lots
        row.flags = (F_REDUCE_ONLY if reduce_only else 0) | (F_KEEP_ONLY if keep_only else 0)
        rows.insert(index, row, 0)
        self.version += 1

    def keep(self, int64_t side, int64_t low_slot, int64_t high_slot):
        """Leave live orders of these slots alone although no row wants them (hysteresis); empty if low > high."""
        if side != SIDE_BUY and side != SIDE_SELL:
            raise ValueError(f"side was {side}: it must be BUY ({SIDE_BUY}) or SELL ({SIDE_SELL})")
        self.version += 1
        self.keep_low[side] = low_slot
        self.keep_high[side] = high_slot

    @property
    def price2_ticks(self):
        """Twice the reference price; rows nearest to it come first. 0 until set."""
        return self.price2

    @price2_ticks.setter
    def price2_ticks(self, int64_t value):
        if not 0 <= value <= 2 * MAX_MAGNITUDE:
            raise ValueError(f"price2_ticks was {value}: twice a price is between 0 and {2 * MAX_MAGNITUDE}")
        self.price2 = value

    def rows(self):
        """Return (slot, side, price_ticks, lots, reduce_only, keep_only), buys then sells, each by slot."""
        listed = []
        cdef RowSet rows
        cdef int64_t side, i
        for side in range(2):
            rows = self.sells if side else self.buys
            for i in range(rows.count):
                listed.append((
                    rows.rows[i].slot, side, rows.rows[i].price_ticks, rows.rows[i].lots,
                    bool(rows.rows[i].flags & F_REDUCE_ONLY), bool(rows.rows[i].flags & F_KEEP_ONLY),
                ))
        return listed

    def __len__(self):
        return self.buys.count + self.sells.count


@final
cdef class Live:
    """Our orders that are not terminal, each under a handle of the caller's choice (any int64)."""

    def __cinit__(self):
        self.buys = RowSet()
        self.sells = RowSet()
        self.where = {}
        self.best_known[0] = self.best_known[1] = True

    def put(self, int64_t handle, int64_t slot, int64_t side, int64_t price_ticks, int64_t lots,
            bint reduce_only=False, int64_t state=0):
        """Add an order or replace the one with this handle; `lots` is what remains of it."""
        cdef RowSet rows
        cdef Row row
        cdef int64_t index
        _check_order(side, price_ticks, lots)
        if not 0 <= state <= 3:
            raise ValueError(f"state was {state}: it must be WORKING, PENDING, UNKNOWN or CANCELLING (0 to 3)")
        if handle in self.where:
            self.remove(handle)
        rows = self.sells if side else self.buys
        index = rows.first_at(slot)
        while index < rows.count and rows.rows[index].slot == slot:
            index += 1
        row.slot, row.price_ticks, row.lots = slot, price_ticks, lots
        row.flags = (F_REDUCE_ONLY if reduce_only else 0) | state << F_STATE_SHIFT
        rows.insert(index, row, handle)
        self.where[handle] = (side, slot)
        if self.best_known[side]:
            if self.best[side] == 0 or (price_ticks < self.best[side] if side else price_ticks > self.best[side]):
                self.best[side] = price_ticks

    cdef int64_t find(self, int64_t handle, int64_t* side) except -1:
        cdef RowSet rows
        cdef int64_t index, slot
        place = self.where.get(handle)
        if place is None:
            raise KeyError(f"no live order has the handle {handle}: it ended already or was never put here")
        side[0] = place[0]
        slot = place[1]
        rows = self.sells if side[0] else self.buys
        index = rows.first_at(slot)
        while rows.handles[index] != handle:
            index += 1
        return index

    def remove(self, int64_t handle):
        """Forget an order that became terminal; KeyError for a handle that is not here."""
        cdef int64_t side = 0
        cdef int64_t index = self.find(handle, &side)
        cdef RowSet rows = self.sells if side else self.buys
        if rows.rows[index].price_ticks == self.best[side]:
            self.best_known[side] = False
        rows.remove(index)
        del self.where[handle]

    def set_state(self, int64_t handle, int64_t state):
        """Set WORKING, PENDING, UNKNOWN or CANCELLING; KeyError for a handle that is not here."""
        cdef int64_t side = 0
        cdef int64_t index = self.find(handle, &side)
        cdef RowSet rows = self.sells if side else self.buys
        if not 0 <= state <= 3:
            raise ValueError(f"state was {state}: it must be WORKING, PENDING, UNKNOWN or CANCELLING (0 to 3)")
        rows.rows[index].flags = (rows.rows[index].flags & ~F_STATE) | state << F_STATE_SHIFT

    def set_remaining(self, int64_t handle, int64_t lots):
        """Set the remaining lots, at least 1; KeyError for a handle that is not here."""
        cdef int64_t side = 0
        cdef int64_t index = self.find(handle, &side)
        cdef RowSet rows = self.sells if side else self.buys
        _check_order(side, rows.rows[index].price_ticks, lots)
        rows.rows[index].lots = lots

    def clear(self):
        self.buys.count = self.sells.count = 0
        self.where.clear()
        self.best[0] = self.best[1] = 0
        self.best_known[0] = self.best_known[1] = True

    cdef int64_t best_ticks(self, int64_t side) noexcept:
        cdef RowSet rows
        cdef int64_t i, best = 0
        if self.best_known[side]:
            return self.best[side]
        rows = self.sells if side else self.buys
        for i in range(rows.count):
            if best == 0 or (rows.rows[i].price_ticks < best if side else rows.rows[i].price_ticks > best):
                best = rows.rows[i].price_ticks
        self.best[side] = best
        self.best_known[side] = True
        return best

    @property
    def best_buy_ticks(self):
        """Our highest bid in any state, 0 for none."""
        return self.best_ticks(SIDE_BUY)

    @property
    def best_sell_ticks(self):
        """Our lowest ask in any state, 0 for none."""
        return self.best_ticks(SIDE_SELL)

    def rows(self):
        """Return (handle, slot, side, price_ticks, lots, reduce_only, state), buys then sells, each by slot."""
        listed = []
        cdef RowSet rows
        cdef int64_t side, i
        for side in range(2):
            rows = self.sells if side else self.buys
            for i in range(rows.count):
                listed.append((
                    rows.handles[i], rows.rows[i].slot, side, rows.rows[i].price_ticks, rows.rows[i].lots,
                    bool(rows.rows[i].flags & F_REDUCE_ONLY), rows.rows[i].flags >> F_STATE_SHIFT,
                ))
        return listed

    def __contains__(self, handle):
        return handle in self.where

    def __len__(self):
        return self.buys.count + self.sells.count
