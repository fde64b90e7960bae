"""No secret ever reaches a browser: every byte the server sends is looked through."""

import asyncio
import base64
import contextlib
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import websockets
from models.fake_stack import FakeStack
from models.fake_world import BOT_ID, SYMBOL

from opensqt.live_server.app import LiveServer
from opensqt.live_server.config import LiveServerConfig, OperatorConfig
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import GrpcClientConfig, Secret

SECRETS = {
    "login_token": "login-secret-that-nobody-sees",
    "operator_token": "operator-secret-that-nobody-sees",
    "ann": "secret-of-ann-that-nobody-sees",
    "connector": "connector-secret-that-nobody-sees",
    "engine": "engine-secret-that-nobody-sees",
    "engine_control": "control-secret-that-nobody-sees",
}


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


class Relay:
    """A TCP relay that keeps every byte the server sends."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.sent = bytearray()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        forward = asyncio.create_task(self._copy(reader, server_writer, keep=False))
        await self._copy(server_reader, writer, keep=True)
        forward.cancel()
        await close(server_writer)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep: bool) -> None:
        while data := await reader.read(65_536):
            if keep:
                self.sent += data
            writer.write(data)
        if keep:
            await close(writer)

    async def ask(self, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        method = "GET" if body is None else "POST"
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close", **(headers or {})}
        if body is not None:
            lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n{body or ''}".encode())
        answer = await asyncio.wait_for(reader.read(), 10)
        await close(writer)
        return answer


def config_of(stack: FakeStack) -> LiveServerConfig:
    def client(name: str, token: str) -> GrpcClientConfig:
        return GrpcClientConfig(address=f"127.0.0.1:{stack.ports[name]}", token=Secret(SECRETS[token]))

    return LiveServerConfig(
        connector=client("connector", "connector"),
        engine=client("engine", "engine"),
        engine_control=client("engine", "engine_control"),
        port=0,
        login_token=Secret(SECRETS["login_token"]),
        operator_token=Secret(SECRETS["operator_token"]),
        operators=(OperatorConfig(name="ann", token=Secret(SECRETS["ann"])),),
        static_dir=Path(__file__).parent / "no-page",
    )


async def listen(relay: Relay, path: str, headers: dict[str, str]) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{relay.port}{path}", additional_headers=headers) as socket:
        for _ in range(3):
            await asyncio.wait_for(socket.recv(), 10)


async def talk(relay: Relay, headers: dict[str, str]) -> None:
    bot = f"/api/bots/{BOT_ID}"
    for path in (
        "/",
        "/nothing",
        "/health",
        "/metrics",
        "/api/session",
        f"/api/candles?symbol={quote(SYMBOL)}",
        *(
            f"{bot}/{what}"
            for what in ("fills", "orders", "daily", "equity", "journal", "grid/versions", "why?order=x")
        ),
    ):
        await relay.ask(path, headers=headers)
    for action, body in (
        ("pause", "{}"),
        ("resume", "{}"),
        ("stop", '{"mode": "keep"}'),
        ("stop", '{"mode": "all"}'),
        ("reconcile", "{}"),
        ("kill", "{}"),
        ("grid/preview", '{"changes": {"interval": "3"}}'),
        ("grid/apply", '{"changes": {"interval": "3"}, "expected_version": 1, "preview_token": "t"}'),
        ("grid/undo", '{"expected_version": 1, "preview_token": "t"}'),
    ):
        await relay.ask(f"{bot}/{action}", body, headers=headers)


async def test_no_secret_is_among_the_bytes_the_server_sends() -> None:
    stack = FakeStack()
    await stack.start_all()
    server = LiveServer(config_of(stack), SystemClock(), Random(1))
    stop = asyncio.Event()
    serving = asyncio.create_task(server.run(stop))
    await server.web_server.wait_started()
    relay = Relay("127.0.0.1", int(server.web_server.url.rpartition(":")[2]))
    await relay.start()
    cookies: list[str] = []
    for token in ("login_token", "operator_token", "ann"):
        answer = await relay.ask("/api/login", f'{{"token": "{SECRETS[token]}"}}')
        cookies.append(_cookie(answer))
    await relay.ask("/api/login", '{"token": "wrong-token-of-a-stranger"}')
    for headers in (
        {},
        *({"Cookie": cookie, "X-OpenSQT": "page"} for cookie in cookies),
        {"Authorization": f"Bearer {SECRETS['ann']}"},
    ):
        await talk(relay, headers)
    stepping = asyncio.create_task(_step(stack))
    for path in ("/ws", "/ws/v1"):
        await listen(relay, path, {"Cookie": cookies[1]})
    stepping.cancel()
    await stack.stop_all()  # errors carry words of the services and of the transport
    await talk(relay, {"Cookie": cookies[1], "X-OpenSQT": "page"})
    stop.set()
    await serving
    await relay.stop()

    sent = bytes(relay.sent)
    assert b'"type":"snapshot"' in sent.replace(b" ", b"")
    assert b'"action":"grid_apply"' in sent.replace(b" ", b"")
    for name, secret in SECRETS.items():
        for shape in (secret, secret[::-1], base64.b64encode(secret.encode()).decode(), quote(secret), secret[:12]):
            assert shape.encode() not in sent, f"{name} was sent to a browser"


def _cookie(answer: bytes) -> str:
    line = next(line for line in answer.decode().split("\r\n") if line.lower().startswith("set-cookie:"))
    return line.partition(":")[2].partition(";")[0].strip()


async def _step(stack: FakeStack) -> Any:
    while True:
        stack.step()
        await asyncio.sleep(0.05)
