"""The installed distribution, or a reason why it cannot be inspected."""

from importlib import metadata
from pathlib import PurePosixPath

import pytest


@pytest.fixture(scope="session")
def distribution() -> metadata.Distribution:
    """Return the installed `opensqt`; skip when the tests run over the sources."""
    try:
        found = metadata.distribution("opensqt")
    except metadata.PackageNotFoundError:
        pytest.skip("opensqt is not installed here (the sources are on the path); `make test` installs the wheel")
    return found


@pytest.fixture(scope="session")
def installed_files(distribution: metadata.Distribution) -> set[PurePosixPath]:
    """Return every file the installed wheel brought, relative to site-packages."""
    return {PurePosixPath(str(file)) for file in distribution.files or ()}
