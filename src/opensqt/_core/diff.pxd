"""C interface of the difference of two order sets."""

from libc.stdint cimport int64_t

from opensqt._core.order_sets cimport Desired, Live, Row, RowSet


cdef struct ActionRow:
    int64_t rank          # order of sending
    int64_t distance2     # twice the distance of the price from the reference
    int64_t kind
    int64_t side
    int64_t handle        # 0 for a new order
    int64_t old_lots      # of an amended order
    Row row


cdef struct RankedRow:
    int64_t rank
    int64_t distance2
    int64_t side
    int64_t index


cdef class Differ:
    cdef readonly int64_t max_open_orders, max_actions
    cdef readonly bint allow_amend
    # Of the last run: what would have met one of our own opposite orders, and what a limit postponed.
    cdef readonly int64_t withheld, deferred
    cdef ActionRow* actions
    cdef int64_t count, room
    cdef int64_t wanted               # open orders there would be if every action succeeded
    cdef int64_t kept                 # of those, the ones only hysteresis keeps
    cdef bint tight                   # the order budget may bind
    cdef char* shed[2]                # per desired row: 1 where a limit leaves it out; NULL where no limit binds
    cdef RankedRow* ranked
    cdef int64_t ranked_room

    cdef int64_t compute_c(self, Desired desired, Live live, int64_t buy_room, int64_t sell_room) except -1
    cdef int push(self, int64_t rank, int64_t kind, int64_t side, int64_t handle, int64_t old_lots, Row row,
                  int64_t price2) except -1
    cdef int walk(self, int64_t side, RowSet want, RowSet have, Desired desired) except -1
    cdef int shed_over_limits(self, Desired desired, int64_t buy_room, int64_t sell_room) except -1
    cdef int shed_kept(self) except -1
    cdef void admit(self, Live live, int64_t buy_room, int64_t sell_room) noexcept
