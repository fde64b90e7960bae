"""What `opensqt doctor` looks at on this machine: clock, disk, ports, permissions, state file. Nothing is changed."""

import ctypes
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from opensqt.cli.doctor_check import Finding, failed, ok, unknown, warning
from opensqt.cli.ports import is_free
from opensqt.cli.probe import Probe
from opensqt.cli.state_dir import MIN_FREE_BYTES, read_instance
from opensqt.cli.umbrella_config import UmbrellaConfig
from opensqt.runtime.sqlite import StoreError, quick_check

_CLOCK_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES = 208  # sizeof(struct timex) on 64-bit Linux
_PLENTY_BYTES = 8 * MIN_FREE_BYTES
_MIB = 1024**2


def clock() -> Finding:
    """Look whether the kernel says that its clock is kept in time by somebody."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        return unknown("clock", "the kernel does not tell whether its clock is synchronised", "run a time service")
    if state == _CLOCK_UNSYNCHRONISED:
        return warning(
            "clock",
            "the kernel's clock is not synchronised; orders with a wrong time are refused by exchanges",
            "run a time service (systemd-timesyncd, chrony); the connector measures its offset to the venue as well",
        )
    return ok("clock", "synchronised")


def disk(folder: Path) -> Finding:
    """Look for room where ledger and logs go."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free // _MIB} MiB free for {folder}"
    if free < MIN_FREE_BYTES:
        return failed("disk", f"{detail}, at least {MIN_FREE_BYTES // _MIB} MiB are needed", "free some, or move it")
    if free < _PLENTY_BYTES:
        return warning("disk", f"{detail}, which days of trading can use up", "free some, or watch it")
    return ok("disk", detail)


def state_folder(folder: Path) -> Finding:
    """Look whether only its owner can read the state folder: the configs in it hold tokens."""
    if not folder.exists():
        return ok("state folder", f"{folder} will be made")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        return failed("state folder", f"{folder} can be read by others (mode {mode:o})", f"chmod 700 {folder}")
    return ok("state folder", f"{folder} is its owner's alone")


def config_file(path: Path, document: object) -> Finding:
    """Look whether a configuration with secrets in it can be read by others."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077 and _holds_secret(document):
        return failed(
            "config file",
            f"{path} holds a key or a token and can be read by others (mode {mode:o})",
            f"chmod 600 {path}, or put each secret into a file of its own and name it by `..._file`",
        )
    return ok("config file", f"{path} is sound")


def secret_files(document: object, folder: Path) -> Iterator[Finding]:
    """Look at every file a configuration names as a secret's; relative ones start at `folder`."""
    for key, name in _named_files(document):
        path = folder / Path(name).expanduser()
        if not path.exists():
            continue  # a missing one is a problem of the configuration, told with its path
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield failed("secret file", f"{key} {path} can be read by others (mode {mode:o})", f"chmod 600 {path}")
        else:
            yield ok("secret file", f"{key} {path} is its owner's alone")


def ports(config: UmbrellaConfig, folder: Path, healthy: Iterable[str]) -> Iterator[Finding]:
    """Look whether each port is free, or taken by the instance that runs in the state folder."""
    runs = read_instance(folder) is not None
    taken = []
    for name, port in config.ports():
        if port and not is_free(port):
            taken.append((name, port))
    if not taken:
        yield ok("ports", "all are free")
    for name, port in taken:
        if runs or name.partition(".")[0] in healthy:
            yield ok("ports", f"{name} {port} is used by the OpenSQT that runs")
        else:
            yield failed("ports", f"{name} {port} is used by another program", f"stop it, or choose another {name}")


def state_file(path: Path | None) -> Iterator[Finding]:
    """Look whether the engine's state file is whole."""
    if path is None or not path.exists():
        return
    try:
        quick_check(path)
    except StoreError as error:
        yield failed("state file", str(error), "restore a backup; without one the engine rebuilds from the venue")
    else:
        yield ok("state file", f"{path} is whole, {path.stat().st_size // 1024} KiB")


async def healthy_services(probes: Iterable[tuple[str, Probe]]) -> set[str]:
    """Return the services that answer."""
    return {name for name, probe in probes if await probe()}


_SECRETS = ("api_key", "api_secret", "passphrase", "token", "urls")
_KEY_FILE = "key_file"  # a certificate's private key


def _is_secret(name: str) -> bool:
    return name in _SECRETS or name.endswith("_token")


def _holds_secret(document: object) -> bool:
    if isinstance(document, dict):
        return any((bool(value) and _is_secret(str(name))) or _holds_secret(value) for name, value in document.items())
    return isinstance(document, list) and any(map(_holds_secret, document))


def _named_files(document: object) -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        for name, value in document.items():
            key = str(name)
            if isinstance(value, str) and (key == _KEY_FILE or _is_secret(key.removesuffix("_file"))):
                if key.endswith("_file"):
                    yield key, value
            else:
                yield from _named_files(value)
    elif isinstance(document, list):
        for value in document:
            yield from _named_files(value)
