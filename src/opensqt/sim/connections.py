"""Open WebSocket connections and the frames on their way out, with what the faults do to them.

Each connection has a bounded queue and one writer; a client that does not read is cut, as the venue would.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final, final

import msgspec
from aiohttp import WSCloseCode, web

from opensqt.sim.dialects.binance.stream_hub import StreamSession
from opensqt.sim.faults import FaultPlan

MAX_QUEUED: Final = 20_000


class ConnectionTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long things last, in seconds; shorter than the venue's for tests."""

    lifetime_s: float = 86_400.0
    ping_every_s: float = 180.0
    pong_within_s: float = 600.0


@final
class Connection:
    """One client. A dead one keeps its socket and says nothing, as when a cable is cut."""

    def __init__(self, socket: web.WebSocketResponse, route: str, plan: FaultPlan, now_ms: Callable[[], int]) -> None:
        self.socket = socket
        self.route = route
        self.is_dead = False
        self.opened_ms = now_ms()
        self.last_pong_ms = now_ms()
        self._plan = plan
        self._now_ms = now_ms
        self._frames: deque[tuple[int, bytes]] = deque()
        self._held: bytes | None = None
        self._wake = asyncio.Event()
        self._is_closing = False

    def offer(self, stream: str, data: bytes) -> None:
        """Put a frame on its way, faults permitting."""
        if self.is_dead or self._is_closing:
            return
        now_ms = self._now_ms()
        fate = self._plan.on_frame(self.route, stream, now_ms)
        if fate.is_corrupt:
            data = self._plan.corrupt(data)
        if fate.is_held and self._held is None and fate.copies:
            self._held = data
            return
        for _ in range(fate.copies):
            self._put(now_ms + fate.delay_ms, data)
        if self._held is not None and fate.copies:
            held, self._held = self._held, None
            self._put(now_ms, held)
        if len(self._frames) > MAX_QUEUED:
            self.cut()

    def cut(self) -> None:
        """Let the writer close the connection."""
        self._is_closing = True
        self._wake.set()

    async def write(self) -> None:
        """Send frames until the connection is cut."""
        while not self._is_closing:
            if not self._frames:
                self._wake.clear()
                await self._wake.wait()
                continue
            due_ms, data = self._frames.popleft()
            wait_ms = due_ms - self._now_ms()
            if wait_ms > 0:
                await asyncio.sleep(wait_ms / 1_000)
            if not self.is_dead:
                try:
                    await self.socket.send_str(data.decode(errors="replace"))
                except (ConnectionError, RuntimeError):
                    return
        with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
            await self.socket.close(code=WSCloseCode.GOING_AWAY, drain=False)

    def _put(self, due_ms: int, data: bytes) -> None:
        last_ms = self._frames[-1][0] if self._frames else 0
        self._frames.append((max(due_ms, last_ms), data))
        self._wake.set()


@final
class Connections:
    """All connections of the server."""

    def __init__(self, plan: FaultPlan, now_ms: Callable[[], int]) -> None:
        self._plan = plan
        self._now_ms = now_ms
        self._open: set[Connection] = set()
        self._by_session: dict[StreamSession, Connection] = {}

    def open(self, socket: web.WebSocketResponse, route: str) -> Connection:
        """Register a connection."""
        connection = Connection(socket, route, self._plan, self._now_ms)
        self._open.add(connection)
        return connection

    def bind(self, session: StreamSession, connection: Connection) -> None:
        """Let a stream session's frames go to a connection."""
        self._by_session[session] = connection

    def close(self, connection: Connection, session: StreamSession | None) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        if session is not None:
            self._by_session.pop(session, None)

    def deliver(self, session: StreamSession, stream: str, data: bytes) -> None:
        """Send a stream's frame to its session's connection."""
        connection = self._by_session.get(session)
        if connection is not None:
            connection.offer(stream, data)

    def disconnect(self, route: str) -> int:
        """Cut the connections whose route matches a pattern; return how many."""
        chosen = [item for item in self._open if fnmatchcase(item.route, route)]
        for connection in chosen:
            connection.cut()
        return len(chosen)

    async def close_all(self) -> None:
        """Cut everyone and give them a moment to leave."""
        for connection in list(self._open):
            connection.cut()
        for _ in range(20):
            if not self._open:
                return
            await asyncio.sleep(0.02)

    def listing(self) -> list[dict[str, object]]:
        """Return what is open."""
        return [
            {"route": item.route, "age_ms": self._now_ms() - item.opened_ms, "is_dead": item.is_dead}
            for item in self._open
        ]
