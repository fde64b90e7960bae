"""When the venue's reply is lost: the caller hears UNKNOWN, the venue is asked, nothing is sent twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from models.connector_parts import SYMBOL
from models.connector_rig import Client, Engine, client_of, connector_config, limit_order, place, running_connector
from models.scripted_venue import ScriptedVenue

from opensqt.connector.app import Connector
from opensqt.connector.commands import Place
from opensqt.connector.rate_budget import RateWindow
from opensqt.domain.account import Position
from opensqt.domain.errors import ErrorReason, OpensqtError, OutcomeUnknownError
from opensqt.proto import exchange_pb2 as pb
from opensqt.proto import trade_pb2, types_pb2

NAME = "oqabZZZ0001000000B0000001"


@pytest.fixture
def scripted() -> ScriptedVenue:
    return ScriptedVenue()


@pytest.fixture
async def running(scripted: ScriptedVenue, tmp_path: Path) -> AsyncIterator[Connector]:
    async with running_connector(connector_config(tmp_path), scripted) as connector:
        yield connector


@pytest.fixture
async def caller(running: Connector) -> AsyncIterator[Client]:
    async with client_of(running) as client:
        yield client


async def eventually(condition: Callable[[], object], what: str) -> None:
    for _ in range(300):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(what)


async def test_lost_reply_is_unknown_and_the_query_finds_the_order(
    scripted: ScriptedVenue, running: Connector, caller: Client
) -> None:
    engine = Engine(caller)
    await engine.hello()
    scripted.answers = False
    (command_id,) = await engine.send(place(NAME, 599_000))
    result = await engine.result(command_id)
    assert result.outcome == trade_pb2.COMMAND_OUTCOME_UNKNOWN
    found = await engine.wait_for(lambda item: item.HasField("order") and item.order.client_order_id == NAME)
    assert found.order.state == types_pb2.ORDER_STATE_LIVE
    assert len(running.core.gateway.unsettled) == 0
    assert sum(isinstance(command, Place) for command in scripted.sent) == 1


async def test_placement_that_never_arrived_is_settled_by_repeated_denials_only(
    scripted: ScriptedVenue, running: Connector, caller: Client
) -> None:
    engine = Engine(caller)
    await engine.hello()
    scripted.answers = scripted.executes = False
    (command_id,) = await engine.send(place(NAME, 599_000))
    assert (await engine.result(command_id)).outcome == trade_pb2.COMMAND_OUTCOME_UNKNOWN
    again = Engine(caller)
    snapshot = await again.hello(lease_epoch=2)
    assert [(o.client_order_id, o.state) for o in snapshot.open_orders] == [(NAME, types_pb2.ORDER_STATE_UNKNOWN)]
    settled = await again.wait_for(lambda item: item.HasField("order") and item.order.client_order_id == NAME)
    assert settled.order.state == types_pb2.ORDER_STATE_REJECTED
    assert scripted.queries >= 2
    assert len(scripted.sent) == 1


async def test_failing_queries_settle_nothing(scripted: ScriptedVenue, running: Connector, caller: Client) -> None:
    scripted.answers = scripted.executes = False
    scripted.queries_fail = True
    with pytest.raises(OutcomeUnknownError):
        await caller.call("PlaceOrder", limit_order("x1", "59900"))
    await eventually(lambda: scripted.queries >= 2, "the venue was not asked")
    assert len(running.core.gateway.unsettled) == 1
    with pytest.raises(OpensqtError) as raised:
        await caller.call("PlaceOrder", limit_order("x1", "59900"))
    assert raised.value.reason is ErrorReason.DUPLICATE_CLIENT_ID
    assert raised.value.metadata["state"] == "UNKNOWN"


async def test_broken_session_stops_health_and_makes_commands_unknown(
    scripted: ScriptedVenue, running: Connector, caller: Client
) -> None:
    engine = Engine(caller)
    await engine.hello()
    scripted.answers = False
    (command_id,) = await engine.send(place(NAME, 599_000))
    await eventually(lambda: scripted.sent, "nothing was sent")
    scripted.session(up=False)
    result = await engine.result(command_id)
    assert result.outcome == trade_pb2.COMMAND_OUTCOME_UNKNOWN
    assert "reset by peer" in result.message
    assert not running.core.is_serving


async def test_failed_query_is_an_error_never_an_empty_list(scripted: ScriptedVenue, caller: Client) -> None:
    scripted.queries_fail = True
    with pytest.raises(OpensqtError) as raised:
        await caller.call("GetOpenOrders", pb.GetOpenOrdersRequest())
    assert raised.value.reason is ErrorReason.VENUE_UNAVAILABLE


@pytest.mark.parametrize(("known_ns", "asked_ns", "lots"), [(0, 0, 3), (5, 6, 3), (5, 5, 0), (6, 5, 0)])
async def test_snapshot_while_the_accounts_stream_is_down_has_the_position_its_fills_made(
    scripted: ScriptedVenue, caller: Client, known_ns: int, asked_ns: int, lots: int
) -> None:
    scripted.sink.on_position(Position(symbol=SYMBOL, lots=0, venue_time_ns=known_ns))
    scripted.session(up=False)
    scripted.position = Position(symbol=SYMBOL, lots=3, venue_time_ns=asked_ns)
    snapshot = await Engine(caller).hello()
    assert not snapshot.feeds[0].private_stream_up
    assert [position.lots for position in snapshot.positions] == [lots]


async def test_what_the_venue_does_not_have_is_not_supported(caller: Client) -> None:
    with pytest.raises(OpensqtError) as raised:
        await caller.call("GetOpenInterest", pb.GetOpenInterestRequest(symbol="BTCUSDT"))
    assert raised.value.reason is ErrorReason.NOT_SUPPORTED
    (ticker,) = (await caller.call("GetTickers", pb.GetTickersRequest())).tickers
    assert not ticker.HasField("open_interest")


async def test_used_up_limit_says_when_to_come_back_and_cancels_still_pass(tmp_path: Path) -> None:
    window = RateWindow(scope="account", name="orders_1h", interval_ms=3_600_000, limit=10, cancel_reserve=4)
    venue = ScriptedVenue(window)
    async with (
        running_connector(connector_config(tmp_path), venue) as connector,
        client_of(connector) as client,
    ):
        room = 5  # of the 6 that are not kept for cancels, 95 %
        placed = [await client.call("PlaceOrder", limit_order(f"x{index}", "59900")) for index in range(room)]
        with pytest.raises(OpensqtError) as raised:
            await client.call("PlaceOrder", limit_order("onetoomany", "59900"))
        assert raised.value.reason is ErrorReason.RATE_LIMITED
        assert raised.value.retry_after_ms is not None
        assert 0 < raised.value.retry_after_ms <= 3_600_000
        await client.call("CancelOrder", pb.CancelOrderRequest(symbol="BTCUSDT", order_id=placed[0].order_id))
        budget = await client.call("GetRateBudget", pb.GetRateBudgetRequest())
        assert budget.windows[0].used == room + 1
