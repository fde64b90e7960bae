"""A short soak: half a simulated day leaves no handle and no thread behind, and no heap that runs away."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from soak.run import run

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.captures, pytest.mark.timeout(400)]

MAX_MB_PER_DAY = 40.0
"""Caches that are bounded still fill in so short a run; `make soak` measures days, and holds them to 1 MB."""


def test_half_a_day_leaves_nothing_behind(shared_dir: Path) -> None:
    captures = sorted((shared_dir / "data" / "binance_spot").glob("raw_ws_NEXOUSDT_*"))
    files = [Path(os.path.relpath(file)) for file in captures]  # as somebody types them
    with TemporaryDirectory(prefix="opensqt-") as folder:
        soak = run(Path(folder), files, days=0.8, warm_up_days=0.3, speed=1_000.0, max_mb_per_day=MAX_MB_PER_DAY)
    assert not soak.problems, soak.text()
