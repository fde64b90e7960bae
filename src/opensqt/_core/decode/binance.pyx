"""Binance market events straight from bytes: bookTicker, trade, aggTrade, kline, markPriceUpdate.

One pass per frame, raw or combined, members in any order; unknown members of any type are skipped (the venue adds
them without notice), the last of a repeated member wins. Prices and quantities become ticks and lots exactly; one
that is not a multiple means that the symbol's filters changed, and is an error. Depth is in `binance_depth`.

Every function raises DecodeError and nothing else, whatever the bytes.
"""

from enum import IntEnum

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
cimport cython

from opensqt._core.decode cimport binance_event as event
from opensqt._core.decode.binance_event cimport Event, Text
from opensqt._core.decode.binance_frame cimport open_payload
from opensqt._core.decode.json_scan cimport (
    SCAN_END,
    SCAN_MISSING,
    SCAN_OK,
    Cursor,
    is_text,
    next_key,
    read_string,
    skip_value,
)
from opensqt._core.fixed cimport Increment

from opensqt._core.decode._explain import explain


class Kind(IntEnum):
    """What a frame is, as far as the decoders here and in `binance_depth` know."""

    UNKNOWN = 0
    DEPTH_UPDATE = 1
    DEPTH_SNAPSHOT = 2
    BOOK_TICKER = 3
    TRADE = 4
    AGG_TRADE = 5
    KLINE = 6
    MARK_PRICE = 7


cdef dict _KIND_BY_EVENT = {
    b"depthUpdate": Kind.DEPTH_UPDATE,
    b"bookTicker": Kind.BOOK_TICKER,
    b"trade": Kind.TRADE,
    b"aggTrade": Kind.AGG_TRADE,
    b"kline": Kind.KLINE,
    b"markPriceUpdate": Kind.MARK_PRICE,
}


cdef inline bytes _bytes(Text* text):
    return PyBytes_FromStringAndSize(text.start, text.size)


@cython.final
@cython.freelist(16)
cdef class BookTicker:
    """Best bid and ask; update_id (u) shares the id space of the depth stream, times are 0 on spot."""

    cdef readonly bytes symbol
    cdef readonly int64_t event_time_ms
    cdef readonly int64_t transaction_time_ms
    cdef readonly int64_t update_id
    cdef readonly int64_t bid_ticks
    cdef readonly int64_t bid_lots
    cdef readonly int64_t ask_ticks
    cdef readonly int64_t ask_lots


@cython.final
@cython.freelist(16)
cdef class Trade:
    """One trade. is_buyer_maker (m): a sell hit the bid. is_market (X): False for insurance fund and ADL prints."""

    cdef readonly bytes symbol
    cdef readonly int64_t event_time_ms
    cdef readonly int64_t transaction_time_ms
    cdef readonly int64_t trade_id
    cdef readonly int64_t price_ticks
    cdef readonly int64_t lots
    cdef readonly bint is_buyer_maker
    cdef readonly bint is_market


@cython.final
@cython.freelist(16)
cdef class AggTrade:
    """The trades of one taker order at one price, first_trade_id to last_trade_id."""

    cdef readonly bytes symbol
    cdef readonly int64_t event_time_ms
    cdef readonly int64_t transaction_time_ms
    cdef readonly int64_t agg_id
    cdef readonly int64_t first_trade_id
    cdef readonly int64_t last_trade_id
    cdef readonly int64_t price_ticks
    cdef readonly int64_t lots
    cdef readonly bint is_buyer_maker


@cython.final
@cython.freelist(16)
cdef class Kline:
    """A candle of `interval`, still forming unless is_closed; volume_lots is in the base asset."""

    cdef readonly bytes symbol
    cdef readonly bytes interval
    cdef readonly int64_t event_time_ms
    cdef readonly int64_t open_time_ms
    cdef readonly int64_t close_time_ms
    cdef readonly int64_t open_ticks
    cdef readonly int64_t high_ticks
    cdef readonly int64_t low_ticks
    cdef readonly int64_t close_ticks
    cdef readonly int64_t volume_lots
    cdef readonly int64_t trade_count
    cdef readonly bint is_closed


@cython.final
@cython.freelist(16)
cdef class MarkPrice:
    """Mark price, index price and funding rate in units of 1e-8; the rate is 0 where a symbol has none."""

    cdef readonly bytes symbol
    cdef readonly int64_t event_time_ms
    cdef readonly int64_t mark_price_e8
    cdef readonly int64_t index_price_e8
    cdef readonly int64_t funding_rate_e8
    cdef readonly int64_t next_funding_ms


def decode_book_ticker(bytes data not None, Increment price not None, Increment lot not None):
    """Decode a bookTicker frame; price and lot are the symbol's tick and lot size.

    Raises:
        DecodeError: the bytes are anything else.
    """
    cdef Event found
    cdef BookTicker out = BookTicker.__new__(BookTicker)
    cdef int status = event.scan_book_ticker(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), price, lot, &found)
    if status != SCAN_OK:
        raise explain(status, found.stopped_at, data)
    out.symbol = _bytes(&found.symbol)
    out.event_time_ms = found.numbers[event.TICKER_EVENT_TIME]
    out.transaction_time_ms = found.numbers[event.TICKER_TRANSACTION_TIME]
    out.update_id = found.numbers[event.TICKER_UPDATE_ID]
    out.bid_ticks = found.numbers[event.TICKER_BID_TICKS]
    out.bid_lots = found.numbers[event.TICKER_BID_LOTS]
    out.ask_ticks = found.numbers[event.TICKER_ASK_TICKS]
    out.ask_lots = found.numbers[event.TICKER_ASK_LOTS]
    return out


def decode_trade(bytes data not None, Increment price not None, Increment lot not None):
    """Decode a trade frame; price and lot are the symbol's tick and lot size.

    Raises:
        DecodeError: the bytes are anything else.
    """
    cdef Event found
    cdef Trade out = Trade.__new__(Trade)
    cdef int status = event.scan_trade(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), price, lot, &found)
    if status != SCAN_OK:
        raise explain(status, found.stopped_at, data)
    out.symbol = _bytes(&found.symbol)
    out.event_time_ms = found.numbers[event.TRADE_EVENT_TIME]
    out.transaction_time_ms = found.numbers[event.TRADE_TRANSACTION_TIME]
    out.trade_id = found.numbers[event.TRADE_ID]
    out.price_ticks = found.numbers[event.TRADE_TICKS]
    out.lots = found.numbers[event.TRADE_LOTS]
    out.is_buyer_maker = found.numbers[event.TRADE_BUYER_IS_MAKER]
    out.is_market = found.origin.start == NULL or is_text(found.origin.start, found.origin.size, b"MARKET", 6)
    return out


def decode_agg_trade(bytes data not None, Increment price not None, Increment lot not None):
    """Decode a aggTrade frame; price and lot are the symbol's tick and lot size.

    Raises:
        DecodeError: the bytes are anything else.
    """
    cdef Event found
    cdef AggTrade out = AggTrade.__new__(AggTrade)
    cdef int status = event.scan_agg_trade(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), price, lot, &found)
    if status != SCAN_OK:
        raise explain(status, found.stopped_at, data)
    out.symbol = _bytes(&found.symbol)
    out.event_time_ms = found.numbers[event.TRADE_EVENT_TIME]
    out.transaction_time_ms = found.numbers[event.TRADE_TRANSACTION_TIME]
    out.agg_id = found.numbers[event.TRADE_ID]
    out.first_trade_id = found.numbers[event.TRADE_FIRST_ID]
    out.last_trade_id = found.numbers[event.TRADE_LAST_ID]
    out.price_ticks = found.numbers[event.TRADE_TICKS]
    out.lots = found.numbers[event.TRADE_LOTS]
    out.is_buyer_maker = found.numbers[event.TRADE_BUYER_IS_MAKER]
    return out


def decode_kline(bytes data not None, Increment price not None, Increment lot not None):
    """Decode a kline frame; price and lot are the symbol's tick and lot size.

    Raises:
        DecodeError: the bytes are anything else.
    """
    cdef Event found
    cdef Kline out = Kline.__new__(Kline)
    cdef int status = event.scan_kline(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), price, lot, &found)
    if status != SCAN_OK:
        raise explain(status, found.stopped_at, data)
    out.symbol = _bytes(&found.symbol)
    out.interval = _bytes(&found.interval)
    out.event_time_ms = found.numbers[event.CANDLE_EVENT_TIME]
    out.open_time_ms = found.numbers[event.CANDLE_OPEN_TIME]
    out.close_time_ms = found.numbers[event.CANDLE_CLOSE_TIME]
    out.open_ticks = found.numbers[event.CANDLE_OPEN_TICKS]
    out.high_ticks = found.numbers[event.CANDLE_HIGH_TICKS]
    out.low_ticks = found.numbers[event.CANDLE_LOW_TICKS]
    out.close_ticks = found.numbers[event.CANDLE_CLOSE_TICKS]
    out.volume_lots = found.numbers[event.CANDLE_VOLUME_LOTS]
    out.trade_count = found.numbers[event.CANDLE_TRADE_COUNT]
    out.is_closed = found.numbers[event.CANDLE_IS_CLOSED]
    return out


def decode_mark_price(bytes data not None):
    """Decode a markPriceUpdate frame.

    Raises:
        DecodeError: the bytes are anything else.
    """
    cdef Event found
    cdef MarkPrice out = MarkPrice.__new__(MarkPrice)
    cdef int status = event.scan_mark_price(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), &found)
    if status != SCAN_OK:
        raise explain(status, found.stopped_at, data)
    out.symbol = _bytes(&found.symbol)
    out.event_time_ms = found.numbers[event.MARK_EVENT_TIME]
    out.mark_price_e8 = found.numbers[event.MARK_PRICE_E8]
    out.index_price_e8 = found.numbers[event.MARK_INDEX_E8]
    out.funding_rate_e8 = found.numbers[event.MARK_FUNDING_RATE_E8]
    out.next_funding_ms = found.numbers[event.MARK_NEXT_FUNDING_TIME]
    return out


cdef int _find_text(bytes data, const char* wanted, Py_ssize_t wanted_size, Text* out, bint* is_snapshot) except -2:
    """Find a string member of the message; a SCAN_ code, SCAN_MISSING when it is not there."""
    cdef const char* start = PyBytes_AS_STRING(data)
    cdef Cursor c = Cursor(start, start + PyBytes_GET_SIZE(data))
    cdef const char* key = NULL
    cdef Py_ssize_t key_size = 0
    cdef bint combined = False
    cdef bint first = True
    cdef int status = open_payload(&c, &combined)
    while status == SCAN_OK:
        status = next_key(&c, first, &key, &key_size)
        if status != SCAN_OK:
            break
        first = False
        if is_text(key, key_size, wanted, wanted_size):
            status = read_string(&c, &out.start, &out.size)
            break
        if is_text(key, key_size, b"lastUpdateId", 12):
            is_snapshot[0] = True
        status = skip_value(&c)
    if status == SCAN_END:
        return SCAN_MISSING
    if status != SCAN_OK:
        raise explain(status, c.p - start, data)
    return SCAN_OK


def classify(bytes data not None):
    """Return the Kind of a frame from its event name, reading no further than that.

    A message without event name is a depth snapshot if it has lastUpdateId, else UNKNOWN (spot's bookTicker is told
    by the stream it was asked for).

    Raises:
        DecodeError: the bytes, as far as read, are no JSON object.
    """
    cdef Text name = Text(NULL, 0)
    cdef bint is_snapshot = False
    if _find_text(data, b"e", 1, &name, &is_snapshot) == SCAN_OK:
        return _KIND_BY_EVENT.get(_bytes(&name), Kind.UNKNOWN)
    return Kind.DEPTH_SNAPSHOT if is_snapshot else Kind.UNKNOWN


def symbol_of(bytes data not None):
    """Return the venue symbol a frame is about (`s`), reading no further than that.

    Raises:
        DecodeError: there is none, or the bytes, as far as read, are no JSON object.
    """
    cdef Text symbol = Text(NULL, 0)
    cdef bint is_snapshot = False
    if _find_text(data, b"s", 1, &symbol, &is_snapshot) != SCAN_OK:
        raise explain(SCAN_MISSING, PyBytes_GET_SIZE(data), data)
    return _bytes(&symbol)
