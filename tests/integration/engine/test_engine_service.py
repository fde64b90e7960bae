"""The whole engine over real gRPC and SQLite against a scripted connector: sessions, restarts, services."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from models.engine_rig import Engine, fill_nearest, grpc_settings, until
from models.grid_connector import FakeConnector
from models.grid_venue import SYMBOL, Venue, config

from opensqt.domain.errors import (
    NotFoundError,
    OpensqtError,
    RequestError,
    RoleError,
    UnavailableError,
    UnsupportedError,
)
from opensqt.domain.order import Side
from opensqt.proto import engine_pb2, portfolio_pb2, position_pb2, risk_pb2
from opensqt.proto.portfolio_pb2_grpc import PortfolioServiceStub
from opensqt.proto.position_pb2_grpc import PositionServiceStub
from opensqt.proto.risk_pb2_grpc import RiskServiceStub
from opensqt.runtime.config import GrpcClientConfig, GrpcServerConfig
from opensqt.runtime.grpc_client import call

pytestmark = pytest.mark.slow


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[FakeConnector]:
    made = FakeConnector(Venue(), f"unix:{tmp_path}/c.sock")
    await made.start()
    yield made
    if made.server is not None:
        await made.stop()


@pytest.fixture
async def engine(tmp_path: Path, connector: FakeConnector) -> AsyncIterator[Engine]:
    socket = f"{tmp_path}/e.sock"
    settings = msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=connector.address),
        grpc=grpc_settings(socket),
        state_file=tmp_path / "engine.db",
    )
    made = Engine(settings, socket)
    await made.start()
    await until(lambda: len(connector.venue.open_orders) == 9)
    yield made
    await made.stop()
    await made.close()


async def test_engine_without_a_connector_answers_and_says_so(tmp_path: Path) -> None:
    socket = f"{tmp_path}/e.sock"
    settings = msgspec.structs.replace(
        config(),
        connector=GrpcClientConfig(address=f"unix:{tmp_path}/nobody.sock"),
        grpc=GrpcServerConfig(unix_socket=socket),
        state_file=tmp_path / "engine.db",
    )
    engine = Engine(settings, socket)
    await engine.start()
    health = health_pb2_grpc.HealthStub(engine.channel)
    try:
        bot = await engine.bot()
        assert {reason.code for reason in bot.reasons} >= {"CONNECTOR_DOWN"}
        assert not bot.connections[0].up
        asked = health_pb2.HealthCheckRequest(service="opensqt.market_maker.v1.EngineService")
        assert (await health.Check(asked, timeout=5)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        positions = PositionServiceStub(engine.channel)
        assert not (
            await call(positions.GetPositions, position_pb2.PositionServiceGetPositionsRequest(), timeout_s=5)
        ).positions
        with pytest.raises(UnavailableError, match="never attached"):
            await call(
                PortfolioServiceStub(engine.channel).GetRiskProfile, portfolio_pb2.GetRiskProfileRequest(), timeout_s=5
            )
        with pytest.raises(UnavailableError, match="connector is down"):
            await call(engine.api.Reconcile, engine_pb2.ReconcileRequest(), timeout_s=5)
    finally:
        await engine.stop()
        await engine.close()


async def test_engine_is_healthy_while_it_is_attached(engine: Engine, connector: FakeConnector) -> None:
    health = health_pb2_grpc.HealthStub(engine.channel)
    asked = health_pb2.HealthCheckRequest(service="opensqt.market_maker.v1.EngineService")
    assert (await health.Check(asked, timeout=5)).status == health_pb2.HealthCheckResponse.SERVING
    await connector.stop()
    await until(lambda: _is_not_serving(health, asked))


async def _is_not_serving(health: health_pb2_grpc.HealthStub, asked: health_pb2.HealthCheckRequest) -> bool:
    return (await health.Check(asked, timeout=5)).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_fill_becomes_a_take_profit_and_a_told_profit(engine: Engine, connector: FakeConnector) -> None:
    hello = connector.hellos[0]
    assert list(hello.symbols) == [SYMBOL]
    assert hello.bots[0].bot_tag == "eth1"
    assert hello.lease_epoch == hello.bots[0].epoch > 0
    fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    bot = await engine.bot()
    assert bot.state == engine_pb2.TRADING_STATE_ACTIVE
    assert bot.pnl.fills == 1
    assert bot.position.lots == 10
    assert {c.name: c.up for c in bot.connections} == {"connector": True, "book": True, "private": True}
    assert len(connector.batches[0].commands) == 9, "one batch, not nine messages"


async def test_restart_adopts_every_order_and_books_what_was_missed(engine: Engine, connector: FakeConnector) -> None:
    fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    await engine.stop()
    before = {o.client_order_id for o in connector.venue.open_orders}
    missed = fill_nearest(connector)
    await engine.start()
    await until(lambda: len([o for o in connector.venue.open_orders if o.side is Side.SELL]) == 2)
    bot = await engine.bot()
    assert bot.pnl.fills == 2
    assert bot.grid.anchor_ticks == 300_000
    assert bot.pnl.history_complete
    assert bot.epoch == connector.hellos[0].lease_epoch + 1
    assert before - {missed} <= {o.client_order_id for o in connector.venue.open_orders}
    assert Decimal(bot.pnl.unexplained.value) == 0


async def test_lost_database_is_rebuilt_from_the_venue(
    engine: Engine, connector: FakeConnector, tmp_path: Path
) -> None:
    fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    await engine.stop()
    before = {o.client_order_id for o in connector.venue.open_orders}
    remove(tmp_path, "engine.db*")
    connector.venue.now_ns += 1_000_000_000
    await engine.start()
    await until(lambda: _is_active(engine))
    assert {o.client_order_id for o in connector.venue.open_orders} == before
    bot = await engine.bot()
    assert not bot.pnl.history_complete
    assert bot.grid.anchor_ticks == 300_000
    assert bot.pnl.fills == 1


async def test_damaged_database_is_moved_aside(engine: Engine, connector: FakeConnector, tmp_path: Path) -> None:
    await engine.stop()
    remove(tmp_path, "engine.db-*")
    (tmp_path / "engine.db").write_bytes(b"SQLite format 3\x00" + b"garbage" * 999)
    await engine.start()
    await until(lambda: _is_active(engine))
    assert remove(tmp_path, "engine.db.damaged-*") >= 1
    assert len(connector.venue.open_orders) == 9


def remove(folder: Path, pattern: str) -> int:
    found = list(folder.glob(pattern))
    for path in found:
        path.unlink()
    return len(found)


async def _is_active(engine: Engine) -> bool:
    try:
        return (await engine.bot()).state == engine_pb2.TRADING_STATE_ACTIVE
    except OpensqtError:
        return False


async def test_connector_that_dies_is_attached_again_and_nothing_is_lost(
    engine: Engine, connector: FakeConnector
) -> None:
    await connector.stop()

    async def is_reducing() -> bool:
        bot = await engine.bot()
        return bot.state == engine_pb2.TRADING_STATE_REDUCING and not bot.connections[0].up

    await until(is_reducing)
    fill_nearest(connector)
    await connector.start()
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    await until(lambda: _is_active(engine))
    assert connector.hellos[-1].since_time_ns > 0
    assert (await engine.bot()).pnl.fills == 1


async def test_silence_begins_a_new_session(engine: Engine, connector: FakeConnector) -> None:
    await until(lambda: connector.heartbeats > 0)
    connector.mute = True
    await until(lambda: len(connector.hellos) == 2, 15)


async def test_hole_in_the_sequence_begins_a_new_session(engine: Engine, connector: FakeConnector) -> None:
    connector.skip_sequence = True
    fill_nearest(connector)
    await until(lambda: len(connector.hellos) == 2)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    assert (await engine.bot()).pnl.fills == 1


async def test_fills_the_snapshot_had_no_room_for_are_fetched(engine: Engine, connector: FakeConnector) -> None:
    await engine.stop()
    for _ in range(5):
        fill_nearest(connector)
    connector.truncate_fills = True
    await engine.start()
    await until(lambda: len([o for o in connector.venue.open_orders if o.side is Side.SELL]) == 5)
    assert (await engine.bot()).pnl.fills == 5


async def test_state_stream_begins_with_a_snapshot_and_has_no_holes(engine: Engine, connector: FakeConnector) -> None:
    stream = engine.readonly.SubscribeState(engine_pb2.SubscribeStateRequest())
    first = await stream.read()
    assert first.snapshot.bots[0].bot_id == "eth"
    fill_nearest(connector)
    sequence, fills = first.sequence, 0
    while not fills:
        event = await asyncio.wait_for(stream.read(), 5)
        assert event.sequence == sequence + 1
        sequence = event.sequence
        fills += len(event.delta.fills)
    stream.cancel()


async def test_read_token_may_look_and_not_touch(engine: Engine) -> None:
    await call(engine.readonly.GetStatus, engine_pb2.GetStatusRequest(), timeout_s=5)
    with pytest.raises(RoleError):
        await call(engine.readonly.Pause, engine_pb2.PauseRequest(reason="x"), timeout_s=5)


async def test_pause_resume_and_stop_over_the_wire(engine: Engine, connector: FakeConnector) -> None:
    await call(engine.api.Pause, engine_pb2.PauseRequest(bot_id="eth", reason="x"), timeout_s=5)
    await until(lambda: not connector.venue.open_orders)
    await call(engine.api.Resume, engine_pb2.ResumeRequest(bot_id="eth"), timeout_s=5)
    await until(lambda: len(connector.venue.open_orders) == 9)
    fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    with pytest.raises(RequestError, match="mode"):
        await call(engine.api.Stop, engine_pb2.StopRequest(bot_id="eth"), timeout_s=5)
    request = engine_pb2.StopRequest(bot_id="eth", mode=engine_pb2.STOP_MODE_FLATTEN)
    answer = await call(engine.api.Stop, request, timeout_s=20)
    assert answer.verified
    assert (answer.open_orders_left, answer.position_lots_left) == (0, 0)
    with pytest.raises(NotFoundError, match="nobody"):
        await call(engine.api.Pause, engine_pb2.PauseRequest(bot_id="nobody"), timeout_s=5)


async def test_bot_stopped_with_its_orders_kept_leaves_the_stream_in_order(
    engine: Engine, connector: FakeConnector
) -> None:
    request = engine_pb2.StopRequest(bot_id="eth", mode=engine_pb2.STOP_MODE_KEEP)
    await call(engine.api.Stop, request, timeout_s=5)
    await engine.stop()
    assert connector.orderly_leaves == 1


async def test_trading_bot_vanishes_and_its_policy_applies(engine: Engine, connector: FakeConnector) -> None:
    await engine.stop()
    assert connector.orderly_leaves == 0


async def test_explain_says_why_an_order_exists(engine: Engine, connector: FakeConnector) -> None:
    client_id = fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    answer = await call(engine.readonly.Explain, engine_pb2.ExplainRequest(client_order_id=client_id), timeout_s=5)
    assert answer.rule == "buy_window"
    assert answer.slot == 0
    assert answer.inputs["level_ticks"] == "300000"
    assert len(answer.fills) == 1
    assert answer.history[0].startswith("PENDING_NEW")
    by_venue_id = engine_pb2.ExplainRequest(exchange_order_id=answer.order.exchange_order_id)
    assert (await call(engine.readonly.Explain, by_venue_id, timeout_s=5)).order == answer.order
    with pytest.raises(NotFoundError):
        await call(engine.readonly.Explain, engine_pb2.ExplainRequest(client_order_id="none"), timeout_s=5)


async def test_reconcile_compares_with_the_venue(engine: Engine, connector: FakeConnector) -> None:
    fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    answer = await call(engine.api.Reconcile, engine_pb2.ReconcileRequest(), timeout_s=15)
    assert answer.position_match
    assert answer.local_lots == answer.venue_lots == 10
    assert not answer.corrections


async def test_position_service_answers_from_ledger_and_history(engine: Engine, connector: FakeConnector) -> None:
    stub = PositionServiceStub(engine.read_channel)
    first = fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    sell = next(o for o in connector.venue.open_orders if o.side is Side.SELL)
    connector.venue.fill(sell.client_order_id, 10)
    fill_nearest(connector)
    connector.changed()

    async def has_three() -> bool:
        return (await engine.bot()).pnl.fills == 3

    await until(has_three)
    pb = position_pb2
    positions = await call(stub.GetPositions, pb.PositionServiceGetPositionsRequest(), timeout_s=5)
    assert positions.positions[0].quantity.value == "0.01"
    assert positions.positions[0].opened_at > 0
    one = await call(stub.GetPosition, pb.PositionServiceGetPositionRequest(symbol="ETHUSDT"), timeout_s=5)
    assert len(one.open_orders) >= 8
    elsewhere = pb.PositionServiceGetPositionsRequest(exchanges=["elsewhere"])
    assert not (await call(stub.GetPositions, elsewhere, timeout_s=5)).positions
    fills = await call(stub.GetFills, pb.PositionServiceGetFillsRequest(limit=2), timeout_s=5)
    assert [fill.side for fill in fills.fills] == ["BUY", "SELL"]
    assert fills.next_cursor
    rest = pb.PositionServiceGetFillsRequest(start_time=fills.fills[-1].filled_at + 1)
    assert len((await call(stub.GetFills, rest, timeout_s=5)).fills) == 1
    order = await call(stub.GetOrder, pb.PositionServiceGetOrderRequest(order_id=first), timeout_s=5)
    assert order.order.executed_qty.value == "0.01"
    assert len(order.fills) == 1
    history = await call(stub.GetOrderHistory, pb.PositionServiceGetOrderHistoryRequest(symbols=[SYMBOL]), timeout_s=5)
    assert len(history.orders) >= 10
    realized = await call(stub.GetRealizedPnL, pb.PositionServiceGetRealizedPnLRequest(), timeout_s=5)
    assert realized.by_symbol[0].winning_trades == 1
    assert Decimal(realized.total_pnl.value) == Decimal("0.020") - sum(f.fee for f in connector.venue.fills)
    await call(stub.GetUnrealizedPnL, pb.PositionServiceGetUnrealizedPnLRequest(), timeout_s=5)
    await call(stub.GetPositionHistory, pb.PositionServiceGetPositionHistoryRequest(symbol=SYMBOL), timeout_s=5)
    orders = await call(stub.GetOpenOrders, pb.PositionServiceGetOpenOrdersRequest(), timeout_s=5)
    assert {o.client_order_id for o in orders.orders} == {o.client_order_id for o in connector.venue.open_orders}
    stream = stub.SubscribePositions(pb.PositionServiceSubscribePositionsRequest())
    assert (await stream.read()).update_type == "snapshot"
    fill_nearest(connector)
    update = await asyncio.wait_for(stream.read(), 5)
    assert update.update_type == "fill"
    stream.cancel()
    with pytest.raises(RequestError, match="DOGE"):
        await call(stub.GetPositions, pb.PositionServiceGetPositionsRequest(symbols=["DOGE"]), timeout_s=5)
    with pytest.raises(RequestError, match="limit"):
        await call(stub.GetFills, pb.PositionServiceGetFillsRequest(limit=-1), timeout_s=5)


async def test_risk_service_limits_exposure_and_breaker(engine: Engine, connector: FakeConnector) -> None:
    stub, pb = RiskServiceStub(engine.channel), risk_pb2
    fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    metrics = await call(stub.GetRiskMetrics, pb.GetRiskMetricsRequest(), timeout_s=5)
    assert metrics.metrics[0].position_size.value == "0.01"
    request = pb.UpdatePositionLimitsRequest(symbol=SYMBOL, reason="test")
    request.max_position_size.value = "0.03"
    assert (await call(stub.UpdatePositionLimits, request, timeout_s=5)).success
    limits = await call(stub.GetPositionLimits, pb.GetPositionLimitsRequest(symbol=SYMBOL), timeout_s=5)
    assert limits.max_position_size.value == "0.03"
    await until(lambda: sum(o.lots for o in connector.venue.open_orders if o.side is Side.BUY) == 20)
    request.max_position_size.value = "-1"
    with pytest.raises(RequestError, match="max_position_size"):
        await call(stub.UpdatePositionLimits, request, timeout_s=5)
    exposure = await call(stub.GetExposure, pb.GetExposureRequest(), timeout_s=5)
    assert Decimal(exposure.total_notional.value) > 0
    alerts = stub.SubscribeRiskAlerts(pb.SubscribeRiskAlertsRequest())
    done = await call(stub.TriggerReconciliation, pb.TriggerReconciliationRequest(symbol=SYMBOL), timeout_s=15)
    assert done.status == "completed"
    status = pb.GetReconciliationStatusRequest(reconciliation_id=done.reconciliation_id)
    assert (await call(stub.GetReconciliationStatus, status, timeout_s=5)).results[0].position_match
    await call(stub.OpenCircuitBreaker, pb.OpenCircuitBreakerRequest(symbol=SYMBOL, reason="x"), timeout_s=5)
    breaker = pb.GetCircuitBreakerStatusRequest(symbol=SYMBOL)
    assert (await call(stub.GetCircuitBreakerStatus, breaker, timeout_s=5)).status.is_open
    assert (await call(stub.CloseCircuitBreaker, pb.CloseCircuitBreakerRequest(symbol=SYMBOL), timeout_s=5)).success
    alerts.cancel()


async def test_risk_requests_without_a_symbol_name_the_missing_field(engine: Engine) -> None:
    risk = RiskServiceStub(engine.channel)
    for method, request in (
        (risk.GetPositionLimits, risk_pb2.GetPositionLimitsRequest()),
        (risk.UpdatePositionLimits, risk_pb2.UpdatePositionLimitsRequest()),
        (risk.OpenCircuitBreaker, risk_pb2.OpenCircuitBreakerRequest(reason="x")),
        (risk.CloseCircuitBreaker, risk_pb2.CloseCircuitBreakerRequest()),
        (risk.GetCircuitBreakerStatus, risk_pb2.GetCircuitBreakerStatusRequest()),
    ):
        with pytest.raises(RequestError, match="symbol"):
            await call(method, request, timeout_s=5)


async def test_portfolio_service_has_real_values_or_says_why_not(engine: Engine, connector: FakeConnector) -> None:
    stub, pb = PortfolioServiceStub(engine.read_channel), portfolio_pb2
    profile = await call(stub.GetRiskProfile, pb.GetRiskProfileRequest(), timeout_s=5)
    assert profile.adjusted_equity.value == "10000"
    assert profile.health_score.value == "1"
    proposal = pb.SimulateMarginRequest()
    proposal.proposals[SYMBOL].value = "1000000"
    assert (await call(stub.SimulateMargin, proposal, timeout_s=5)).would_liquidate
    targets = await call(stub.GetTargetPositions, pb.GetTargetPositionsRequest(), timeout_s=5)
    assert targets.targets[0].notional.value == "0"
    with pytest.raises(UnsupportedError, match="scores no opportunities"):
        await call(stub.GetMarketScores, pb.GetMarketScoresRequest(), timeout_s=5)


async def test_fills_are_paged_back_with_slot_and_profit(engine: Engine, connector: FakeConnector) -> None:
    for _ in range(3):
        fill_nearest(connector)
    request = engine_pb2.GetBotFillsRequest(bot_id=engine.settings.bots[0].id)

    async def page(**changes: object) -> engine_pb2.GetBotFillsResponse:
        asked = engine_pb2.GetBotFillsRequest(bot_id=request.bot_id, **changes)  # type: ignore[arg-type]
        return await call(engine.readonly.GetBotFills, asked, timeout_s=5)

    async with asyncio.timeout(10):
        while len((await page()).fills) < 3:  # noqa: ASYNC110  asks over the wire: there is no event to wait for
            await asyncio.sleep(0.02)
    every = (await page()).fills
    assert all(item.has_slot for item in every)
    newest = await page(limit=2)
    assert (list(newest.fills), newest.has_older) == (list(every[1:]), True)
    oldest = newest.fills[0].fill
    older = await page(before_time_ns=oldest.venue_time_ns, before_trade_id=oldest.trade_id)
    assert (list(older.fills), older.has_older) == (list(every[:1]), False)
    with pytest.raises(NotFoundError):
        await call(engine.readonly.GetBotFills, engine_pb2.GetBotFillsRequest(bot_id="nobody"), timeout_s=5)


async def test_everything_is_on_disk_after_a_stop(engine: Engine, connector: FakeConnector, tmp_path: Path) -> None:
    fill_nearest(connector)
    await until(lambda: any(o.side is Side.SELL for o in connector.venue.open_orders))
    await engine.stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "engine.db")) as database:
        assert database.execute("SELECT count(*) FROM fills").fetchone() == (1,)
        assert database.execute("SELECT lots, cost_ticks_lots FROM slots").fetchall() == [(10, 3_000_000)]
        assert database.execute("SELECT count(*) FROM orders WHERE is_open").fetchone() == (9,)
        assert database.execute("SELECT count(*) FROM equity").fetchone()[0] >= 1
    await engine.start()
