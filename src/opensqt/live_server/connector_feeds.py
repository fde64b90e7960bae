"""Reads the connector: market data, account, positions and orders, each as its own session.

Streams begin with the current state. Where that state may be empty (no order, no position) or where a stream cannot
carry what was missed (candles), a query tells it: the stream is opened first and replayed over the answer, so nothing
falls between the two.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, final

from grpc_health.v1.health_pb2 import (  # type: ignore[import-untyped, unused-ignore]  # stubs are a package apart
    HealthCheckRequest,
    HealthCheckResponse,
)
from grpc_health.v1.health_pb2_grpc import HealthStub  # type: ignore[import-untyped, unused-ignore]  # stubs are a package apart

from opensqt.live_server.feeds import Feed, reading
from opensqt.live_server.legacy import HISTORY_CANDLES
from opensqt.live_server.legacy_rooms import LegacyRooms
from opensqt.live_server.market import MarketStore
from opensqt.live_server.symbols import SMALL_VENUE, SymbolSet
from opensqt.proto.exchange_pb2 import (
    GetCapabilitiesRequest,
    GetHistoricalKlinesRequest,
    GetOpenOrdersRequest,
    GetPositionsRequest,
    GetRateBudgetRequest,
    GetSymbolsRequest,
    SubscribeAccountRequest,
    SubscribeKlinesRequest,
    SubscribeOrdersRequest,
    SubscribePositionsRequest,
    SubscribePriceRequest,
)
from opensqt.proto.resources_pb2 import Order
from opensqt.runtime.grpc_client import call

if TYPE_CHECKING:  # a name of the type stubs alone
    from opensqt.proto.exchange_pb2_grpc import ExchangeServiceAsyncStub

INTERVAL: Final = "1m"
QUERY_TIMEOUT_S: Final = 5.0
BUDGET_INTERVAL_S: Final = 2.0
EXCHANGE_SERVICE: Final = "opensqt.market_maker.v1.ExchangeService"


@final
class ConnectorReader:
    """Sessions of the connector's streams.

    Args:
        stub: the connector.
        health: its health service.
        market: where data goes.
        legacy: pages that hear it as the original said it.
        symbols: whose candles and prices are read.
    """

    def __init__(
        self,
        stub: "ExchangeServiceAsyncStub",
        health: HealthStub,
        market: MarketStore,
        legacy: LegacyRooms,
        symbols: SymbolSet,
    ) -> None:
        self._stub = stub
        self._health = health
        self._market = market
        self._legacy = legacy
        self._symbols = symbols

    async def watch_venue(self, feed: Feed) -> None:
        """Follow what the connector says about its exchange session."""
        with reading(self._health.Watch(HealthCheckRequest(service=EXCHANGE_SERVICE))) as messages:
            async for answer in messages:
                if answer.status == HealthCheckResponse.SERVING:
                    feed.up()
                    await self._learn_symbols()
                else:
                    feed.not_serving("the connector says its exchange session is down or its data is stale")

    async def read_candles(self, feed: Feed) -> None:
        """Fetch history, then follow the candles that form."""
        await self._until_symbols_change(lambda symbols: self._read_candles(feed, symbols))

    async def read_prices(self, feed: Feed) -> None:
        """Follow last prices."""
        await self._until_symbols_change(lambda symbols: self._read_prices(feed, symbols))

    async def read_orders(self, feed: Feed) -> None:
        """Query open orders, then follow their changes."""
        await self._until_symbols_change(lambda symbols: self._read_orders(feed, symbols))

    async def read_account(self, feed: Feed) -> None:
        """Follow the account."""
        with reading(self._stub.SubscribeAccount(SubscribeAccountRequest())) as messages:
            async for account in messages:
                self._market.apply_account(account)
                self._legacy.on_account(account)
                feed.heard()

    async def read_positions(self, feed: Feed) -> None:
        """Query positions, then follow their changes."""
        await self._until_symbols_change(lambda symbols: self._read_positions(feed, symbols))

    async def read_budget(self, feed: Feed) -> None:
        """Ask what the venue can do, then again and again how much of its rate limits is used."""
        capabilities = await call(self._stub.GetCapabilities, GetCapabilitiesRequest(), timeout_s=QUERY_TIMEOUT_S)
        self._market.apply_capabilities(capabilities)
        while True:
            budget = await call(self._stub.GetRateBudget, GetRateBudgetRequest(), timeout_s=QUERY_TIMEOUT_S)
            self._market.apply_budget(budget)
            feed.heard()
            await asyncio.sleep(BUDGET_INTERVAL_S)

    async def _read_candles(self, feed: Feed, symbols: tuple[str, ...]) -> None:
        with reading(
            self._stub.SubscribeKlines(SubscribeKlinesRequest(symbols=symbols, interval=INTERVAL))
        ) as messages:
            for symbol in symbols:
                request = GetHistoricalKlinesRequest(symbol=symbol, interval=INTERVAL, limit=HISTORY_CANDLES)
                answer = await call(self._stub.GetHistoricalKlines, request, timeout_s=QUERY_TIMEOUT_S)
                self._market.load_candles(symbol, answer.candles)
            feed.up()
            async for candle in messages:
                self._market.apply_candle(candle)
                self._legacy.on_candle(candle)
                feed.heard()

    async def _read_prices(self, feed: Feed, symbols: tuple[str, ...]) -> None:
        with reading(self._stub.SubscribePrice(SubscribePriceRequest(symbols=symbols))) as messages:
            async for change in messages:
                self._market.apply_price(change)
                feed.heard()

    async def _read_orders(self, feed: Feed, symbols: tuple[str, ...]) -> None:
        with reading(self._stub.SubscribeOrders(SubscribeOrdersRequest())) as messages:
            orders: list[Order] = []
            for symbol in symbols:
                answer = await call(
                    self._stub.GetOpenOrders, GetOpenOrdersRequest(symbol=symbol), timeout_s=QUERY_TIMEOUT_S
                )
                orders.extend(answer.orders)
            self._market.load_orders(orders)
            feed.up()
            async for update in messages:
                self._market.apply_order(update)
                self._legacy.on_order(update)
                feed.heard()

    async def _read_positions(self, feed: Feed, symbols: tuple[str, ...]) -> None:
        with reading(self._stub.SubscribePositions(SubscribePositionsRequest())) as messages:
            for symbol in symbols:
                answer = await call(
                    self._stub.GetPositions, GetPositionsRequest(symbol=symbol), timeout_s=QUERY_TIMEOUT_S
                )
                for position in answer.positions:
                    self._market.apply_position(position)
            feed.up()
            async for position in messages:
                self._market.apply_position(position)
                self._legacy.on_position(position)
                feed.heard()

    async def _learn_symbols(self) -> None:
        if self._symbols.current:
            return
        answer = await call(self._stub.GetSymbols, GetSymbolsRequest(), timeout_s=QUERY_TIMEOUT_S)
        if len(answer.symbols) <= SMALL_VENUE:
            self._symbols.learn(answer.symbols)

    async def _until_symbols_change(self, read: Callable[[tuple[str, ...]], Awaitable[None]]) -> None:
        """Read for the symbols known now; start over, without an outage, whenever there are more."""
        while True:
            symbols = self._symbols.current
            changed = asyncio.ensure_future(self._symbols.wait_change())
            reading = asyncio.ensure_future(read(symbols)) if symbols else None
            tasks = {changed} if reading is None else {changed, reading}
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if reading is not None and reading.done():
                    return reading.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
