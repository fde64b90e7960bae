"""One finding of `opensqt doctor`: what was looked at, how it stands, and what to do."""

from enum import StrEnum, unique
from typing import final

import msgspec


@unique
class Status(StrEnum):
    """How a finding stands. A failure means: do not trade like this."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@final
class Finding(msgspec.Struct, frozen=True):
    """What was looked at, and how it stands; `fix` says what to do about anything but ok."""

    name: str
    status: Status
    detail: str
    fix: str = ""


def ok(name: str, detail: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(name, Status.OK, detail)


def warning(name: str, detail: str, fix: str) -> Finding:
    """Return a finding to know of."""
    return Finding(name, Status.WARNING, detail, fix)


def failed(name: str, detail: str, fix: str) -> Finding:
    """Return a finding that must be mended first."""
    return Finding(name, Status.FAILED, detail, fix)


def unknown(name: str, detail: str, fix: str) -> Finding:
    """Return a finding about something that could not be looked at."""
    return Finding(name, Status.UNKNOWN, detail, fix)
