"""C interface of the price lattice."""

from libc.stdint cimport int64_t

# Twice and four times a price must fit an int64 with room for a window.
cdef enum:
    MAX_PRICE_SHIFT = 58


cdef class Lattice:
    cdef readonly int64_t anchor_ticks        # the price of level 0
    cdef readonly int64_t interval_ticks      # 0 on a geometric lattice
    cdef readonly int64_t ratio_ppb           # 0 on an arithmetic lattice
    cdef readonly int64_t unit_ticks          # levels of a geometric lattice are multiples of it
    cdef int64_t lowest                       # arithmetic: index of the lowest level above zero
    # Geometric levels already computed, in units: up[k] is level k >= 0, down[i] is level -1-i.
    cdef int64_t* up
    cdef int64_t* down
    cdef int64_t up_count, up_room, down_count, down_room
    cdef bint up_ended, down_ended
    cdef object up_exact, down_exact          # the last level of each table, in fixed point, before rounding

    cdef int64_t level_c(self, int64_t k) except -1          # 0: no such level
    cdef int64_t index_near_c(self, int64_t price2_ticks) except? -1
    cdef int64_t index_at_or_below_c(self, int64_t price_ticks) except? -1
    cdef int64_t step_c(self, int64_t k) except -1
    cdef int64_t buy_top_c(self, int64_t price2_ticks, int64_t centre, int64_t safety_permille) except? -1
    cdef int64_t sell_top_c(self, int64_t price2_ticks, int64_t centre, int64_t sell_window) except? -1
    cdef int _grow_up(self) except -1
    cdef int _grow_down(self) except -1
    cdef int64_t _geometric_level(self, int64_t k) except -1
    cdef int64_t _geometric_at_or_below(self, int64_t price_ticks) except? -1
    cdef int64_t _lowest(self) except? -1


cdef int64_t lots_for_quote_c(int64_t quote_units, int64_t price_ticks, int64_t units_per_tick_lot) noexcept nogil
cdef int check_price2(int64_t price2_ticks) except -1
