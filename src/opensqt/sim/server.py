"""The venue on loopback: drives market and clock, and puts REST, streams, order entry and control behind one port.

Everything runs on one event loop. `turn` brings the venue up to now; it runs every few milliseconds and before every
request, so that nothing a client sees is older than its question.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, final

import msgspec
import structlog
from aiohttp import web

from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.sim.addresses import HOST, base_urls
from opensqt.sim.connections import Connections, ConnectionTimes
from opensqt.sim.control import Control
from opensqt.sim.dialects.binance.actions import Actions
from opensqt.sim.dialects.binance.exchange import ExchangeConfig
from opensqt.sim.dialects.binance.stream_hub import StreamSession
from opensqt.sim.dialects.binance.venue import BinanceVenue
from opensqt.sim.fault_kinds import FaultKind
from opensqt.sim.faults import FaultPlan
from opensqt.sim.feed import Feed
from opensqt.sim.http_shell import HttpShell
from opensqt.sim.pace import Pace
from opensqt.sim.ws_shell import WsShell

_STOP_S: Final = 2.0
_MAX_BODY: Final = 1 << 20

_log = structlog.get_logger(__name__)


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where and for how long. Port 0 = any free one."""

    port: int = 0
    times: ConnectionTimes = ConnectionTimes()
    listen_key_validity_ms: int = 60 * 60_000
    fault_seed: int = 1


@final
class SimServer:
    """A running venue.

    Args:
        config: of the server.
        exchange: of the venue.
        open_feed: makes the market, given the time at which it begins.
        clock: of this process.
    """

    def __init__(
        self, config: ServerConfig, exchange: ExchangeConfig, open_feed: Callable[[int], Feed], clock: Clock
    ) -> None:
        self._config = config
        self._clock = clock
        self._turned_ns = clock.now_ns()
        self._feed = open_feed(self._turned_ns)
        self._pace = Pace()
        self.plan = FaultPlan(config.fault_seed)
        self.connections = Connections(self.plan, self.real_ms)
        self.venue = BinanceVenue(
            exchange,
            self._feed.instruments(),
            self._deliver,
            listen_key_validity_ms=config.listen_key_validity_ms,
        )
        self.actions = Actions(self.venue)
        self.market_over = False
        self._runner: web.AppRunner | None = None
        self.port = config.port

    async def start(self) -> None:
        """Bind and begin.

        Raises:
            OSError: the port is taken.
        """
        self.turn()
        app = web.Application(client_max_size=_MAX_BODY)
        ws = WsShell(self, self._config.times)
        app.add_routes([*Control(self).routes(), *ws.routes(), *HttpShell(self).routes()])
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_STOP_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._config.port, reuse_address=True)
        await site.start()
        server: Any = site._server
        self.port = server.sockets[0].getsockname()[1]

    async def run(self) -> None:
        """Drive the venue until cancelled.

        Raises:
            CaptureError: recorded data turned out to be broken.
        """
        while True:
            began_ns = self._clock.monotonic_ns()
            covered_ns = self._turn()
            await asyncio.sleep(self._pace.took(covered_ns, self._clock.monotonic_ns() - began_ns))

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self.connections.close_all()
        if self._runner is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * _STOP_S):
                    await self._runner.cleanup()

    def real_ms(self) -> int:
        """Return this machine's time in ms."""
        return self._clock.now_ns() // NS_PER_MS

    def turn(self) -> None:
        """Bring the venue up to now."""
        self._turn()

    def _turn(self) -> int:
        """Bring the venue up to now; return how much of its time the market was moved on."""
        now_ns = self._clock.now_ns()
        passed_ns = now_ns - self._turned_ns
        covered_ns = min(passed_ns, self._pace.catch_up_ns)
        self._feed.hold(max(0, passed_ns - covered_ns))
        self._turned_ns = now_ns
        for event in self._feed.pop(now_ns):
            self.venue.on_market(event)
        self.venue.advance(now_ns)
        if self._feed.is_over and not self.market_over:
            self.market_over = True
            _log.warning("market_over", hint="the capture has ended; its last book stays, use --loop to begin again")
        self._apply_faults(now_ns // NS_PER_MS)
        return covered_ns

    def addresses(self) -> dict[str, str]:
        """Return the base URLs per route."""
        return base_urls(self.port)

    def _deliver(self, session: StreamSession, stream: str, data: bytes) -> None:
        self.connections.deliver(session, stream, data)

    def _apply_faults(self, now_ms: int) -> None:
        plan = self.plan
        self.venue.clock_offset_ms = sum(fault.ms for fault in plan.active(FaultKind.CLOCK_OFFSET, now_ms))
        self.actions.apply_rules(plan.active(FaultKind.HALT, now_ms), plan.active(FaultKind.FILTERS, now_ms))
        self.actions.apply_stale_snapshots(plan.active(FaultKind.STALE_SNAPSHOT, now_ms))
        for fault in plan.take_actions(now_ms):
            if fault.kind is FaultKind.DISCONNECT:
                self.connections.disconnect(fault.route)
                continue
            try:
                self.actions.act(fault)
            except ValueError as error:
                _log.warning("fault_had_no_effect", kind=fault.kind, reason=str(error))
