"""WebSockets: the three stream routes and the order entry, with pings, message limits and the daily disconnect."""

import asyncio
from collections.abc import Callable
from typing import final

import orjson
from aiohttp import WSMsgType, web

from opensqt.sim.connections import Connection, ConnectionTimes
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.fault_replies import failed_reply
from opensqt.sim.dialects.binance.stream_hub import MessageRate, StreamSession
from opensqt.sim.dialects.binance.stream_names import Route
from opensqt.sim.dialects.binance.ws_api import WsApiSession
from opensqt.sim.fault_kinds import FaultKind
from opensqt.sim.host import Host

_MAX_MESSAGE = 1 << 18
WS_API_ROUTE = "ws-api"


@final
class WsShell:
    """All WebSocket endpoints."""

    def __init__(self, host: Host, times: ConnectionTimes) -> None:
        self._host = host
        self._times = times

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        prefix = "/{route:public|market|private}"
        return [
            web.get(prefix + "/{mode:ws}", self._stream),
            web.get(prefix + "/{mode:ws}/{names:.*}", self._stream),
            web.get(prefix + "/{mode:stream}", self._stream),
            web.get("/ws-fapi/v1", self._order_entry),
        ]

    # ---- streams

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        route = Route(request.match_info["route"])
        query = request.query
        names = [name for name in request.match_info.get("names", "").split("/") if name]
        names += [name for name in query.get("streams", "").split("/") if name]
        if route is Route.PRIVATE and query.get("listenKey"):
            names.append(query["listenKey"])
        events = [name for name in query.get("events", "").split("/") if name]
        opened = await self._accept(request, route.value)
        if opened is None:
            return web.Response(status=503)
        host = self._host
        host.turn()
        session = host.venue.hub.open(route, names, is_combined=request.match_info["mode"] == "stream", events=events)
        host.connections.bind(session, opened)
        try:
            await self._serve(opened, lambda text: self._control(opened, session, text))
        finally:
            host.venue.hub.close(session)
            host.connections.close(opened, session)
        return opened.socket

    async def _control(self, connection: Connection, session: StreamSession, text: str) -> None:
        connection.offer("", self._host.venue.hub.handle(session, text))

    # ---- order entry

    async def _order_entry(self, request: web.Request) -> web.StreamResponse:
        host = self._host
        host.turn()
        try:
            session = host.venue.ws_api.open(
                request.remote or "", returns_limits=request.query.get("returnRateLimits", "true").lower() != "false"
            )
        except ApiError as error:
            return web.Response(status=error.http, body=orjson.dumps(error.body()), content_type="application/json")
        opened = await self._accept(request, WS_API_ROUTE)
        if opened is None:
            return web.Response(status=503)
        # Requests whose reply is delayed are answered out of order, as the venue may.
        async with asyncio.TaskGroup() as group:
            try:
                await self._serve(opened, lambda text: self._take(group, opened, session, text))
            finally:
                host.connections.close(opened, None)
        return opened.socket

    async def _take(self, group: asyncio.TaskGroup, connection: Connection, session: WsApiSession, text: str) -> None:
        group.create_task(self._answer(connection, session, text))

    async def _answer(self, connection: Connection, session: WsApiSession, text: str) -> None:
        host = self._host
        method = host.venue.ws_api.method_of(text)
        fate = host.plan.on_request(f"{WS_API_ROUTE} {method}", host.real_ms())
        if fate.delay_ms:
            await asyncio.sleep(fate.delay_ms / 1_000)
        reply = b""
        if fate.executes:
            host.turn()
            reply = host.venue.ws_request(session, text)
        if fate.is_lost:
            connection.cut()
            return
        if fate.hangs:
            return
        if fate.reply_delay_ms:
            await asyncio.sleep(fate.reply_delay_ms / 1_000)
        if fate.reply is not None:
            failed = failed_reply(fate.reply, fate.retry_after_s, host.real_ms())
            reply = self._as_ws(host.venue.ws_api.id_of(text), failed.status, failed.body)
        connection.offer(method, reply)

    @staticmethod
    def _as_ws(id_: object, status: int, body: bytes) -> bytes:
        try:
            error = orjson.loads(body)
        except orjson.JSONDecodeError:
            # Not JSON: passed on as it is, for the client to stumble over.
            return body
        return orjson.dumps({"id": id_, "status": status, "error": error})

    # ---- both

    async def _accept(self, request: web.Request, route: str) -> Connection | None:
        host = self._host
        if host.plan.strikes(FaultKind.REFUSE_CONNECTION, route, host.real_ms()):
            return None
        socket = web.WebSocketResponse(autoping=False, max_msg_size=_MAX_MESSAGE, compress=False)
        await socket.prepare(request)
        return host.connections.open(socket, route)

    async def _serve(self, connection: Connection, on_text: Callable[[str], object]) -> None:
        """Read until the end; write, ping and end of life run beside."""
        writer = asyncio.create_task(connection.write())
        keeper = asyncio.create_task(self._keep(connection))
        try:
            await self._read(connection, on_text)
        finally:
            connection.cut()
            keeper.cancel()
            await asyncio.gather(writer, keeper, return_exceptions=True)

    async def _read(self, connection: Connection, on_text: Callable[[str], object]) -> None:
        host, socket = self._host, connection.socket
        rate = MessageRate()
        is_limited = connection.route != WS_API_ROUTE
        while True:
            message = await socket.receive()
            if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
                return
            now_ms = host.real_ms()
            if host.plan.strikes(FaultKind.HALF_OPEN, connection.route, now_ms):
                connection.is_dead = True
            if connection.is_dead:
                continue
            if is_limited and not rate.allows(now_ms):
                return
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                connection.last_pong_ms = now_ms
            elif message.type is WSMsgType.TEXT:
                host.turn()
                result = on_text(message.data)
                if asyncio.iscoroutine(result):
                    await result

    async def _keep(self, connection: Connection) -> None:
        """Ping, and end what is too old or does not answer."""
        times = self._times
        begun_ms = last_ping_ms = self._host.real_ms()
        step_s = max(0.01, min(times.ping_every_s, times.lifetime_s, times.pong_within_s, 1.0) / 4)
        while True:
            await asyncio.sleep(step_s)
            now_ms = self._host.real_ms()
            if self._host.plan.strikes(FaultKind.HALF_OPEN, connection.route, now_ms):
                connection.is_dead = True
            if connection.is_dead:
                continue
            if now_ms - begun_ms >= times.lifetime_s * 1_000:
                connection.cut()
                return
            if last_ping_ms - connection.last_pong_ms >= times.pong_within_s * 1_000:
                connection.cut()
                return
            if now_ms - last_ping_ms >= times.ping_every_s * 1_000:
                last_ping_ms = now_ms
                await connection.socket.ping(str(now_ms).encode())
