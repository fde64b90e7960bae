"""Check a database file in a process of its own: what a damaged file does to SQLite must not happen to the service.

python -m opensqt.runtime.sqlite_check FILE       exit code 0 = sound, 1 = damaged (said on standard output)
"""

import subprocess
import sys
from pathlib import Path

from opensqt.runtime.sqlite import StoreError, quick_check

BASE_TIMEOUT_S = 30.0
BYTES_PER_S = 20_000_000
"""No disk worth trading from reads slower."""


def check_apart(path: Path, *, timeout_s: float | None = None) -> None:
    """Check a file in a child process.

    Args:
        path: the database.
        timeout_s: how long it may take; by default as long as a slow disk needs for the file's size.

    Raises:
        StoreError: it is damaged, or the check died or hung on it.
    """
    allowed_s = timeout_s or BASE_TIMEOUT_S + path.stat().st_size / BYTES_PER_S
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            [sys.executable, "-m", __spec__.name, str(path)],
            capture_output=True,
            text=True,
            timeout=allowed_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise StoreError(
            f"{path} could not be checked within {allowed_s:.0f} s; restore a copy, or move it away"
        ) from None
    if done.returncode == 1 and done.stdout.strip():
        raise StoreError(done.stdout.strip())
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no word"]
        raise StoreError(f"{path} could not be checked (exit code {done.returncode}: {last[0]}); move it away")


def main(path: Path) -> int:
    """Check and say; returns the exit code."""
    try:
        quick_check(path)
    except StoreError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
