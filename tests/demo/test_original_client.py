"""A client whose stubs come from nothing but the original's published table gets sensible answers from a demo."""

import json
import subprocess
import sys
from pathlib import Path

import google.type
import grpc
import pytest
from models.demo_process import Demo, wait_until
from models.original_api import services, write_protos

from opensqt.proto import engine_pb2, engine_pb2_grpc

pytestmark = pytest.mark.slow

CLIENT = Path(__file__).parent / "original_client.py"


@pytest.fixture(scope="module")
def api_table(shared_dir: Path) -> str:
    return (shared_dir / "api.md").read_text()


@pytest.fixture(scope="module")
def stubs(api_table: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original_stubs")
    sources = write_protos(api_table, folder)
    google_protos = Path(next(iter(google.type.__path__))).parent.parent
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{folder}",
            f"-I{google_protos}",
            f"--python_out={folder}",
            f"--grpc_python_out={folder}",
            *map(str, sources),
        ],
        check=True,
    )
    return folder


def fills_of(demo: Demo) -> int:
    with grpc.insecure_channel(demo.engine_address) as channel:
        status = engine_pb2_grpc.EngineServiceStub(channel).GetStatus(engine_pb2.GetStatusRequest(), timeout=5)
        return status.bots[0].pnl.fills


@pytest.mark.timeout(240)
def test_every_original_rpc_and_stream_answers_sensibly(demo: Demo, api_table: str, stubs: Path) -> None:
    # A client that asks for fills expects some.
    wait_until(lambda: fills_of(demo) > 0, 90, "the first fill", every_s=0.5)
    asked = {f"{service}.{rpc}" for service, rpcs in services(api_table).items() for rpc in rpcs}
    client = subprocess.run(
        [
            sys.executable,
            str(CLIENT),
            str(stubs),
            demo.connector_address,
            demo.engine_address,
            "BTC/USDT:USDT",
        ],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert client.stdout, client.stderr
    verdicts = json.loads(client.stdout)
    assert {rpc: verdict for rpc, verdict in verdicts.items() if verdict != "ok"} == {}
    assert set(verdicts) == asked


@pytest.mark.parametrize(
    ("port", "wanted"),
    [
        ("connector_port", {"opensqt.market_maker.v1.ExchangeService", "grpc.health.v1.Health"}),
        (
            "engine_port",
            {
                "opensqt.market_maker.v1.EngineService",
                "opensqt.market_maker.v1.PositionService",
                "opensqt.market_maker.v1.RiskService",
                "opensqt.market_maker.v1.PortfolioService",
                "grpc.health.v1.Health",
            },
        ),
    ],
)
def test_reflection_lists_the_services_and_describes_their_methods(demo: Demo, port: str, wanted: set[str]) -> None:
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(f"127.0.0.1:{getattr(demo, port)}") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert wanted <= set(database.get_services())
        symbol = "opensqt.market_maker.v1.ExchangeService" if port == "connector_port" else next(iter(wanted))
        assert database.FindFileContainingSymbol(symbol).service
