"""How much one browser, one address and the whole world may take from the server."""

import asyncio
import json
from typing import Any

import pytest
import uvicorn
import websockets
from models.fake_world import SYMBOL

from opensqt.live_server.broadcast import Admission
from opensqt.live_server.config import LimitsConfig
from opensqt.live_server.http_limits import limited_protocol


async def closed(reader: asyncio.StreamReader) -> bool:
    """Return whether the server ends a connection without a word."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


async def test_connections_of_one_address_are_limited_and_those_of_others_are_not_touched(start: Any) -> None:
    async with start(limits=LimitsConfig(max_clients_per_address=3)) as running:
        name, port = running.host.split(":")
        held = [await asyncio.open_connection(name, int(port)) for _ in range(3)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection(name, int(port))
        writer.write(f"GET /health HTTP/1.1\r\nHost: {running.host}\r\n\r\n".encode())
        assert await closed(reader)
        other, other_writer = await asyncio.open_connection(name, int(port), local_addr=("127.0.0.2", 0))
        other_writer.write(f"GET /health HTTP/1.1\r\nHost: {running.host}\r\n\r\n".encode())
        assert (await asyncio.wait_for(other.readline(), 5)).startswith(b"HTTP/1.1 200")
        for _reader, closing in [*held, (reader, writer), (other, other_writer)]:
            closing.close()

        async def answers() -> bool:
            return bool((await running.request("/health")).status == 200)

        await asyncio.sleep(0.1)
        await running.until(answers)


async def test_websockets_are_counted_once_and_leave_room_for_requests(start: Any) -> None:
    limits = LimitsConfig(max_clients_per_address=2)
    async with start(limits=limits) as running, running.connect() as first, running.connect() as second:
        await first.recv()
        await second.recv()
        assert (await running.health())["clients"] == 2
        with pytest.raises(websockets.InvalidStatus) as caught:
            await running.connect()
        assert caught.value.response.status_code == 503


async def test_connection_that_never_says_what_it_wants_is_closed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.6)  # an answer may take longer than a request's head
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    admission = Admission(max_clients=10, max_per_address=10)
    config = uvicorn.Config(app, http=limited_protocol(admission, 0.3), lifespan="off", log_level="error", port=0)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    for said in (b"", b"GET / HTTP/1.1\r\nHost: x"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        assert await closed(reader)
        writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 204")
    writer.close()
    await asyncio.sleep(0.1)
    assert admission.count == 0
    server.should_exit = True
    await serving


async def test_body_that_never_ends_is_refused(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opensqt.live_server.controls.BODY_TIMEOUT_S", 0.2)
    async with start() as running:
        name, port = running.host.split(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        head = f"POST /api/login HTTP/1.1\r\nHost: {running.host}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 408")
        writer.close()


@pytest.mark.alone
async def test_first_message_brings_the_last_hundred_candles(start: Any) -> None:
    async with start() as running:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with running.connect() as socket:
            snapshot = json.loads(await socket.recv())
        elapsed_s = loop.time() - began
        assert len(snapshot["data"]["market"]["candles"][SYMBOL]) >= 100
        assert elapsed_s < 0.5, f"the snapshot took {elapsed_s:.3f} s"
