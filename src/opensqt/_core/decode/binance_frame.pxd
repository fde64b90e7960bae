"""The envelope of Binance frames: raw messages and combined-stream ones (`{"stream": .., "data": {..}}`).

A frame is a combined one when its *first* member is `stream` or `data`; that decides it without a second pass.
"""

from libc.string cimport memcmp

from opensqt._core.decode.json_scan cimport (
    SCAN_END,
    SCAN_OK,
    SCAN_SYNTAX,
    SCAN_TYPE,
    Cursor,
    is_guarded,
    is_text,
    next_key,
    skip_blanks,
    skip_value,
    take,
)


cdef inline int open_payload(Cursor* c, bint* combined) noexcept nogil:
    """Step behind the opening brace of the message itself."""
    cdef const char* key = NULL
    cdef const char* inside
    cdef Py_ssize_t size = 0
    cdef bint first = True
    cdef int status
    if not is_guarded(c):
        return SCAN_SYNTAX
    # The venue's own spelling, `{"stream":"..","data":{`, needs no look at single members.
    if c.end - c.p > 11 and memcmp(c.p, b'{"stream":"', 11) == 0:
        inside = c.p + 11
        while inside < c.end and inside[0] != c'"' and inside[0] != c'\\' and <unsigned char> inside[0] >= 0x20:
            inside += 1
        if c.end - inside > 10 and memcmp(inside, b'","data":{', 10) == 0:
            combined[0] = True
            c.p = inside + 10
            return SCAN_OK
    if not take(c, c'{'):
        return SCAN_TYPE
    inside = c.p
    while True:
        status = next_key(c, first, &key, &size)
        if first:
            combined[0] = status == SCAN_OK and (is_text(key, size, b"stream", 6) or is_text(key, size, b"data", 4))
            if not combined[0]:
                c.p = inside
                return SCAN_OK
        if status != SCAN_OK:
            return SCAN_TYPE if status == SCAN_END else status
        if is_text(key, size, b"data", 4):
            return SCAN_OK if take(c, c'{') else SCAN_TYPE
        status = skip_value(c)
        if status != SCAN_OK:
            return status
        first = False


cdef inline int close_payload(Cursor* c, bint combined) noexcept nogil:
    """Check what follows the message's closing brace: the rest of the envelope, then nothing."""
    cdef const char* key = NULL
    cdef Py_ssize_t size = 0
    cdef int status
    while combined:
        status = next_key(c, False, &key, &size)
        if status == SCAN_END:
            break
        if status == SCAN_OK:
            status = SCAN_SYNTAX if is_text(key, size, b"data", 4) else skip_value(c)
        if status != SCAN_OK:
            return status
    skip_blanks(c)
    return SCAN_OK if c.p == c.end else SCAN_SYNTAX
