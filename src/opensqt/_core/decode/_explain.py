"""Turn a scanner's status code into the error a person reads; the codes are those of `json_scan.pxd`."""

from opensqt._core.decode.errors import DecodeError

_REASONS = {
    1: "the frame is not JSON or ends early",
    2: "a member has another JSON type than this message gives it",
    3: "a quoted value is not a plain decimal number",
    4: "a price or quantity is not a multiple of the symbol's tick or lot size (reload the symbol's filters)",
    5: "a number is out of range",
    6: "a member this message always has is missing",
    7: "the frame is another event",
    8: "values are nested deeper than 64 levels",
    9: "a member name or value that is read contains an escape, which this venue never sends",
}
_SHOWN_BYTES = 120


def explain(status: int, offset: int, data: bytes) -> DecodeError:
    """Return the error for a SCAN_ code met at a byte offset of a frame."""
    shown = data[:_SHOWN_BYTES] + (b"..." if len(data) > _SHOWN_BYTES else b"")
    return DecodeError(f"{_REASONS[status]}, at byte {offset} of {len(data)}: {shown!r}")
