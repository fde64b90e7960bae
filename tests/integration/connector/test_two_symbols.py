"""Two symbols on one account: what is done to one leaves the other alone; a fast market leaves the loop responsive."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from models.connector_rig import Client, client_of, connector_config, running_connector
from models.venue_orders import Maker

from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import market_data_pb2

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Client]:
    config = connector_config(tmp_path, symbols=("BTCUSDT", "ETH/USDT:USDT"))
    async with running_connector(config) as connector, client_of(connector) as client:
        yield client


async def test_every_symbol_is_served_and_cancel_all_hits_only_its_own(both: Client) -> None:
    assert list((await both.call("GetSymbols", pb.GetSymbolsRequest())).symbols) == [BTC, ETH]
    assert [t.symbol for t in (await both.call("GetTickers", pb.GetTickersRequest())).tickers] == [BTC, ETH]
    assert len((await both.call("GetPositions", pb.GetPositionsRequest())).positions) == 2
    for symbol in (BTC, ETH):
        maker = await Maker.of(both, symbol)
        await both.call("PlaceOrder", await maker.order())
    await both.call("CancelAllOrders", pb.CancelAllOrdersRequest(symbol=BTC))
    left = (await both.call("GetOpenOrders", pb.GetOpenOrdersRequest())).orders
    assert [order.symbol for order in left] == [ETH]


async def test_one_book_message_carries_the_symbols_of_one_turn(both: Client) -> None:
    request = market_data_pb2.SubscribeBookRequest(symbols=[BTC, "ETHUSDT"])
    (first,) = await both.first("SubscribeBook", request)
    assert [update.symbol for update in first.updates] == [BTC, ETH]


@pytest.mark.slow
@pytest.mark.alone
async def test_a_market_faster_than_the_machine_slows_the_venue_not_the_answers(tmp_path: Path) -> None:
    config = connector_config(tmp_path, speed=1000.0, symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT"))
    async with running_connector(config) as connector, client_of(connector) as client:
        began, venue_began = time.monotonic(), connector.adapter.venue_time_ns()
        slowest = 0.0
        while time.monotonic() - began < 1.5:
            asked = time.monotonic()
            await client.call("GetAccount", pb.GetAccountRequest())
            slowest = max(slowest, time.monotonic() - asked)
        assert slowest < 0.25
        assert connector.adapter.venue_time_ns() > venue_began + int((time.monotonic() - began) * 5e9)
