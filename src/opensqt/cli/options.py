"""Options that commands share, and how their values are read."""

import datetime as dt
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from opensqt.cli.errors import EXIT_USAGE, CliError

State = Annotated[Path | None, Parameter(help="State folder of the instance.")]
Config = Annotated[Path | None, Parameter(help="Config file the instance was started with.")]
Bot = Annotated[str, Parameter(help="Only this bot; all without it.")]
OneBot = Annotated[str, Parameter(help="Which bot; needed when the engine runs more than one.")]
Json = Annotated[bool, Parameter(help="Print one JSON object.", negative="")]
Since = Annotated[str, Parameter(help="From this day or time on, UTC: 2026-01-31 or 2026-01-31T08:00:00.")]


def since_ns(text: str) -> int:
    """Return a UTC date or time as Unix ns, 0 for an empty one. Raises CliError."""
    if not text:
        return 0
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise CliError(f"--since was {text!r}; it must be a date like 2026-01-31, or a time", EXIT_USAGE) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    seconds = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    return max(0, seconds) * 1_000


def time_text(time_ns: int) -> str:
    """Return a Unix time in ns as ISO 8601 in UTC with milliseconds; `-` for 0."""
    if not time_ns:
        return "-"
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=time_ns // 1_000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
