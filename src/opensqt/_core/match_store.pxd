"""C interface of the resting orders and positions."""

from libc.stdint cimport int64_t

from opensqt._core.match_side cimport Order, Side


cdef struct Owner:
    int64_t owner
    int64_t position_lots
    int64_t reduce_only_orders


cdef class RestingOrders:
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
    cdef list dump(self)
    cdef dict positions(self)
    cdef int load(self, list orders, dict positions, int64_t max_orders) except -1
