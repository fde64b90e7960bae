"""The stubs of the compiled kernels say what the kernels are."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_stubs_of_the_kernels_agree_with_the_compiled_modules(project_root: Path, tmp_path: Path) -> None:
    """Run mypy's stubtest over `opensqt._core`: every name, signature and property, in both directions."""
    pytest.importorskip("mypy.stubtest", reason="mypy is not installed here; stubs are checked where it is")
    allowlist = Path(__file__).with_name("stubtest_allowlist.txt")
    command = [sys.executable, "-m", "mypy.stubtest", "opensqt._core"]
    options = ["--allowlist", str(allowlist), "--ignore-unused-allowlist"]
    options += ["--mypy-config-file", str(project_root / "pyproject.toml")]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
