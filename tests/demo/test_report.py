"""`opensqt demo --for`: the report of a run over a recorded market, as people and as programs read it."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from models.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.captures, pytest.mark.timeout(180)]

PARTS = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers")


@pytest.mark.parametrize("base", ["BTC", "ETH"])
def test_a_recorded_market_is_traded_and_the_parts_sum_exactly(shared_dir: Path, tmp_path: Path, base: str) -> None:
    folder = shared_dir / "data" / "binance_usdm"
    captures = [
        folder / f"raw_ws_{base}USDT_20240718T235701Z_part1.jsonl.gz",
        folder / f"raw_ws_{base}USDT_20240719T000000Z_part2.jsonl.gz",
    ]
    run = subprocess.run(
        [
            *(sys.executable, "-m", "opensqt.cli.main", "demo", "--source", "replay"),
            *("--replay", *map(str, captures), "--speed", "40", "--for", "15", "--no-browser", "--json"),
            *("--state", str(tmp_path / "state"), "--port", str(free_port())),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)  # exactly one JSON object, and nothing else
    assert report["symbols"] == [f"{base}/USDT:USDT"]
    assert report["fills"] > 0
    money = {name: Decimal(report[name]) for name in (*PARTS, "equity_change", "unexplained", "turnover")}
    assert sum(money[part] for part in PARTS) == money["equity_change"]
    assert money["unexplained"] == 0
    assert money["turnover"] > 0
    assert money["fees"] < 0
