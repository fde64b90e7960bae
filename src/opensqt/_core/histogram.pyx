"""A latency histogram of fixed memory: log-linear buckets over all int64 nanoseconds, within 1 % everywhere.

Values below 256 ns have a bucket each; above, every power of two is cut into 128 equal buckets, so a bucket is at
most 1/128 of its value wide and its middle at most 0.4 % away from anything in it. That is 59 KiB, allocated once:
recording never allocates, and two histograms merge by adding. Quantiles are the middle of the bucket that holds the
rank, kept within the smallest and largest value seen.
"""

import struct

from cpython.number cimport PyNumber_Index
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset
cimport cython

cdef extern from *:
    """
    #define OPENSQT_HISTOGRAM_HIGHEST_BIT(word) (63 - __builtin_clzll(word))
    """
    int HIGHEST_BIT "OPENSQT_HISTOGRAM_HIGHEST_BIT" (uint64_t word) noexcept nogil

# Serialised form: header, then a pair (bucket, count) for each bucket in use, all little-endian.
_MAGIC = b"OSH1"
_HEADER = struct.Struct("<4sBxxxqqqQQI")
_PAIR = struct.Struct("<Iq")


class HistogramError(ValueError):
    """A quantile, a bound or a serialised histogram is invalid; nothing was changed."""


cdef inline Py_ssize_t _bucket(uint64_t value) noexcept nogil:
    cdef int shift
    if value < 2 * HALF:
        return <Py_ssize_t> value
    shift = HIGHEST_BIT(value) - (SUB_BITS - 1)
    return shift * HALF + <Py_ssize_t> (value >> shift)


cdef inline uint64_t _lowest_of(Py_ssize_t bucket) noexcept nogil:
    cdef int shift
    if bucket < 2 * HALF:
        return <uint64_t> bucket
    shift = <int> (bucket // HALF - 1)
    return <uint64_t> (bucket - shift * HALF) << shift


cdef inline uint64_t _width_of(Py_ssize_t bucket) noexcept nogil:
    return 1 if bucket < 2 * HALF else <uint64_t> 1 << (bucket // HALF - 1)


@cython.final
cdef class Histogram:
    """Count latencies in nanoseconds; not safe for use from several threads at once."""

    def __cinit__(self):
        self.counts = <int64_t*> calloc(BUCKETS, sizeof(int64_t))
        if self.counts == NULL:
            raise MemoryError
        self.lowest = INT64_MAX

    def __dealloc__(self):
        free(self.counts)

    @cython.overflowcheck(False)
    cdef void record_c(self, int64_t ns) noexcept nogil:
        if ns < 0:
            ns = 0
        self.counts[_bucket(<uint64_t> ns)] += 1
        self.count += 1
        if ns < self.lowest:
            self.lowest = ns
        if ns > self.highest:
            self.highest = ns
        self.sum_low += <uint64_t> ns
        self.sum_high += self.sum_low < <uint64_t> ns

    def record(self, ns not None):
        """Record one latency.

        Args:
            ns: nanoseconds; a negative value, from a clock that stepped back, counts as 0, and one above 63 bits
                as the largest.

        Raises:
            TypeError: ns is not an int.
        """
        cdef object value = PyNumber_Index(ns)
        self.record_c(<int64_t> min(max(value, 0), INT64_MAX))

    @property
    def sum_ns(self):
        """Exact sum of everything recorded."""
        return (int(self.sum_high) << 64) + int(self.sum_low)

    @property
    def min(self):
        """Smallest value recorded in ns, exactly; None when empty."""
        return self.lowest if self.count else None

    @property
    def max(self):
        """Largest value recorded in ns, exactly; None when empty."""
        return self.highest if self.count else None

    def quantile(self, double q):
        """Return the value in ns below or at which the fraction q lies, within 0.4 %; None when empty.

        Args:
            q: from 0 to 1; 0.99 gives the smallest value that at least 99 % are below or equal to.

        Raises:
            HistogramError: q is outside [0, 1].
        """
        cdef int64_t rank
        cdef int64_t passed = 0
        cdef int64_t value
        cdef Py_ssize_t bucket
        if not 0.0 <= q <= 1.0:
            raise HistogramError(f"quantile {q} is outside [0, 1]")
        if self.count == 0:
            return None
        rank = <int64_t> (q * self.count)
        if rank < q * self.count:
            rank += 1
        rank = max(rank, 1)
        for bucket in range(BUCKETS):
            passed += self.counts[bucket]
            if passed >= rank:
                break
        value = <int64_t> (_lowest_of(bucket) + (_width_of(bucket) >> 1))
        return min(max(value, self.lowest), self.highest)

    def buckets(self, bounds not None):
        """Return how many values are below or equal to each bound, as Prometheus wants them.

        A value counts where its bucket's middle is, so near a bound up to 0.4 % of its value may be off.

        Args:
            bounds: upper bounds in ns, ascending; the caller adds the +Inf bucket, which is `count`.

        Raises:
            HistogramError: bounds are not ascending.
        """
        cdef Py_ssize_t bucket = 0
        cdef int64_t passed = 0
        cdef list cumulative = []
        previous = None
        for bound in bounds:
            if previous is not None and bound <= previous:
                raise HistogramError(f"bounds must ascend; {bound} follows {previous}")
            previous = bound
            while bucket < BUCKETS and _lowest_of(bucket) + (_width_of(bucket) >> 1) <= bound:
                passed += self.counts[bucket]
                bucket += 1
            cumulative.append(passed)
        return cumulative

    @cython.overflowcheck(False)
    def merge(self, Histogram other not None):
        """Add everything another histogram recorded to this one."""
        cdef Py_ssize_t bucket
        cdef uint64_t added = other.sum_low
        for bucket in range(BUCKETS):
            self.counts[bucket] += other.counts[bucket]
        self.count += other.count
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)
        self.sum_low += added
        self.sum_high += other.sum_high + (self.sum_low < added)

    def reset(self):
        """Forget everything recorded."""
        memset(self.counts, 0, BUCKETS * sizeof(int64_t))
        self.count = 0
        self.lowest = INT64_MAX
        self.highest = 0
        self.sum_low = 0
        self.sum_high = 0

    def to_bytes(self):
        """Return a compact form that `from_bytes` reads, on any machine."""
        used = [(bucket, self.counts[bucket]) for bucket in range(BUCKETS) if self.counts[bucket]]
        header = _HEADER.pack(
            _MAGIC, SUB_BITS, self.count, self.lowest, self.highest, self.sum_low, self.sum_high, len(used)
        )
        return header + b"".join([_PAIR.pack(bucket, count) for bucket, count in used])

    @staticmethod
    def from_bytes(bytes data not None):
        """Return the histogram that `to_bytes` described.

        Raises:
            HistogramError: the bytes are of another version, torn or inconsistent.
        """
        cdef Histogram restored = Histogram.__new__(Histogram)
        if len(data) < _HEADER.size:
            raise HistogramError(f"serialised histogram is torn: {len(data)} bytes, its header has {_HEADER.size}")
        magic, sub_bits, count, lowest, highest, sum_low, sum_high, used = _HEADER.unpack_from(data)
        if magic != _MAGIC or sub_bits != SUB_BITS:
            raise HistogramError(f"bytes are no histogram of this version (they begin {data[:5]!r})")
        if len(data) != _HEADER.size + used * _PAIR.size:
            raise HistogramError(f"serialised histogram is torn: {len(data)} bytes for {used} buckets")
        total = 0
        before = -1
        for bucket, bucket_count in _PAIR.iter_unpack(data[_HEADER.size:]):
            if not before < bucket < BUCKETS or bucket_count <= 0:
                raise HistogramError(f"bucket {bucket} with {bucket_count} values cannot be")
            restored.counts[bucket] = bucket_count
            before = bucket
            total += bucket_count
        if total != count or total > INT64_MAX or (count and not 0 <= lowest <= highest):
            raise HistogramError(f"{count} values were promised, {total} are in the buckets")
        restored.count = count
        restored.lowest = lowest
        restored.highest = highest
        restored.sum_low = sum_low
        restored.sum_high = sum_high
        return restored

    def __reduce__(self):
        return (Histogram.from_bytes, (self.to_bytes(),))
