"""JSON of the venue -> typed wire structs, with one error for whatever may be wrong with it.

A wire struct names the members we read; all others are ignored, because the venue adds members without notice. Prices,
quantities and rates are decimal text (compared as numbers, never as text: the venue pads them as it likes), ids and
times are integers; an integer in quotes is accepted, since the venue's own examples have both.
"""

import re
from decimal import Decimal
from typing import Annotated, TypeVar, final

import msgspec
import orjson

from opensqt.domain.clock import NS_PER_MS

T = TypeVar("T")

_SHOWN_BYTES = 160

# The venue's numbers: no exponent, no blanks, ASCII digits only. The bound keeps arithmetic on them exact.
SignedText = Annotated[str, msgspec.Meta(pattern=r"\A-?[0-9]{1,24}(\.[0-9]{1,24})?\Z")]
UnsignedText = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,24}(\.[0-9]{1,24})?\Z")]
OptionalSignedText = Annotated[str, msgspec.Meta(pattern=r"\A(-?[0-9]{1,24}(\.[0-9]{1,24})?)?\Z")]
Ms = Annotated[int, msgspec.Meta(ge=0, le=(2**63 - 1) // NS_PER_MS)]
Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Symbol = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

_MISSING = re.compile(r"missing required field `([^`]*)`")
_PATH = re.compile(r"at `\$\.?([^`]*)`")


@final
class PayloadError(ValueError):
    """A payload is not what it was read as.

    Whoever sent a request decides what that means: after an order request the outcome is unknown, a query has failed,
    a pushed event is counted and skipped.

    Args:
        what: the kind of payload, for example "ORDER_TRADE_UPDATE".
        problem: what is wrong with it.
        field: the member, as a path from the root ("o.q"); empty when it is the whole.
    """

    def __init__(self, what: str, problem: str, field: str = "") -> None:
        super().__init__(f"{what}: {f'{field}: ' if field else ''}{problem}")
        self.what = what
        self.problem = problem
        self.field = field


def load(data: bytes, what: str) -> object:
    """Decode JSON.

    Raises:
        PayloadError: the bytes are not JSON.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        shown = data[:_SHOWN_BYTES] + (b"..." if len(data) > _SHOWN_BYTES else b"")
        raise PayloadError(what, f"not JSON ({error}): {shown!r}") from None


def typed(value: object, type_: type[T], what: str) -> T:
    """Convert decoded JSON to a wire struct (or a list of them).

    Raises:
        PayloadError: a member is missing or of another type; names it.
    """
    try:
        return msgspec.convert(value, type_, strict=False)
    except msgspec.ValidationError as error:
        text = str(error)
        path = _PATH.search(text)
        missing = _MISSING.search(text)
        parts = [path.group(1) if path else "", missing.group(1) if missing else ""]
        raise PayloadError(what, text.split(" - at ")[0], ".".join(part for part in parts if part)) from None


def read(data: bytes, type_: type[T], what: str) -> T:
    """Decode JSON into a wire struct.

    Raises:
        PayloadError: not JSON, or not that struct.
    """
    return typed(load(data, what), type_, what)


def decimal_of(text: str) -> Decimal:
    """Return the number of a checked decimal text."""
    return Decimal(text)


def to_ns(time_ms: int) -> int:
    """Convert the venue's milliseconds to ns."""
    return time_ms * NS_PER_MS
