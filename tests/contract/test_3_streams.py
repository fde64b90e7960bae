"""Conformance, part 3: private streams push."""

import asyncio
from decimal import Decimal
from typing import Any

from models.venue_orders import Maker

from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import types_pb2


async def test_301_order_stream_starts_with_the_open_orders(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    await venue.client.call("PlaceOrder", request)
    (update,) = await venue.client.first("SubscribeOrders", pb.SubscribeOrdersRequest())
    assert update.client_order_id == request.client_order_id
    assert update.exchange == venue.capabilities.exchange


async def test_302_account_and_positions_push_after_a_fill(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    accounts = venue.client.stub.SubscribeAccount(pb.SubscribeAccountRequest())
    positions = venue.client.stub.SubscribePositions(pb.SubscribePositionsRequest(symbol=venue.symbol))
    before = await accounts.read()
    assert Decimal((await positions.read()).size.value) == 0
    filled = await venue.client.call("PlaceOrder", await maker.market(types_pb2.ORDER_SIDE_BUY))
    async with asyncio.timeout(5):
        while Decimal((await positions.read()).size.value) != Decimal(filled.executed_qty.value):
            pass
        account = await accounts.read()
        while account.total_wallet_balance == before.total_wallet_balance:
            account = await accounts.read()
    assert Decimal(account.total_wallet_balance.value) < Decimal(before.total_wallet_balance.value), "the fee"
    accounts.cancel()
    positions.cancel()
