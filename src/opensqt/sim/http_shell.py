"""REST over HTTP: hands requests to the venue, and lets faults delay, lose, refuse or spoil them."""

import asyncio
from typing import Final, final

from aiohttp import web

from opensqt.sim.dialects.binance.api_types import Request, Response
from opensqt.sim.dialects.binance.fault_replies import failed_reply
from opensqt.sim.host import Host

MAX_HANG_S: Final = 120.0


@final
class HttpShell:
    """Every path that is nothing else."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.route("*", "/{path:.*}", self._handle)]

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        host = self._host
        path, _, query = http.raw_path.partition("?")
        body = (await http.read()).decode(errors="replace")
        request = Request(
            method=http.method,
            path=path,
            query=query,
            body=body,
            api_key=http.headers.get("X-MBX-APIKEY", ""),
            address=http.remote or "",
        )
        fate = host.plan.on_request(request.route, host.real_ms())
        if fate.delay_ms:
            await asyncio.sleep(fate.delay_ms / 1_000)
        response: Response | None = None
        if fate.executes:
            host.turn()
            response = host.venue.request(request)
        if fate.hangs:
            await asyncio.sleep(MAX_HANG_S)
        if fate.is_lost or fate.hangs:
            if http.transport is not None:
                http.transport.abort()
            return web.Response(status=500)
        if fate.reply_delay_ms:
            await asyncio.sleep(fate.reply_delay_ms / 1_000)
        if fate.reply is not None or response is None:
            assert fate.reply is not None, "a request that was not executed gets the fault's reply"
            response = failed_reply(fate.reply, fate.retry_after_s, host.real_ms())
        return web.Response(
            status=response.status,
            body=response.body,
            headers=response.headers,
            content_type=response.content_type,
            charset="utf-8",
        )
