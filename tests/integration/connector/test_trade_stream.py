"""The engine's order path over real gRPC: snapshot, events without holes, fencing, vanishing."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from models.connector_rig import (
    CLIENTS,
    SYMBOL,
    Client,
    Engine,
    client_of,
    connector_config,
    limit_order,
    place,
    running_connector,
)

from opensqt.connector.app import Connector
from opensqt.domain.errors import ErrorReason, OpensqtError
from opensqt.proto import errors_pb2, exchange_pb2, trade_pb2, types_pb2


@pytest.fixture(params=sorted(CLIENTS))
async def client(request: pytest.FixtureRequest, connector: Connector) -> AsyncIterator[Client]:
    """Return a client of either kind: an engine in the connector's process must see the same stream."""
    async with CLIENTS[request.param](connector) as found:
        yield found


def own_id(number: int, side: str = "B") -> str:
    return f"oqabZZZ0001000000{side}{number:07d}"


async def test_snapshot_then_result_order_fill_account_position_without_a_hole(client: Client) -> None:
    engine = Engine(client)
    snapshot = await engine.hello()
    assert snapshot.exchange == "paper"
    assert [spec.symbol for spec in snapshot.instruments] == [SYMBOL]
    assert snapshot.accounts[0].wallet_balance.value == "10000"
    assert not snapshot.open_orders
    market = place(own_id(1), 0, type=types_pb2.ORDER_TYPE_MARKET, time_in_force=types_pb2.TIME_IN_FORCE_IOC)
    (command_id,) = await engine.send(market)
    result = await engine.result(command_id)
    assert result.outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED, result
    kinds = next(batch for batch in engine.batches if "fill" in batch)
    assert {"result", "order", "fill", "account", "position"} <= set(kinds), "one batch carries the whole cause"
    fills = [item.fill for item in engine.items if item.HasField("fill")]
    assert sum(fill.lots for fill in fills) == 10
    assert {fill.client_order_id for fill in fills} == {own_id(1)}
    positions = [item.position for item in engine.items if item.HasField("position")]
    assert positions[-1].lots == 10


async def test_snapshot_of_a_second_attach_equals_the_state_the_first_stream_told(client: Client) -> None:
    engine = Engine(client)
    await engine.hello()
    base = await client.price_ticks() - 2_000
    ids = await engine.send(*(place(own_id(n), base - n) for n in range(5)))
    for command_id in ids:
        assert (await engine.result(command_id)).outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
    (cancel_id,) = await engine.send(
        trade_pb2.Command(cancel=trade_pb2.CancelCommand(symbol=SYMBOL, client_order_id=own_id(3)))
    )
    await engine.result(cancel_id)
    told = {
        item.order.client_order_id: item.order.SerializeToString(deterministic=True)
        for item in engine.items
        if item.HasField("order")
    }
    again = Engine(client)
    snapshot = await again.hello(lease_epoch=2)
    seen = {order.client_order_id: order.SerializeToString(deterministic=True) for order in snapshot.open_orders}
    assert sorted(seen) == [own_id(n) for n in (0, 1, 2, 4)]
    assert all(told[name] == value for name, value in seen.items())
    error = await engine.ended()
    assert error.reason is ErrorReason.FENCED
    assert again.epoch == engine.epoch


async def test_lower_epoch_is_fenced(client: Client) -> None:
    await Engine(client).hello(lease_epoch=7, bots=[trade_pb2.BotLease(bot_tag="ab", epoch=7)])
    late = Engine(client)
    with pytest.raises(OpensqtError) as raised:
        await late.hello(lease_epoch=6, bots=[trade_pb2.BotLease(bot_tag="ab", epoch=6)])
    assert raised.value.reason is ErrorReason.FENCED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"engine_id": ""}, "hello.engine_id"),
        ({"engine_id": "e" * 100_000}, "hello.engine_id"),
        ({"lease_epoch": 0}, "hello.lease_epoch"),
        ({"symbols": []}, "hello.symbols"),
        ({"on_vanish": trade_pb2.VANISH_POLICY_UNSPECIFIED}, "hello.on_vanish"),
        ({"on_vanish": trade_pb2.VANISH_POLICY_CANCEL, "bots": []}, "hello.bots"),
    ],
)
async def test_hello_names_what_is_missing(client: Client, changes: dict[str, object], field: str) -> None:
    with pytest.raises(OpensqtError) as raised:
        await Engine(client).hello(**changes)
    assert raised.value.reason is ErrorReason.INVALID_FIELD
    assert raised.value.metadata["field"] == field


async def test_first_message_must_be_the_hello(client: Client) -> None:
    engine = Engine(client)
    await engine.write(trade_pb2.TradeRequest(heartbeat=trade_pb2.Heartbeat(sent_ns=1)))
    assert (await engine.ended()).reason is ErrorReason.NOT_ATTACHED


async def test_refused_commands_say_why_and_the_stream_goes_on(client: Client) -> None:
    engine = Engine(client)
    await engine.hello()
    base = await client.price_ticks() - 2_000
    stale, unspecified, fine, twice, other = await engine.send(
        place(own_id(1), base, instrument_revision=9),
        place(own_id(2), base, side=types_pb2.ORDER_SIDE_UNSPECIFIED),
        place(own_id(3), base),
        place(own_id(3), base - 1),
        place(own_id(4), base, symbol="ETH/USDT:USDT"),
    )
    assert (await engine.result(stale)).reason == errors_pb2.ERROR_REASON_STALE_INSTRUMENT
    assert "side" in (await engine.result(unspecified)).message
    assert (await engine.result(fine)).outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
    duplicate = await engine.result(twice)
    assert duplicate.outcome == trade_pb2.COMMAND_OUTCOME_REJECTED
    assert duplicate.reason == errors_pb2.ERROR_REASON_DUPLICATE_CLIENT_ID
    assert (await engine.result(other)).reason in {
        errors_pb2.ERROR_REASON_NOT_ATTACHED,
        errors_pb2.ERROR_REASON_UNKNOWN_SYMBOL,
    }
    (query,) = await engine.send(
        trade_pb2.Command(query=trade_pb2.QueryCommand(symbol=SYMBOL, client_order_id=own_id(3)))
    )
    assert (await engine.result(query)).order.state == types_pb2.ORDER_STATE_LIVE
    (absent,) = await engine.send(
        trade_pb2.Command(query=trade_pb2.QueryCommand(symbol=SYMBOL, client_order_id=own_id(9)))
    )
    assert (await engine.result(absent)).reason == errors_pb2.ERROR_REASON_UNKNOWN_ORDER


async def test_amend_and_cancel_all_by_tag_leave_manual_orders_alone(client: Client) -> None:
    engine = Engine(client)
    await engine.hello()
    base = await client.price_ticks() - 3_000
    await client.call("PlaceOrder", limit_order("manual1", f"{base / 10:.1f}"))
    (placed,) = await engine.send(place(own_id(1), base))
    await engine.result(placed)
    (amended,) = await engine.send(
        trade_pb2.Command(
            amend=trade_pb2.AmendCommand(
                symbol=SYMBOL, instrument_revision=1, client_order_id=own_id(1), price_ticks=base - 5, total_lots=12
            )
        )
    )
    result = await engine.result(amended)
    assert (result.order.price_ticks, result.order.lots) == (base - 5, 12), result
    (cleared,) = await engine.send(
        trade_pb2.Command(cancel_all=trade_pb2.CancelAllCommand(symbol=SYMBOL, bot_tag="ab"))
    )
    assert (await engine.result(cleared)).outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
    left = await client.call("GetOpenOrders", exchange_pb2.GetOpenOrdersRequest(symbol=SYMBOL))
    assert [order.client_order_id for order in left.orders] == ["manual1"]


async def test_heartbeat_is_echoed_and_leverage_answered_by_a_position(client: Client) -> None:
    engine = Engine(client)
    await engine.hello()
    await engine.write(trade_pb2.TradeRequest(heartbeat=trade_pb2.Heartbeat(sent_ns=5, applied_sequence=1)))
    echo = await engine.wait_for(lambda item: item.HasField("heartbeat"))
    assert echo.heartbeat.sent_ns == 5
    leverage = trade_pb2.SetLeverageRequest(symbol=SYMBOL, leverage=7)
    await engine.write(trade_pb2.TradeRequest(set_leverage=leverage))
    answer = await engine.wait_for(lambda item: item.HasField("position") and item.position.leverage == 7)
    assert answer.position.symbol == SYMBOL
    await engine.write(trade_pb2.TradeRequest(set_leverage=trade_pb2.SetLeverageRequest(symbol=SYMBOL, leverage=5_000)))
    refused = await engine.wait_for(lambda item: item.HasField("result") and item.result.command_id == 0)
    assert refused.result.reason == errors_pb2.ERROR_REASON_LEVERAGE_LIMIT


async def open_ids(client: Client) -> list[str]:
    reply = await client.call("GetOpenOrders", exchange_pb2.GetOpenOrdersRequest(symbol=SYMBOL))
    return sorted(order.client_order_id for order in reply.orders)


async def wait_open(client: Client, expected: list[str], tries: int = 100) -> None:
    found: list[str] = []
    for _ in range(tries):
        found = await open_ids(client)
        if found == expected:
            return
        await asyncio.sleep(0.05)
    assert found == expected


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (trade_pb2.VANISH_POLICY_CANCEL, ["manual1"]),
        (trade_pb2.VANISH_POLICY_KEEP, ["manual1", own_id(1)]),
    ],
)
async def test_vanished_engines_orders_follow_its_policy(
    connector: Connector, client: Client, policy: int, left: list[str]
) -> None:
    async with client_of(connector) as doomed:
        engine = Engine(doomed)
        await engine.hello(on_vanish=policy, vanish_grace_ms=300)
        base = await client.price_ticks() - 3_000
        await client.call("PlaceOrder", limit_order("manual1", f"{base / 10:.1f}"))
        (command_id,) = await engine.send(place(own_id(1), base))
        await engine.result(command_id)
        engine.call.cancel()
    assert len(await open_ids(client)) == 2, "the grace time protects a short absence"
    await asyncio.sleep(0.8)
    await wait_open(client, left)


async def test_engine_that_closes_its_side_in_order_keeps_its_orders(client: Client) -> None:
    engine = Engine(client)
    await engine.hello(on_vanish=trade_pb2.VANISH_POLICY_CANCEL, vanish_grace_ms=0)
    (command_id,) = await engine.send(place(own_id(1), await client.price_ticks() - 3_000))
    await engine.result(command_id)
    await engine.call.done_writing()
    while await engine.call.read() is not grpc.aio.EOF:
        pass
    assert await engine.call.code() is grpc.StatusCode.OK
    await asyncio.sleep(0.5)
    assert await open_ids(client) == [own_id(1)]


async def test_engine_that_vanished_before_a_restart_is_still_acted_upon(tmp_path) -> None:  # type: ignore[no-untyped-def]
    config = connector_config(tmp_path)
    async with running_connector(config) as connector, client_of(connector) as client:
        engine = Engine(client)
        await engine.hello(on_vanish=trade_pb2.VANISH_POLICY_CANCEL, vanish_grace_ms=60_000 * 10)
        (command_id,) = await engine.send(place(own_id(1), await client.price_ticks() - 3_000))
        await engine.result(command_id)
        first_epoch = engine.epoch
        await asyncio.sleep(0.2)
    async with running_connector(config) as connector, client_of(connector) as client:
        assert await open_ids(client) == [own_id(1)]
        with pytest.raises(OpensqtError):
            await Engine(client).hello(lease_epoch=1, bots=[trade_pb2.BotLease(bot_tag="ab", epoch=0)])
        engine = Engine(client)
        snapshot = await engine.hello()
        assert [order.client_order_id for order in snapshot.open_orders] == [own_id(1)]
        assert engine.epoch > first_epoch
