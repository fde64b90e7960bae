"""Conformance, part 6: limits are known, spent where they should be, and visible."""

import time
from typing import Any

import pytest
from models.connector_rig import Engine
from models.venue_orders import Maker, new_id

from opensqt.domain.errors import ErrorReason, LimitError
from opensqt.proto import errors_pb2, trade_pb2, types_pb2
from opensqt.proto import exchange_pb2 as pb

# Twice what any of these venues allows in a window, in case the storm falls into two.
STORM = 640
BATCH = 20


async def budget(venue: Any) -> pb.RateBudget:
    found: pb.RateBudget = await venue.client.call("GetRateBudget", pb.GetRateBudgetRequest())
    return found


async def test_601_limits_are_told_with_their_reserve_and_the_circuit_is_closed(venue: Any) -> None:
    told = await budget(venue)
    assert told.windows
    for window in told.windows:
        assert window.scope
        assert window.name
        assert window.limit > 0
        assert window.interval_ms > 0
        assert 0 <= window.used <= window.limit
        assert 0 < window.cancel_reserve < window.limit
    assert not told.circuit_open
    assert told.circuit_opens_until == 0


async def test_602_order_is_charged_to_the_accounts_window(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)

    async def used() -> int:
        return sum(window.used for window in (await budget(venue)).windows if window.scope == "account")

    # A window may begin anew in between: one of a few tries falls into one window.
    for _ in range(3):
        before = await used()
        await venue.client.call("PlaceOrder", await maker.order())
        if await used() > before:
            return
    raise AssertionError("three orders were placed, and nothing was charged")


async def test_603_storm_of_orders_is_refused_with_the_time_to_wait_while_cancels_pass(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    engine = Engine(venue.client)
    await engine.hello(symbols=[venue.symbol])
    resting = new_id()
    (placed,) = await engine.send(await maker.command(resting))
    assert (await engine.result(placed)).outcome == trade_pb2.COMMAND_OUTCOME_CONFIRMED
    # Post-only orders that would cross: each is charged, none stays open.
    crossing = await maker.command(new_id(), "1.01")
    refused = None
    for _ in range(STORM // BATCH):
        batch = []
        for _ in range(BATCH):
            batch.append(trade_pb2.Command())
            batch[-1].CopyFrom(crossing)
            batch[-1].place.client_order_id = new_id()
        sent = await engine.send(*batch)
        result = await engine.result(sent[-1])
        if result.reason == errors_pb2.ERROR_REASON_RATE_LIMITED:
            refused = result
            break
    assert refused is not None, f"the limit was never reached: {result}"
    assert refused.outcome == trade_pb2.COMMAND_OUTCOME_REJECTED
    assert refused.retry_after_ms > 0
    (cancelled,) = await engine.send(
        trade_pb2.Command(cancel=trade_pb2.CancelCommand(symbol=venue.symbol, client_order_id=resting))
    )
    assert (await engine.result(cancelled)).outcome != trade_pb2.COMMAND_OUTCOME_REJECTED
    await engine.wait_for(
        lambda item: (
            item.HasField("order")
            and item.order.client_order_id == resting
            and item.order.state == types_pb2.ORDER_STATE_CANCELED
        ),
        timeout_s=60,
    )


async def test_604_limit_that_the_venue_names_opens_the_circuit_for_all_but_cancels(venue: Any) -> None:
    maker = await Maker.of(venue.client, venue.symbol)
    resting = await maker.order()
    await venue.client.call("PlaceOrder", resting)
    second, third = await maker.order(), await maker.order()
    venue.overrun()
    with pytest.raises(LimitError) as raised:
        await venue.client.call("PlaceOrder", second)
    assert raised.value.reason is ErrorReason.RATE_LIMITED
    assert raised.value.retry_after_ms
    told = await budget(venue)
    assert told.circuit_open
    assert told.circuit_reason
    assert told.circuit_opens_until > time.time_ns() // 1_000_000
    with pytest.raises(LimitError):
        await venue.client.call("PlaceOrder", third)
    cancel = pb.CancelOrderRequest(symbol=venue.symbol, client_order_id=resting.client_order_id)
    await venue.client.call("CancelOrder", cancel)
