"""One demo for all tests that only look at it."""

from collections.abc import Iterator

import pytest
from models.demo_process import Demo, running_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo on the synthetic market."""
    with running_demo(tmp_path_factory.mktemp("demo") / "state") as running:
        yield running
