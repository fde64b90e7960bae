"""A note beside the state file that bots were killed behind the engine's back.

Whoever kills without the engine cannot tell it: it hangs, or it does not run. Without the note it would wake up, or be
started again, and trade as if nothing had happened. The engine looks for the note when it starts, when it wakes from a
stall and a few times per second, stops those bots for good, and removes it.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec


class _Note(msgspec.Struct):
    bots: list[str]


def marker_of(state_file: Path) -> Path:
    """Return where the note for an engine lies."""
    return state_file.with_name(f"{state_file.name}.killed")


def leave_marker(state_file: Path, bot_ids: Iterable[str]) -> Path:
    """Leave the note; what an earlier one says stays in it. Raises OSError when the folder cannot be written."""
    path = marker_of(state_file)
    known = read_marker(state_file) or []
    note = _Note(sorted({*known, *bot_ids}))
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(msgspec.json.encode(note))
    temporary.replace(path)
    return path


def read_marker(state_file: Path) -> list[str] | None:
    """Return the ids of the bots that were killed; None without a note, all ("*") when it cannot be read."""
    try:
        return msgspec.json.decode(marker_of(state_file).read_bytes(), type=_Note).bots
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        return ["*"]


def remove_marker(state_file: Path) -> None:
    """Remove the note: what it says is in the state file now."""
    marker_of(state_file).unlink(missing_ok=True)
