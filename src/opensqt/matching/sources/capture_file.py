"""Reads raw capture files: `<local receive time> <JSON as received>` per line, plain or gzip.

A file that is cut off, unreadable, empty, out of order or of another format is a `CaptureError` that names file, line,
what is wrong and what to do. Receive times are ns (19 digits) or us (16 digits).
"""

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Final, NamedTuple, cast

from opensqt.matching.sources.errors import CaptureError

_GZIP_MAGIC = b"\x1f\x8b"
_NS_DIGITS = 19
_US_DIGITS = 16
_BUFFER: Final = 1 << 18


class Line(NamedTuple):
    """One message of a capture."""

    number: int
    receive_ns: int
    payload: bytes


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the messages of one file.

    Raises:
        CaptureError: see the module.
    """
    count = 0
    last_ns = 0
    try:
        with _open(path) as stream:
            for raw in stream:
                if raw.isspace():
                    continue
                count += 1
                line = _parse(path, count, raw)
                if line.receive_ns < last_ns:
                    raise CaptureError(
                        f"{path}, line {count}: the receive time goes back from {last_ns} to {line.receive_ns}; the "
                        "lines of a capture are in the order they came, so this file was changed: fetch it again"
                    )
                last_ns = line.receive_ns
                yield line
    except EOFError as error:
        raise CaptureError(
            f"{path}: the gzip file is cut off after line {count}; it is incomplete, fetch or record it again"
        ) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise CaptureError(
            f"{path}: the gzip data is damaged after line {count} ({error}); fetch the file again"
        ) from error
    except FileNotFoundError as error:
        raise CaptureError(f"{path}: there is no such file; check the path") from error
    except OSError as error:
        raise CaptureError(
            f"{path}: cannot be read ({error.strerror or error}); check the path and its rights"
        ) from error
    if not count:
        raise CaptureError(f"{path}: the file holds no messages; remove it from the list, or record it again")


def _open(path: Path) -> BufferedReader:
    with path.open("rb") as probe:
        is_gzip = probe.read(2) == _GZIP_MAGIC
    # GzipFile cuts lines in Python; a buffered reader around it does so in C.
    return BufferedReader(cast("RawIOBase", gzip.open(path, "rb")), _BUFFER) if is_gzip else path.open("rb")


def _parse(path: Path, number: int, raw: bytes) -> Line:
    head, separator, payload = raw.partition(b" ")
    if not separator or not head.isdigit() or len(head) not in {_NS_DIGITS, _US_DIGITS} or payload[:1] != b"{":
        shown = raw[:60].decode("utf-8", "replace").strip()
        raise CaptureError(
            f"{path}, line {number}: this is not a raw capture line, which is a receive time in ns or us, a space and "
            f"a JSON object; it begins with {shown!r}"
        )
    receive = int(head)
    return Line(number, receive if len(head) == _NS_DIGITS else receive * 1_000, payload.rstrip())
