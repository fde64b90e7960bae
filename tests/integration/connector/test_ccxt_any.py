"""The generic adapter trades on the simulated venue through ccxt itself, behind the connector's public contract."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from models.binance_sim import BinanceSim, running_sim
from models.ccxt_sim import ccxt_connector_config
from models.connector_rig import Client, client_of, running_connector
from models.venue_orders import Maker

from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import types_pb2

pytest.importorskip("ccxt", reason="ccxt is not installed here; the extra [ccxt] has it")

# ccxt and its dependencies warn about themselves; that is not ours to judge.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

BTC = "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def sim() -> Iterator[BinanceSim]:
    with running_sim("--symbols", "BTCUSDT", "--accounts", "4") as found:
        yield found


@pytest.fixture
async def client(sim: BinanceSim, tmp_path: Path) -> AsyncIterator[Client]:
    async with running_connector(ccxt_connector_config(sim, tmp_path)) as connector:
        async with asyncio.timeout(15):
            # Nothing tells that from outside but asking.
            while not connector.core.is_serving:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with client_of(connector) as found:
            yield found
            await found.call("CancelAllOrders", pb.CancelAllOrdersRequest(symbol=BTC))


async def test_order_is_placed_amended_found_and_cancelled(client: Client) -> None:
    maker = await Maker.of(client, BTC)
    request = await maker.order()
    placed = await client.call("PlaceOrder", request)
    assert (placed.status, bool(placed.exchange_order_id)) == (types_pb2.ORDER_STATUS_NEW, True)
    amend = pb.AmendOrderRequest(symbol=BTC, client_order_id=request.client_order_id)
    amend.price.value = format(Decimal(request.price.value) - maker.tick, "f")
    amend.quantity.CopyFrom(request.quantity)
    await client.call("AmendOrder", amend)
    (found,) = (await client.call("GetOpenOrders", pb.GetOpenOrdersRequest(symbol=BTC))).orders
    assert found.client_order_id == request.client_order_id
    assert Decimal(found.price.value) == Decimal(amend.price.value)
    await client.call("CancelOrder", pb.CancelOrderRequest(symbol=BTC, client_order_id=request.client_order_id))
    query = pb.GetOrderRequest(symbol=BTC, client_order_id=request.client_order_id)
    assert (await client.call("GetOrder", query)).status == types_pb2.ORDER_STATUS_CANCELED
    assert not (await client.call("GetOpenOrders", pb.GetOpenOrdersRequest(symbol=BTC))).orders


async def test_market_order_fills_moves_the_position_and_is_closed_by_reduce_only(client: Client) -> None:
    maker = await Maker.of(client, BTC)
    bought = await client.call("PlaceOrder", await maker.market(types_pb2.ORDER_SIDE_BUY))
    assert bought.status == types_pb2.ORDER_STATUS_FILLED

    async def position() -> Decimal:
        (found,) = (await client.call("GetPositions", pb.GetPositionsRequest(symbol=BTC))).positions
        return Decimal(found.size.value)

    assert await position() == Decimal(bought.executed_qty.value)
    fills = (await client.call("GetFills", pb.GetFillsRequest(symbol=BTC))).fills
    assert {fill.client_order_id for fill in fills} == {bought.client_order_id}
    close = await maker.market(types_pb2.ORDER_SIDE_SELL, reduce_only=True, quantity=bought.executed_qty)
    await client.call("PlaceOrder", close)
    assert await position() == 0


async def test_post_only_order_that_would_cross_is_refused_and_not_placed(client: Client) -> None:
    maker = await Maker.of(client, BTC)
    request = await maker.order("1.02")
    with pytest.raises(OpensqtError) as raised:
        await client.call("PlaceOrder", request)
    assert raised.value.reason is ErrorReason.POST_ONLY_WOULD_CROSS
    assert not (await client.call("GetOpenOrders", pb.GetOpenOrdersRequest(symbol=BTC))).orders


async def test_reply_lost_after_execution_is_unknown_then_found_and_was_sent_once(
    client: Client, sim: BinanceSim
) -> None:
    maker = await Maker.of(client, BTC)
    request = await maker.order()
    sim.fault("lost_reply", route="POST /fapi/v1/order", count=1)
    try:
        with pytest.raises(OpensqtError) as raised:
            await client.call("PlaceOrder", request)
    finally:
        sim.clear()
    assert raised.value.reason is ErrorReason.OUTCOME_UNKNOWN
    query = pb.GetOrderRequest(symbol=BTC, client_order_id=request.client_order_id)
    assert (await client.call("GetOrder", query)).status == types_pb2.ORDER_STATUS_NEW
    found = (await client.call("GetOpenOrders", pb.GetOpenOrdersRequest(symbol=BTC))).orders
    assert [order.client_order_id for order in found] == [request.client_order_id]


async def test_queries_are_answered_while_polls_want_all_that_the_exchange_grants(
    sim: BinanceSim, tmp_path: Path
) -> None:
    greedy = {"market_poll_ms": 100, "account_poll_ms": 100, "slow_poll_ms": 100, "request_timeout_ms": 2_000}
    async with running_connector(ccxt_connector_config(sim, tmp_path, 1, **greedy)) as connector:
        async with asyncio.timeout(15):
            # Nothing tells that from outside but asking.
            while not connector.core.is_serving:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        async with client_of(connector) as client:
            bought = await client.call(
                "PlaceOrder", await (await Maker.of(client, BTC)).market(types_pb2.ORDER_SIDE_BUY)
            )
            for _ in range(8):
                fills = (await client.call("GetFills", pb.GetFillsRequest(symbol=BTC))).fills
                assert {fill.client_order_id for fill in fills} == {bought.client_order_id}


async def test_capabilities_and_market_queries_are_honest(client: Client) -> None:
    found = await client.call("GetCapabilities", pb.GetCapabilitiesRequest())
    assert (found.exchange, found.max_batch_place) == ("ccxt:binanceusdm", 1)
    assert not found.stream_order_entry
    assert not found.dead_man_switch
    with pytest.raises(OpensqtError) as raised:
        await client.call("GetOpenInterest", pb.GetOpenInterestRequest(symbol=BTC))
    assert raised.value.reason is ErrorReason.VENUE_REJECTED, "a query that failed is an error"
