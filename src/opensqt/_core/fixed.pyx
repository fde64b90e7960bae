"""Exact conversion between decimal text and int64 multiples of an increment (a tick or a lot).

A price is a whole number of ticks and a quantity a whole number of lots; decimal text exists only at the edges.
`Increment` holds the tick or lot size and converts both ways without rounding: text that is not a multiple of
the increment is an error, never a neighbour. The grammar is what venues send: `-?digits[.digits]`, no exponent,
no plus sign, no blanks. Zeros beyond the increment's own decimals are accepted, other digits are not.
"""

import re
from decimal import Decimal

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
cimport cython

_INCREMENT = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_MAX_PLACES = 18


class FixedError(ValueError):
    """Decimal text cannot be expressed in the increment; subclasses say why."""


class NotANumberError(FixedError):
    """The text is not a plain decimal number."""


class OffIncrementError(FixedError):
    """The number is not a whole multiple of the increment."""


class FixedOverflowError(FixedError):
    """The number, scaled to the increment's decimals, does not fit 63 bits."""


@cython.final
cdef class Increment:
    """Convert decimal text to multiples of one tick or lot size, and back.

    Args:
        text: the size as a positive decimal, as venues state it: "0.10", "0.5", "1", "10", "1e-05".

    Raises:
        FixedError: the text is no positive decimal, has more than 18 decimals, or does not fit 63 bits.
    """

    def __cinit__(self, str text not None):
        if _INCREMENT.fullmatch(text) is None:
            raise NotANumberError(f"increment {text!r} is not a decimal number; write it like '0.10' or '5e-8'")
        value = Decimal(text)
        exponent = value.as_tuple().exponent
        decimals = max(0, -exponent)
        mantissa = int(value.scaleb(decimals))
        if mantissa <= 0:
            raise FixedError(f"increment {text!r} is not positive; a tick or lot size is greater than zero")
        if decimals > _MAX_PLACES or mantissa > INT64_MAX:
            raise FixedOverflowError(f"increment {text!r} does not fit; at most {_MAX_PLACES} decimals and 63 bits")
        self.text = text
        self.mantissa = mantissa
        self.decimals = decimals
        while decimals > 0 and mantissa % 10 == 0:
            decimals -= 1
            mantissa //= 10
        self.unit = mantissa
        self.places = decimals

    cdef int parse_c(self, const char* p, Py_ssize_t n, int64_t* out) noexcept nogil:
        """Convert n bytes at p; returns a FIXED_ code and writes `out` on FIXED_OK."""
        cdef const char* stop = NULL
        cdef int64_t value = 0
        cdef int status = scan_fixed(p, p + n, False, self.places, self.unit, &value, &stop)
        if stop != p + n:
            return FIXED_NOT_A_NUMBER
        if status == FIXED_OK:
            out[0] = value
        return status

    def parse(self, text not None):
        """Return how many increments the decimal text is, exactly.

        Args:
            text: str or ASCII bytes, e.g. "63943.90".

        Raises:
            NotANumberError: not `-?digits[.digits]`; so also "", "NaN", "1e5", "+1" and trailing characters.
            OffIncrementError: not a whole multiple of the increment.
            FixedOverflowError: too large for 63 bits.
            TypeError: neither str nor bytes.
        """
        cdef const char* p
        cdef Py_ssize_t n = 0
        cdef int64_t value = 0
        cdef int status
        if isinstance(text, bytes):
            p = PyBytes_AS_STRING(text)
            n = PyBytes_GET_SIZE(text)
        elif isinstance(text, str):
            if not text.isascii():
                raise NotANumberError(f"{text!r} is not a decimal number (-?digits[.digits])")
            p = PyUnicode_AsUTF8AndSize(text, &n)
        else:
            raise TypeError(f"parse needs str or bytes, was {type(text).__name__}")
        status = self.parse_c(p, n, &value)
        if status == FIXED_OK:
            return value
        if status == FIXED_OFF_INCREMENT:
            raise OffIncrementError(f"{text!r} is not a multiple of {self.text}; round it to the increment first")
        if status == FIXED_OVERFLOW:
            raise FixedOverflowError(f"{text!r} in steps of {self.text} does not fit 63 bits")
        raise NotANumberError(f"{text!r} is not a decimal number (-?digits[.digits])")

    def format(self, n not None):
        """Return n increments as plain decimal text with the increment's own decimals.

        Args:
            n: a whole number of increments, of any sign.

        Raises:
            TypeError: n is not an int.
        """
        if not isinstance(n, int):
            raise TypeError(f"format needs a whole number of increments (int), was {type(n).__name__}")
        digits = str(abs(n) * self.mantissa)
        if self.decimals:
            digits = digits.zfill(self.decimals + 1)
            digits = f"{digits[:-self.decimals]}.{digits[-self.decimals:]}"
        return f"-{digits}" if n < 0 else digits

    def __repr__(self):
        return f"Increment({self.text!r})"

    def __eq__(self, other):
        if not isinstance(other, Increment):
            return NotImplemented
        return self.unit == (<Increment> other).unit and self.places == (<Increment> other).places

    def __hash__(self):
        return hash((self.unit, self.places))

    def __reduce__(self):
        return (Increment, (self.text,))
