"""Conformance, part 2: orders by unary calls and on the Trade stream."""

from decimal import Decimal
from typing import Any

from models.connector_rig import Engine
from models.venue_orders import Maker, new_id

from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import trade_pb2, types_pb2


async def open_ids(venue: Any) -> set[str]:
    reply = await venue.client.call("GetOpenOrders", pb.GetOpenOrdersRequest(symbol=venue.symbol))
    return {order.client_order_id for order in reply.orders}


async def test_201_resting_order_is_acknowledged_found_and_cancelled(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    placed = await venue.client.call("PlaceOrder", request)
    assert placed.status == types_pb2.ORDER_STATUS_NEW
    assert placed.exchange_order_id
    assert Decimal(placed.price.value) == Decimal(request.price.value)
    assert request.client_order_id in await open_ids(venue)
    cancel = pb.CancelOrderRequest(symbol=venue.symbol, client_order_id=request.client_order_id)
    await venue.client.call("CancelOrder", cancel)
    query = pb.GetOrderRequest(symbol=venue.symbol, client_order_id=request.client_order_id)
    assert (await venue.client.call("GetOrder", query)).status == types_pb2.ORDER_STATUS_CANCELED
    assert request.client_order_id not in await open_ids(venue)


async def test_202_market_order_fills_and_reduce_only_closes_it(venue: Any) -> None:
    venue.needs("reduce_only")
    maker = await Maker.of(venue.client, venue.symbol)
    bought = await venue.client.call("PlaceOrder", await maker.market(types_pb2.ORDER_SIDE_BUY))
    assert bought.status == types_pb2.ORDER_STATUS_FILLED
    assert Decimal(bought.avg_price.value) > 0
    close = await maker.market(types_pb2.ORDER_SIDE_SELL, reduce_only=True, quantity=bought.executed_qty)
    await venue.client.call("PlaceOrder", close)
    (position,) = (await venue.client.call("GetPositions", pb.GetPositionsRequest(symbol=venue.symbol))).positions
    assert Decimal(position.size.value) == 0


async def test_203_amend_changes_price_and_total(venue: Any) -> None:
    venue.needs("amend")
    maker = await Maker.of(venue.client, venue.symbol)
    request = await maker.order()
    placed = await venue.client.call("PlaceOrder", request)
    price = Decimal(request.price.value) - maker.tick
    amend = pb.AmendOrderRequest(symbol=venue.symbol, client_order_id=request.client_order_id)
    amend.price.value = format(price, "f")
    amend.quantity.value = format(Decimal(request.quantity.value) + maker.step, "f")
    amended = await venue.client.call("AmendOrder", amend)
    assert Decimal(amended.price.value) == price
    assert Decimal(amended.quantity.value) == Decimal(request.quantity.value) + maker.step
    assert amended.client_order_id == placed.client_order_id


async def test_204_batch_answers_one_entry_per_request_in_order(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    orders = [await maker.order(f"0.{97 - index}") for index in range(3)]
    orders[1].side = types_pb2.ORDER_SIDE_UNSPECIFIED
    reply = await venue.client.call("BatchPlaceOrders", pb.BatchPlaceOrdersRequest(orders=orders))
    assert [o.client_order_id for o in reply.orders] == [o.client_order_id for o in orders]
    assert [error.index for error in reply.errors] == [1]
    assert not reply.all_success


async def test_205_cancel_all_leaves_nothing_open(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    for index in range(3):
        await venue.client.call("PlaceOrder", await maker.order(f"0.9{index}"))
    assert len(await open_ids(venue)) == 3
    await venue.client.call("CancelAllOrders", pb.CancelAllOrdersRequest(symbol=venue.symbol))
    assert await open_ids(venue) == set()


async def test_206_trade_stream_tells_the_life_of_an_order_in_order(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    engine = Engine(venue.client)
    await engine.hello(symbols=[venue.symbol])
    name = new_id()
    (placed,) = await engine.send(await maker.command(name))
    result = await engine.result(placed)
    assert result.outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
    (cancelled,) = await engine.send(
        trade_pb2.Command(cancel=trade_pb2.CancelCommand(symbol=venue.symbol, client_order_id=name))
    )
    assert (await engine.result(cancelled)).outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
    await engine.wait_for(lambda item: item.HasField("order") and item.order.state == types_pb2.ORDER_STATE_CANCELED)
    states = [i.order.state for i in engine.items if i.HasField("order") and i.order.client_order_id == name]
    # A venue may tell of one state twice, by its reply and by its stream; the connector does not.
    assert states == [types_pb2.ORDER_STATE_LIVE, types_pb2.ORDER_STATE_CANCELED]


async def test_207_fill_names_its_order_and_sums_to_it(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    engine = Engine(venue.client)
    await engine.hello(symbols=[venue.symbol])
    request = await maker.market(types_pb2.ORDER_SIDE_BUY)
    filled = await venue.client.call("PlaceOrder", request)
    await engine.wait_for(lambda item: item.HasField("order") and item.order.state == types_pb2.ORDER_STATE_FILLED)
    fills = [item.fill for item in engine.items if item.HasField("fill")]
    assert {fill.client_order_id for fill in fills} == {request.client_order_id}
    assert sum(fill.lots for fill in fills) * maker.step == Decimal(filled.executed_qty.value)
    assert all(fill.fee_asset for fill in fills)
