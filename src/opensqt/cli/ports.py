"""Is a TCP port free, before anything is started? And unix socket paths that are short enough."""

import hashlib
import os
import socket
import tempfile
from pathlib import Path

from opensqt.cli.errors import CliError
from opensqt.runtime.config_types import MAX_SOCKET_PATH_BYTES

_LONGEST_NAME = "connector.sock"


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(port: int, option: str, host: str = "127.0.0.1") -> None:
    """Raise CliError that names the option to change when the port is taken."""
    if not is_free(port, host):
        raise CliError(
            f"port {port} on {host} is in use; stop the program that uses it, or choose another with {option}"
        )


def free_port_near(preferred: int) -> int:
    """Return the preferred port when it is free, else any free one."""
    if is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def socket_folder(state: Path) -> Path:
    """Return the state folder, or a short private one for it where socket paths below it would be too long."""
    if len(str(state / _LONGEST_NAME).encode()) <= MAX_SOCKET_PATH_BYTES:
        return state
    name = hashlib.sha256(str(state).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"opensqt-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise CliError(f"{folder} belongs to somebody else; choose a shorter folder with --state")
    return folder
