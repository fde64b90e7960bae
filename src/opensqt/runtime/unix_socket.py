"""Unix sockets that do not steal: a dead process's file is replaced, a living one's is a clear error.

gRPC itself unlinks whatever socket it finds at its path, also a living server's, so this is checked before it binds.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from opensqt.runtime.config_problems import ConfigError

_PROBE_TIMEOUT_S = 1.0


def claim_path(path: Path) -> None:
    """Make `path` free to bind: create its folder, remove a socket nobody listens on.

    Raises ConfigError when somebody listens there, something else than a socket lies there, or the folder is not ours.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _error(path, f"cannot be used ({error.strerror})", "choose another path") from None
    if not stat.S_ISSOCK(mode):
        raise _error(path, "is a file that is not a socket", "choose another path, or remove that file")
    if _is_alive(path):
        raise _error(path, "is in use by a running process", "stop that process, or choose another path")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _is_alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # a full backlog or no permission: somebody is there
            return True
    return True


def _error(path: Path, rule: str, fix: str) -> ConfigError:
    return ConfigError.single("unix_socket", repr(str(path)), rule, fix)


@contextlib.contextmanager
def owner_only() -> Iterator[None]:
    """Create files with mode 0600 inside: between bind and chmod a socket would be open to everybody."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def inode_of(path: Path) -> int | None:
    """Return the inode at `path`, or None, so that a server removes only the socket it made itself."""
    try:
        return path.lstat().st_ino
    except OSError:
        return None
