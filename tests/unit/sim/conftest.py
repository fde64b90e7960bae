"""Fixtures of the simulator's tests."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from models.sim_bench import SimBench


@pytest.fixture
def bench() -> SimBench:
    return SimBench()


class Fixtures:
    """Recorded payloads of the venue."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str) -> Any:
        return orjson.loads((self._folder / f"{name}.json").read_bytes())


@pytest.fixture(scope="session")
def recorded(shared_dir: Path) -> Fixtures:
    return Fixtures(shared_dir / "fixtures" / "binance")
