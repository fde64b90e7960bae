"""`opensqt kill` and SIGTERM with real processes on the simulated venue: what counts is what the venue says is left."""

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from models.demo_process import wait_until
from models.up_process import Up, running_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FAST = {"SIM__SPEED": "10"}


@pytest.fixture
def example(project_root: Path) -> Path:
    return project_root / "examples" / "binance-sim.yaml"


def trading(run: Up) -> Any:
    bot = run.bot()
    return bot is not None and bot["state"] == "active" and bot["slots_held"] and bot["open_orders"] >= 5 and bot


def kill(run: Up, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "opensqt.cli.main", "kill", "--json", "--state", str(run.state), *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, dict(json.loads(done.stdout))


def open_orders(run: Up) -> list[Any]:
    return list(run.at_the_venue("/fapi/v1/openOrders"))


def position(run: Up) -> Decimal:
    return sum((Decimal(one["positionAmt"]) for one in run.at_the_venue("/fapi/v3/positionRisk")), Decimal(0))


def engine_pid(run: Up) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"opensqt.engine.app" in argv and str(run.state / "engine.yaml").encode() in argv:
                return int(entry.name)
    raise AssertionError("no engine runs")


def test_kill_leaves_nothing_and_the_bot_stays_stopped(example: Path, tmp_path: Path) -> None:
    with running_up(example, tmp_path, env=FAST) as run:
        wait_until(lambda: trading(run), 90, "a position", every_s=1.0)
        code, answer = kill(run, "--flatten")
        assert (code, answer["clean"], answer["way"]) == (0, True, "engine"), answer
        assert open_orders(run) == []
        assert position(run) == 0
        bot = run.bot()
        assert bot is not None
        assert bot["state"] == "stopped"
        assert Decimal(bot["unexplained"]) == 0


def test_kill_works_while_the_engine_hangs_and_it_stays_stopped_when_it_wakes(example: Path, tmp_path: Path) -> None:
    with running_up(example, tmp_path, env=FAST) as run:
        wait_until(lambda: trading(run), 90, "a position", every_s=1.0)
        pid = engine_pid(run)
        os.kill(pid, signal.SIGSTOP)
        try:
            code, answer = kill(run, "--flatten")
            assert (code, answer["clean"], answer["way"]) == (0, True, "connector"), answer
            assert open_orders(run) == []
            assert position(run) == 0
        finally:
            os.kill(pid, signal.SIGCONT)
        bot = wait_until(
            lambda: (b := run.bot()) and b["state"] == "stopped" and b, 40, "the engine to obey", every_s=1.0
        )
        assert open_orders(run) == []
        assert bot["slots_held"] == 0, "what was closed past it is in its ledger"


def test_f55_a_sigterm_in_a_storm_cancels_and_says_what_is_left(example: Path, tmp_path: Path) -> None:
    env = {**FAST, "SIM__SPEED": "30", "ENGINE__ON_STOP": "cancel"}
    with running_up(example, tmp_path, env=env) as run:
        wait_until(lambda: trading(run), 90, "a position", every_s=1.0)
        assert run.interrupt() == 0, run.words()
        log = (run.state / "logs" / "engine.log").read_text()
        left = [json.loads(line) for line in log.splitlines() if '"event":"left"' in line.replace(" ", "")]
        assert left, "the engine says what it left"
        assert ", 0 of ours left" in left[-1]["what"]
        assert left[-1]["what"].endswith(", verified")
