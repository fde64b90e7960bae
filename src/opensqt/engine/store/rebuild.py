"""A start that survives its own disk: room to write, a sound file, or a new one that the venue fills again.

A damaged state file is moved aside, never deleted. What the engine then does not know, the venue does: open orders are
adopted by their ids, fills since they began are booked, the position is compared. Profit before that is not known, and
said to be so.
"""

import shutil
import sqlite3
from collections.abc import Sequence
from decimal import InvalidOperation
from pathlib import Path

import msgspec
import structlog

from opensqt.engine.config import BotConfig
from opensqt.engine.restored import Restored
from opensqt.engine.store.load import restore
from opensqt.engine.store.watch import MIB
from opensqt.runtime.config import ConfigError
from opensqt.runtime.sqlite import StoreError
from opensqt.runtime.sqlite_check import check_apart

_log = structlog.get_logger(__name__)

_UNREADABLE = (StoreError, sqlite3.DatabaseError, msgspec.DecodeError, InvalidOperation, ValueError)
"""What rows raise that pass the check of their pages and make no sense."""


def require_space(path: Path, min_free_mb: int) -> None:
    """Refuse to start on a disk that is nearly full. Raises ConfigError."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free // MIB
    if free < min_free_mb:
        raise ConfigError.single(
            "state_file",
            repr(str(path)),
            f"lies on a disk with {free} MiB free, at least {min_free_mb} MiB are needed to keep the ledger",
            "free the disk, or choose another; `store.min_free_mb` is the limit",
        )


def restore_or_rebuild(path: Path, configs: Sequence[BotConfig], now_ns: int) -> Restored:
    """Load the state file, or move a damaged one aside and begin a new one.

    Raises:
        ConfigError: the file is sound and cannot be used (another version, another tag, no room).
    """
    if not path.exists():
        return restore(path, configs, now_ns)
    try:
        check_apart(path)
        return restore(path, configs, now_ns)
    except (ConfigError, sqlite3.OperationalError):
        raise  # the disk or the configuration, not the file
    except _UNREADABLE as error:
        aside = move_aside(path, now_ns)
        why = f"the state file was damaged and is now {aside} ({str(error) or type(error).__name__})"
        _log.error("state_file_damaged", error=str(error), moved_to=str(aside), fix="orders are adopted from the venue")
    restored = restore(path, configs, now_ns)
    for bot in restored.bots.values():
        bot.lost_past = why
    return restored


def move_aside(path: Path, now_ns: int) -> Path:
    """Rename a database with its log; returns its new name."""
    aside = path.with_name(f"{path.name}.damaged-{now_ns}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
