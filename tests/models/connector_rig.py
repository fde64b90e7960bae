"""A connector running in this process over real gRPC, and a client of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.app import Connector
from opensqt.connector.config import ConnectorConfig
from opensqt.connector.registry import make_adapter
from opensqt.connector.venues.paper.config import PaperConfig
from opensqt.connector.veto import VetoConfig
from opensqt.domain.errors import OpensqtError
from opensqt.proto import exchange_pb2, exchange_pb2_grpc, resources_pb2, trade_pb2, types_pb2
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import GrpcServerConfig
from opensqt.runtime.grpc_client import to_typed_error
from opensqt.runtime.local_channel import LocalChannel

SYMBOL = "BTC/USDT:USDT"
TIMEOUT_S = 10.0


def paper_config(folder: Path, **changes: Any) -> PaperConfig:
    """Return a quick synthetic market with a memory in `folder`."""
    return PaperConfig(**{"state_file": folder / "paper.db", "latency_ms": 0.0, **changes})


def connector_config(folder: Path, *, grpc_config: GrpcServerConfig | None = None, **paper: Any) -> ConnectorConfig:
    """Return a connector on a free port and a unix socket in `folder`."""
    return ConnectorConfig(
        grpc=grpc_config or GrpcServerConfig(port=0, unix_socket=str(folder / "c.sock")),
        paper=paper_config(folder, **paper),
        limits=VetoConfig(),
        command_timeout_ms=500,
        state_file=folder / "connector.json",
    )


class Client:
    """Calls a connector and raises its typed errors."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self.channel = channel

    async def call(self, rpc: str, request: Any, **options: Any) -> Any:
        try:
            return await getattr(self.stub, rpc)(request, timeout=TIMEOUT_S, **options)
        except grpc.aio.AioRpcError as error:
            raise to_typed_error(error) from None

    async def first(self, rpc: str, request: Any, count: int = 1, timeout_s: float = TIMEOUT_S) -> list[Any]:
        """Return the first messages of a stream."""
        call = getattr(self.stub, rpc)(request, timeout=timeout_s)
        found = []
        try:
            async for message in call:
                found.append(message)
                if len(found) == count:
                    return found
        except grpc.aio.AioRpcError as error:
            raise to_typed_error(error) from None
        finally:
            call.cancel()
        return found

    async def info(self, symbol: str = SYMBOL) -> resources_pb2.SymbolInfo:
        found: resources_pb2.SymbolInfo = await self.call(
            "GetSymbolInfo", exchange_pb2.GetSymbolInfoRequest(symbol=symbol)
        )
        return found

    async def price_ticks(self, symbol: str = SYMBOL) -> int:
        """Return the last price in tenths, the tick of BTCUSDT."""
        reply = await self.call("GetLatestPrice", exchange_pb2.GetLatestPriceRequest(symbol=symbol))
        return round(float(reply.price.value) * 10)


def limit_order(client_order_id: str, price: str, quantity: str = "0.01", **changes: Any) -> Any:
    """Return a placement of the original's kind: a post-only buy."""
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "side": types_pb2.ORDER_SIDE_BUY,
        "type": types_pb2.ORDER_TYPE_LIMIT,
        "time_in_force": types_pb2.TIME_IN_FORCE_GTX,
        "client_order_id": client_order_id,
        **changes,
    }
    message = resources_pb2.PlaceOrderRequest(**fields)
    message.quantity.value = quantity
    message.price.value = price
    return message


@asynccontextmanager
async def running_connector(config: ConnectorConfig, adapter: VenueAdapter | None = None) -> AsyncIterator[Connector]:
    """Start a connector (on the configured venue, or on an adapter of the test's), serve, and stop it."""
    import asyncio

    clock = SystemClock()
    connector = Connector(config, clock, adapter or make_adapter(config, clock))
    try:
        await connector.start()
    except BaseException:
        await connector.stop()
        raise
    tasks = [asyncio.create_task(connector.serve()), asyncio.create_task(connector.adapter.run())]
    try:
        yield connector
    finally:
        await connector.stop()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results


@asynccontextmanager
async def client_of(connector: Connector) -> AsyncIterator[Client]:
    """Connect over the unix socket."""
    assert connector.config.grpc.unix_socket is not None
    async with grpc.aio.insecure_channel(f"unix:{connector.config.grpc.unix_socket}") as channel:
        yield Client(channel)


@asynccontextmanager
async def local_client_of(connector: Connector) -> AsyncIterator[Client]:
    """Connect inside of this process, as an embedded engine does."""
    async with LocalChannel(connector.handlers) as channel:
        yield Client(channel)


CLIENTS = {"grpc": client_of, "in-process": local_client_of}
"""Ways to reach a connector that must not differ."""


class Engine:
    """The other side of a Trade stream: sends requests, checks that the sequence has no hole, keeps the items."""

    def __init__(self, client: Client) -> None:
        self.call = client.stub.Trade()
        self.items: list[trade_pb2.TradeItem] = []
        self.batches: list[list[str]] = []
        self.epoch = 0
        self._next = 1
        self._command_id = 0

    async def hello(self, **changes: Any) -> trade_pb2.TradeSnapshot:
        """Attach and return the snapshot."""
        fields: dict[str, Any] = {
            "engine_id": "engine-1",
            "lease_epoch": 1,
            "symbols": [SYMBOL],
            "on_vanish": trade_pb2.VANISH_POLICY_KEEP,
            "bots": [trade_pb2.BotLease(bot_tag="ab", epoch=1)],
            **changes,
        }
        await self.write(trade_pb2.TradeRequest(hello=trade_pb2.TradeHello(**fields)))
        item = await self.wait_for(lambda item: item.HasField("snapshot"))
        return item.snapshot

    async def write(self, request: trade_pb2.TradeRequest) -> None:
        await self.call.write(request)

    async def send(self, *commands: trade_pb2.Command) -> list[int]:
        """Send commands as one batch; returns their ids."""
        ids = []
        for command in commands:
            self._command_id += 1
            command.command_id = self._command_id
            ids.append(self._command_id)
        await self.write(trade_pb2.TradeRequest(commands=trade_pb2.CommandBatch(commands=commands)))
        return ids

    async def result(self, command_id: int) -> trade_pb2.CommandResult:
        """Wait for a command's result."""
        item = await self.wait_for(lambda item: item.HasField("result") and item.result.command_id == command_id)
        return item.result

    async def wait_for(self, wanted: Any, timeout_s: float = TIMEOUT_S) -> trade_pb2.TradeItem:
        """Return the first item that is wanted, among those that came and those that come.

        Raises:
            OpensqtError: the stream ended with it.
        """
        import asyncio

        index = 0
        async with asyncio.timeout(timeout_s):
            while True:
                while index < len(self.items):
                    if wanted(self.items[index]):
                        return self.items[index]
                    index += 1
                await self._read()

    async def _read(self) -> None:
        try:
            event = await self.call.read()
        except grpc.aio.AioRpcError as error:
            raise to_typed_error(error) from None
        if event is grpc.aio.EOF:
            code = await self.call.code()
            raise AssertionError(f"the stream ended: {code} {await self.call.details()}")
        assert event.first_sequence == self._next, "a hole"
        self._next += len(event.items)
        self.epoch = event.session_epoch
        self.items.extend(event.items)
        self.batches.append([item.WhichOneof("item") for item in event.items])

    async def ended(self) -> OpensqtError:
        """Wait for the end of the stream and return its error."""
        try:
            await self.wait_for(lambda _item: False)
        except OpensqtError as error:
            return error
        raise AssertionError("the stream did not end with an error")


def place(client_order_id: str, price_ticks: int, lots: int = 10, **changes: Any) -> trade_pb2.Command:
    """Return a placement of the Trade stream: a post-only buy."""
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "instrument_revision": 1,
        "side": types_pb2.ORDER_SIDE_BUY,
        "type": types_pb2.ORDER_TYPE_LIMIT,
        "time_in_force": types_pb2.TIME_IN_FORCE_GTX,
        "price_ticks": price_ticks,
        "lots": lots,
        "client_order_id": client_order_id,
        **changes,
    }
    return trade_pb2.Command(place=trade_pb2.PlaceCommand(**fields))
