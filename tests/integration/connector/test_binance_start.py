"""What a start on Binance checks, and the whole program on a simulated one, as it is run."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
import yaml
from models.binance_sim import running_sim
from models.connector_rig import SYMBOL, Client, client_of, running_connector
from models.venue_orders import Maker

from opensqt.connector.app import Connector
from opensqt.connector.venues.binance import requests_account as ask
from opensqt.connector.venues.binance.adapter import BinanceAdapter
from opensqt.domain.errors import AuthError, ErrorReason, OpensqtError, StateError
from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import ConfigError
from opensqt.runtime.secret import Secret


async def test_settings_that_are_configured_are_set_and_shown(tmp_path: Path) -> None:
    with running_sim("--symbols", "BTCUSDT,ETHUSDT") as sim:
        config = sim.connector_config(tmp_path, leverage=7, margin_type="isolated")
        async with running_connector(config) as connector:
            positions = connector.core.mirror.positions
            assert {position.leverage for position in positions.values()} == {7}
            assert {position.margin_type for position in positions.values()} == {"isolated"}
            instrument = connector.core.mirror.instruments[SYMBOL]
            assert instrument.maker_fee_rate < instrument.taker_fee_rate
            names = [use.window.name for use in connector.core.budget.usage(0)]
            assert sorted(names) == ["orders_10s", "orders_1m", "weight_1m"]


async def test_hedge_mode_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with running_sim("--symbols", "BTCUSDT") as sim:
        async with running_connector(sim.connector_config(tmp_path)) as connector:
            assert isinstance(connector.adapter, BinanceAdapter)
            await connector.adapter.rest.query(ask.set_hedge_mode(is_on=True), "test")
        with pytest.raises(StateError) as raised:
            async with running_connector(sim.connector_config(tmp_path)):
                pass
        assert raised.value.reason is ErrorReason.POSITION_MODE
        assert "switch it at the venue" in raised.value.message


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"symbols": ("NOSUCHUSDT",)}, ConfigError),
        ({"api_key": Secret("x" * 64), "api_secret": Secret("y" * 64)}, AuthError),
        ({"api_secret": Secret("y" * 64)}, OpensqtError),
    ],
)
async def test_start_that_cannot_succeed_says_why_and_closes_what_it_opened(
    tmp_path: Path, changes: dict[str, object], error: type[Exception]
) -> None:
    with running_sim("--symbols", "BTCUSDT") as sim:
        config = sim.connector_config(tmp_path, **changes)
        clock = SystemClock()
        connector = Connector(config, clock, BinanceAdapter(config.binance, config.mode, clock))
        with pytest.raises(error):
            await connector.start()
        await connector.stop()


@pytest.mark.parametrize("account", [0, 2], ids=["hmac", "ed25519"])
async def test_every_kind_of_key_trades(tmp_path: Path, account: int) -> None:
    with running_sim("--symbols", "BTCUSDT") as sim:
        async with running_connector(sim.connector_config(tmp_path, account)) as connector:
            assert isinstance(connector.adapter, BinanceAdapter)
            async with asyncio.timeout(10):
                while not (connector.core.is_serving and connector.adapter.is_order_api_up):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            async with client_of(connector) as client:
                maker = await Maker.of(client, SYMBOL)
                placed = await client.call("PlaceOrder", await maker.order())
                assert placed.exchange_order_id
                await client.call("CancelAllOrders", pb.CancelAllOrdersRequest(symbol=SYMBOL))


async def test_the_program_trades_on_the_simulated_venue(tmp_path: Path) -> None:
    with running_sim("--symbols", "BTCUSDT") as sim:
        ready = sim.ready
        (tmp_path / "key").write_text(ready["accounts"][0]["key"])
        (tmp_path / "secret").write_text(ready["accounts"][0]["secret"])
        socket = str(tmp_path / "c.sock")
        config = {
            "exchange": "binance",
            "mode": "testnet",
            "state_file": str(tmp_path / "connector.json"),
            "grpc": {"port": 0, "unix_socket": socket},
            "binance": {
                "symbols": ["BTC/USDT:USDT"],
                "api_key_file": str(tmp_path / "key"),
                "api_secret_file": str(tmp_path / "secret"),
                "endpoints": {
                    "rest": ready["rest"],
                    "public": ready["public"],
                    "market": ready["market"],
                    "private": ready["private"],
                    "order_api": ready["ws_api"],
                },
            },
        }
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "opensqt.connector.app", "--config", str(tmp_path / "c.yaml")]
        with (tmp_path / "log").open("wb") as log:
            process = await asyncio.to_thread(
                subprocess.Popen, command, stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ)
            )
        try:
            async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
                client = Client(channel)
                maker = None
                async with asyncio.timeout(20):
                    while maker is None:
                        try:
                            maker = await Maker.of(client, SYMBOL)
                            await maker.last()
                        except OpensqtError:
                            maker = None
                            await asyncio.sleep(0.1)
                bought = await client.call("PlaceOrder", await maker.market(types_pb2.ORDER_SIDE_BUY))
                assert bought.status == types_pb2.ORDER_STATUS_FILLED
        finally:
            process.terminate()
            code = await asyncio.to_thread(process.wait, 15)
        text = (tmp_path / "log").read_text()
        assert code == 0, text
        assert ready["accounts"][0]["secret"] not in text
        assert "Traceback" not in text
