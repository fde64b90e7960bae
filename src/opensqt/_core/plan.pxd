"""C interface of the grid planner."""

from libc.stdint cimport int64_t

from opensqt._core.order_sets cimport Desired, Row, RowSet
from opensqt._core.grid cimport Lattice


cdef class Holdings:
    cdef RowSet slots                 # Row.lots is what the slot holds
    cdef int64_t version


cdef class GridPlanner:
    cdef readonly Lattice lattice
    cdef readonly int64_t buy_window, sell_window, hysteresis, safety_permille, min_lots, lot_step
    cdef readonly int64_t lowest_slot, highest_slot
    cdef readonly int64_t quote_units, units_per_tick_lot, fixed_lots
    # Every level of a stretch of the lattice as the buy it would be, so that a window is one copy.
    cdef Row* levels
    cdef int64_t levels_low, levels_count
    # What the desired set was last filled with, and from what.
    cdef Desired filled
    cdef Holdings last_holdings
    cdef int64_t filled_version, last_version
    cdef int64_t last_top, last_bottom, last_inside, last_near

    cdef int64_t _bought_at(self, int64_t price_ticks) noexcept
    cdef int _cover(self, int64_t bottom, int64_t top) except -1
    cdef int64_t plan_c(self, int64_t price2_ticks, Holdings holdings, Desired desired) except? -1
    cdef int _plan_buys(self, int64_t bottom, int64_t top, RowSet held, RowSet rows) except -1
    cdef int _plan_sells(self, int64_t first, int64_t inside, int64_t near, RowSet held, RowSet rows) except -1
