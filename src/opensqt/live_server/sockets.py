"""The WebSocket endpoints: admit a browser, send its first messages, then whatever is published; never wait for it.

`/ws/v1` speaks our protocol (`publisher`), `/ws` the original's (`legacy_rooms`, `?symbol=` chooses the room). Browsers
are only listened to for their pings and their good-bye; what they send is dropped, and too much of it ends them.
"""

import asyncio
from collections.abc import Callable
from typing import Final, final

import structlog
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from opensqt.live_server.auth import Authenticator, WebRole
from opensqt.live_server.broadcast import Admission, Client
from opensqt.live_server.config import LimitsConfig
from opensqt.live_server.guard import is_same_origin
from opensqt.live_server.legacy_rooms import LegacyRooms
from opensqt.live_server.publisher import Publisher

WRITE_LIMIT_S: Final = 10.0
# A page has nothing to say; this many messages are either a mistake or malice.
MAX_RECEIVED: Final = 1_000

CLOSE_GOING_AWAY: Final = 1001
CLOSE_POLICY: Final = 1008
CLOSE_TRY_AGAIN_LATER: Final = 1013

CUT_WRITE_LIMIT: Final = "write limit"
CUT_SHUTDOWN: Final = "shutdown"

_log = structlog.get_logger(__name__)

FirstMessages = Callable[[Client], list[str]]
Leave = Callable[[Client], None]


@final
class Sockets:
    """Both endpoints.

    Args:
        publisher: speaks our protocol.
        legacy: speaks the original's.
        auth: tells who may read.
        limits: bounds of one client's queue.
        admission: bounds of how many there may be.
    """

    def __init__(
        self,
        publisher: Publisher,
        legacy: LegacyRooms,
        auth: Authenticator,
        limits: LimitsConfig,
        admission: Admission,
    ) -> None:
        self._publisher = publisher
        self._legacy = legacy
        self._auth = auth
        self._limits = limits
        self._admission = admission

    async def v1(self, websocket: WebSocket) -> None:
        """Serve `/ws/v1`."""
        await self._serve(websocket, lambda client: [self._publisher.join(client)], self._publisher.group.remove)

    async def original(self, websocket: WebSocket) -> None:
        """Serve `/ws`."""
        symbol = websocket.query_params.get("symbol") or self._legacy.default_symbol()
        await self._serve(
            websocket,
            lambda client: self._legacy.join(client, symbol),
            lambda client: self._legacy.leave(client, symbol),
        )

    def cut_all(self) -> None:
        """End every connection: the server stops."""
        for group in (self._publisher.group, *self._legacy.groups):
            group.cut_all(CUT_SHUTDOWN)

    async def _serve(self, websocket: WebSocket, join: FirstMessages, leave: Leave) -> None:
        address = websocket.client.host if websocket.client else "unknown"
        if not is_same_origin(websocket.headers):
            await _deny(websocket, 403, "Connections of another site's page are refused.\n")
            return
        if self._auth.role(websocket.headers, websocket.cookies) < WebRole.READ:
            await _deny(websocket, 401, "Log in first.\n")
            return
        refusal = self._admission.enter(address)
        if refusal is not None:
            await _deny(websocket, 503, f"Not admitted: {refusal}.\n")
            return
        client = Client(
            address,
            max_messages=self._limits.client_queue_messages,
            max_bytes=self._limits.client_queue_bytes,
        )
        try:
            await websocket.accept()
            await self._talk(websocket, client, join)
        except WebSocketDisconnect:
            pass
        finally:
            leave(client)
            self._admission.leave(address)

    async def _talk(self, websocket: WebSocket, client: Client, join: FirstMessages) -> None:
        first_messages = join(client)
        reading = asyncio.create_task(_drain(websocket), name="browser reads")
        writing = asyncio.create_task(_write(websocket, client, first_messages), name="browser writes")
        try:
            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)
        if client.cut_reason is not None:
            await self._say_goodbye(websocket, client.cut_reason, client.address)

    async def _say_goodbye(self, websocket: WebSocket, reason: str, address: str) -> None:
        if reason == CUT_SHUTDOWN:
            code = CLOSE_GOING_AWAY
        else:
            code = CLOSE_TRY_AGAIN_LATER
            _log.info("browser_cut", address=address, reason=reason)
        try:
            # Whoever does not read will not read this either: try, and leave the rest to the protocol's own limit.
            async with asyncio.timeout(1.0):
                await websocket.close(code, reason)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            return


async def _drain(websocket: WebSocket) -> None:
    for _ in range(MAX_RECEIVED):
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
    await websocket.close(CLOSE_POLICY, "too many messages")


async def _write(websocket: WebSocket, client: Client, first_messages: list[str]) -> None:
    try:
        for text in first_messages:
            async with asyncio.timeout(WRITE_LIMIT_S):
                await websocket.send_text(text)
        while (published := await client.take()) is not None:
            async with asyncio.timeout(WRITE_LIMIT_S):
                await websocket.send_text(published)
    except TimeoutError:
        client.cut(CUT_WRITE_LIMIT)


async def _deny(websocket: WebSocket, status: int, text: str) -> None:
    await websocket.send_denial_response(PlainTextResponse(text, status_code=status))
