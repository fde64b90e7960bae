"""One run from start to stop, over fake services and a real engine server that tells of one bot."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from opensqt.cli.engine_client import engine_client
from opensqt.cli.errors import CliError
from opensqt.cli.operate import Operation, Plan
from opensqt.cli.probe import grpc_probe, http_probe
from opensqt.cli.state_dir import RunningInstance, StateDir, read_instance
from opensqt.cli.status_line import StatusLine
from opensqt.cli.supervisor import ServiceSpec
from opensqt.domain.errors import ErrorReason, StateError
from opensqt.proto import engine_pb2, engine_pb2_grpc
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import GrpcClientConfig, GrpcServerConfig, Secret, TokenConfig
from opensqt.runtime.grpc_server import GrpcServer

ENGINE_SERVICE = "opensqt.market_maker.v1.EngineService"
TRADE = Secret("trade-token-0123456789")
READ = Secret("read-token-0123456789")
FAKE = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\ntime.sleep(60)"


class Engine(engine_pb2_grpc.EngineServiceServicer):
    def __init__(self) -> None:
        self.paused: list[str] = []

    async def GetStatus(self, request, context):
        bot = engine_pb2.BotState(bot_id="demo", symbol="BTC/USDT:USDT", state=engine_pb2.TRADING_STATE_ACTIVE)
        bot.pnl.asset = "USDT"
        bot.pnl.fills = 3
        bot.pnl.grid_profit.value = "1.5"
        bot.pnl.fees.value = "-0.5"
        bot.pnl.equity_change.value = "1.0"
        return engine_pb2.GetStatusResponse(bots=[bot], version="0.1.0")

    async def Pause(self, request, context):
        self.paused.append(request.reason)
        return engine_pb2.PauseResponse(bot_ids=["demo"])

    async def Resume(self, request, context):
        raise StateError(ErrorReason.LIQUIDATION, "too close to liquidation to go on")

    async def Stop(self, request, context):
        return engine_pb2.StopResponse(bot_ids=["demo"], open_orders_left=0, verified=True)


@pytest.fixture
async def engine(tmp_path):
    config = GrpcServerConfig(
        unix_socket=str(tmp_path / "engine.sock"),
        tokens=(TokenConfig(token=TRADE, role="trade"), TokenConfig(token=READ, role="read")),
    )
    roles = {f"/{ENGINE_SERVICE}/{name}": "trade" for name in ("Pause", "Resume", "Stop")}
    server = GrpcServer(config, roles=roles, clock=SystemClock(), services=[ENGINE_SERVICE])
    servicer = Engine()
    engine_pb2_grpc.add_EngineServiceServicer_to_server(servicer, server.server)
    await server.start()
    server.health.set(ENGINE_SERVICE, True)
    yield server, servicer
    await server.stop(0)


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until something outside this loop has happened."""
    for _ in range(int(timeout_s / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


def client_config(folder: Path, token: Secret | None = TRADE) -> GrpcClientConfig:
    return GrpcClientConfig(address=f"unix:{folder}/engine.sock", token=token)


@pytest.fixture
def plan(tmp_path):
    folder = StateDir(tmp_path / "state")
    folder.prepare(fresh=False)
    probe = grpc_probe(client_config(tmp_path, None), ENGINE_SERVICE)
    specs = [
        ServiceSpec(name, [sys.executable, "-c", FAKE], folder.log_file(name), probe, 20.0)
        for name in ("connector", "engine", "live_server")
    ]
    return Plan(
        name="test",
        state=folder,
        specs=specs,
        engine=client_config(tmp_path),
        engine_token_file=None,
        page_url="http://127.0.0.1:1",
    )


async def test_a_timed_run_reports_and_leaves_nothing_behind(engine, plan, capsys):
    with StatusLine(to_stderr=True) as line:
        operation = Operation(plan, line, rng=Random(1))
        running = asyncio.create_task(operation.run(1.0))
        await until(lambda: read_instance(plan.state.path) is not None)
        instance = read_instance(plan.state.path)
        assert instance is not None
        assert instance.engine_address == plan.engine.address
        pids = list(operation._supervisor.pids.values())
        assert len(pids) == 3
        report = await running
    assert report is not None
    assert report.sums_exactly
    assert report.counts["fills"] == 3
    assert read_instance(plan.state.path) is None
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "page: http://127.0.0.1:1" in shown.err
    assert "fills 3" in shown.err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_run_without_a_report(signum, engine, plan):
    with StatusLine(to_stderr=True) as line:
        operation = Operation(plan, line)
        running = asyncio.create_task(operation.run(None))
        await until(lambda: read_instance(plan.state.path) is not None)
        os.kill(os.getpid(), signum)
        assert await running is None
    assert operation._supervisor.pids == {}


async def test_a_signal_during_the_start_stops_what_was_started(engine, plan):
    server, _servicer = engine
    server.health.set(ENGINE_SERVICE, False)
    with StatusLine(to_stderr=True) as line:
        operation = Operation(plan, line)
        running = asyncio.create_task(operation.run(None))
        await until(lambda: bool(operation._supervisor.pids))
        os.kill(os.getpid(), signal.SIGINT)
        assert await running is None
    assert operation._supervisor.pids == {}


async def test_an_engine_that_does_not_answer_at_the_end_is_an_error_not_an_empty_report(engine, plan):
    server, _servicer = engine
    with StatusLine(to_stderr=True) as line:
        running = asyncio.create_task(Operation(plan, line).run(1.5))
        await until(lambda: read_instance(plan.state.path) is not None)
        await server.stop(0)
        with pytest.raises(CliError, match="no report"):
            await running


async def test_the_client_controls_with_the_trade_token_and_says_what_was_refused(engine, tmp_path):
    _server, servicer = engine
    async with engine_client(client_config(tmp_path)) as client:
        assert await client.pause("", "lunch") == ["demo"]
        assert (await client.stop("", "cancel")).verified
    assert servicer.paused == ["lunch"]
    with pytest.raises(CliError, match="too close to liquidation"):
        async with engine_client(client_config(tmp_path)) as client:
            await client.resume("")
    with pytest.raises(CliError, match="needs the role `trade`"):
        async with engine_client(client_config(tmp_path, READ)) as client:
            await client.pause("", "no")


async def test_an_engine_that_is_not_there_is_said_plainly(tmp_path):
    with pytest.raises(CliError, match="does not answer"):
        async with engine_client(client_config(tmp_path)) as client:
            await client.get_status()


@pytest.mark.parametrize(
    ("answer", "healthy"), [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 No\r\n\r\n", False)]
)
async def test_the_page_is_healthy_when_it_says_200(answer, healthy):
    async def serve(reader, writer):
        await reader.readline()
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await http_probe("127.0.0.1", port)() is healthy
    assert await http_probe("127.0.0.1", port)() is False


async def opensqt(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "opensqt.cli.main",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_commands_find_the_running_engine_by_its_state_folder(engine, plan, tmp_path):
    _server, servicer = engine
    token = plan.state.write_private("tokens/engine", TRADE.reveal())
    plan.state.announce(
        RunningInstance(
            pid=os.getpid(), name="test", engine_address=f"unix:{tmp_path}/engine.sock", token_file=str(token)
        )
    )
    where = ("--state", str(plan.state.path))
    code, out, err = await opensqt("status", "--json", *where)
    assert code == 0, err
    [bot] = json.loads(out)["bots"]
    assert (bot["state"], bot["grid_profit"], bot["fills"]) == ("active", "1.5", 3)
    code, out, _err = await opensqt("status", *where)
    assert code == 0
    assert "BTC/USDT:USDT" in out
    assert "grid profit" in out
    assert await opensqt("pause", "--reason", "lunch", *where) == (0, "paused: demo\n", "")
    assert servicer.paused == ["lunch"]
    code, out, err = await opensqt("resume", *where)
    assert (code, out) == (1, "")
    assert "too close to liquidation" in err
    code, out, _err = await opensqt("stop", "cancel", "--json", *where)
    assert code == 0
    assert json.loads(out)["verified"] is True
