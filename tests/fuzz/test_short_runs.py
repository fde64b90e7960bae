"""Every fuzz target, for a few seconds: bytes from outside end nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SECONDS = 4
TARGETS = ("decoders", "order_updates", "replies", "config", "client_ids", "orders", "hellos", "trade_frames")


def fuzz(project_root: Path, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join(filter(None, (str(project_root), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_every_target_has_its_run(project_root: Path, tmp_path: Path) -> None:
    done = fuzz(project_root, "--list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert tuple(done.stdout.split()) == TARGETS


@pytest.mark.timeout(120)
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found_in_a_short_run(project_root: Path, tmp_path: Path, target: str) -> None:
    fixtures = project_root.parent / "shared" / "fixtures" / "binance"
    given = ["--fixtures", str(fixtures)] if fixtures.is_dir() else []
    done = fuzz(project_root, target, "--seconds", str(SECONDS), *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr, done.stderr[-3000:]
