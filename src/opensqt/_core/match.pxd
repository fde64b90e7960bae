"""C interface of the matcher."""

from libc.stdint cimport int64_t

from opensqt._core.match_side cimport Order, Side


cdef struct Owner:
    int64_t owner
    int64_t position_lots
    int64_t reduce_only_orders


cdef class Matcher:
    cdef readonly int64_t max_orders, queue_power
    cdef readonly bint print_through_fills_all, partial_fills, keep_queue_on_decrease
    cdef Side sides[2]
    cdef Owner* owners
    cdef int64_t owner_count, owner_room
    cdef int64_t next_seq
    cdef dict where                   # order id -> (side, key, seq)

    cdef Owner* owner_of(self, int64_t owner) except NULL
    cdef int64_t find(self, int64_t order_id, int64_t* side) except -2
    cdef int drop(self, int64_t side, int64_t index) except -1
    cdef int rest(self, int64_t side, Order* order) except -1
    cdef int fill(self, list events, int64_t side, int64_t index, int64_t lots, int64_t counterparty) except -1
    cdef int move_position(self, list events, int64_t owner, int64_t lots) except -1
    cdef int trim_reduce_only(self, list events, Owner* account) except -1
    cdef bint crosses(self, int64_t side, int64_t price_ticks, const int64_t* levels, int64_t count) noexcept
    cdef int64_t fillable(self, int64_t side, Order* order, const int64_t* levels, int64_t count, int64_t stp) noexcept
    cdef int take(self, list events, int64_t side, Order* order, const int64_t* levels, int64_t count,
                  int64_t stp, int64_t* reason) except -1
    cdef int take_external(self, list events, int64_t side, Order* order, int64_t price_ticks, int64_t lots) except -1
    cdef int arrive(self, list events, int64_t side, Order* order, int64_t tif, const int64_t* levels, int64_t count,
                    int64_t displayed_lots, int64_t stp) except -1
    cdef int fill_through(self, list events, int64_t side, int64_t key, int64_t* left, bint all_lots) except -1
