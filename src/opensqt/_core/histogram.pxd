"""C API of histogram: record a latency in a few nanoseconds."""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    # Values below 2**SUB_BITS have a bucket each; above, every power of two is cut into 2**(SUB_BITS - 1) buckets.
    SUB_BITS = 8
    HALF = 1 << (SUB_BITS - 1)
    BUCKETS = (64 - SUB_BITS) * HALF + 2 * HALF


cdef class Histogram:
    cdef readonly int64_t count
    cdef int64_t lowest
    cdef int64_t highest
    # Two words: 2**63 ns are only 292 years of summed latency.
    cdef uint64_t sum_low
    cdef uint64_t sum_high
    cdef int64_t* counts

    # Record one value; a negative one (a clock that stepped back) counts as 0.
    cdef void record_c(self, int64_t ns) noexcept nogil
