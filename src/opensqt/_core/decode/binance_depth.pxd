"""C API of the Binance depth decoder."""

from libc.stdint cimport int64_t

from opensqt._core.book cimport OrderBook
from opensqt._core.fixed cimport Increment


cdef struct Levels:
    int64_t* pairs           # (ticks, lots)
    Py_ssize_t count
    Py_ssize_t capacity


cdef class DepthDecoder:
    cdef readonly Increment price
    cdef readonly Increment quantity
    cdef readonly int64_t event_time_ms
    cdef readonly int64_t transaction_time_ms
    cdef readonly int64_t first_id
    cdef readonly int64_t last_id
    cdef readonly int64_t prev_id
    cdef readonly bytes symbol
    cdef readonly bint is_snapshot
    cdef bint decoded
    cdef Levels bid_levels
    cdef Levels ask_levels
    cdef const char* symbol_start   # into the frame of the last decode_c, valid as long as that frame
    cdef Py_ssize_t symbol_size
    cdef Py_ssize_t stopped_at

    # Return a SCAN_ code; the frame is read during the call only.
    cdef int decode_c(self, const char* data, Py_ssize_t size) noexcept nogil
    cdef int decode_snapshot_c(self, const char* data, Py_ssize_t size) noexcept nogil
    cdef int apply_c(self, OrderBook book) except -1
