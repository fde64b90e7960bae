"""`opensqt up examples/binance-sim.yaml`: simulator, connector, engine and page as processes, and a grid that fills."""

import json
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from models.demo_process import wait_until
from models.up_process import Up, running_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PARTS = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers")
MIN_RESTING = 10
FAST = {"SIM__SPEED": "10"}


@pytest.fixture
def example(project_root: Path) -> Path:
    return project_root / "examples" / "binance-sim.yaml"


def trading(run: Up) -> Any:
    """Return the bot once it has filled something and rests where the venue says so too, else None."""
    bot = run.bot()
    if bot is None or bot["state"] != "active" or bot["fills"] == 0 or bot["open_orders"] < MIN_RESTING:
        return None
    return bot if len(run.at_the_venue("/fapi/v1/openOrders")) >= MIN_RESTING else None


def assert_sums(report: dict[str, Any]) -> None:
    money = {name: Decimal(report[name]) for name in (*PARTS, "equity_change", "unexplained")}
    assert sum(money[part] for part in PARTS) == money["equity_change"]
    assert money["unexplained"] == 0


def test_the_example_trades_a_grid_and_a_second_run_begins_anew(example: Path, tmp_path: Path) -> None:
    with running_up(example, tmp_path, env=FAST) as run:
        bot = wait_until(lambda: trading(run), 90, "a grid that trades", every_s=1.0)
        assert (bot["exchange"], bot["mode"]) == ("binance", "testnet")
        assert_sums(bot)
        trades = run.at_the_venue("/fapi/v1/userTrades", symbol="BTCUSDT")
        assert 0 < len(trades) <= 1_000
        assert all(trade["maker"] for trade in trades)
        with urlopen(f"{run.page_url}health", timeout=5) as reply:
            assert reply.status == 200
        assert run.interrupt() == 0, run.words()
    with running_up(example, tmp_path, "--for", "15", "--json", env=FAST) as run:
        assert run.process.wait(90) == 0, run.words()
        assert "its ledger is not used" in run.err.read_text()
        report = json.loads(run.out.read_text())
        assert report["fills"] > 0
        assert_sums(report)


@pytest.mark.captures
def test_the_recorded_market_is_traded_end_to_end(example: Path, tmp_path: Path, shared_dir: Path) -> None:
    folder = shared_dir / "data" / "binance_usdm"
    captures = [
        folder / "raw_ws_BTCUSDT_20240718T235701Z_part1.jsonl.gz",
        folder / "raw_ws_BTCUSDT_20240719T000000Z_part2.jsonl.gz",
    ]
    env = {**FAST, "SIM__SOURCE": "replay", "SIM__FILES": ",".join(map(str, captures))}
    with running_up(example, tmp_path, "--for", "25", "--json", env=env) as run:
        assert wait_until(lambda: trading(run), 90, "a grid on the recorded market", every_s=1.0)
        assert run.process.wait(120) == 0, run.words()
        report = json.loads(run.out.read_text())
        assert report["symbols"] == ["BTC/USDT:USDT"]
        assert report["fills"] > 0
        assert_sums(report)


def test_a_killed_simulator_comes_back_empty_and_the_engine_does_not_trade_on(example: Path, tmp_path: Path) -> None:
    with running_up(example, tmp_path, env=FAST) as run:
        wait_until(lambda: (bot := trading(run)) and bot["slots_held"], 90, "a position", every_s=1.0)
        found = run.words()
        pid = int(found.partition("running: sim ")[2].partition(",")[0])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: "sim is healthy again" in run.words(), 30, f"the simulator to be back:\n{found}")

        def careful() -> Any:
            bot = run.bot()
            return bot is not None and bot["state"] != "active" and any("MISMATCH" in why for why in bot["reasons"])

        wait_until(careful, 60, "the engine to notice that its position is gone", every_s=1.0)
