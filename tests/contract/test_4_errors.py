"""Conformance, part 4: every refusal has its reason."""

from decimal import Decimal
from typing import Any

import pytest
from models.connector_rig import Engine
from models.venue_orders import Maker

from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import trade_pb2, types_pb2


async def reason_of(venue: Any, rpc: str, request: Any) -> ErrorReason:
    with pytest.raises(OpensqtError) as raised:
        await venue.client.call(rpc, request)
    return raised.value.reason


async def test_401_off_tick_price(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    request.price.value = format(Decimal(request.price.value) + maker.tick / 2, "f")
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.FILTER_REJECTED


async def test_402_size_off_the_step_and_below_the_minimum(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    request.quantity.value = format(maker.step / 2, "f")
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.FILTER_REJECTED
    request.quantity.value = format(maker.step, "f")
    if Decimal(request.price.value) * maker.step < Decimal(maker.info.min_notional.value):
        assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.MIN_NOTIONAL


async def test_403_duplicate_client_id_in_any_state(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    await venue.client.call("PlaceOrder", request)
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.DUPLICATE_CLIENT_ID
    cancel = pb.CancelOrderRequest(symbol=venue.symbol, client_order_id=request.client_order_id)
    await venue.client.call("CancelOrder", cancel)
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.DUPLICATE_CLIENT_ID


async def test_404_post_only_that_would_cross(venue: Any) -> None:
    venue.needs("post_only")
    maker = await Maker.of(venue.client, venue.symbol)
    assert await reason_of(venue, "PlaceOrder", await maker.order("1.01")) is ErrorReason.POST_ONLY_WOULD_CROSS


async def test_405_unknown_order(venue: Any) -> None:
    query = pb.GetOrderRequest(symbol=venue.symbol, client_order_id="nobody1")
    assert await reason_of(venue, "GetOrder", query) is ErrorReason.UNKNOWN_ORDER
    cancel = pb.CancelOrderRequest(symbol=venue.symbol, client_order_id="nobody1")
    assert await reason_of(venue, "CancelOrder", cancel) is ErrorReason.UNKNOWN_ORDER


async def test_406_more_than_the_account_can_carry(venue: Any) -> None:
    venue.needs("refusal_reasons")
    maker = await Maker.of(venue.client, venue.symbol)
    account = await venue.client.call("GetAccount", pb.GetAccountRequest())
    price = await maker.price()
    worth = Decimal(account.available_balance.value) * account.account_leverage
    quantity = worth * Decimal("0.7") / price // maker.step * maker.step
    first, second = await maker.order(), await maker.order()
    first.quantity.value = second.quantity.value = format(quantity, "f")
    await venue.client.call("PlaceOrder", first)
    assert await reason_of(venue, "PlaceOrder", second) is ErrorReason.INSUFFICIENT_MARGIN


async def test_407_reduce_only_with_nothing_to_reduce(venue: Any) -> None:
    venue.needs("reduce_only")
    venue.needs("refusal_reasons")
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.market(types_pb2.ORDER_SIDE_SELL, reduce_only=True)
    assert await reason_of(venue, "PlaceOrder", request) is ErrorReason.REDUCE_ONLY_REJECTED


async def test_408_refused_order_ends_refused_whatever_was_said_of_it_first(venue: Any) -> None:
    venue.needs("reduce_only")
    maker = await Maker.of(venue.client, venue.symbol)
    engine = Engine(venue.client)
    await engine.hello(symbols=[venue.symbol])
    request = await maker.market(types_pb2.ORDER_SIDE_SELL, reduce_only=True)
    lots = int(Decimal(request.quantity.value) / maker.step)
    command = await maker.command(request.client_order_id)
    command.place.side = types_pb2.ORDER_SIDE_SELL
    command.place.type = types_pb2.ORDER_TYPE_MARKET
    command.place.time_in_force = types_pb2.TIME_IN_FORCE_IOC
    command.place.price_ticks, command.place.lots, command.place.reduce_only = 0, lots, True
    (placed,) = await engine.send(command)
    result = await engine.result(placed)
    allowed = [trade_pb2.COMMAND_OUTCOME_REJECTED]
    if not venue.capabilities.refusal_reasons:
        allowed.append(trade_pb2.COMMAND_OUTCOME_UNKNOWN)
    assert result.outcome in allowed
    if result.outcome == trade_pb2.COMMAND_OUTCOME_UNKNOWN:
        await engine.wait_for(
            lambda item: (
                item.HasField("order")
                and item.order.client_order_id == request.client_order_id
                and item.order.state == types_pb2.ORDER_STATE_REJECTED
            ),
            timeout_s=60,
        )
    assert not (await venue.client.call("GetOpenOrders", pb.GetOpenOrdersRequest(symbol=venue.symbol))).orders
    (position,) = (await venue.client.call("GetPositions", pb.GetPositionsRequest(symbol=venue.symbol))).positions
    assert Decimal(position.size.value) == 0
