"""C interface of the matcher."""

from libc.stdint cimport int64_t

from opensqt._core.match_side cimport Order
from opensqt._core.match_store cimport RestingOrders


cdef class Matcher:
    cdef readonly int64_t max_orders, queue_power
    cdef readonly bint print_through_fills_all, partial_fills, keep_queue_on_decrease
    cdef RestingOrders resting

    cdef int show_level(self, int64_t side, int64_t price_ticks, int64_t lots) except -1
    cdef bint would_trade(self, int64_t side, int64_t price_ticks, const int64_t* levels, int64_t count) noexcept
    cdef int take(self, list events, int64_t side, Order* order, const int64_t* levels, int64_t count,
                  int64_t stp, int64_t* reason) except -1
    cdef int take_external(self, list events, int64_t side, Order* order, int64_t price_ticks, int64_t lots) except -1
    cdef int arrive(self, list events, int64_t side, Order* order, int64_t tif, const int64_t* levels, int64_t count,
                    int64_t displayed_lots, int64_t stp) except -1
    cdef int fill_through(self, list events, int64_t side, int64_t key, int64_t* left, bint all_lots) except -1
