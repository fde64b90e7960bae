"""The connector as a process: an engine that is killed, a stop in the middle of streams, both addresses."""

import asyncio
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from models.connector_rig import SYMBOL, Client, Engine, place

from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import market_data_pb2, trade_pb2

CONFIG = """
grpc: {{port: 0, unix_socket: {folder}/c.sock}}
state_file: {folder}/connector.json
log: {{file: {folder}/connector.log, format: json}}
paper: {{state_file: {folder}/paper.db, latency_ms: 0}}
"""

DOOMED_ENGINE = """
import asyncio, sys
from opensqt.runtime import grpc_env
import grpc
from models.connector_rig import Client, Engine, place
from opensqt.proto import trade_pb2

async def main():
    async with grpc.aio.insecure_channel(sys.argv[1]) as channel:
        client = Client(channel)
        engine = Engine(client)
        await engine.hello(on_vanish=trade_pb2.VANISH_POLICY_CANCEL, vanish_grace_ms=400)
        base = await client.price_ticks() - 3000
        (number,) = await engine.send(place("oqabZZZ0001000000B0000001", base))
        await engine.result(number)
        print("placed", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def process(tmp_path: Path):  # type: ignore[no-untyped-def]
    config = tmp_path / "connector.yaml"
    config.write_text(CONFIG.format(folder=tmp_path))
    started = subprocess.Popen([sys.executable, "-m", "opensqt.connector.app", "--config", str(config)])
    yield started
    if started.poll() is None:
        started.kill()
    started.wait(10)


async def open_count(client: Client) -> int:
    reply = await client.call("GetOpenOrders", pb.GetOpenOrdersRequest(symbol=SYMBOL))
    return len(reply.orders)


@pytest.mark.slow
async def test_orders_of_a_killed_engine_are_cancelled_after_its_grace(
    process: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    address = f"unix:{tmp_path}/c.sock"
    async with grpc.aio.insecure_channel(address) as channel:
        client = Client(channel)
        await client.stub.GetName(pb.GetNameRequest(), wait_for_ready=True, timeout=20)
        engine = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            DOOMED_ENGINE,
            address,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        )
        assert engine.stdout is not None
        assert await asyncio.wait_for(engine.stdout.readline(), 20) == b"placed\n"
        assert await open_count(client) == 1
        engine.kill()
        await engine.wait()
        for _ in range(60):
            if await open_count(client) == 0:
                break
            await asyncio.sleep(0.1)
        assert await open_count(client) == 0


@pytest.mark.slow
async def test_stop_ends_streams_with_a_reason_and_the_process_in_time(
    process: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    socket = tmp_path / "c.sock"
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        client = Client(channel)
        await client.stub.GetName(pb.GetNameRequest(), wait_for_ready=True, timeout=20)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        engine = Engine(client)
        await engine.hello()
        (command_id,) = await engine.send(place("oqabZZZ0001000000B0000001", await client.price_ticks() - 3_000))
        result = await engine.result(command_id)
        assert result.outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
        assert result.acknowledged_ns >= result.sent_ns > 0
        books = client.stub.SubscribeBook(market_data_pb2.SubscribeBookRequest(symbols=[SYMBOL]))
        await books.read()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        error = await engine.ended()
        assert error.reason.value == "SHUTTING_DOWN"
        code = await asyncio.to_thread(process.wait, 10)
        assert code == 0
        assert time.monotonic() - began < 6
    assert not socket.exists()
    log = (tmp_path / "connector.log").read_text()
    assert '"event":"ready"' in log
    assert "Traceback" not in log
