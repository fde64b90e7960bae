"""What the connector itself must remember over a restart: leases, bot epochs, its own session epoch.

A small JSON file, replaced whole by a rename, so that it is never half written. Leases change when an engine attaches,
not while it trades, so nothing here is on the order path.
"""

import errno
import os
from pathlib import Path
from typing import final

import msgspec

from opensqt.connector.leases import Lease
from opensqt.domain.errors import ErrorReason, UnavailableError
from opensqt.runtime.config import ConfigError
from opensqt.runtime.crash_points import crash_point

_SAVING = crash_point("connector.saving", "the state file is to be replaced, nothing is written")
_WRITTEN = crash_point("connector.written", "the new state file is complete and not in its place")
_REPLACED = crash_point("connector.replaced", "the new state file is in its place")

_MAY_PASS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


class ConnectorState(msgspec.Struct, kw_only=True):
    """The file's content."""

    session_epoch: int = 0
    leases: list[Lease] = []
    bot_epochs: dict[str, int] = {}


@final
class StateFile:
    """Reads and replaces the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> ConnectorState:
        """Return what was kept, or an empty state when there is no file.

        Raises:
            ConfigError: the file cannot be read.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=ConnectorState)
        except FileNotFoundError:
            return ConnectorState()
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigError.single(
                "state_file",
                self._path,
                f"cannot be read ({error})",
                "move it away: engines then attach anew, and whoever vanished before is not acted upon",
            ) from None

    def save(self, state: ConnectorState) -> None:
        """Replace the file.

        Raises:
            UnavailableError: the disk is full or fails, which may pass: try again later.
            ConfigError: it can never be written there.
        """
        temporary = self._path.with_name(f"{self._path.name}.new")
        _SAVING()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            _WRITTEN()
            temporary.replace(self._path)
            _REPLACED()
        except OSError as error:
            if error.errno in _MAY_PASS:
                raise UnavailableError(
                    ErrorReason.VENUE_UNAVAILABLE,
                    f"{self._path} cannot be written ({error.strerror}); free the disk or choose another state_file",
                ) from None
            raise ConfigError.single(
                "state_file", self._path, f"cannot be written ({error.strerror})", "choose another path"
            ) from None
