"""C API of book: an L2 order book in ticks and lots."""

from libc.stdint cimport int64_t

from opensqt._core.book_side cimport Side


cdef class OrderBook:
    cdef public int64_t first_id
    cdef public int64_t last_id
    cdef Side bids
    cdef Side asks

    # 0 where a side is empty: a price is never 0 ticks.
    cdef int64_t best_bid_ticks_c(self) noexcept nogil
    cdef int64_t best_bid_lots_c(self) noexcept nogil
    cdef int64_t best_ask_ticks_c(self) noexcept nogil
    cdef int64_t best_ask_lots_c(self) noexcept nogil
    cdef bint is_crossed_c(self) noexcept nogil
    cdef int64_t lots_at_c(self, bint is_bid, int64_t price_ticks) noexcept nogil
    cdef void clear_c(self) noexcept nogil
    # Pairs (ticks, lots). Validated as a whole before the first level changes.
    cdef int apply_c(
        self, const int64_t* bids, Py_ssize_t bid_count, const int64_t* asks, Py_ssize_t ask_count
    ) except -1
    # The same for values known to be in (0, 2**53) and [0, 2**53); raises MemoryError only.
    cdef int apply_valid_c(
        self, const int64_t* bids, Py_ssize_t bid_count, const int64_t* asks, Py_ssize_t ask_count
    ) except -1
    cdef int load_c(
        self, const int64_t* bids, Py_ssize_t bid_count, const int64_t* asks, Py_ssize_t ask_count
    ) except -1
