"""`opensqt up examples/binance-paper.yaml`: a keyless user trades a grid on a venue's public market."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from models.demo_process import wait_until
from models.up_process import Up, running_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PARTS = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers")
MIN_RESTING = 10
ON_SIM = {"SIM__SPEED": "10", "CONNECTOR__BINANCE__ENDPOINTS": "from_sim"}


@pytest.fixture
def example(project_root: Path) -> Path:
    return project_root / "examples" / "binance-paper.yaml"


def trading(run: Up) -> Any:
    bot = run.bot()
    if bot is None or bot["state"] != "active" or bot["fills"] == 0 or bot["open_orders"] < MIN_RESTING:
        return None
    return bot


def assert_sums(report: dict[str, Any]) -> None:
    money = {name: Decimal(report[name]) for name in (*PARTS, "equity_change", "unexplained")}
    assert sum(money[part] for part in PARTS) == money["equity_change"]
    assert money["unexplained"] == 0


def assert_nothing_was_ordered(run: Up) -> None:
    assert run.at_the_venue("/fapi/v1/openOrders") == []
    assert run.at_the_venue("/fapi/v1/userTrades", symbol="BTCUSDT") == []


def test_the_example_trades_a_grid_without_a_key_and_the_venue_sees_no_order(example: Path, tmp_path: Path) -> None:
    with running_up(example, tmp_path, env=ON_SIM) as run:
        bot = wait_until(lambda: trading(run), 90, "a grid that trades", every_s=1.0)
        assert (bot["exchange"], bot["mode"]) == ("binance", "paper")
        assert_sums(bot)
        assert "api_key: null" in (run.state / "connector.yaml").read_text()
        assert_nothing_was_ordered(run)
        assert run.interrupt() == 0, run.words()


@pytest.mark.captures
def test_the_recorded_market_is_paper_traded_end_to_end(example: Path, tmp_path: Path, shared_dir: Path) -> None:
    folder = shared_dir / "data" / "binance_usdm"
    captures = [
        folder / "raw_ws_BTCUSDT_20240718T235701Z_part1.jsonl.gz",
        folder / "raw_ws_BTCUSDT_20240719T000000Z_part2.jsonl.gz",
    ]
    env = {**ON_SIM, "SIM__SOURCE": "replay", "SIM__FILES": ",".join(map(str, captures))}
    with running_up(example, tmp_path, "--for", "25", "--json", env=env) as run:
        assert wait_until(lambda: trading(run), 90, "a grid on the recorded market", every_s=1.0)
        assert_nothing_was_ordered(run)
        assert run.process.wait(120) == 0, run.words()
        report = json.loads(run.out.read_text())
        assert report["symbols"] == ["BTC/USDT:USDT"]
        assert report["fills"] > 0
        assert_sums(report)
