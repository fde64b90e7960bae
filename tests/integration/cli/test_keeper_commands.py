"""`why`, `reconcile`, `backup` and `ledger` against a real engine: what they print, and their exit codes."""

import asyncio
import csv
import io
import json
import os
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from models.engine_rig import TRADE, Engine, fill_nearest, grpc_settings, until
from models.grid_connector import FakeConnector
from models.grid_venue import Venue, config

from opensqt.cli.main import invoke
from opensqt.cli.state_dir import RunningInstance, StateDir
from opensqt.domain.order import Side
from opensqt.runtime.config import GrpcClientConfig

pytestmark = pytest.mark.slow


class Bench:
    def __init__(
        self, engine: Engine, connector: FakeConnector, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.engine, self.connector, self.path, self._capsys = engine, connector, path, capsys
        self.order = ""

    async def run(self, *arguments: str) -> tuple[int, str]:
        self._capsys.readouterr()
        code = await asyncio.to_thread(invoke, [*arguments, "--state", str(self.path / "state")])
        return code, self._capsys.readouterr().out


@pytest.fixture
async def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Bench]:
    connector = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await connector.start()
    settings = msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=grpc_settings(f"{tmp_path}/e.sock"),
        state_file=tmp_path / "engine.db",
    )
    engine = Engine(settings, f"{tmp_path}/e.sock")
    await engine.start()
    await until(lambda: len(connector.venue.open_orders) == 9)
    made = Bench(engine, connector, tmp_path, capsys)
    made.order = fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    token = tmp_path / "token"
    token.write_text(TRADE.reveal())
    state = StateDir(tmp_path / "state")
    state.prepare(fresh=False)
    state.announce(
        RunningInstance(pid=os.getpid(), name="test", engine_address=f"unix:{tmp_path}/e.sock", token_file=str(token))
    )
    yield made
    await engine.stop()
    await engine.close()
    await connector.stop()


async def test_why_tells_slot_rule_inputs_and_fate(bench: Bench) -> None:
    code, text = await bench.run("why", bench.order, "--json")
    told = json.loads(text)
    assert code == 0
    assert (told["rule"], told["slot"], told["state"], told["config_version"]) == ("buy_window", 0, "filled", 1)
    assert told["inputs"]["level_ticks"] == "300000"
    assert [fill["lots"] for fill in told["fills"]] == [10]
    code, text = await bench.run("why", told["exchange_order_id"])
    assert code == 0
    assert "buy_window" in text
    assert (await bench.run("why", "no-such-order"))[0] == 1


async def test_reconcile_says_whether_both_sides_agree(bench: Bench) -> None:
    code, text = await bench.run("reconcile", "--json")
    assert (code, json.loads(text)["position_match"]) == (0, True)
    code, text = await bench.run("reconcile")
    assert code == 0
    assert "they agree" in text


async def test_backup_is_made_where_it_was_asked_for_and_never_twice(bench: Bench, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(bench.path)
    code, text = await bench.run("backup", "copy.db", "--json")
    assert (code, json.loads(text)["path"]) == (0, str(bench.path / "copy.db"))
    assert (bench.path / "copy.db").exists()
    assert (await bench.run("backup", "copy.db"))[0] == 1


async def test_ledger_check_passes_and_fails_with_its_exit_code(bench: Bench) -> None:
    code, text = await bench.run("ledger", "check", "--json")
    told = json.loads(text)
    assert (code, told["ok"], told["fills_compared"]) == (0, True, 1), told
    bench.connector.venue.wallet -= Decimal("0.5")
    code, text = await bench.run("ledger", "check")
    assert code == 1
    assert "difference -0.5" in text
    assert "does NOT agree" in text


async def test_ledger_export_writes_exact_decimals_as_csv_and_json(bench: Bench) -> None:
    code, text = await bench.run("ledger", "export", "fills", "--csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert code == 0
    assert (row["price"], row["quantity"], row["side"], row["fee"]) == ("3000", "0.01", "buy", "0.006")
    code, text = await bench.run("ledger", "export", "days", "--json")
    days = [json.loads(line) for line in text.splitlines()]
    assert sum(day["fills"] for day in days) == 1
    target = bench.path / "fills.csv"
    assert (await bench.run("ledger", "export", "--output", str(target)))[0] == 0
    assert len(target.read_text().splitlines()) == 2
    assert (await bench.run("ledger", "export", "--output", str(target)))[0] == 2
    assert (await bench.run("ledger", "export", "--csv", "--json"))[0] == 2
    assert (await bench.run("ledger", "check", "--since", "yesterday"))[0] == 2
