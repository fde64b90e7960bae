"""A JSON cursor for decoders that know what they look for; header-only, no allocation, no recursion.

Every function takes a cursor, skips blanks, consumes one thing and returns a SCAN_ code. Whatever is skipped is
checked to be JSON (RFC 8259), except that bytes inside strings are not checked to be UTF-8. Member names and strings
that are *read* must not contain escapes: no venue escapes them, and an unescaped comparison would miss a match.

Runs of digits are not checked for the end of the frame byte by byte: `is_guarded`, asked once per frame, says that
the last byte is no digit and so ends every run.
"""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.string cimport memcmp

from opensqt._core.fixed cimport FIXED_NOT_A_NUMBER, FIXED_OFF_INCREMENT, FIXED_OK, scan_fixed

cdef extern from *:
    # Prices and quantities are below this many ticks or lots.
    const int64_t SIZE_LIMIT "(INT64_C(1) << 53)"

cdef enum:
    SCAN_END = -1            # the object has no further member
    SCAN_OK = 0
    SCAN_SYNTAX = 1
    SCAN_TYPE = 2
    SCAN_NUMBER = 3
    SCAN_OFF_INCREMENT = 4
    SCAN_RANGE = 5
    SCAN_MISSING = 6
    SCAN_OTHER_EVENT = 7
    SCAN_DEEP = 8
    SCAN_ESCAPED = 9
    SCAN_MEMORY = 10
    # One bit per open container says whether it is an object.
    MAX_DEPTH = 64


cdef struct Cursor:
    const char* p
    const char* end


cdef inline bint is_guarded(Cursor* c) noexcept nogil:
    return c.p < c.end and not c'0' <= (c.end - 1)[0] <= c'9'


cdef inline void skip_blanks(Cursor* c) noexcept nogil:
    while c.p < c.end and (c.p[0] == c' ' or c.p[0] == c'\n' or c.p[0] == c'\r' or c.p[0] == c'\t'):
        c.p += 1


cdef inline bint take(Cursor* c, char wanted) noexcept nogil:
    """Consume `wanted` if it is the next byte that is not blank."""
    if c.p < c.end and c.p[0] == wanted:
        c.p += 1
        return True
    skip_blanks(c)
    if c.p < c.end and c.p[0] == wanted:
        c.p += 1
        return True
    return False


cdef inline bint is_text(const char* start, Py_ssize_t size, const char* wanted, Py_ssize_t wanted_size) noexcept nogil:
    return size == wanted_size and memcmp(start, wanted, wanted_size) == 0


cdef inline int read_string(Cursor* c, const char** start, Py_ssize_t* size) noexcept nogil:
    """Read a string without escapes; `start` points into the frame."""
    cdef const char* p
    if not take(c, c'"'):
        return SCAN_TYPE
    p = c.p
    while p < c.end and p[0] != c'"':
        if p[0] == c'\\' or <unsigned char> p[0] < 0x20:
            c.p = p
            return SCAN_ESCAPED if p[0] == c'\\' else SCAN_SYNTAX
        p += 1
    if p >= c.end:
        c.p = p
        return SCAN_SYNTAX
    start[0] = c.p
    size[0] = p - c.p
    c.p = p + 1
    return SCAN_OK


cdef inline int skip_string(Cursor* c) noexcept nogil:
    """Skip a string, escapes and all; the opening quote is consumed already."""
    cdef const char* p = c.p
    cdef int _hex_digit
    cdef char byte
    while p < c.end and p[0] != c'"' and p[0] != c'\\' and <unsigned char> p[0] >= 0x20:
        p += 1
    c.p = p
    while c.p < c.end:
        byte = c.p[0]
        c.p += 1
        if byte == c'"':
            return SCAN_OK
        if <unsigned char> byte < 0x20:
            return SCAN_SYNTAX
        if byte != c'\\':
            continue
        if c.p >= c.end:
            return SCAN_SYNTAX
        byte = c.p[0]
        c.p += 1
        if byte == c'u':
            for _hex_digit in range(4):
                if c.p >= c.end:
                    return SCAN_SYNTAX
                byte = c.p[0] | 0x20
                if not (c'0' <= c.p[0] <= c'9' or c'a' <= byte <= c'f'):
                    return SCAN_SYNTAX
                c.p += 1
        elif not (
            byte == c'"' or byte == c'\\' or byte == c'/' or byte == c'b' or byte == c'f' or byte == c'n'
            or byte == c'r' or byte == c't'
        ):
            return SCAN_SYNTAX
    return SCAN_SYNTAX


cdef inline bint skip_digits(Cursor* c) noexcept nogil:
    cdef const char* start = c.p
    while c.p < c.end and c'0' <= c.p[0] <= c'9':
        c.p += 1
    return c.p > start


cdef inline bint take_word(Cursor* c, const char* word, Py_ssize_t size) noexcept nogil:
    if c.end - c.p < size or memcmp(c.p, word, size) != 0:
        return False
    c.p += size
    return True


cdef inline int skip_scalar(Cursor* c) noexcept nogil:
    """Skip true, false, null or a number at the cursor, which is not blank."""
    if take_word(c, b"true", 4) or take_word(c, b"false", 5) or take_word(c, b"null", 4):
        return SCAN_OK
    if c.p < c.end and c.p[0] == c'-':
        c.p += 1
    if c.p < c.end and c.p[0] == c'0':
        c.p += 1
    elif not skip_digits(c):
        return SCAN_SYNTAX
    if c.p < c.end and c.p[0] == c'.':
        c.p += 1
        if not skip_digits(c):
            return SCAN_SYNTAX
    if c.p < c.end and (c.p[0] == c'e' or c.p[0] == c'E'):
        c.p += 1
        if c.p < c.end and (c.p[0] == c'+' or c.p[0] == c'-'):
            c.p += 1
        if not skip_digits(c):
            return SCAN_SYNTAX
    return SCAN_OK


cdef inline int skip_key(Cursor* c) noexcept nogil:
    cdef int status
    if not take(c, c'"'):
        return SCAN_SYNTAX
    status = skip_string(c)
    if status == SCAN_OK and not take(c, c':'):
        return SCAN_SYNTAX
    return status


cdef inline int skip_value(Cursor* c) noexcept nogil:
    """Skip one value of any type, nested up to MAX_DEPTH containers."""
    cdef uint64_t objects = 0
    cdef int depth = 0
    cdef bint closed
    cdef int status
    while True:
        closed = True
        if take(c, c'"'):
            status = skip_string(c)
        elif c.p < c.end and (c.p[0] == c'{' or c.p[0] == c'['):
            if depth == MAX_DEPTH:
                return SCAN_DEEP
            objects = objects << 1 | (c.p[0] == c'{')
            depth += 1
            c.p += 1
            status = SCAN_OK
            if take(c, c'}' if objects & 1 else c']'):
                objects >>= 1
                depth -= 1
            else:
                closed = False
                if objects & 1:
                    status = skip_key(c)
        else:
            status = skip_scalar(c)
        if status != SCAN_OK:
            return status
        while closed:
            if depth == 0:
                return SCAN_OK
            if take(c, c','):
                closed = False
                if objects & 1:
                    status = skip_key(c)
                    if status != SCAN_OK:
                        return status
            elif take(c, c'}' if objects & 1 else c']'):
                objects >>= 1
                depth -= 1
            else:
                return SCAN_SYNTAX


cdef inline int next_key(Cursor* c, bint first, const char** key, Py_ssize_t* size) noexcept nogil:
    """Read the next member's name up to its value, or SCAN_END after the closing brace."""
    cdef const char* p = c.p
    cdef int status
    # `,"x":` is most members of most messages.
    if c.end - p > 5 and (first or p[0] == c','):
        if not first:
            p += 1
        if p[0] == c'"' and p[2] == c'"' and p[3] == c':':
            if <unsigned char> p[1] >= 0x20 and p[1] != c'"' and p[1] != c'\\':
                key[0] = p + 1
                size[0] = 1
                c.p = p + 4
                return SCAN_OK
    if take(c, c'}'):
        return SCAN_END
    if not first and not take(c, c','):
        return SCAN_SYNTAX
    status = read_string(c, key, size)
    if status != SCAN_OK:
        return SCAN_SYNTAX if status == SCAN_TYPE else status
    if not take(c, c':'):
        return SCAN_SYNTAX
    return SCAN_OK


# A number too long wraps while it is read and is refused by its length.
@cython.overflowcheck(False)
cdef inline int read_int(Cursor* c, int64_t* out) noexcept nogil:
    """Read a JSON integer; fractions and exponents are no integers."""
    cdef const char* start
    cdef const char* p
    cdef uint64_t value = 0
    cdef unsigned char digit
    cdef bint negative = False
    if c.p < c.end and <unsigned char> (c.p[0] - c'0') > 9:
        negative = take(c, c'-')
        if not negative:
            skip_blanks(c)
    p = start = c.p
    if p >= c.end:
        return SCAN_SYNTAX
    while True:
        digit = <unsigned char> p[0] - c'0'
        if digit > 9:
            break
        value = value * 10 + digit
        p += 1
    c.p = p
    if p == start:
        return SCAN_TYPE
    if p - start > 1 and start[0] == c'0':
        return SCAN_SYNTAX
    if p < c.end and (p[0] == c'.' or p[0] == c'e' or p[0] == c'E'):
        return SCAN_TYPE
    # 19 digits are below 2**64, so the wrapped value is only wrong beyond them.
    if p - start > 19 or value > <uint64_t> INT64_MAX:
        return SCAN_RANGE
    out[0] = -<int64_t> value if negative else <int64_t> value
    return SCAN_OK


cdef inline int read_bool(Cursor* c, bint* out) noexcept nogil:
    skip_blanks(c)
    if take_word(c, b"true", 4):
        out[0] = True
        return SCAN_OK
    if take_word(c, b"false", 5):
        out[0] = False
        return SCAN_OK
    return SCAN_TYPE


cdef inline int read_fixed(Cursor* c, int places, int64_t unit, int64_t* out) noexcept nogil:
    """Read a quoted decimal as a multiple of unit / 10**places."""
    cdef int status
    if not take(c, c'"'):
        return SCAN_TYPE
    status = scan_fixed(c.p, c.end, True, places, unit, out, &c.p)
    if c.p >= c.end or c.p[0] != c'"' or status == FIXED_NOT_A_NUMBER:
        return SCAN_NUMBER
    c.p += 1
    if status == FIXED_OK:
        return SCAN_OK
    return SCAN_OFF_INCREMENT if status == FIXED_OFF_INCREMENT else SCAN_RANGE


cdef inline int read_size(Cursor* c, int places, int64_t unit, int64_t* out) noexcept nogil:
    """Read a quoted decimal that must be in [0, 2**53) multiples, as prices and quantities are."""
    cdef int status = read_fixed(c, places, unit, out)
    if status == SCAN_OK and not 0 <= out[0] < SIZE_LIMIT:
        return SCAN_RANGE
    return status
