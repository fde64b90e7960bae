"""One bot on a simulated venue for tests that kill its processes."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from crash.look import Look
from crash.world import FAULTS, World, wait_until


@pytest.fixture
def world() -> Iterator[World]:
    """A venue that loses replies, and the services that trade on it."""
    # pytest's own folders have paths that can be too long for a unix socket.
    with TemporaryDirectory(prefix="opensqt-") as folder:
        made = World(Path(folder), seed=11)
        try:
            made.start()
            yield made
        finally:
            made.close()


@pytest.fixture
def look(world: World) -> Iterator[Look]:
    with Look(world) as looking:
        assert wait_until(lambda: looking.quoting(0), 90), world.services["engine"].last_words()
        world.sim.call("POST", "/faults", {"faults": FAULTS})
        yield looking
