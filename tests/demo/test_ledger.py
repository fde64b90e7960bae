"""The ledger of a running demo equals its venue's wallet to the last unit, and says so from the command line."""

import csv
import io
import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from models.demo_process import Demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def opensqt(demo: Demo, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "opensqt.cli.main", *arguments, "--state", str(demo.state)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fills_of(demo: Demo) -> list[dict[str, str]]:
    run = opensqt(demo, "ledger", "export", "fills", "--csv")
    assert run.returncode == 0, run.stderr
    return list(csv.DictReader(io.StringIO(run.stdout)))


def test_the_ledger_of_a_demo_agrees_with_its_venue(demo: Demo) -> None:
    for _ in range(120):
        if len(fills_of(demo)) >= 3:
            break
        time.sleep(0.5)
    run = opensqt(demo, "ledger", "check", "--json")
    told = json.loads(run.stdout)
    assert run.returncode == 0, told
    assert told["ok"]
    assert told["fills_compared"] >= 3
    (account,) = told["accounts"]
    assert (account["compared"], account["difference"], account["unexplained"]) == (True, "0", "0")


def test_days_of_a_demo_sum_to_its_status(demo: Demo) -> None:
    status = json.loads(opensqt(demo, "status", "--json").stdout)["bots"][0]
    days = [json.loads(line) for line in opensqt(demo, "ledger", "export", "days", "--json").stdout.splitlines()]
    assert days[-1]["fills"] >= 0
    # Trading goes on between the two answers: what only grows has grown.
    assert sum(Decimal(day["turnover"]) for day in days) >= Decimal(status["turnover"])
    assert sum(day["fills"] for day in days) >= status["fills"]


def test_an_order_of_a_demo_is_explained_and_its_state_copied(demo: Demo, tmp_path: Path) -> None:
    fill = fills_of(demo)[0]
    told = json.loads(opensqt(demo, "why", fill["client_order_id"], "--json").stdout)
    assert told["rule"] in ("buy_window", "take_profit")
    assert told["history"]
    copied = opensqt(demo, "backup", str(tmp_path / "copy.db"))
    assert copied.returncode == 0, copied.stderr
    assert (tmp_path / "copy.db").stat().st_size > 0
