"""The folder of one running instance: generated configs, tokens, sockets, databases, logs, and who runs there.

    var/demo-synthetic-BTCUSDT/
        lock            held by the supervisor that runs here
        runtime.json    who runs, and how to reach its engine
        connector.yaml  engine.yaml  live_server.yaml
        connector.sock  engine.sock  *.db  tokens/  logs/

Everything in it is for the owner only: configs hold tokens.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import msgspec

from opensqt.cli.errors import CliError

MIN_FREE_BYTES = 128 * 1024 * 1024
MARKER = ".opensqt-state"

# What --fresh may remove: only what OpenSQT itself puts there.
_OURS = (
    "*.yaml",
    "*.db",
    "*.db-wal",
    "*.db-shm",
    "*.db.sim",
    "*.sock",
    "*.json",
    "*.state",
    "tokens",
    "logs",
    "venue",
    "engine",
)


class RunningInstance(msgspec.Struct, frozen=True):
    """What `runtime.json` says: who runs, where its engine listens, which token file may control it."""

    pid: int
    name: str
    engine_address: str
    token_file: str | None = None
    page_url: str | None = None
    services: tuple[str, ...] = ()


@final
class StateDir:
    """A state folder that exists, is ours to write, and has room."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def runtime_file(self) -> Path:
        """Return the file that tells others how to reach this instance."""
        return self.path / "runtime.json"

    def log_file(self, service: str) -> Path:
        """Return where a service's standard error goes."""
        return self.path / "logs" / f"{service}.log"

    def prepare(self, *, fresh: bool) -> None:
        """Create the folder and check that it can be used; `fresh` removes what an earlier run left.

        Raises CliError for a folder that cannot be written, a disk that is nearly full, or a fresh start in a folder
        that held other files before OpenSQT came: what is whose cannot be told there.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._holds_files_of_others():
                (self.path / MARKER).write_text("OpenSQT keeps the state of one instance here.\n", encoding="utf-8")
            if fresh:
                self._clear()
            (self.path / "logs").mkdir(exist_ok=True, mode=0o700)
            (self.path / "tokens").mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise CliError(
                f"the state folder {self.path} cannot be written ({error.strerror}); choose another with --state"
            ) from None
        free = shutil.disk_usage(self.path).free
        if free < MIN_FREE_BYTES:
            raise CliError(
                f"the disk of {self.path} has {free // 1024**2} MiB free, at least {MIN_FREE_BYTES // 1024**2} MiB are"
                " needed for ledger and logs; free some, or choose another disk with --state"
            )

    def _holds_files_of_others(self) -> bool:
        names = {path.name for path in self.path.iterdir()}
        return MARKER not in names and bool(names - {"lock"})

    def _clear(self) -> None:
        if not (self.path / MARKER).exists():
            raise CliError(
                f"{self.path} holds files that were not made by OpenSQT, so nothing is removed there for a fresh start;"
                " choose a new or empty folder with --state"
            )
        for pattern in _OURS:
            for found in self.path.glob(pattern):
                if found.is_dir() and not found.is_symlink():
                    shutil.rmtree(found)
                else:
                    found.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process. Raises CliError when another instance runs there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CliError(
                f"the state folder {self.path} cannot be written ({error.strerror}); choose another with --state"
            ) from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CliError(
                    f"another instance runs in {self.path}; stop it, or give this one a folder of its own with --state"
                ) from None
            yield
        finally:
            os.close(descriptor)

    def write_private(self, name: str, text: str) -> Path:
        """Write a file only its owner can read, whole or not at all."""
        path = self.path / name
        temporary = path.with_name(f".{path.name}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(path)
        return path

    def announce(self, instance: RunningInstance) -> None:
        """Tell `opensqt status` and friends how to reach this instance."""
        self.write_private("runtime.json", json.dumps(msgspec.to_builtins(instance), indent=2) + "\n")

    def withdraw(self) -> None:
        """Say that nothing runs here any more."""
        self.runtime_file.unlink(missing_ok=True)


def read_instance(path: Path) -> RunningInstance | None:
    """Return what runs in a state folder, or None when nothing does."""
    try:
        instance = msgspec.json.decode((path / "runtime.json").read_bytes(), type=RunningInstance)
    except (OSError, msgspec.DecodeError):
        return None
    return instance if is_alive(instance.pid) else None


def is_alive(pid: int) -> bool:
    """Return whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
