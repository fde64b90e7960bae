"""A connector and an engine that tell the story of a `FakeWorld` over real gRPC, and a whole page stack as a program.

    python tests/models/fake_stack.py --static web/dist --step-ms 200

prints one JSON line with the page's address and serves until it is stopped.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from opensqt.live_server.app import LiveServer  # isort: skip  # sets gRPC's environment before gRPC is imported
import grpc
from google.type.decimal_pb2 import Decimal
from grpc_health.v1 import health_pb2, health_pb2_grpc
from models.fake_world import BOT_ID, SYMBOL, FakeWorld

from opensqt.live_server.config import LiveServerConfig
from opensqt.proto import engine_pb2, exchange_pb2
from opensqt.proto.engine_pb2_grpc import EngineServiceServicer, add_EngineServiceServicer_to_server
from opensqt.proto.exchange_pb2_grpc import ExchangeServiceServicer, add_ExchangeServiceServicer_to_server
from opensqt.proto.types_pb2 import ORDER_SIDE_BUY
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import GrpcClientConfig, Secret

OPERATOR_TOKEN = "operator-token-of-the-tests"


class Fan:
    """Hand items to every open stream."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Any]] = set()

    def send(self, item: Any) -> None:
        for queue in self._queues:
            queue.put_nowait(item)

    async def listen(self) -> AsyncIterator[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=10_000)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)


class FakeConnector(ExchangeServiceServicer):
    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.candles, self.prices, self.orders, self.accounts, self.positions = (Fan() for _ in range(5))

    def tell(self, step: Any) -> None:
        self.candles.send(step.candle)
        self.prices.send(step.price)
        for update in step.orders:
            self.orders.send(update)
        self.accounts.send(self.world.venue_account())
        self.positions.send(self.world.venue_position())

    async def GetSymbols(self, request: Any, context: Any) -> Any:
        return exchange_pb2.GetSymbolsResponse(symbols=[SYMBOL])

    async def GetHistoricalKlines(self, request: Any, context: Any) -> Any:
        return exchange_pb2.GetHistoricalKlinesResponse(candles=self.world.candles[-request.limit :])

    async def GetCapabilities(self, request: Any, context: Any) -> Any:
        return exchange_pb2.Capabilities(exchange="paper", mode="paper", amend=True, symbols=[SYMBOL])

    async def GetRateBudget(self, request: Any, context: Any) -> Any:
        window = exchange_pb2.RateWindow(
            scope="account", name="orders_10s", interval_ms=10_000, limit=300, used=len(self.world.orders)
        )
        return exchange_pb2.RateBudget(windows=[window])

    async def GetOpenOrders(self, request: Any, context: Any) -> Any:
        return exchange_pb2.GetOpenOrdersResponse(orders=self.world.venue_orders())

    async def GetPositions(self, request: Any, context: Any) -> Any:
        return exchange_pb2.GetPositionsResponse(positions=[self.world.venue_position()])

    async def SubscribeKlines(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield self.world.candles[-1]
        async for item in self.candles.listen():
            yield item

    async def SubscribePrice(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield self.world.price_change()
        async for item in self.prices.listen():
            yield item

    async def SubscribeOrders(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for item in self.orders.listen():
            yield item

    async def SubscribeAccount(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield self.world.venue_account()
        async for item in self.accounts.listen():
            yield item

    async def SubscribePositions(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for item in self.positions.listen():
            yield item


class FakeHealth(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the library is untyped
    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
        await asyncio.Event().wait()


class FakeEngine(EngineServiceServicer):
    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.sequence = 1
        self.events = Fan()
        self.calls: list[tuple[str, str]] = []

    def tell(self, delta: engine_pb2.BotDelta) -> None:
        self.sequence += 1
        self.events.send(
            engine_pb2.StateEvent(
                sequence=self.sequence,
                time_ns=self.world.now_ms * 1_000_000,
                state_hash=self.world.state_hash(),
                delta=delta,
            )
        )

    async def SubscribeState(self, request: Any, context: Any) -> AsyncIterator[Any]:
        snapshot = engine_pb2.StateSnapshot(bots=[self.world.bot_state()])
        for k in self.world.hashed_slots:
            if k not in self.world.known_slots():
                snapshot.bots[0].slots.append(self.world.slot_state(k))
        events = self.events.listen()
        yield engine_pb2.StateEvent(
            sequence=self.sequence, state_hash=self.world.state_hash(), time_ns=time.time_ns(), snapshot=snapshot
        )
        async for event in events:
            yield event

    async def Pause(self, request: Any, context: Any) -> Any:
        self.calls.append(("pause", request.reason))
        self.tell(self.world.set_state(engine_pb2.TRADING_STATE_REDUCING, "OPERATOR", request.reason))
        return engine_pb2.PauseResponse(bot_ids=[request.bot_id])

    async def Resume(self, request: Any, context: Any) -> Any:
        self.calls.append(("resume", request.bot_id))
        self.tell(self.world.set_state(engine_pb2.TRADING_STATE_ACTIVE, "", "resumed"))
        return engine_pb2.ResumeResponse(bot_ids=[request.bot_id])

    async def Reconcile(self, request: Any, context: Any) -> Any:
        self.calls.append(("reconcile", request.bot_id))
        return engine_pb2.ReconcileResponse(position_match=True, local_lots=self.world.position_lots)

    async def GetBotFills(self, request: Any, context: Any) -> Any:
        before = (request.before_time_ns or 1 << 62, request.before_trade_id)
        older = [f for f in self.world.fills if (f.fill.venue_time_ns, f.fill.trade_id) < before]
        page = older[-request.limit :]
        return engine_pb2.GetBotFillsResponse(fills=page, has_older=len(page) < len(older))

    async def Kill(self, request: Any, context: Any) -> Any:
        self.calls.append(("kill", str(request.flatten)))
        return engine_pb2.KillResponse(symbols=[engine_pb2.KilledSymbol(bot_id=BOT_ID, symbol=SYMBOL)], is_clean=True)

    async def PreviewGrid(self, request: Any, context: Any) -> Any:
        self.calls.append(("preview", str(request.changes)))
        return self._preview()

    async def ApplyGrid(self, request: Any, context: Any) -> Any:
        self.calls.append(("apply", str(request.changes)))
        return engine_pb2.ApplyGridResponse(version=request.expected_version + 1, applied=self._preview())

    async def UndoGrid(self, request: Any, context: Any) -> Any:
        self.calls.append(("undo", str(request.expected_version)))
        return engine_pb2.ApplyGridResponse(version=request.expected_version + 1, applied=self._preview())

    async def ListGridVersions(self, request: Any, context: Any) -> Any:
        current = engine_pb2.GridVersion(version=1, action="file", is_current=True)
        return engine_pb2.ListGridVersionsResponse(versions=[current])

    def _preview(self) -> Any:
        step = engine_pb2.GridStep(
            kind=engine_pb2.GRID_STEP_KIND_ADD, side=ORDER_SIDE_BUY, slot=-5, price=Decimal(value="2990")
        )
        return engine_pb2.PreviewGridResponse(base_version=1, steps=[step], preview_token="token", what=["step 2 -> 3"])

    async def GetDailyPnl(self, request: Any, context: Any) -> Any:
        pnl, now = self.world.pnl(), datetime.now(UTC)
        today = engine_pb2.DayPnl(date=now.date().isoformat())
        for name in ("grid_profit", "inventory_pnl", "fees", "funding", "transfers", "equity_change", "turnover"):
            getattr(today, name).CopyFrom(getattr(pnl, name))
        today.fills, today.maker_fills, today.cycles = pnl.fills, pnl.maker_fills, pnl.cycles
        return engine_pb2.GetDailyPnlResponse(bot_id=BOT_ID, asset="USDT", days=[today], history_complete=True)

    async def GetEquityCurve(self, request: Any, context: Any) -> Any:
        pnl = self.world.pnl()
        point = engine_pb2.EquityPoint(
            time_ns=self.world.started_ms * 1_000_000, equity=pnl.equity, equity_change=pnl.equity_change
        )
        return engine_pb2.GetEquityCurveResponse(bot_id=BOT_ID, asset="USDT", points=[point])

    async def GetJournal(self, request: Any, context: Any) -> Any:
        start = int(request.page_token or 0)
        newest_first = self.world.journal[::-1]
        end = start + (request.limit or 500)
        more = str(end) if end < len(newest_first) else ""
        return engine_pb2.GetJournalResponse(entries=newest_first[start:end], next_page_token=more)

    async def GetBotOrders(self, request: Any, context: Any) -> Any:
        before = (request.before_time_ns or 1 << 62, request.before_client_order_id)
        known = sorted(self.world.bot_state().orders, key=lambda o: (o.order.updated_time_ns, o.order.client_order_id))
        older = [o for o in known if (o.order.updated_time_ns, o.order.client_order_id) < before]
        page = older[-request.limit :]
        return engine_pb2.GetBotOrdersResponse(orders=page, has_older=len(page) < len(older))

    async def Explain(self, request: Any, context: Any) -> Any:
        for order in self.world.bot_state().orders:
            if order.order.client_order_id == request.client_order_id:
                return engine_pb2.ExplainResponse(
                    bot_id=BOT_ID, order=order.order, slot=order.slot, rule=order.rule, inputs={"price": "3000"}
                )
        return await context.abort(grpc.StatusCode.NOT_FOUND, "no such order")

    async def Stop(self, request: Any, context: Any) -> Any:
        self.calls.append(("stop", engine_pb2.StopMode.Name(request.mode)))
        return engine_pb2.StopResponse(bot_ids=[BOT_ID], open_orders_left=0, verified=True, message="stopped")


class FakeStack:
    """Both services, each of which can be taken away and brought back, on ports that stay the same."""

    def __init__(self, seed: int = 7, *, now_ms: int | None = None) -> None:
        self.world = FakeWorld(seed) if now_ms is None else FakeWorld(seed, now_ms=now_ms)
        self.connector = FakeConnector(self.world)
        self.engine = FakeEngine(self.world)
        self.ports = {"connector": 0, "engine": 0}
        self._servers: dict[str, grpc.aio.Server] = {}

    async def start(self, name: str) -> None:
        server = grpc.aio.server()
        if name == "connector":
            add_ExchangeServiceServicer_to_server(self.connector, server)
            health_pb2_grpc.add_HealthServicer_to_server(FakeHealth(), server)
        else:
            add_EngineServiceServicer_to_server(self.engine, server)
        self.ports[name] = server.add_insecure_port(f"127.0.0.1:{self.ports[name]}")
        await server.start()
        self._servers[name] = server

    async def stop(self, name: str) -> None:
        await self._servers.pop(name).stop(None)

    async def start_all(self) -> None:
        for name in self.ports:
            await self.start(name)

    async def stop_all(self) -> None:
        for name in tuple(self._servers):
            await self.stop(name)

    def step(self, dt_ms: int = 1_000) -> int:
        """Move the world and tell everybody; return the number of fills."""
        step = self.world.step(dt_ms)
        self.connector.tell(step)
        self.engine.tell(step.delta)
        return step.fills

    def config(self, **changes: Any) -> LiveServerConfig:
        values: dict[str, Any] = {
            "connector": GrpcClientConfig(address=f"127.0.0.1:{self.ports['connector']}"),
            "engine": GrpcClientConfig(address=f"127.0.0.1:{self.ports['engine']}"),
            "port": 0,
        }
        return LiveServerConfig(**(values | changes))


async def _serve(arguments: argparse.Namespace) -> None:
    stack = FakeStack(arguments.seed, now_ms=time.time_ns() // 1_000_000)
    await stack.start_all()
    config = stack.config(
        port=arguments.port, operator_token=Secret(OPERATOR_TOKEN), static_dir=arguments.static, host="127.0.0.1"
    )
    server = LiveServer(config, SystemClock(), Random(1))
    stop = asyncio.Event()
    serving = asyncio.create_task(server.run(stop))
    await server.web_server.wait_started()
    for _ in range(arguments.warm_up):
        stack.step(0)
    sys.stdout.write(json.dumps({"url": server.web_server.url, "operator_token": OPERATOR_TOKEN}) + "\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), lambda: stop.set() if not sys.stdin.buffer.read1(1) else None)
    while not stop.is_set():
        await asyncio.sleep(arguments.step_ms / 1_000)
        stack.step(arguments.step_ms)
    await serving
    await stack.stop_all()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--static", type=Path, default=None)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--step-ms", type=int, default=200)
    parser.add_argument("--warm-up", type=int, default=150)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
