"""`orders`, `fills`, `pnl`, `export` and `logs` against a real engine: what they print, and their exit codes."""

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

from opensqt.cli.logs import Wanted, follow_journal
from opensqt.cli.main import invoke
from opensqt.cli.state_dir import RunningInstance, StateDir
from opensqt.domain.order import Side
from opensqt.proto import engine_pb2
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import call

pytestmark = pytest.mark.slow


class Bench:
    def __init__(
        self, engine: Engine, connector: FakeConnector, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.engine, self.connector, self.path, self._capsys = engine, connector, path, capsys

    async def run(self, *arguments: str) -> tuple[int, str]:
        code, out, _err = await self.run_both(*arguments)
        return code, out

    async def run_both(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = await asyncio.to_thread(invoke, [*arguments, "--state", str(self.path / "state")])
        told = self._capsys.readouterr()
        return code, told.out, told.err


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
    fill_nearest(connector)
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


async def test_orders_are_those_that_rest_at_the_venue(bench: Bench) -> None:
    code, text = await bench.run("orders", "--json")
    told = json.loads(text)["orders"]
    venue = {o.client_order_id: o for o in bench.connector.venue.open_orders}
    assert code == 0
    assert {row["client_order_id"] for row in told} == venue.keys()
    for row in told:
        assert Decimal(row["price"]) * 100 == venue[row["client_order_id"]].price_ticks
        assert row["state"] == "live"
    code, text = await bench.run("orders")
    assert (code, "take_profit" in text, "buy_window" in text) == (0, True, True)


async def test_ended_orders_are_shown_on_request(bench: Bench) -> None:
    code, text = await bench.run("orders", "--all", "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert code == 0
    assert {row["client_order_id"] for row in rows} == {o.client_order_id for o in bench.connector.venue.placed}
    (filled,) = [row for row in rows if row["state"] == "filled"]
    assert (filled["price"], filled["average_price"], filled["filled"], filled["slot"]) == ("3000", "3000", "0.01", "0")
    code, text = await bench.run("orders", "--all", "--limit", "2", "--json")
    assert len(json.loads(text)["orders"]) == 2


async def test_fills_are_exact_in_every_format(bench: Bench) -> None:
    fill = bench.connector.venue.fills[0]
    code, text = await bench.run("fills", "--json")
    (row,) = json.loads(text)["fills"]
    assert code == 0
    assert (row["trade_id"], row["price"], row["quantity"]) == (fill.trade_id, "3000", "0.01")
    assert Decimal(row["fee"]) == fill.fee
    code, text = await bench.run("fills", "--csv")
    assert next(csv.DictReader(io.StringIO(text)))["fee"] == row["fee"]
    code, text = await bench.run("fills")
    assert (code, fill.trade_id in text) == (0, True)
    code, text = await bench.run("fills", "--since", "2099-01-01")
    assert (code, text) == (0, "no fills\n")
    header = ",".join(row)
    code, text = await bench.run("fills", "--since", "2099-01-01", "--csv")
    assert (code, text) == (0, header + "\n"), "a spreadsheet gets its columns without fills, too"
    assert (await bench.run("fills", "--csv", "--json"))[0] == 2
    assert (await bench.run("fills", "--since", "soon"))[0] == 2


async def test_pnl_parts_sum_exactly_also_over_days(bench: Bench) -> None:
    code, text = await bench.run("pnl", "--days", "1", "--json")
    told = json.loads(text)
    (one,) = told["bots"]
    parts = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers")
    assert code == 0
    assert sum(Decimal(one[name]) for name in parts) == Decimal(one["equity_change"])
    assert told["totals"]["USDT"]["equity_change"] == one["equity_change"]
    (day,) = one["days"]
    assert sum(Decimal(day[name]) for name in parts) == Decimal(day["equity_change"])
    code, text = await bench.run("pnl", "--days", "1")
    assert (code, "by UTC day" in text) == (0, True)


async def test_pnl_says_with_its_exit_code_that_something_is_unexplained(bench: Bench) -> None:
    bench.connector.venue.wallet -= Decimal("0.5")
    bench.connector.venue.events.append(bench.connector.venue.account_record())
    bench.connector.changed()

    async def differs() -> bool:
        return (await bench.engine.bot()).pnl.unexplained.value not in ("", "0")

    await until(differs)
    assert (await bench.run("pnl"))[0] == 4


async def test_export_writes_everything_once(bench: Bench) -> None:
    folder = bench.path / "out"
    code, text = await bench.run("export", str(folder), "--json")
    rows = json.loads(text)["rows"]
    assert code == 0
    assert rows["eth/fills.csv"] == 1
    assert rows["eth/orders.csv"] == len(bench.connector.venue.placed)
    assert rows["eth/journal.csv"] > 0
    for name, count in rows.items():
        assert len(list(csv.DictReader(io.StringIO((folder / name).read_text())))) == count
    assert json.loads((folder / "eth" / "status.json").read_text())["bot_id"] == "eth"
    code, _out, err = await bench.run_both("export", str(folder))
    assert (code, "exists already" in err) == (2, True)


async def test_logs_show_the_journal_by_level_and_a_services_own_log(bench: Bench) -> None:
    code, text = await bench.run("logs", "--json")
    entries = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert "LATTICE" in [entry["code"] for entry in entries]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    assert (await bench.run("logs", "--level", "alarm"))[1] == ""
    assert len((await bench.run("logs", "-n", "1"))[1].splitlines()) == 1
    (bench.path / "state" / "logs" / "engine.log").write_text("first\nlast\n")
    assert await bench.run("logs", "--service", "engine", "-n", "1") == (0, "last\n")
    code, _out, err = await bench.run_both("logs", "--service", "nobody")
    assert (code, "there are engine" in err) == (1, True)


async def test_logs_follow_what_comes(bench: Bench) -> None:
    wanted = Wanted("", "info", 0, as_json=True)
    following = asyncio.create_task(follow_journal(wanted, 5, bench.path / "state", None))
    await asyncio.sleep(0.5)
    request = engine_pb2.PauseRequest(bot_id="eth", reason="lunch", operator="ann")
    await call(bench.engine.api.Pause, request, timeout_s=5)
    await asyncio.sleep(0.5)
    following.cancel()
    lines = [json.loads(line) for line in bench._capsys.readouterr().out.splitlines() if line.startswith("{")]
    paused = [entry for entry in lines if entry["code"] == "OPERATOR_PAUSE"]
    assert [entry["message"] for entry in paused] == ["lunch (by ann)"]
    assert len(lines) == len({(entry["time"], entry["code"], entry["message"]) for entry in lines})


async def test_commands_say_clearly_that_nothing_runs(bench: Bench) -> None:
    await bench.engine.stop()
    for command in (["orders"], ["fills"], ["pnl"], ["logs"], ["export", str(bench.path / "none")]):
        code, _out, err = await bench.run_both(*command)
        assert code == 1
        assert "does not answer" in err
    await bench.engine.start()
