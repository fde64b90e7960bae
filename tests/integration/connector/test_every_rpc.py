"""Every unary RPC and every stream of ExchangeService, over TCP and over the unix socket."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import grpc
import pytest
from google.type.decimal_pb2 import Decimal as DecimalMessage
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from models.book_replica import BookReplica
from models.connector_rig import SYMBOL, Client, client_of, limit_order

from opensqt.connector.app import Connector
from opensqt.connector.service import SERVICE_NAME
from opensqt.domain.errors import ErrorReason, NotFoundError, OpensqtError
from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import latency_pb2, market_data_pb2, types_pb2


@pytest.fixture(params=["unix", "tcp"])
async def any_client(connector: Connector, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    if request.param == "unix":
        async with client_of(connector) as client:
            yield client
        return
    assert connector.server is not None
    async with grpc.aio.insecure_channel(f"127.0.0.1:{connector.server.bound_port}") as channel:
        yield Client(channel)


def number(message: DecimalMessage) -> Decimal:
    return Decimal(message.value)


async def test_market_queries_answer_with_sense(any_client: Client) -> None:
    call = any_client.call
    assert (await call("GetName", pb.GetNameRequest())).name == "paper"
    assert (await call("GetType", pb.GetTypeRequest())).type == types_pb2.EXCHANGE_TYPE_FUTURES
    assert list((await call("GetSymbols", pb.GetSymbolsRequest())).symbols) == [SYMBOL]
    await call("FetchExchangeInfo", pb.FetchExchangeInfoRequest(symbol=SYMBOL))
    for asked in ([], ["BTCUSDT"]):
        (spec,) = (await call("GetInstruments", pb.GetInstrumentsRequest(symbols=asked))).instruments
        assert (spec.symbol, number(spec.tick_size), spec.max_leverage > 1) == (SYMBOL, Decimal("0.1"), True)
    for spelling in (SYMBOL, "BTCUSDT"):
        info = await any_client.info(spelling)
        assert (info.symbol, number(info.tick_size), number(info.step_size)) == (
            SYMBOL,
            Decimal("0.1"),
            Decimal("0.001"),
        )
    assert await any_client.price_ticks() > 0
    (ticker,) = (await call("GetTickers", pb.GetTickersRequest())).tickers
    assert number(ticker.last_price) > 0
    assert number(ticker.volume) > 0
    assert ticker.timestamp > 10**12
    interest = await call("GetOpenInterest", pb.GetOpenInterestRequest(symbol=SYMBOL))
    assert number(interest.open_interest) == 0
    klines = pb.GetHistoricalKlinesRequest(symbol=SYMBOL, interval="1m", limit=100)
    candles = (await call("GetHistoricalKlines", klines)).candles
    assert len(candles) == 100
    times = [candle.timestamp for candle in candles]
    assert times == list(range(times[0], times[0] + 100 * 60_000, 60_000))
    before = pb.GetHistoricalKlinesRequest(symbol=SYMBOL, interval="1m", limit=5, end_time=times[50])
    assert [c.timestamp for c in (await call("GetHistoricalKlines", before)).candles] == times[45:50]
    funding = await call("GetFundingRate", pb.GetFundingRateRequest(symbol=SYMBOL))
    assert funding.next_funding_time > funding.timestamp > 10**12
    assert len((await call("GetFundingRates", pb.GetFundingRatesRequest())).rates) == 1
    history = pb.GetHistoricalFundingRatesRequest(symbol=SYMBOL, limit=3)
    assert len((await call("GetHistoricalFundingRates", history)).rates) <= 3
    can = await call("GetCapabilities", pb.GetCapabilitiesRequest())
    assert can.amend
    assert "1m" in can.kline_intervals
    budget = await call("GetRateBudget", pb.GetRateBudgetRequest())
    measured = {hop.hop: hop for hop in (await call("GetLatency", latency_pb2.GetLatencyRequest())).hops}
    assert measured["decode"].count > 0
    assert 0 <= measured["decode"].p50_ns <= measured["decode"].p99_ns <= measured["decode"].max_ns
    assert budget.windows[0].limit > budget.windows[0].cancel_reserve > 0


async def test_life_of_an_order_by_unary_calls(any_client: Client) -> None:
    call = any_client.call
    ticks = await any_client.price_ticks() - 3_000
    placed = await call("PlaceOrder", limit_order("o1", f"{ticks / 10:.1f}"))
    assert placed.status == types_pb2.ORDER_STATUS_NEW
    assert placed.order_id == int(placed.exchange_order_id)
    for names in ({"order_id": placed.order_id}, {"client_order_id": "o1"}):
        assert (await call("GetOrder", pb.GetOrderRequest(symbol=SYMBOL, **names))) == placed
    amend = pb.AmendOrderRequest(
        symbol=SYMBOL,
        client_order_id="o1",
        quantity=DecimalMessage(value="0.02"),
        price=DecimalMessage(value=f"{(ticks - 10) / 10:.1f}"),
    )
    amended = await call("AmendOrder", amend)
    assert (number(amended.quantity), number(amended.price)) == (Decimal("0.02"), Decimal(ticks - 10) / 10)
    batch = pb.BatchPlaceOrdersRequest(
        orders=[
            limit_order("o2", f"{ticks / 10:.1f}"),
            limit_order("o3", f"{ticks / 10:.1f}", side=types_pb2.ORDER_SIDE_UNSPECIFIED),
            limit_order("o1", f"{ticks / 10:.1f}"),
            limit_order("", f"{ticks / 10:.1f}"),
        ]
    )
    reply = await call("BatchPlaceOrders", batch)
    assert not reply.all_success
    assert [order.client_order_id for order in reply.orders][:3] == ["o2", "o3", "o1"]
    assert [error.index for error in reply.errors] == [1, 2]
    assert [error.code for error in reply.errors] == [3, 6]
    generated = reply.orders[3].client_order_id
    assert generated
    left = await call("GetOpenOrders", pb.GetOpenOrdersRequest(symbol=SYMBOL))
    assert sorted(order.client_order_id for order in left.orders) == sorted(["o1", "o2", generated])
    await call("CancelOrder", pb.CancelOrderRequest(symbol=SYMBOL, order_id=placed.order_id))
    with pytest.raises(NotFoundError):
        await call("CancelOrder", pb.CancelOrderRequest(symbol=SYMBOL, order_id=placed.order_id))
    cancels = pb.BatchCancelOrdersRequest(symbol=SYMBOL, order_ids=[reply.orders[0].order_id, 5])
    errors = (await call("BatchCancelOrders", cancels)).errors
    assert [(error.index, error.code) for error in errors] == [(1, 5)]
    await call("CancelAllOrders", pb.CancelAllOrdersRequest(symbol=SYMBOL))
    assert not (await call("GetOpenOrders", pb.GetOpenOrdersRequest())).orders


async def test_fill_reaches_account_positions_and_history(any_client: Client) -> None:
    call = any_client.call
    market = limit_order(
        "m1", "", type=types_pb2.ORDER_TYPE_MARKET, time_in_force=types_pb2.TIME_IN_FORCE_IOC, quantity="0.05"
    )
    filled = await call("PlaceOrder", market)
    assert filled.status == types_pb2.ORDER_STATUS_FILLED
    assert number(filled.executed_qty) == Decimal("0.05")
    order = await call("GetOrder", pb.GetOrderRequest(symbol=SYMBOL, client_order_id="m1"))
    assert sum(number(trade.quantity) for trade in order.trades) == Decimal("0.05")
    fills = (await call("GetFills", pb.GetFillsRequest(limit=1))).fills
    assert len(fills) == 1
    (position,) = (await call("GetPositions", pb.GetPositionsRequest(symbol=SYMBOL))).positions
    assert number(position.size) == Decimal("0.05")
    account = await call("GetAccount", pb.GetAccountRequest())
    fee = sum((number(trade.fee) for trade in order.trades), Decimal(0))
    assert number(account.total_wallet_balance) == 10_000 - fee
    balance = await call("GetBalance", pb.GetBalanceRequest(asset="USDT"))
    assert balance.balance == account.total_wallet_balance
    interest = await call("GetOpenInterest", pb.GetOpenInterestRequest(symbol=SYMBOL))
    assert number(interest.open_interest) == Decimal("0.05")
    assert not (await call("GetCashFlows", pb.GetCashFlowsRequest())).cash_flows
    with pytest.raises(NotFoundError):
        await call("GetBalance", pb.GetBalanceRequest(asset="XYZ"))
    with pytest.raises(OpensqtError) as raised:
        await call("GetFills", pb.GetFillsRequest(limit=5_000))
    assert raised.value.reason is ErrorReason.INVALID_FIELD


async def test_fills_come_in_pages_without_gap_or_repeat(client: Client) -> None:
    for index in range(7):
        order = limit_order(
            f"m{index}", "", type=types_pb2.ORDER_TYPE_MARKET, time_in_force=types_pb2.TIME_IN_FORCE_IOC
        )
        await client.call("PlaceOrder", order)
    everything = (await client.call("GetFills", pb.GetFillsRequest())).fills
    token, paged = "", []
    for _ in range(20):
        page = await client.call("GetFills", pb.GetFillsRequest(limit=2, page_token=token))
        paged += page.fills
        token = page.next_page_token
        if not token:
            break
    assert [f.trade_id for f in paged] == [f.trade_id for f in everything]
    after = pb.GetFillsRequest(after_trade_id=everything[2].trade_id)
    assert [f.trade_id for f in (await client.call("GetFills", after)).fills] == [f.trade_id for f in everything[3:]]


async def test_streams_start_with_the_current_state_and_go_on(any_client: Client) -> None:
    prices = await any_client.first("SubscribePrice", pb.SubscribePriceRequest(symbols=["BTCUSDT"]), 3)
    assert all(price.symbol == SYMBOL and number(price.price) > 0 for price in prices)
    candles = await any_client.first("SubscribeKlines", pb.SubscribeKlinesRequest(symbols=[SYMBOL], interval="1m"), 3)
    assert all(number(candle.low) <= number(candle.close) <= number(candle.high) for candle in candles)
    (account,) = await any_client.first("SubscribeAccount", pb.SubscribeAccountRequest())
    assert number(account.total_wallet_balance) == 10_000
    assert [position.symbol for position in account.positions] == [SYMBOL]
    (position,) = await any_client.first("SubscribePositions", pb.SubscribePositionsRequest())
    assert position.symbol == SYMBOL
    (funding,) = await any_client.first("SubscribeFundingRate", pb.SubscribeFundingRateRequest(symbol=SYMBOL))
    assert funding.next_funding_time > 10**12
    batches = await any_client.first("SubscribeTrades", market_data_pb2.SubscribeTradesRequest(symbols=[SYMBOL]), 3)
    ids = [int(trade.trade_id) for batch in batches for trade in batch.trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert all(batch.session_epoch > 0 and batch.dropped_count == 0 for batch in batches)


async def test_book_stream_rebuilds_the_connectors_book(connector: Connector, client: Client) -> None:
    request = market_data_pb2.SubscribeBookRequest(symbols=[SYMBOL], depth=20)
    batches = await client.first("SubscribeBook", request, 30)
    replica = BookReplica()
    last = 0
    for batch in batches:
        for update in batch.updates:
            replica.apply(update)
            assert update.validity == types_pb2.BOOK_VALIDITY_VALID
            assert update.last_sequence > last
            last = update.last_sequence
            bids, asks = replica.best(SYMBOL, True, 10), replica.best(SYMBOL, False, 10)
            assert len(bids) == len(asks) == 10
            assert bids[0][0] < asks[0][0]
    with pytest.raises(OpensqtError) as raised:
        await client.first("SubscribeBook", market_data_pb2.SubscribeBookRequest(symbols=[SYMBOL], depth=5_000))
    assert raised.value.metadata["field"] == "depth"


async def test_order_stream_tells_open_orders_then_every_event_in_order(client: Client) -> None:
    ticks = await client.price_ticks() - 3_000
    await client.call("PlaceOrder", limit_order("s1", f"{ticks / 10:.1f}"))
    stream = client.stub.SubscribeOrders(pb.SubscribeOrdersRequest(), timeout=10)
    first = await stream.read()
    assert (first.client_order_id, first.status) == ("s1", types_pb2.ORDER_STATUS_NEW)
    await client.call("CancelOrder", pb.CancelOrderRequest(symbol=SYMBOL, client_order_id="s1"))
    market = limit_order("s2", "", type=types_pb2.ORDER_TYPE_MARKET, time_in_force=types_pb2.TIME_IN_FORCE_IOC)
    await client.call("PlaceOrder", market)
    seen = []
    while not seen or seen[-1].status != types_pb2.ORDER_STATUS_FILLED:
        seen.append(await stream.read())
    stream.cancel()
    assert (seen[0].client_order_id, seen[0].status) == ("s1", types_pb2.ORDER_STATUS_CANCELED)
    assert {update.client_order_id for update in seen[1:]} == {"s2"}
    executed = [number(update.executed_qty) for update in seen[1:]]
    assert executed == sorted(executed)
    assert number(seen[-1].last_trade.quantity) > 0


async def test_streams_refuse_empty_or_unknown_symbols(client: Client) -> None:
    for rpc, request in (
        ("SubscribePrice", pb.SubscribePriceRequest()),
        ("SubscribeKlines", pb.SubscribeKlinesRequest(symbols=["NOPE"], interval="1m")),
        ("SubscribeBook", market_data_pb2.SubscribeBookRequest(symbols=[""])),
    ):
        with pytest.raises(OpensqtError) as raised:
            await client.first(rpc, request)
        assert raised.value.metadata["field"] in {"symbol", "symbols"}


async def test_health_and_reflection(connector: Connector, client: Client) -> None:
    health = health_pb2_grpc.HealthStub(client.channel)
    for _ in range(50):
        reply = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE_NAME))
        if reply.status == health_pb2.HealthCheckResponse.SERVING:
            break
        await asyncio.sleep(0.1)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    call = stub.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    listed = await call.read()
    assert SERVICE_NAME in {service.name for service in listed.list_services_response.service}
    call.cancel()


async def test_upstream_of_candles_closes_with_its_last_reader(connector: Connector, client: Client) -> None:
    request = pb.SubscribeKlinesRequest(symbols=[SYMBOL], interval="3m")
    streams = [client.stub.SubscribeKlines(request) for _ in range(2)]
    for stream in streams:
        await stream.read()
    channels = connector.core.upstreams._counts
    (candles,) = [channel for channel in channels if channel.kind == "candles"]
    assert channels[candles] == 2
    for stream in streams:
        stream.cancel()
    for _ in range(50):
        if candles not in channels:
            break
        await asyncio.sleep(0.02)
    assert candles not in channels
