"""Conformance, part 5: a connector that comes back finds the account as the venue has it."""

from typing import Any

from models.connector_rig import Engine
from models.venue_orders import Maker, new_id

from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import trade_pb2, types_pb2


async def test_501_open_orders_and_fills_are_found_after_a_restart(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    resting = await maker.order()
    await venue.client.call("PlaceOrder", resting)
    filled = await venue.client.call("PlaceOrder", await maker.market(types_pb2.ORDER_SIDE_BUY))
    await venue.restart()
    engine = Engine(venue.client)
    snapshot = await engine.hello(symbols=[venue.symbol])
    assert [order.client_order_id for order in snapshot.open_orders] == [resting.client_order_id]
    assert {fill.exchange_order_id for fill in snapshot.fills} == {filled.exchange_order_id}
    assert snapshot.positions[0].lots == sum(fill.lots for fill in snapshot.fills)
    assert not snapshot.fills_truncated


async def test_502_session_epoch_differs_and_a_watermark_limits_the_fills(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    await venue.client.call("PlaceOrder", await maker.market(types_pb2.ORDER_SIDE_BUY))
    first = Engine(venue.client)
    watermark = (await first.hello(symbols=[venue.symbol])).fills[-1].venue_time_ns
    await venue.restart()
    second = await maker.of(venue.client, venue.symbol)
    await venue.client.call("PlaceOrder", await second.market(types_pb2.ORDER_SIDE_BUY))
    engine = Engine(venue.client)
    snapshot = await engine.hello(symbols=[venue.symbol], lease_epoch=2, since_time_ns=watermark + 1)
    assert engine.epoch > first.epoch
    assert snapshot.fills
    assert all(fill.venue_time_ns > watermark for fill in snapshot.fills)
    everything = (await venue.client.call("GetFills", pb.GetFillsRequest())).fills
    assert len(everything) > len(snapshot.fills)


async def test_503_cancel_of_an_order_from_before_the_restart_works(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    name = new_id()
    engine = Engine(venue.client)
    await engine.hello(symbols=[venue.symbol])
    (placed,) = await engine.send(await maker.command(name))
    await engine.result(placed)
    await venue.restart()
    engine = Engine(venue.client)
    await engine.hello(symbols=[venue.symbol])
    (cancelled,) = await engine.send(
        trade_pb2.Command(cancel=trade_pb2.CancelCommand(symbol=venue.symbol, client_order_id=name))
    )
    assert (await engine.result(cancelled)).outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
