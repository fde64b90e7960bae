"""A simulated venue on a real socket, and a client that signs."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest
from yarl import URL

from opensqt.matching.sources.synthetic import SyntheticConfig, SyntheticSource, synthetic_symbol
from opensqt.runtime.clock import SystemClock
from opensqt.sim.connections import ConnectionTimes
from opensqt.sim.dialects.binance.exchange import ExchangeConfig
from opensqt.sim.dialects.binance.limits import LimitConfig
from opensqt.sim.feed import Feed
from opensqt.sim.keys import make_keys
from opensqt.sim.server import ServerConfig, SimServer


class Client:
    """Talks to one server; every wait has an end."""

    def __init__(self, server: SimServer, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.http = http
        self.urls = server.addresses()
        self.pair = server.venue.exchange.users["user1"].pair

    def sign(self, **params: Any) -> str:
        query = urlencode({"timestamp": time.time_ns() // 1_000_000, **params})
        signature = hmac.new(self.pair.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return f"{query}&signature={signature}"

    async def request(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        url = f"{self.urls['rest']}{path}?{self.sign(**params)}"
        headers = {"X-MBX-APIKEY": self.pair.key}
        timeout = aiohttp.ClientTimeout(total=5)

        async with self.http.request(method, URL(url, encoded=True), headers=headers, timeout=timeout) as reply:
            body = await reply.read()
            is_json = reply.content_type == "application/json"
            return reply.status, orjson.loads(body) if is_json else body

    async def ok(self, method: str, path: str, **params: Any) -> Any:
        status, body = await self.request(method, path, **params)
        assert status == 200, body
        return body

    async def place(self, price: str, **params: Any) -> tuple[int, Any]:
        values = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        return await self.request("POST", "/fapi/v1/order", **values | {"price": price} | params)

    async def fault(self, **fault: Any) -> list[int]:
        async with self.http.post(f"{self.urls['control']}/faults", json={"faults": [fault]}) as reply:
            body = await reply.json()
            assert reply.status == 200, body
            return list(body["ids"])

    async def connect(self, path: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(self.urls["rest"] + path, **options)


async def receive(socket: aiohttp.ClientWebSocketResponse, timeout_s: float = 3.0) -> Any:
    """Return the next message's JSON."""
    message = await asyncio.wait_for(socket.receive(), timeout_s)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    return orjson.loads(message.data)


async def until_closed(socket: aiohttp.ClientWebSocketResponse, timeout_s: float = 3.0) -> None:
    """Read until the server closes."""
    async with asyncio.timeout(timeout_s):
        while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Any]]:
    """Return a function that starts a server with some settings and returns a client of it."""
    closing: list[Callable[[], Any]] = []

    async def begin(times: ConnectionTimes | None = None, limits: LimitConfig | None = None, **config: Any) -> Client:
        def open_feed(now_ns: int) -> Feed:
            symbols = tuple(synthetic_symbol(name) for name in ("BTCUSDT", "ETHUSDT"))
            settings = SyntheticConfig(seed=7, start_time_ns=now_ns, symbols=symbols, history_minutes=30)
            return Feed(SyntheticSource(settings), now_ns, 1.0)

        exchange = ExchangeConfig(users=make_keys(7, 2), seed=7, limits=limits or LimitConfig(is_enforced=False))
        server = SimServer(ServerConfig(times=times or ConnectionTimes(), **config), exchange, open_feed, SystemClock())
        await server.start()
        driving = asyncio.create_task(server.run())

        async def stop() -> None:
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
            await server.stop()

        closing.append(stop)
        http = aiohttp.ClientSession()
        closing.append(http.close)
        return Client(server, http)

    yield begin
    for close in reversed(closing):
        await close()


@pytest.fixture
async def client(start: Callable[..., Any]) -> Client:
    return await start()  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def hear() -> Any:
    return receive


@pytest.fixture(scope="session")
def closed() -> Any:
    return until_closed
