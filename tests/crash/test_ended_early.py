"""`make crash` that is told to stop leaves nothing running."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from models.demo_process import wait_until

pytestmark = pytest.mark.slow


def processes_of(folder: Path) -> list[str]:
    """Return the command lines that name a folder, and of the simulator that was started with it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if f"TMPDIR={folder}".encode() in environment:
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("started", [2, 3, 4, 5])
def test_a_sigterm_ends_simulator_and_services_too(tmp_path: Path, project_root: Path, started: int) -> None:
    """The tool itself is the first process, its simulator the second, the services are the next three."""
    path = os.pathsep.join(filter(None, (str(project_root / "tests"), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)}
    log = (tmp_path / "out").open("wb")
    with log, subprocess.Popen([sys.executable, "-m", "crash"], env=env, stdout=log, stderr=log) as run:
        wait_until(lambda: len(processes_of(tmp_path)) >= started, 60, f"{started} processes")
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 128 + signal.SIGTERM
    assert processes_of(tmp_path) == []
