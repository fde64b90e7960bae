"""A short run of `make crash`: random kills under load, and every number it reports."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from crash.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.alone]

KILLS = 12
MAX_RECOVERY_S = 10.0
"""Of a machine that may be halted for a while. `make crash` holds it to five seconds."""


@pytest.mark.timeout(300)
def test_random_kills_under_load_lose_nothing_and_double_nothing() -> None:
    with TemporaryDirectory(prefix="opensqt-") as folder:
        report = Run(Path(folder), KILLS, seed=3, max_recovery_s=MAX_RECOVERY_S)()
    assert not report.problems, report.text()
    assert report.kills >= KILLS
    assert report.fills_at_venue == report.fills_in_ledger > 0
    assert report.orders > 0
    assert report.wallet_at_venue == report.wallet_by_ledger
