"""Shared fixtures: where recorded data lives, and why a test that needs it may skip."""

import signal
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, even if the tests run in the background of a shell.

    A shell lets what it puts there ignore the signal, and programs inherit that; one that is handled they do not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Return the checkout the tests run from."""
    return PROJECT_ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the folder of captures and fixtures kept beside the project; skip where it is absent."""
    folder = PROJECT_ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"recorded market data is not beside the project (looked in {folder}); clone it there to run this")
    return folder
