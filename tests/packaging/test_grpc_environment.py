"""gRPC reads its environment when it is first imported: every program of ours must have set it by then."""

import os
import subprocess
import sys

import pytest

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}

PROGRAMS = (
    "opensqt.connector.app",
    "opensqt.engine.app",
    "opensqt.live_server.app",
    "opensqt.sim.app",
    "opensqt.cli.embedded",
    "opensqt.cli.engine_client",
    "opensqt.cli.up",
)

# Prints what the variable was when the first module of gRPC was looked for; "unset" when it was not set yet.
CODE = """
import os, sys

class Watch:
    seen = None

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("grpc", "grpc_health", "grpc_status") and Watch.seen is None:
            Watch.seen = os.environ.get("GRPC_EXPERIMENTS", "unset")

sys.meta_path.insert(0, Watch())
import {module}
print(Watch.seen)
"""


@pytest.mark.parametrize("module", PROGRAMS)
def test_experiments_are_set_before_the_first_import_of_grpc(module: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=CLEAN,
    )
    assert result.returncode == 0, result.stderr
    # A program that never needs gRPC has nothing to set.
    assert result.stdout.strip() in ("-event_engine_client,-event_engine_listener", "None")


def test_the_watch_sees_a_program_that_imports_grpc_too_early() -> None:
    code = CODE.format(module="grpc")
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, env=CLEAN
    )
    assert result.stdout.strip() == "unset"
