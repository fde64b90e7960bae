"""Binance order book messages straight from bytes: depth diffs (`depthUpdate`) and REST depth snapshots.

A `DepthDecoder` belongs to one symbol: it knows the tick and lot size and owns two arrays that are used again for
every message. Decoding fills its header fields and the arrays; only a message that was read to its last byte can then
be applied, so a broken one never leaves half of itself in a book, and the caller can check the sequence in between.
Unknown members of any type are skipped, members come in any order, the last of a repeated member wins.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp
cimport cython

from opensqt._core.book cimport OrderBook
from opensqt._core.decode.binance_frame cimport close_payload, open_payload
from opensqt._core.decode.json_scan cimport (
    SCAN_END,
    SCAN_MEMORY,
    SCAN_MISSING,
    SCAN_OK,
    SCAN_OTHER_EVENT,
    SCAN_RANGE,
    SCAN_SYNTAX,
    SCAN_TYPE,
    SIZE_LIMIT,
    Cursor,
    is_text,
    next_key,
    read_int,
    read_size,
    read_string,
    skip_value,
    take,
)
from opensqt._core.fixed cimport FIXED_OK, Increment, scan_fixed

from opensqt._core.decode._explain import explain

cdef enum:
    SEEN_EVENT = 1
    SEEN_FIRST = 2
    SEEN_LAST = 4
    SEEN_BIDS = 8
    SEEN_ASKS = 16
    SEEN_SYMBOL = 32
    DIFF_MEMBERS = 63
    SNAPSHOT_MEMBERS = SEEN_LAST | SEEN_BIDS | SEEN_ASKS


cdef int _read_level(Cursor* c, Increment price, Increment quantity, int64_t* pair) noexcept nogil:
    """Read one level however it is spaced; further elements are skipped (old spot frames had one)."""
    cdef int status
    if not take(c, c'['):
        return SCAN_TYPE
    status = read_size(c, price.places, price.unit, pair)
    if status != SCAN_OK:
        return status
    if pair[0] == 0:
        return SCAN_RANGE
    if not take(c, c','):
        return SCAN_TYPE
    status = read_size(c, quantity.places, quantity.unit, pair + 1)
    while status == SCAN_OK and not take(c, c']'):
        status = skip_value(c) if take(c, c',') else SCAN_SYNTAX
    return status


cdef int _read_levels(Cursor* c, Levels* levels, Increment price, Increment quantity) noexcept nogil:
    """Read `[["price","quantity"],..]` into `levels`."""
    cdef const char* end = c.end
    cdef const char* p
    cdef int price_places = price.places
    cdef int quantity_places = quantity.places
    cdef int64_t price_unit = price.unit
    cdef int64_t quantity_unit = quantity.unit
    cdef int64_t ticks = 0
    cdef int64_t lots = 0
    cdef int status
    levels.count = 0
    if not take(c, c'['):
        return SCAN_TYPE
    if take(c, c']'):
        return SCAN_OK
    while True:
        if levels.count == levels.capacity and not _grow(levels):
            return SCAN_MEMORY
        # The venue's own spacing, `["p","q"]` and a comma or bracket, is read without touching the cursor.
        p = c.p
        if end - p > 2 and p[0] == c'[' and p[1] == c'"':
            if scan_fixed(p + 2, end, True, price_places, price_unit, &ticks, &p) == FIXED_OK:
                if end - p > 3 and p[0] == c'"' and p[1] == c',' and p[2] == c'"':
                    if scan_fixed(p + 3, end, True, quantity_places, quantity_unit, &lots, &p) == FIXED_OK:
                        if (
                            end - p > 2 and p[0] == c'"' and p[1] == c']' and (p[2] == c',' or p[2] == c']')
                            and 0 < ticks < SIZE_LIMIT and 0 <= lots < SIZE_LIMIT
                        ):
                            levels.pairs[2 * levels.count] = ticks
                            levels.pairs[2 * levels.count + 1] = lots
                            levels.count += 1
                            c.p = p + 3
                            if p[2] == c']':
                                return SCAN_OK
                            continue
        status = _read_level(c, price, quantity, levels.pairs + 2 * levels.count)
        if status != SCAN_OK:
            return status
        levels.count += 1
        if take(c, c','):
            continue
        return SCAN_OK if take(c, c']') else SCAN_SYNTAX


cdef bint _grow(Levels* levels) noexcept nogil:
    cdef Py_ssize_t capacity = levels.capacity * 2 if levels.capacity else 64
    cdef int64_t* pairs = <int64_t*> realloc(levels.pairs, capacity * 2 * sizeof(int64_t))
    if pairs == NULL:
        return False
    levels.pairs = pairs
    levels.capacity = capacity
    return True


cdef inline void _begin(DepthDecoder self, bint is_snapshot) noexcept nogil:
    self.decoded = False
    self.is_snapshot = is_snapshot
    self.event_time_ms = 0
    self.transaction_time_ms = 0
    self.first_id = 0
    self.last_id = 0
    self.prev_id = -1
    self.bid_levels.count = 0
    self.ask_levels.count = 0
    self.symbol_start = b""
    self.symbol_size = 0


cdef inline int _finish(
    DepthDecoder self, Cursor* c, const char* data, int status, bint complete, bint combined
) noexcept nogil:
    if status == SCAN_END:
        status = close_payload(c, combined) if complete else SCAN_MISSING
    self.stopped_at = c.p - data
    self.decoded = status == SCAN_OK
    return status


cdef inline int _check(DepthDecoder self, int status, bytes data) except -1:
    if status == SCAN_MEMORY:
        raise MemoryError
    if status != SCAN_OK:
        raise explain(status, self.stopped_at, data)
    # The frames of one decoder name one symbol, so the object is made once.
    if PyBytes_GET_SIZE(self.symbol) != self.symbol_size or memcmp(
        PyBytes_AS_STRING(self.symbol), self.symbol_start, self.symbol_size
    ):
        self.symbol = PyBytes_FromStringAndSize(self.symbol_start, self.symbol_size)
    return 0


@cython.final
cdef class DepthDecoder:
    """Decode one symbol's depth messages and apply them to books.

    Args:
        price: the symbol's tick size.
        quantity: the symbol's lot size.

    After `decode`: first_id (U), last_id (u), prev_id (pu; -1 on spot, which has none), event_time_ms (E),
    transaction_time_ms (T; 0 when absent), symbol. After `decode_snapshot`: first_id and last_id are lastUpdateId,
    prev_id is -1, times are 0 on spot, symbol is b"" (snapshots name none).
    """

    def __cinit__(self, Increment price not None, Increment quantity not None):
        self.price = price
        self.quantity = quantity
        self.symbol = b""

    def __dealloc__(self):
        free(self.bid_levels.pairs)
        free(self.ask_levels.pairs)

    cdef int decode_c(self, const char* data, Py_ssize_t size) noexcept nogil:
        """Decode a raw or combined depthUpdate frame; returns a SCAN_ code."""
        cdef Cursor c = Cursor(data, data + size)
        cdef const char* key = NULL
        cdef const char* text = NULL
        cdef Py_ssize_t key_size = 0
        cdef Py_ssize_t text_size = 0
        cdef bint combined = False
        cdef bint first = True
        cdef int seen = 0
        cdef int status
        _begin(self, False)
        status = open_payload(&c, &combined)
        while status == SCAN_OK:
            status = next_key(&c, first, &key, &key_size)
            if status != SCAN_OK:
                break
            first = False
            if key_size == 1:
                if key[0] == c'b':
                    status = _read_levels(&c, &self.bid_levels, self.price, self.quantity)
                    seen |= SEEN_BIDS
                elif key[0] == c'a':
                    status = _read_levels(&c, &self.ask_levels, self.price, self.quantity)
                    seen |= SEEN_ASKS
                elif key[0] == c'E':
                    status = read_int(&c, &self.event_time_ms)
                elif key[0] == c'T':
                    status = read_int(&c, &self.transaction_time_ms)
                elif key[0] == c'U':
                    status = read_int(&c, &self.first_id)
                    seen |= SEEN_FIRST
                elif key[0] == c'u':
                    status = read_int(&c, &self.last_id)
                    seen |= SEEN_LAST
                elif key[0] == c's':
                    status = read_string(&c, &self.symbol_start, &self.symbol_size)
                    seen |= SEEN_SYMBOL
                elif key[0] == c'e':
                    status = read_string(&c, &text, &text_size)
                    seen |= SEEN_EVENT
                    if status == SCAN_OK and not is_text(text, text_size, b"depthUpdate", 11):
                        status = SCAN_OTHER_EVENT
                else:
                    status = skip_value(&c)
            elif is_text(key, key_size, b"pu", 2):
                status = read_int(&c, &self.prev_id)
            else:
                status = skip_value(&c)
        return _finish(self, &c, data, status, seen == DIFF_MEMBERS, combined)

    cdef int decode_snapshot_c(self, const char* data, Py_ssize_t size) noexcept nogil:
        """Decode a REST depth answer (or a spot partial-depth frame); returns a SCAN_ code."""
        cdef Cursor c = Cursor(data, data + size)
        cdef const char* key = NULL
        cdef Py_ssize_t key_size = 0
        cdef bint combined = False
        cdef bint first = True
        cdef int seen = 0
        cdef int status
        _begin(self, True)
        status = open_payload(&c, &combined)
        while status == SCAN_OK:
            status = next_key(&c, first, &key, &key_size)
            if status != SCAN_OK:
                break
            first = False
            if is_text(key, key_size, b"bids", 4):
                status = _read_levels(&c, &self.bid_levels, self.price, self.quantity)
                seen |= SEEN_BIDS
            elif is_text(key, key_size, b"asks", 4):
                status = _read_levels(&c, &self.ask_levels, self.price, self.quantity)
                seen |= SEEN_ASKS
            elif is_text(key, key_size, b"lastUpdateId", 12):
                status = read_int(&c, &self.last_id)
                self.first_id = self.last_id
                seen |= SEEN_LAST
            elif is_text(key, key_size, b"E", 1):
                status = read_int(&c, &self.event_time_ms)
            elif is_text(key, key_size, b"T", 1):
                status = read_int(&c, &self.transaction_time_ms)
            else:
                status = skip_value(&c)
        return _finish(self, &c, data, status, seen == SNAPSHOT_MEMBERS, combined)

    cdef int apply_c(self, OrderBook book) except -1:
        """Apply what was decoded last: a diff changes the book, a snapshot replaces it."""
        if not self.decoded:
            raise ValueError("no message is decoded; apply follows a successful decode or decode_snapshot")
        if self.is_snapshot:
            book.load_c(
                self.bid_levels.pairs, self.bid_levels.count, self.ask_levels.pairs, self.ask_levels.count
            )
        else:
            # Every level's range was checked when it was read.
            book.apply_valid_c(
                self.bid_levels.pairs, self.bid_levels.count, self.ask_levels.pairs, self.ask_levels.count
            )
        book.first_id = self.first_id
        book.last_id = self.last_id
        return 0

    def decode(self, bytes data not None):
        """Decode a depthUpdate frame, raw or combined.

        Raises:
            DecodeError: the bytes are anything else; `apply` is then refused until the next success.
        """
        _check(self, self.decode_c(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)), data)

    def decode_snapshot(self, bytes data not None):
        """Decode a REST depth snapshot.

        Raises:
            DecodeError: the bytes are anything else; `apply` is then refused until the next success.
        """
        _check(self, self.decode_snapshot_c(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)), data)

    def apply(self, OrderBook book not None):
        """Apply what was decoded last (diff: change, snapshot: replace) and set the book's first_id and last_id.

        Raises:
            ValueError: the last decode failed, or there was none.
        """
        self.apply_c(book)

    def decode_and_apply(self, bytes data not None, OrderBook book not None):
        """Decode a depthUpdate frame and apply it; the book is unchanged when the frame is broken.

        Raises:
            DecodeError: as in `decode`.
        """
        _check(self, self.decode_c(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)), data)
        self.apply_c(book)

    @property
    def bids(self):
        """Bid levels of the last message, packed as little-endian int64 pairs (ticks, lots) in its order."""
        return PyBytes_FromStringAndSize(<const char*> self.bid_levels.pairs, self.bid_levels.count * 16)

    @property
    def asks(self):
        """Ask levels of the last message, packed as `bids`."""
        return PyBytes_FromStringAndSize(<const char*> self.ask_levels.pairs, self.ask_levels.count * 16)
