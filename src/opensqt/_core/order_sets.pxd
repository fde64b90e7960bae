"""C interface of the sets of desired and live orders."""

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
