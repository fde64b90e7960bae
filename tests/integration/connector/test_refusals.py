"""What the connector must refuse, over real gRPC, with the words that help."""

import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from models.connector_rig import SYMBOL, Client, connector_config, limit_order, running_connector

from opensqt.proto import exchange_pb2, exchange_pb2_grpc, types_pb2
from opensqt.runtime.config import GrpcServerConfig, Secret, TokenConfig

READ, TRADE = "r" * 20, "t" * 20


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    for detail in rpc_status.from_call(error).details:
        if detail.Unpack(info):
            return info
    raise AssertionError("no ErrorInfo")


async def refused(client: Client, rpc: str, request: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await getattr(client.stub, rpc)(request, timeout=5)
    return raised.value


async def test_read_token_cannot_place_an_order(tmp_path: Path) -> None:
    tokens = (TokenConfig(Secret(READ), "read"), TokenConfig(Secret(TRADE), "trade"))
    config = connector_config(tmp_path, grpc_config=GrpcServerConfig(port=0, tokens=tokens))
    async with running_connector(config) as connector:
        assert connector.server is not None
        async with grpc.aio.insecure_channel(f"127.0.0.1:{connector.server.bound_port}") as channel:
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            reader = (("authorization", f"Bearer {READ}"),)
            assert (await stub.GetName(exchange_pb2.GetNameRequest(), metadata=reader)).name == "paper"
            for rpc, request in (
                ("PlaceOrder", limit_order("x1", "50000")),
                ("CancelAllOrders", exchange_pb2.CancelAllOrdersRequest(symbol=SYMBOL)),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await getattr(stub, rpc)(request, metadata=reader)
                assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
                assert info_of(raised.value).reason == "ROLE_REQUIRED"
            trade = stub.Trade(metadata=reader)
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await trade.read()
            assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.GetName(exchange_pb2.GetNameRequest())
            assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"side": types_pb2.ORDER_SIDE_UNSPECIFIED}, "side"),
        ({"type": types_pb2.ORDER_TYPE_UNSPECIFIED}, "type"),
        ({"time_in_force": types_pb2.TIME_IN_FORCE_UNSPECIFIED}, "time_in_force"),
    ],
)
async def test_unspecified_enum_is_named(client: Client, changes: dict[str, object], field: str) -> None:
    error = await refused(client, "PlaceOrder", limit_order("x1", "50000", **changes))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert str(error.details()).startswith(f"{field} was unspecified")
    assert info_of(error).metadata["field"] == field


async def test_off_tick_price_names_the_tick_size(client: Client) -> None:
    error = await refused(client, "PlaceOrder", limit_order("x1", "50000.05"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "tick size 0.1" in str(error.details())
    assert info_of(error).reason == "FILTER_REJECTED"
    assert info_of(error).metadata["tick_size"] == "0.1"


@pytest.mark.parametrize(
    ("price", "quantity", "field"), [("", "0.01", "price"), ("50000", "", "quantity"), ("50000", "abc", "quantity")]
)
async def test_missing_numbers_are_named(client: Client, price: str, quantity: str, field: str) -> None:
    error = await refused(client, "PlaceOrder", limit_order("x1", price, quantity))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info_of(error).metadata["field"] == field


async def test_duplicate_client_id_comes_with_the_existing_order(client: Client) -> None:
    placed = await client.call("PlaceOrder", limit_order("x1", "60000"))
    error = await refused(client, "PlaceOrder", limit_order("x1", "60100"))
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    metadata = info_of(error).metadata
    assert metadata["exchange_order_id"] == placed.exchange_order_id
    assert metadata["price_ticks"] == "600000"
    assert metadata["state"] == "LIVE"


async def test_unknown_symbol_and_interval_name_what_is_served(client: Client) -> None:
    error = await refused(client, "GetSymbolInfo", exchange_pb2.GetSymbolInfoRequest(symbol="NOPE"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert SYMBOL in str(error.details())
    request = exchange_pb2.GetHistoricalKlinesRequest(symbol=SYMBOL, interval="7m")
    error = await refused(client, "GetHistoricalKlines", request)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "1m, 3m, 5m" in str(error.details())


async def test_insufficient_margin_and_crossing_post_only_are_preconditions(client: Client) -> None:
    ticks = await client.price_ticks()
    await client.call("PlaceOrder", limit_order("x0", f"{(ticks - 1_000) / 10:.1f}", "1.5"))
    error = await refused(client, "PlaceOrder", limit_order("x1", f"{(ticks - 1_000) / 10:.1f}", "0.2"))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert info_of(error).reason == "INSUFFICIENT_MARGIN"
    error = await refused(client, "PlaceOrder", limit_order("x2", f"{(ticks + 3_000) / 10:.1f}"))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert info_of(error).reason == "POST_ONLY_WOULD_CROSS"


def start(config: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "opensqt.connector.app", "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=dict(os.environ),
    )


def test_it_does_not_start_off_loopback_without_tls(tmp_path: Path) -> None:
    config = tmp_path / "connector.yaml"
    config.write_text(f"grpc: {{host: 0.0.0.0, port: 50999}}\nstate_file: {tmp_path}/c.json\n")
    ended = start(config)
    assert ended.returncode == 78
    assert "grpc.host" in ended.stderr
    assert "tls" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_check_tells_every_problem_as_json(tmp_path: Path) -> None:
    config = tmp_path / "connector.yaml"
    config.write_text("grpc: {port: 99999}\npaper: {sped: 3}\n")
    ended = start(config, "--check", "--json")
    assert ended.returncode == 78
    assert '"ok":false' in ended.stdout
    assert "grpc.port" in ended.stdout
    assert "paper.sped" in ended.stdout
    config.write_text("grpc: {port: 0}\n")
    assert start(config, "--check", "--json").stdout == '{"ok":true}\n'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "missing.jsonl.gz"),
        (b"\x1f\x8b\x08\x00garbage", "capture.jsonl.gz"),
    ],
)
def test_unusable_capture_is_named_without_a_traceback(tmp_path: Path, content: bytes | None, words: str) -> None:
    capture = tmp_path / ("missing.jsonl.gz" if content is None else "capture.jsonl.gz")
    if content is not None:
        capture.write_bytes(content)
    config = tmp_path / "connector.yaml"
    config.write_text(
        f"grpc: {{port: 0}}\nstate_file: {tmp_path}/c.json\n"
        f"paper: {{source: replay, files: ['{capture}'], state_file: {tmp_path}/p.db}}\n"
    )
    ended = start(config)
    assert ended.returncode == 78, ended.stderr
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
