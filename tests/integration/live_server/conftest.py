import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
import websockets
from models.fake_stack import OPERATOR_TOKEN, FakeStack

from opensqt.live_server.app import LiveServer
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import Secret


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """A live server over a fake stack."""

    stack: FakeStack
    server: LiveServer
    host: str = field(init=False)

    def __post_init__(self) -> None:
        self.host = self.server.web_server.url.removeprefix("http://")

    async def request(
        self, path: str, body: object = None, *, headers: dict[str, str] | None = None, raw: bytes | None = None
    ) -> Answer:
        def send() -> Answer:
            connection = http.client.HTTPConnection(self.host, timeout=5)
            sent = {"Content-Type": "application/json"} | (headers or {})
            payload = raw if raw is not None else (None if body is None else json.dumps(body).encode())
            connection.request("GET" if payload is None else "POST", path, payload, sent)
            response = connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
            connection.close()
            return answer

        return await asyncio.to_thread(send)

    def connect(self, path: str = "/ws/v1", **options: Any) -> Any:
        return websockets.connect(f"ws://{self.host}{path}", **options)

    async def until(self, condition: Callable[[], Awaitable[bool]], timeout_s: float = 10) -> None:
        async with asyncio.timeout(timeout_s):
            while not await condition():  # noqa: ASYNC110  asks over HTTP: there is no event to wait for
                await asyncio.sleep(0.02)

    async def health(self) -> Any:
        return (await self.request("/health")).json()

    async def wait_fresh(self) -> None:
        async def fresh() -> bool:
            return bool((await self.health())["status"] == "ok")

        await self.until(fresh)


Start = Callable[..., Any]


@pytest.fixture
def start() -> Start:
    """Return a context manager that runs a stack and a server; keyword arguments go into the server's config."""

    @asynccontextmanager
    async def run(*, services: bool = True, **config: Any) -> AsyncIterator[Running]:
        stack = FakeStack()
        await stack.start_all()
        if not services:
            await stack.stop_all()
        config.setdefault("static_dir", Path(__file__).parent / "no-page")
        server = LiveServer(stack.config(**config), SystemClock(), Random(1))
        stop = asyncio.Event()
        serving = asyncio.create_task(server.run(stop))
        started = asyncio.create_task(server.web_server.wait_started())
        try:
            await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            running = Running(stack, server)
            if services:
                await running.wait_fresh()
            yield running
        finally:
            started.cancel()
            stop.set()
            await asyncio.wait({serving}, timeout=10)
            await stack.stop_all()
        await serving

    return run


@pytest.fixture
def operator_token() -> Secret:
    return Secret(OPERATOR_TOKEN)
