"""C API of the Binance market event scanner: one frame into one `Event`, by layout.

An `Event` is plain memory: `numbers` by slot (the enum of the event's kind below) and texts pointing into the frame,
valid as long as the frame is.
"""

from libc.stdint cimport int64_t

from opensqt._core.fixed cimport Increment

cdef enum:
    MAX_SLOTS = 16

# Slots: what `numbers` holds, per event. Every event has its symbol in a text; times are in ms.
cdef enum:  # bookTicker
    TICKER_EVENT_TIME, TICKER_TRANSACTION_TIME, TICKER_UPDATE_ID
    TICKER_BID_TICKS, TICKER_BID_LOTS, TICKER_ASK_TICKS, TICKER_ASK_LOTS

cdef enum:  # trade and aggTrade
    TRADE_EVENT_TIME, TRADE_TRANSACTION_TIME, TRADE_ID, TRADE_TICKS, TRADE_LOTS, TRADE_BUYER_IS_MAKER
    TRADE_FIRST_ID, TRADE_LAST_ID   # aggTrade only

cdef enum:  # kline
    CANDLE_EVENT_TIME, CANDLE_OPEN_TIME, CANDLE_CLOSE_TIME
    CANDLE_OPEN_TICKS, CANDLE_HIGH_TICKS, CANDLE_LOW_TICKS, CANDLE_CLOSE_TICKS
    CANDLE_VOLUME_LOTS, CANDLE_TRADE_COUNT, CANDLE_IS_CLOSED

cdef enum:  # markPriceUpdate
    MARK_EVENT_TIME, MARK_PRICE_E8, MARK_INDEX_E8, MARK_FUNDING_RATE_E8, MARK_NEXT_FUNDING_TIME


cdef struct Text:
    const char* start
    Py_ssize_t size


cdef struct Event:
    int64_t[MAX_SLOTS] numbers
    Text symbol
    Text interval            # kline
    Text origin              # trade: X; start NULL when absent (an empty text is somebody else's word)
    Py_ssize_t stopped_at    # byte reached when scanning ended


# Each returns a SCAN_ code; `out` is complete on SCAN_OK only.
cdef int scan_book_ticker(const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out) noexcept nogil
cdef int scan_trade(const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out) noexcept nogil
cdef int scan_agg_trade(const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out) noexcept nogil
cdef int scan_kline(const char* data, Py_ssize_t size, Increment price, Increment lot, Event* out) noexcept nogil
cdef int scan_mark_price(const char* data, Py_ssize_t size, Event* out) noexcept nogil
