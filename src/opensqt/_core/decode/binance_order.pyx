"""Binance ORDER_TRADE_UPDATE of the user stream straight from bytes.

One pass over the frame, raw or combined, members in any order; unknown members of any type are skipped, the last of a
repeated member wins. Numbers stay where they are in the frame until they are counted: which tick and lot sizes hold is
known only when the symbol is, and an older order may fit an older revision only. Short words come from a small table of
the newest, since the same few return all day.

Refused is also what the venue never sends and a general parser reads: escapes in texts, integers in quotes.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp, memset
cimport cython

from opensqt._core.decode.binance_event cimport Text
from opensqt._core.decode.binance_frame cimport close_payload, open_payload
from opensqt._core.decode.json_scan cimport (
    SCAN_END,
    SCAN_MISSING,
    SCAN_NUMBER,
    SCAN_OK,
    SCAN_OTHER_EVENT,
    SCAN_RANGE,
    SCAN_SYNTAX,
    SCAN_TYPE,
    Cursor,
    is_text,
    next_key,
    read_bool,
    read_int,
    read_string,
    skip_value,
    take,
)
from opensqt._core.fixed cimport FIXED_OK, Increment

from opensqt._core.decode._explain import explain

cdef enum Reading:
    SKIP, TEXT, NUMBER, SIGNED_NUMBER, INTEGER, TIME, FLAG

# Slots of the texts, then of the integers; each has its bit in `seen`.
cdef enum:
    SYMBOL, CLIENT_ID, SIDE, TYPE_WORD, TIF_WORD, EXECUTION, STATUS, FEE_ASSET, EXPIRY_CODE, POSITION_SIDE
    FEE, REALIZED_PNL, QUANTITY, PRICE, LAST_QUANTITY, FILLED, LAST_PRICE
    ORDER_ID, TRADE_ID, TIME_MS, IS_MAKER, REDUCE_ONLY
    SLOTS
    OPTIONAL = 1 << FEE_ASSET | 1 << EXPIRY_CODE | 1 << POSITION_SIDE | 1 << FEE | 1 << REALIZED_PNL
    REQUIRED = (1 << SLOTS) - 1 - OPTIONAL
    MAX_SYMBOL_BYTES = 64
    MAX_DIGITS = 24
    WORD_PLACES = 256
    MAX_WORD_BYTES = 32

# The latest time whose nanoseconds fit 63 bits.
cdef int64_t MAX_MS = 9_223_372_036_854


cdef struct Member:
    int reading
    int slot


cdef struct Found:
    Text[SLOTS] texts
    int64_t[SLOTS] numbers
    int64_t event_time_ms
    Py_ssize_t stopped_at


cdef Member[128] _members
cdef list _words = [""] * WORD_PLACES


cdef void _member(char letter, int reading, int slot) noexcept:
    _members[<unsigned char> letter].reading = reading
    _members[<unsigned char> letter].slot = slot


cdef void _fill_members() noexcept:
    memset(&_members, 0, sizeof(_members))
    _member(c's', TEXT, SYMBOL)
    _member(c'c', TEXT, CLIENT_ID)
    _member(c'S', TEXT, SIDE)
    _member(c'o', TEXT, TYPE_WORD)
    _member(c'f', TEXT, TIF_WORD)
    _member(c'x', TEXT, EXECUTION)
    _member(c'X', TEXT, STATUS)
    _member(c'N', TEXT, FEE_ASSET)
    _member(c'n', SIGNED_NUMBER, FEE)
    _member(c'q', NUMBER, QUANTITY)
    _member(c'p', NUMBER, PRICE)
    _member(c'l', NUMBER, LAST_QUANTITY)
    _member(c'z', NUMBER, FILLED)
    _member(c'L', NUMBER, LAST_PRICE)
    _member(c'i', INTEGER, ORDER_ID)
    _member(c't', INTEGER, TRADE_ID)
    _member(c'T', TIME, TIME_MS)
    _member(c'm', FLAG, IS_MAKER)
    _member(c'R', FLAG, REDUCE_ONLY)


_fill_members()


cdef inline Member _member_of(const char* key, Py_ssize_t size) noexcept nogil:
    if size == 1 and not key[0] & 0x80:
        return _members[<unsigned char> key[0]]
    if size == 2:
        if key[0] == c'p' and key[1] == c's':
            return Member(TEXT, POSITION_SIDE)
        if key[0] == c'r' and key[1] == c'p':
            return Member(SIGNED_NUMBER, REALIZED_PNL)
        if key[0] == c'e' and key[1] == c'r':
            return Member(TEXT, EXPIRY_CODE)
    return Member(SKIP, 0)


cdef inline int _read_number(Cursor* c, bint signed, Text* out) noexcept nogil:
    """Read a quoted decimal of at most MAX_DIGITS digits on either side of its point, as text."""
    cdef const char* p
    cdef const char* digits
    if not take(c, c'"'):
        return SCAN_TYPE
    p = c.p
    out.start = p
    if signed and p < c.end and p[0] == c'-':
        p += 1
    digits = p
    while p < c.end and c'0' <= p[0] <= c'9':
        p += 1
    if not 0 < p - digits <= MAX_DIGITS:
        return SCAN_NUMBER
    if p < c.end and p[0] == c'.':
        p += 1
        digits = p
        while p < c.end and c'0' <= p[0] <= c'9':
            p += 1
        if not 0 < p - digits <= MAX_DIGITS:
            return SCAN_NUMBER
    if p >= c.end or p[0] != c'"':
        return SCAN_NUMBER
    out.size = p - out.start
    c.p = p + 1
    return SCAN_OK


cdef inline int _read_natural(Cursor* c, int64_t limit, int64_t* out) noexcept nogil:
    cdef int status = read_int(c, out)
    if status == SCAN_OK and not 0 <= out[0] <= limit:
        return SCAN_RANGE
    return status


cdef int _read_order(Cursor* c, Found* out) noexcept nogil:
    """Read the members of `o`, whose brace is consumed; SCAN_OK behind its closing brace."""
    cdef const char* key = NULL
    cdef Py_ssize_t key_size = 0
    cdef bint first = True
    cdef bint flag = False
    cdef uint32_t seen = 0
    cdef Member member
    cdef int status
    memset(&out.texts, 0, sizeof(out.texts))
    while True:
        status = next_key(c, first, &key, &key_size)
        if status != SCAN_OK:
            break
        first = False
        member = _member_of(key, key_size)
        if member.reading == SKIP:
            status = skip_value(c)
            if status != SCAN_OK:
                return status
            continue
        if member.reading == TEXT:
            status = read_string(c, &out.texts[member.slot].start, &out.texts[member.slot].size)
        elif member.reading == NUMBER:
            status = _read_number(c, False, &out.texts[member.slot])
        elif member.reading == SIGNED_NUMBER:
            status = _read_number(c, True, &out.texts[member.slot])
        elif member.reading == INTEGER:
            status = _read_natural(c, <int64_t> 0x7FFFFFFFFFFFFFFF, &out.numbers[member.slot])
        elif member.reading == TIME:
            status = _read_natural(c, MAX_MS, &out.numbers[member.slot])
        else:
            status = read_bool(c, &flag)
            out.numbers[member.slot] = flag
        if status != SCAN_OK:
            return status
        seen |= <uint32_t> 1 << member.slot
    if status != SCAN_END:
        return status
    return SCAN_OK if (seen & REQUIRED) == REQUIRED else SCAN_MISSING


cdef int _check_words(Found* found) noexcept nogil:
    cdef Text* text = &found.texts[SIDE]
    if not (is_text(text.start, text.size, b"BUY", 3) or is_text(text.start, text.size, b"SELL", 4)):
        return SCAN_RANGE
    text = &found.texts[POSITION_SIDE]
    if text.start != NULL and not (
        is_text(text.start, text.size, b"BOTH", 4) or is_text(text.start, text.size, b"LONG", 4)
        or is_text(text.start, text.size, b"SHORT", 5)
    ):
        return SCAN_RANGE
    return SCAN_OK if 0 < found.texts[SYMBOL].size <= MAX_SYMBOL_BYTES else SCAN_RANGE


cdef int _scan(const char* data, Py_ssize_t size, Found* out) noexcept nogil:
    cdef Cursor c = Cursor(data, data + size)
    cdef const char* key = NULL
    cdef Py_ssize_t key_size = 0
    cdef Text name = Text(NULL, 0)
    cdef bint combined = False
    cdef bint first = True
    cdef bint named = False
    cdef bint timed = False
    cdef bint ordered = False
    cdef int status = open_payload(&c, &combined)
    while status == SCAN_OK:
        status = next_key(&c, first, &key, &key_size)
        if status != SCAN_OK:
            break
        first = False
        if key_size != 1:
            status = skip_value(&c)
        elif key[0] == c'e':
            status = read_string(&c, &name.start, &name.size)
            named = True
            if status == SCAN_OK and not is_text(name.start, name.size, b"ORDER_TRADE_UPDATE", 18):
                status = SCAN_OTHER_EVENT
        elif key[0] == c'E':
            status = _read_natural(&c, MAX_MS, &out.event_time_ms)
            timed = True
        elif key[0] == c'o':
            status = _read_order(&c, out) if take(&c, c'{') else SCAN_TYPE
            ordered = True
        else:
            status = skip_value(&c)
    if status == SCAN_END:
        status = close_payload(&c, combined) if named and timed and ordered else SCAN_MISSING
    if status == SCAN_OK:
        status = _check_words(out)
    out.stopped_at = c.p - data
    return status


cdef inline str _text(const Text* text):
    return PyUnicode_DecodeUTF8(text.start, text.size, NULL)


cdef str _word(Text* text, str absent):
    """Return a text as the same object as last time where it is short."""
    cdef Py_ssize_t place
    cdef Py_ssize_t known_size = 0
    cdef const char* known
    cdef str word
    if text.start == NULL:
        return absent
    if text.size == 0:
        return ""
    if text.size > MAX_WORD_BYTES:
        return _text(text)
    place = (
        7 * text.size + 31 * <unsigned char> text.start[0] + 17 * <unsigned char> text.start[text.size - 1]
        + 3 * <unsigned char> text.start[text.size >> 1]
    ) & (WORD_PLACES - 1)
    word = <str> _words[place]
    known = PyUnicode_AsUTF8AndSize(word, &known_size)
    if known_size == text.size and memcmp(known, text.start, text.size) == 0:
        return word
    word = _text(text)
    _words[place] = word
    return word


@cython.final
@cython.freelist(16)
cdef class OrderUpdate:
    """One ORDER_TRADE_UPDATE; the names are those of `wire_user.WireOrder`, and so are the defaults.

    Numbers that are money or not counted yet are text, of at most 24 digits on either side of the point.
    """

    cdef bytes frame         # keeps alive what the spans below point into
    cdef Text quantity_text, price_text, last_quantity_text, filled_text, last_price_text
    cdef readonly int64_t event_time_ms
    cdef readonly int64_t time
    cdef readonly int64_t order_id
    cdef readonly int64_t trade_id
    cdef readonly str symbol
    cdef readonly str client_id
    cdef readonly str side
    cdef readonly str type_word
    cdef readonly str tif_word
    cdef readonly str execution
    cdef readonly str status
    cdef readonly str fee
    cdef readonly str fee_asset
    cdef readonly str position_side
    cdef readonly str realized_pnl
    cdef readonly str expiry_code
    cdef readonly bint is_maker
    cdef readonly bint reduce_only

    def order_sizes(self, Increment price not None, Increment lot not None):
        """Return (price ticks, lots, filled lots) of the order; None when one is no multiple or does not fit."""
        return self._sizes(price, lot, &self.price_text, &self.quantity_text)

    def fill_sizes(self, Increment price not None, Increment lot not None):
        """Return (price ticks, lots, filled lots after it) of the last fill; None as in `order_sizes`."""
        return self._sizes(price, lot, &self.last_price_text, &self.last_quantity_text)

    cdef tuple _sizes(self, Increment price, Increment lot, const Text* price_text, const Text* quantity_text):
        cdef int64_t ticks = 0, lots = 0, filled = 0
        if (
            price.parse_c(price_text.start, price_text.size, &ticks) != FIXED_OK
            or lot.parse_c(quantity_text.start, quantity_text.size, &lots) != FIXED_OK
            or lot.parse_c(self.filled_text.start, self.filled_text.size, &filled) != FIXED_OK
        ):
            return None
        return ticks, lots, filled

    @property
    def price(self):
        return _text(&self.price_text)

    @property
    def quantity(self):
        return _text(&self.quantity_text)

    @property
    def filled(self):
        return _text(&self.filled_text)

    @property
    def last_price(self):
        return _text(&self.last_price_text)

    @property
    def last_quantity(self):
        return _text(&self.last_quantity_text)


def decode_order_update(bytes data not None):
    """Decode an ORDER_TRADE_UPDATE frame, raw or combined.

    Raises:
        DecodeError: the bytes are anything else.
    """
    cdef Found found
    cdef OrderUpdate out
    cdef int status = _scan(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &found)
    if status != SCAN_OK:
        raise explain(status, found.stopped_at, data)
    out = OrderUpdate.__new__(OrderUpdate)
    out.frame = data
    out.event_time_ms = found.event_time_ms
    out.time = found.numbers[TIME_MS]
    out.order_id = found.numbers[ORDER_ID]
    out.trade_id = found.numbers[TRADE_ID]
    out.is_maker = found.numbers[IS_MAKER]
    out.reduce_only = found.numbers[REDUCE_ONLY]
    out.quantity_text = found.texts[QUANTITY]
    out.price_text = found.texts[PRICE]
    out.last_quantity_text = found.texts[LAST_QUANTITY]
    out.filled_text = found.texts[FILLED]
    out.last_price_text = found.texts[LAST_PRICE]
    try:
        out.symbol = _word(&found.texts[SYMBOL], "")
        out.client_id = _text(&found.texts[CLIENT_ID])
        out.side = _word(&found.texts[SIDE], "")
        out.type_word = _word(&found.texts[TYPE_WORD], "")
        out.tif_word = _word(&found.texts[TIF_WORD], "")
        out.execution = _word(&found.texts[EXECUTION], "")
        out.status = _word(&found.texts[STATUS], "")
        out.fee = _word(&found.texts[FEE], "0")
        out.fee_asset = _word(&found.texts[FEE_ASSET], "")
        out.position_side = _word(&found.texts[POSITION_SIDE], "BOTH")
        out.realized_pnl = _word(&found.texts[REALIZED_PNL], "0")
        out.expiry_code = _word(&found.texts[EXPIRY_CODE], "0")
    except UnicodeDecodeError:
        raise explain(SCAN_SYNTAX, found.stopped_at, data) from None
    return out
