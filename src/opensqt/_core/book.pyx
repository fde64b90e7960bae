"""An L2 order book in ticks and lots: constant-time near the touch, complete far from it.

The structure of a side (a ring of ticks around the touch, a sorted array below it) is `book_side.pxd`; this module
is the book over two of them: whole messages checked before the first level changes, views, and publication.

Changed keys are noted for conflated publication (`take_changes`) in a bounded list; when it overflows, or after a
clear or a snapshot, the answer is "publish everything" instead.
"""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.number cimport PyNumber_Index
from libc.stdint cimport int64_t
from libc.stdlib cimport qsort
cimport cython

from opensqt._core.book_side cimport (
    MAX_CHANGES,
    NO_KEY,
    RING_MASK,
    Side,
    clear_side,
    copy_levels,
    free_side,
    init_side,
    lots_at_key,
    near_at_or_below,
    reserve_levels,
    set_key,
)

if sys.byteorder != "little":
    raise ImportError("packed levels are little-endian int64 pairs; this machine is not little-endian")

cdef int64_t VALUE_LIMIT = <int64_t> 1 << 53


class BookError(ValueError):
    """A level or packed buffer cannot be applied; nothing of the call was."""


cdef int _descending(const void* left, const void* right) noexcept nogil:
    cdef int64_t a = (<const int64_t*> left)[0]
    cdef int64_t b = (<const int64_t*> right)[0]
    return (a < b) - (a > b)


cdef bytes _pack_changes(Side* side, int64_t sign):
    """Pack the changed levels once each, best first, with their lots of now; the list is then empty."""
    cdef bytes packed
    cdef int64_t* out
    cdef Py_ssize_t index
    cdef Py_ssize_t count = 0
    qsort(side.changed, side.changed_count, sizeof(int64_t), _descending)
    for index in range(side.changed_count):
        if count == 0 or side.changed[index] != side.changed[count - 1]:
            side.changed[count] = side.changed[index]
            count += 1
    packed = PyBytes_FromStringAndSize(NULL, count * 16)
    out = <int64_t*> PyBytes_AS_STRING(packed)
    for index in range(count):
        out[2 * index] = side.changed[index] * sign
        out[2 * index + 1] = lots_at_key(side, side.changed[index])
    side.changed_count = 0
    return packed


cdef int _check(const int64_t* pairs, Py_ssize_t count) except -1:
    cdef Py_ssize_t index
    for index in range(count):
        if pairs[2 * index] <= 0 or pairs[2 * index] >= VALUE_LIMIT:
            raise BookError(f"price of {pairs[2 * index]} ticks is outside (0, 2**53)")
        if pairs[2 * index + 1] < 0 or pairs[2 * index + 1] >= VALUE_LIMIT:
            raise BookError(f"{pairs[2 * index + 1]} lots at {pairs[2 * index]} ticks are outside [0, 2**53)")
    return 0


cdef Py_ssize_t _pair_count(bytes packed) except -1:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(packed)
    if size % 16:
        raise BookError(f"packed levels are int64 pairs of 16 bytes each; {size} bytes were given")
    return size // 16


@cython.final
cdef class OrderBook:
    """Hold both sides of one symbol's book in ticks and lots.

    `first_id` and `last_id` are the venue's sequence numbers of the last message applied, for whoever applies
    messages to set and check; the book itself only keeps them (0 at first and after `clear`).
    """

    def __cinit__(self):
        init_side(&self.bids)
        init_side(&self.asks)

    def __dealloc__(self):
        free_side(&self.bids)
        free_side(&self.asks)

    cdef int64_t best_bid_ticks_c(self) noexcept nogil:
        return 0 if self.bids.best == NO_KEY else self.bids.best

    cdef int64_t best_bid_lots_c(self) noexcept nogil:
        return 0 if self.bids.best == NO_KEY else self.bids.lots[self.bids.best & RING_MASK]

    cdef int64_t best_ask_ticks_c(self) noexcept nogil:
        return 0 if self.asks.best == NO_KEY else -self.asks.best

    cdef int64_t best_ask_lots_c(self) noexcept nogil:
        return 0 if self.asks.best == NO_KEY else self.asks.lots[self.asks.best & RING_MASK]

    cdef bint is_crossed_c(self) noexcept nogil:
        return self.bids.best != NO_KEY and self.asks.best != NO_KEY and self.bids.best >= -self.asks.best

    cdef int64_t lots_at_c(self, bint is_bid, int64_t price_ticks) noexcept nogil:
        return lots_at_key(&self.bids, price_ticks) if is_bid else lots_at_key(&self.asks, -price_ticks)

    cdef void clear_c(self) noexcept nogil:
        clear_side(&self.bids)
        clear_side(&self.asks)
        self.first_id = 0
        self.last_id = 0

    cdef int apply_c(
        self, const int64_t* bids, Py_ssize_t bid_count, const int64_t* asks, Py_ssize_t ask_count
    ) except -1:
        _check(bids, bid_count)
        _check(asks, ask_count)
        return self.apply_valid_c(bids, bid_count, asks, ask_count)

    cdef int apply_valid_c(
        self, const int64_t* bids, Py_ssize_t bid_count, const int64_t* asks, Py_ssize_t ask_count
    ) except -1:
        cdef Py_ssize_t index
        reserve_levels(&self.bids, bid_count)
        reserve_levels(&self.asks, ask_count)
        for index in range(bid_count):
            set_key(&self.bids, bids[2 * index], bids[2 * index + 1])
        for index in range(ask_count):
            set_key(&self.asks, -asks[2 * index], asks[2 * index + 1])
        return 0

    cdef int load_c(
        self, const int64_t* bids, Py_ssize_t bid_count, const int64_t* asks, Py_ssize_t ask_count
    ) except -1:
        _check(bids, bid_count)
        _check(asks, ask_count)
        reserve_levels(&self.bids, bid_count)
        reserve_levels(&self.asks, ask_count)
        self.clear_c()
        self.apply_valid_c(bids, bid_count, asks, ask_count)
        self.bids.changed_count = MAX_CHANGES + 1
        return 0

    def clear(self):
        """Forget every level and the sequence numbers."""
        self.clear_c()

    def set_level(self, bint is_bid, price_ticks, lots):
        """Set the quantity at one price; 0 lots removes the level, and removing an absent one does nothing.

        Raises:
            BookError: price_ticks outside (0, 2**53) or lots outside [0, 2**53).
        """
        cdef int64_t[2] pair
        try:
            # PyNumber_Index refuses floats, which C conversion would cut off silently.
            pair[0] = PyNumber_Index(price_ticks)
            pair[1] = PyNumber_Index(lots)
        except OverflowError:
            raise BookError(f"{lots} lots at {price_ticks} ticks are out of range; both stay below 2**53") from None
        if is_bid:
            self.apply_c(pair, 1, NULL, 0)
        else:
            self.apply_c(NULL, 0, pair, 1)

    def apply_packed(self, bytes bids not None, bytes asks not None):
        """Apply a delta: absolute quantities per price, 0 lots removes; the last of repeated prices wins.

        Args:
            bids: little-endian int64 pairs (ticks, lots), in any order.
            asks: the same for the other side.

        Raises:
            BookError: a buffer is no whole number of pairs, or a value is out of range; the book is unchanged.
        """
        self.apply_c(
            <const int64_t*> PyBytes_AS_STRING(bids), _pair_count(bids),
            <const int64_t*> PyBytes_AS_STRING(asks), _pair_count(asks),
        )

    def load_packed(self, bytes bids not None, bytes asks not None):
        """Replace the whole book by a snapshot, packed as in `apply_packed`; sequence numbers go back to 0.

        Raises:
            BookError: as in `apply_packed`; the book is unchanged.
        """
        self.load_c(
            <const int64_t*> PyBytes_AS_STRING(bids), _pair_count(bids),
            <const int64_t*> PyBytes_AS_STRING(asks), _pair_count(asks),
        )

    @property
    def best_bid_ticks(self):
        """Highest bid in ticks, or None when there is no bid."""
        return self.best_bid_ticks_c() or None

    @property
    def best_bid_lots(self):
        """Lots at the best bid, or None when there is no bid."""
        return self.best_bid_lots_c() or None

    @property
    def best_ask_ticks(self):
        """Lowest ask in ticks, or None when there is no ask."""
        return self.best_ask_ticks_c() or None

    @property
    def best_ask_lots(self):
        """Lots at the best ask, or None when there is no ask."""
        return self.best_ask_lots_c() or None

    @property
    def is_crossed(self):
        """Whether the best bid is at or above the best ask, which a valid book never shows."""
        return self.is_crossed_c()

    @property
    def mid2_ticks(self):
        """Best bid plus best ask in ticks, i.e. twice the mid, exactly; None when a side is empty."""
        if self.bids.best == NO_KEY or self.asks.best == NO_KEY:
            return None
        return self.bids.best - self.asks.best

    def microprice(self):
        """Return the mid weighted by the opposite side's size, in ticks; None when a side is empty.

        A statistic: (bid * ask_lots + ask * bid_lots) / (bid_lots + ask_lots), never to be used as a price.
        """
        cdef double bid_lots
        cdef double ask_lots
        if self.bids.best == NO_KEY or self.asks.best == NO_KEY:
            return None
        bid_lots = self.best_bid_lots_c()
        ask_lots = self.best_ask_lots_c()
        return (self.bids.best * ask_lots - self.asks.best * bid_lots) / (bid_lots + ask_lots)

    def lots_at(self, bint is_bid, price_ticks):
        """Return the lots at one price, 0 when there is no level."""
        return self.lots_at_c(is_bid, PyNumber_Index(price_ticks))

    def level_count(self, bint is_bid):
        """Return how many prices one side holds, near and far."""
        cdef const Side* side = &self.bids if is_bid else &self.asks
        return side.near_count + side.far_count

    def pack(self, bint is_bid, Py_ssize_t limit=0):
        """Return up to `limit` levels (0: all), best first, as little-endian int64 pairs (ticks, lots).

        Raises:
            BookError: limit is negative.
        """
        cdef const Side* side = &self.bids if is_bid else &self.asks
        cdef Py_ssize_t count = side.near_count + side.far_count
        cdef bytes packed
        if limit < 0:
            raise BookError(f"limit of {limit} levels is negative; 0 asks for all")
        if 0 < limit < count:
            count = limit
        packed = PyBytes_FromStringAndSize(NULL, count * 16)
        copy_levels(side, 1 if is_bid else -1, count, <int64_t*> PyBytes_AS_STRING(packed))
        return packed

    def levels(self, bint is_bid, Py_ssize_t limit=0):
        """Return up to `limit` levels (0: all) as (ticks, lots), best first.

        Raises:
            BookError: limit is negative.
        """
        cdef bytes packed = self.pack(is_bid, limit)
        cdef const int64_t* pairs = <const int64_t*> PyBytes_AS_STRING(packed)
        cdef Py_ssize_t index
        return [(pairs[2 * index], pairs[2 * index + 1]) for index in range(PyBytes_GET_SIZE(packed) // 16)]

    def depth_lots(self, bint is_bid, limit_ticks):
        """Return the total lots of one side at `limit_ticks` or better (bids: at or above, asks: at or below)."""
        cdef const Side* side = &self.bids if is_bid else &self.asks
        cdef int64_t limit_key = PyNumber_Index(limit_ticks)
        cdef int64_t key = side.best
        cdef Py_ssize_t index = side.far_count
        total = 0
        if not is_bid:
            limit_key = -limit_key
        while key != NO_KEY and key >= limit_key:
            total += side.lots[key & RING_MASK]
            key = near_at_or_below(side, key - 1)
        while index > 0 and side.far[2 * index - 2] >= limit_key:
            total += side.far[2 * index - 1]
            index -= 1
        return total

    def take_changes(self):
        """Return what changed since the last call, for publication, and start anew.

        Returns:
            Two packed buffers (bids, asks) of (ticks, lots) with the quantities of now, each price once, best
            first, 0 lots for a removed level. None when everything must be published instead: on the first
            call, after `clear` or `load_packed`, and after more than 4096 changes on a side.
        """
        if self.bids.changed_count > MAX_CHANGES or self.asks.changed_count > MAX_CHANGES:
            self.bids.changed_count = 0
            self.asks.changed_count = 0
            return None
        return _pack_changes(&self.bids, 1), _pack_changes(&self.asks, -1)
