"""Named points at which a process can be told to die, for tests of what a crash leaves behind.

A module declares its points at import and calls them where a crash would hurt most: around sends and writes. Unless
`OPENSQT_CRASH_AT` names a point (`engine.sent`, or `engine.sent:3` for the third time), each is a function that does
nothing. The named one ends the process at once (`os._exit`): no handler runs, nothing is flushed, as with `kill -9`.
"""

import os
from collections.abc import Callable, Mapping
from typing import Final

VARIABLE: Final = "OPENSQT_CRASH_AT"
EXIT_CODE: Final = 137
"""What a process that was killed leaves behind, as a shell would report it."""

CrashPoint = Callable[[], None]

_declared: dict[str, str] = {}


def crash_point(name: str, where: str, env: Mapping[str, str] = os.environ) -> CrashPoint:
    """Declare a point and return what is to be called there.

    Args:
        name: unique, `process.moment`.
        where: what has happened and what has not, in words.
        env: names the point to die at.

    Raises:
        ValueError: the name is taken, or the count is not a positive number.
    """
    if name in _declared:
        raise ValueError(f"crash point {name} is declared twice; each moment needs a name of its own")
    _declared[name] = where
    wanted, _, count = env.get(VARIABLE, "").partition(":")
    if wanted != name:
        return _pass_by
    if count and not (count.isascii() and count.isdigit() and int(count)):
        raise ValueError(f"{VARIABLE} was {env[VARIABLE]!r}; give a point and how many times it is reached: {name}:3")
    left = int(count or 1)

    def reached() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(EXIT_CODE)

    return reached


def declared() -> dict[str, str]:
    """Return every point that was declared in this process, with its words."""
    return dict(_declared)


def _pass_by() -> None:
    """Do nothing: nobody wants to die here."""
