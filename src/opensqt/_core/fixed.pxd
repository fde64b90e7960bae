"""C API of fixed: scan decimal text straight into int64 multiples of an increment.

`scan_fixed` lives here, inline, because the decoders call it for every price and size of every message.
"""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t, uint64_t

cdef enum:
    FIXED_OK = 0
    FIXED_NOT_A_NUMBER = 1
    FIXED_OFF_INCREMENT = 2
    FIXED_OVERFLOW = 3


cdef inline int _scan_long(const char* p, const char* end, int places, uint64_t* scaled) noexcept nogil:
    """Rescan a syntactically valid number of any length, checking each digit for overflow."""
    cdef uint64_t limit = <uint64_t> INT64_MAX
    cdef uint64_t value = 0
    cdef unsigned char digit
    cdef int fraction = -1
    while p < end and fraction < places:
        if p[0] == c'.':
            fraction = 0
        else:
            digit = <unsigned char> p[0] - c'0'
            if value > (limit - digit) // 10:
                return FIXED_OVERFLOW
            value = value * 10 + digit
            if fraction >= 0:
                fraction += 1
        p += 1
    fraction = 0 if fraction < 0 else fraction
    while fraction < places:
        if value > limit // 10:
            return FIXED_OVERFLOW
        value *= 10
        fraction += 1
    scaled[0] = value
    return FIXED_OK


# A number too long wraps while it is read, and is then read again with checks.
@cython.overflowcheck(False)
cdef inline int scan_fixed(
    const char* start, const char* end, bint guarded, int places, int64_t unit, int64_t* out, const char** stop
) noexcept nogil:
    """Read the number at `start` as a multiple of unit / 10**places; `stop` is the first byte after it.

    `guarded` promises that end[-1] is no digit, so that runs of digits need no check of the end: that is a third
    of the work of a depth message. Returns one of the FIXED_ codes. `out` is written on FIXED_OK only; `stop` also
    on an off-increment or overflowing number, and on FIXED_NOT_A_NUMBER it is where the syntax broke.
    """
    cdef const char* p = start
    cdef const char* digits
    cdef const char* point
    cdef uint64_t value = 0
    # Only this one has its address taken, so that `value` can stay in a register.
    cdef uint64_t checked = 0
    cdef unsigned char digit
    cdef bint negative = False
    cdef bint beyond = False
    cdef int missing = places
    cdef int status
    if p < end and p[0] == c'-':
        negative = True
        p += 1
    digits = p
    if p >= end:
        stop[0] = p
        return FIXED_NOT_A_NUMBER
    while guarded or p < end:
        digit = <unsigned char> p[0] - c'0'
        if digit > 9:
            break
        value = value * 10 + digit
        p += 1
    point = p
    if p == digits:
        stop[0] = p
        return FIXED_NOT_A_NUMBER
    if p < end and p[0] == c'.':
        p += 1
        if p >= end or <unsigned char> (p[0] - c'0') > 9:
            stop[0] = p
            return FIXED_NOT_A_NUMBER
        while missing > 0 and (guarded or p < end):
            digit = <unsigned char> p[0] - c'0'
            if digit > 9:
                break
            value = value * 10 + digit
            missing -= 1
            p += 1
        while guarded or p < end:
            digit = <unsigned char> p[0] - c'0'
            if digit > 9:
                break
            beyond |= digit != 0
            p += 1
    stop[0] = p
    # 18 digits always fit, so only longer numbers pay for checks.
    if point - digits + places <= 18:
        while missing > 0:
            value *= 10
            missing -= 1
    else:
        status = _scan_long(digits, p, places, &checked)
        if status != FIXED_OK:
            return status
        value = checked
    if beyond:
        return FIXED_OFF_INCREMENT
    if unit != 1:
        if value % <uint64_t> unit:
            return FIXED_OFF_INCREMENT
        value //= <uint64_t> unit
    out[0] = -<int64_t> value if negative else <int64_t> value
    return FIXED_OK


cdef class Increment:
    cdef readonly str text
    cdef readonly int64_t mantissa
    cdef readonly int decimals
    # The increment in lowest terms: unit / 10**places. A unit of 1 saves the division on most symbols.
    cdef int64_t unit
    cdef int places

    cdef int parse_c(self, const char* p, Py_ssize_t n, int64_t* out) noexcept nogil
