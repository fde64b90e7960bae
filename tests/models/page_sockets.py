"""Browsers as the page's server sees them: sockets that read at once, and one that never reads."""

import asyncio
import base64
import os
import re
import socket
import time
from array import array

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

TIME = re.compile(rb'"time_ms":(\d+)')
HEAD_BYTES = 120


class Browser(WSListener):  # type: ignore[misc]  # the library is untyped
    """Reads everything at once and remembers how old it was."""

    def __init__(self) -> None:
        self.ages_ms = array("d")
        self.bytes = 0
        self.first_ms: float | None = None
        self.lost = False
        self._asked_at = time.perf_counter()
        self._closing = False
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
            return
        if frame.msg_type is not WSMsgType.TEXT:
            return
        now_ms = time.time_ns() / 1e6
        head = bytes(frame.get_payload_as_memoryview()[:HEAD_BYTES])
        if self.first_ms is None:
            self.first_ms = (time.perf_counter() - self._asked_at) * 1e3
            return
        found = TIME.search(head)
        if found:
            self.ages_ms.append(now_ms - int(found[1]))
            self.bytes += len(frame.get_payload_as_memoryview())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.lost = not self._closing

    def close(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.disconnect()


async def open_browser(port: int) -> Browser:
    browser = Browser()
    await ws_connect(lambda: browser, f"ws://127.0.0.1:{port}/ws/v1", max_frame_size=4 * 1024 * 1024)
    return browser


async def first_history_ms(port: int) -> float:
    """Return how long the original's 100 candles take, from the first byte sent."""
    heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    began = time.perf_counter()

    class First(WSListener):  # type: ignore[misc]  # the library is untyped
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            text = frame.get_payload_as_utf8_text() if frame.msg_type is WSMsgType.TEXT else ""
            if text.startswith('{"type":"history"') and text.count('"close"') == 100 and not heard.done():
                heard.set_result((time.perf_counter() - began) * 1e3)

    transport, _ = await ws_connect(First, f"ws://127.0.0.1:{port}/ws", max_frame_size=4 * 1024 * 1024)
    try:
        return await asyncio.wait_for(heard, 10)
    finally:
        transport.disconnect()


class DeafBrowser:
    """Shakes hands and then never reads a byte."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(10)
        # A small window, as of a machine that is busy with something else: what is not read stays with the server.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.connect((host, port))
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET /ws/v1 HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(head.encode())

    def close(self) -> None:
        self._socket.close()
