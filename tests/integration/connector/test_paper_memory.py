"""The paper venue outlives its connector: what it acknowledged is there after kill -9."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from models.connector_rig import SYMBOL, Client, connector_config, limit_order, running_connector

from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.runtime.config import ConfigError

CONFIG = """
grpc: {{port: null, unix_socket: {folder}/c.sock}}
state_file: {folder}/connector.json
log: {{file: {folder}/connector.log}}
paper: {{state_file: {folder}/paper.db, speed: {speed}, seed: 3, latency_ms: 0}}
"""


def start(folder: Path, speed: float = 5) -> "subprocess.Popen[bytes]":
    config = folder / "connector.yaml"
    config.write_text(CONFIG.format(folder=folder, speed=speed))
    return subprocess.Popen([sys.executable, "-m", "opensqt.connector.app", "--config", str(config)])


@asynccontextmanager
async def dial(folder: Path) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(f"unix:{folder}/c.sock") as channel:
        client = Client(channel)
        await client.stub.GetName(pb.GetNameRequest(), wait_for_ready=True, timeout=20)
        yield client


async def memory(client: Client) -> dict[str, Any]:
    """Return what the venue knows of the account."""
    orders = (await client.call("GetOpenOrders", pb.GetOpenOrdersRequest())).orders
    fills = (await client.call("GetFills", pb.GetFillsRequest(limit=1_000))).fills
    balance = await client.call("GetBalance", pb.GetBalanceRequest(asset="USDT"))
    (position,) = (await client.call("GetPositions", pb.GetPositionsRequest())).positions
    return {
        "orders": {order.client_order_id: (order.order_id, order.price.value) for order in orders},
        "fills": [(fill.trade_id, fill.price_ticks, fill.lots, fill.fee.value) for fill in fills],
        "wallet": balance.balance.value,
        "position": (position.size.value, position.entry_price.value),
    }


async def venue_time(client: Client) -> int:
    ticker = (await client.call("GetTickers", pb.GetTickersRequest())).tickers[0]
    return int(ticker.timestamp)


@pytest.mark.slow
async def test_killed_venue_comes_back_as_it_was(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        async with dial(tmp_path) as client:
            market = {"type": types_pb2.ORDER_TYPE_MARKET, "time_in_force": types_pb2.TIME_IN_FORCE_IOC}
            await client.call("PlaceOrder", limit_order("m1", "", "0.03", **market))
            ticks = await client.price_ticks() - 20_000
            for index in range(20):
                await client.call("PlaceOrder", limit_order(f"r{index}", f"{(ticks - index) / 10:.1f}"))
            await client.call("CancelOrder", pb.CancelOrderRequest(symbol=SYMBOL, client_order_id="r7"))
            before = await memory(client)
            time_before = await venue_time(client)
            # The last acknowledged order, and no pause: it must be there.
            last = await client.call("PlaceOrder", limit_order("last", f"{(ticks - 99) / 10:.1f}"))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process = start(tmp_path)
        async with dial(tmp_path) as client:
            time_after = await venue_time(client)
            after = await memory(client)
            assert after["orders"].pop("last")[0] == last.order_id
            assert after == before
            assert len(before["fills"]) > 0
            assert "r7" not in before["orders"]
            assert 0 <= time_after - time_before < 30_000, "the market goes on where it stood"
            with pytest.raises(Exception, match=r"used|in use"):
                await client.call("PlaceOrder", limit_order("r7", f"{ticks / 10:.1f}"))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


@pytest.mark.slow
async def test_kill_at_random_moments_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    process = start(tmp_path, speed=20)
    acknowledged: dict[str, int] = {}
    fills: set[str] = set()
    try:
        for round_ in range(4):
            async with dial(tmp_path) as client:
                stop = asyncio.get_running_loop().time() + 0.4 + 0.17 * round_
                index = 0
                while asyncio.get_running_loop().time() < stop:
                    ticks = await client.price_ticks()
                    name = f"k{round_}x{index}"
                    index += 1
                    order = limit_order(name, f"{(ticks - 20 - index % 50) / 10:.1f}", "0.002",
                                        time_in_force=types_pb2.TIME_IN_FORCE_GTC)  # fmt: skip
                    try:
                        acknowledged[name] = (await client.call("PlaceOrder", order)).order_id
                    except Exception:  # noqa: BLE001  a refusal (margin) is no acknowledgement
                        break
                fills |= {
                    fill.trade_id for fill in (await client.call("GetFills", pb.GetFillsRequest(limit=1_000))).fills
                }
                os.kill(process.pid, signal.SIGKILL)
                process.wait(10)
            process = start(tmp_path, speed=20)
        async with dial(tmp_path) as client:
            for name, order_id in acknowledged.items():
                found = await client.call("GetOrder", pb.GetOrderRequest(symbol=SYMBOL, client_order_id=name))
                assert found.order_id == order_id
            known: list[str] = []
            token = ""
            while True:
                page = await client.call("GetFills", pb.GetFillsRequest(limit=1_000, page_token=token))
                known += [fill.trade_id for fill in page.fills]
                token = page.next_page_token
                if not token:
                    break
            assert len(known) == len(set(known))
            assert fills <= set(known)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


async def test_memory_of_another_market_is_refused(tmp_path: Path) -> None:
    async with running_connector(connector_config(tmp_path, seed=1)):
        pass
    with pytest.raises(ConfigError, match=r"seed was 1 and is 2 now"):
        async with running_connector(connector_config(tmp_path, seed=2)):
            pass


async def test_damaged_memory_is_refused_with_words(tmp_path: Path) -> None:
    (tmp_path / "paper.db").write_bytes(b"this is no database, whatever it was" * 200)
    with pytest.raises(ConfigError, match="state_file"):
        async with running_connector(connector_config(tmp_path)):
            pass


async def test_stopped_and_started_again_the_prices_go_on(tmp_path: Path) -> None:
    config = connector_config(tmp_path, speed=10)
    async with running_connector(config) as connector:
        await asyncio.sleep(0.3)
        time_ns = connector.adapter.venue_time_ns()
        symbol = next(iter(connector.adapter.instruments))
        last = connector.core.last_trades[symbol]
    async with running_connector(config) as connector:
        for _ in range(100):
            if symbol in connector.core.last_trades:
                break
            await asyncio.sleep(0.02)
        first = connector.core.last_trades[symbol]
        assert int(first.trade_id) > int(last.trade_id)
        assert first.venue_time_ns >= last.venue_time_ns
        assert connector.adapter.venue_time_ns() >= time_ns - 10**9
