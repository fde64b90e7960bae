"""`opensqt up --embedded`: connector and engine in one process, and everybody else over gRPC as always."""

import json
from pathlib import Path

import grpc
import pytest
import yaml
from models.demo_process import wait_until
from models.up_process import Up, running_up

from opensqt.proto import exchange_pb2, exchange_pb2_grpc

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def example(project_root: Path) -> Path:
    return project_root / "examples" / "binance-sim.yaml"


def trading(run: Up) -> object:
    bot = run.bot()
    return bot if bot is not None and bot["state"] == "active" and bot["fills"] > 0 else None


def test_one_process_trades_and_serves_everybody_else(example: Path, tmp_path: Path) -> None:
    with running_up(example, tmp_path, "--embedded", env={"SIM__SPEED": "10"}) as run:
        wait_until(lambda: trading(run), 90, "a grid that trades", every_s=1.0)
        words = run.words()
        assert "embedded " in words
        assert "connector " not in words.split("running:")[1].splitlines()[0]
        address = yaml.safe_load((run.state / "embedded.yaml").read_text())["connector"]["grpc"]["port"]
        with grpc.insecure_channel(f"127.0.0.1:{address}") as channel:
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            assert len(stub.GetOpenOrders(exchange_pb2.GetOpenOrdersRequest(), timeout=5).orders) > 0
        assert run.interrupt() == 0, run.words()


def test_a_timed_run_ends_the_engine_before_its_connector(example: Path, tmp_path: Path) -> None:
    with running_up(example, tmp_path, "--embedded", "--for", "10", "--json", env={"SIM__SPEED": "10"}) as run:
        assert run.process.wait(90) == 0, run.words()
        report = json.loads(run.out.read_text())
        assert report["orders_placed"] > 0
        log = (run.state / "logs" / "embedded.log").read_text()
        assert 0 < log.index("engine_detached") < log.rindex("stream_down")
