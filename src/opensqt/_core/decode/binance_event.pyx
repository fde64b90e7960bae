"""Scan Binance market events by layout: a table says which one-letter member is what and where it goes.

One loop serves every event. A layout maps a member's letter to how its value is read (price, quantity, integer, ...)
and to its slot in `Event.numbers`; members without an entry, or with longer names, are skipped whatever their type.
`k` of a kline is an object with a layout of its own, entered and left by the same loop, so nothing recurses.
"""

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memset

from opensqt._core.decode.binance_frame cimport close_payload, open_payload
from opensqt._core.decode.json_scan cimport (
    SCAN_END,
    SCAN_MISSING,
    SCAN_OK,
    SCAN_OTHER_EVENT,
    SCAN_TYPE,
    Cursor,
    is_text,
    next_key,
    read_bool,
    read_fixed,
    read_int,
    read_size,
    read_string,
    skip_value,
    take,
)
from opensqt._core.fixed cimport Increment

cdef enum Reading:
    SKIP, INTEGER, PRICE, QUANTITY, E8, SIGNED_E8, FLAG, EVENT_NAME, SYMBOL, INTERVAL, ORIGIN, CANDLE

cdef enum:
    E8_PLACES = 8
    # Bits of `seen` above the number slots.
    SYMBOL_BIT = 16
    INTERVAL_BIT = 17
    EVENT_BIT = 18


cdef struct Member:
    int reading
    int slot


cdef struct Layout:
    Member[128] members
    uint32_t required
    const char* event
    Py_ssize_t event_size


cdef struct Scale:
    int places
    int64_t unit


cdef Layout _ticker, _trade, _agg_trade, _kline, _candle, _mark


cdef void _member(Layout* layout, char letter, int reading, int slot, bint required) noexcept:
    layout.members[<unsigned char> letter].reading = reading
    layout.members[<unsigned char> letter].slot = slot
    if required:
        layout.required |= <uint32_t> 1 << slot


cdef void _event(Layout* layout, const char* event, Py_ssize_t size, bint named) noexcept:
    memset(layout, 0, sizeof(Layout))
    layout.event = event
    layout.event_size = size
    _member(layout, c'e', EVENT_NAME, EVENT_BIT, named)
    _member(layout, c's', SYMBOL, SYMBOL_BIT, True)


cdef void _fill_layouts() noexcept:
    # Spot's bookTicker has neither name nor times.
    _event(&_ticker, b"bookTicker", 10, False)
    _member(&_ticker, c'E', INTEGER, TICKER_EVENT_TIME, False)
    _member(&_ticker, c'T', INTEGER, TICKER_TRANSACTION_TIME, False)
    _member(&_ticker, c'u', INTEGER, TICKER_UPDATE_ID, True)
    _member(&_ticker, c'b', PRICE, TICKER_BID_TICKS, True)
    _member(&_ticker, c'B', QUANTITY, TICKER_BID_LOTS, True)
    _member(&_ticker, c'a', PRICE, TICKER_ASK_TICKS, True)
    _member(&_ticker, c'A', QUANTITY, TICKER_ASK_LOTS, True)

    _event(&_trade, b"trade", 5, True)
    _member(&_trade, c'E', INTEGER, TRADE_EVENT_TIME, True)
    _member(&_trade, c'T', INTEGER, TRADE_TRANSACTION_TIME, True)
    _member(&_trade, c't', INTEGER, TRADE_ID, True)
    _member(&_trade, c'p', PRICE, TRADE_TICKS, True)
    _member(&_trade, c'q', QUANTITY, TRADE_LOTS, True)
    _member(&_trade, c'm', FLAG, TRADE_BUYER_IS_MAKER, True)
    _member(&_trade, c'X', ORIGIN, 0, False)

    _event(&_agg_trade, b"aggTrade", 8, True)
    _member(&_agg_trade, c'E', INTEGER, TRADE_EVENT_TIME, True)
    _member(&_agg_trade, c'T', INTEGER, TRADE_TRANSACTION_TIME, True)
    _member(&_agg_trade, c'a', INTEGER, TRADE_ID, True)
    _member(&_agg_trade, c'f', INTEGER, TRADE_FIRST_ID, True)
    _member(&_agg_trade, c'l', INTEGER, TRADE_LAST_ID, True)
    _member(&_agg_trade, c'p', PRICE, TRADE_TICKS, True)
    _member(&_agg_trade, c'q', QUANTITY, TRADE_LOTS, True)
    _member(&_agg_trade, c'm', FLAG, TRADE_BUYER_IS_MAKER, True)

    _event(&_kline, b"kline", 5, True)
    _member(&_kline, c'E', INTEGER, CANDLE_EVENT_TIME, True)
    _member(&_kline, c'k', CANDLE, 0, False)
    memset(&_candle, 0, sizeof(Layout))
    _member(&_candle, c't', INTEGER, CANDLE_OPEN_TIME, True)
    _member(&_candle, c'T', INTEGER, CANDLE_CLOSE_TIME, True)
    _member(&_candle, c'i', INTERVAL, INTERVAL_BIT, True)
    _member(&_candle, c'o', PRICE, CANDLE_OPEN_TICKS, True)
    _member(&_candle, c'h', PRICE, CANDLE_HIGH_TICKS, True)
    _member(&_candle, c'l', PRICE, CANDLE_LOW_TICKS, True)
    _member(&_candle, c'c', PRICE, CANDLE_CLOSE_TICKS, True)
    _member(&_candle, c'v', QUANTITY, CANDLE_VOLUME_LOTS, True)
    _member(&_candle, c'n', INTEGER, CANDLE_TRADE_COUNT, True)
    _member(&_candle, c'x', FLAG, CANDLE_IS_CLOSED, True)
    _kline.required |= _candle.required

    _event(&_mark, b"markPriceUpdate", 15, True)
    _member(&_mark, c'E', INTEGER, MARK_EVENT_TIME, True)
    _member(&_mark, c'p', E8, MARK_PRICE_E8, True)
    _member(&_mark, c'i', E8, MARK_INDEX_E8, True)
    _member(&_mark, c'r', SIGNED_E8, MARK_FUNDING_RATE_E8, True)
    _member(&_mark, c'T', INTEGER, MARK_NEXT_FUNDING_TIME, True)


_fill_layouts()


cdef inline int _read_text(Cursor* c, Text* out) noexcept nogil:
    return read_string(c, &out.start, &out.size)


cdef inline int _read_event_name(Cursor* c, const Layout* layout) noexcept nogil:
    cdef Text name = Text(NULL, 0)
    cdef int status = _read_text(c, &name)
    if status == SCAN_OK and not is_text(name.start, name.size, layout.event, layout.event_size):
        return SCAN_OTHER_EVENT
    return status


cdef inline int _read_flag(Cursor* c, int64_t* out) noexcept nogil:
    cdef bint value = False
    cdef int status = read_bool(c, &value)
    out[0] = value
    return status


cdef inline int _read_signed_e8(Cursor* c, int64_t* out) noexcept nogil:
    """Read a funding rate, which is "" for symbols that have none."""
    if c.end - c.p > 1 and c.p[0] == c'"' and c.p[1] == c'"':
        c.p += 2
        out[0] = 0
        return SCAN_OK
    return read_fixed(c, E8_PLACES, 1, out)


cdef int _scan(
    const Layout* outer, const char* data, Py_ssize_t size, const Scale* price, const Scale* lot, Event* out
) noexcept nogil:
    cdef Cursor c = Cursor(data, data + size)
    cdef const Layout* layout = outer
    cdef const Member* member
    cdef const char* key = NULL
    cdef Py_ssize_t key_size = 0
    cdef bint combined = False
    cdef bint first = True
    cdef uint32_t seen = 0
    cdef int64_t* number
    cdef int status
    memset(out, 0, sizeof(Event))
    status = open_payload(&c, &combined)
    while status == SCAN_OK:
        status = next_key(&c, first, &key, &key_size)
        first = False
        if status == SCAN_END and layout != outer:
            layout = outer
            status = SCAN_OK
            continue
        if status != SCAN_OK:
            break
        if key_size != 1 or key[0] & 0x80:
            status = skip_value(&c)
            continue
        member = &layout.members[<unsigned char> key[0]]
        number = &out.numbers[member.slot & (MAX_SLOTS - 1)]
        if member.reading == INTEGER:
            status = read_int(&c, number)
        elif member.reading == PRICE:
            status = read_size(&c, price.places, price.unit, number)
        elif member.reading == QUANTITY:
            status = read_size(&c, lot.places, lot.unit, number)
        elif member.reading == E8:
            status = read_size(&c, E8_PLACES, 1, number)
        elif member.reading == SIGNED_E8:
            status = _read_signed_e8(&c, number)
        elif member.reading == FLAG:
            status = _read_flag(&c, number)
        elif member.reading == EVENT_NAME:
            status = _read_event_name(&c, outer)
        elif member.reading == SYMBOL:
            status = _read_text(&c, &out.symbol)
        elif member.reading == INTERVAL:
            status = _read_text(&c, &out.interval)
        elif member.reading == ORIGIN:
            status = _read_text(&c, &out.origin)
            continue
        elif member.reading == CANDLE:
            first = True
            layout = &_candle
            if not take(&c, c'{'):
                status = SCAN_TYPE
            continue
        else:
            status = skip_value(&c)
            continue
        seen |= <uint32_t> 1 << member.slot
    if status == SCAN_END:
        status = close_payload(&c, combined) if (seen & outer.required) == outer.required else SCAN_MISSING
    out.stopped_at = c.p - data
    return status


cdef inline int _scan_sized(
    const Layout* layout, const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out
) noexcept nogil:
    cdef Scale price_scale = Scale(price.places, price.unit)
    cdef Scale lot_scale = Scale(lot.places, lot.unit)
    return _scan(layout, data, size, &price_scale, &lot_scale, out)


cdef int scan_book_ticker(const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out) noexcept nogil:
    return _scan_sized(&_ticker, data, size, price, lot, out)


cdef int scan_trade(const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out) noexcept nogil:
    return _scan_sized(&_trade, data, size, price, lot, out)


cdef int scan_agg_trade(const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out) noexcept nogil:
    return _scan_sized(&_agg_trade, data, size, price, lot, out)


cdef int scan_kline(const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out) noexcept nogil:
    return _scan_sized(&_kline, data, size, price, lot, out)


cdef int scan_mark_price(const char* data, Py_ssize_t size, Event* out) noexcept nogil:
    return _scan(&_mark, data, size, NULL, NULL, out)
