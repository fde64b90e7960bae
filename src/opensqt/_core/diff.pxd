"""C interface of the order sets and their difference."""

from libc.stdint cimport int64_t


cdef enum:
    SIDE_BUY = 0
    SIDE_SELL = 1
    # Row flags. A desired row carries the first two, a live row the first and its state from bit 8 on.
    F_REDUCE_ONLY = 1
    F_KEEP_ONLY = 2
    F_STATE = 0xFF00
    F_STATE_SHIFT = 8


cdef struct Row:
    int64_t slot
    int64_t price_ticks
    int64_t lots
    int64_t flags


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


cdef class RowSet:
    """Rows of one side sorted by slot, each with a handle, in one block of memory."""

    cdef Row* rows
    cdef int64_t* handles
    cdef int64_t count, room

    cdef int reserve(self, int64_t room) except -1
    cdef int64_t first_at(self, int64_t slot) noexcept nogil
    cdef int insert(self, int64_t index, Row row, int64_t handle) except -1
    cdef void remove(self, int64_t index) noexcept nogil


cdef class Desired:
    cdef RowSet buys, sells
    cdef int64_t keep_low[2]
    cdef int64_t keep_high[2]
    cdef int64_t price2
    cdef int64_t version              # changes with the rows and the keep ranges


cdef class Live:
    cdef RowSet buys, sells
    cdef dict where                   # handle -> (side, slot)
    cdef int64_t best[2]              # best own price per side, 0 for none
    cdef bint best_known[2]

    cdef int64_t find(self, int64_t handle, int64_t* side) except -1
    cdef int64_t best_ticks(self, int64_t side) noexcept


cdef class Differ:
    cdef readonly int64_t max_open_orders, max_actions
    cdef readonly bint allow_amend
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
