"""The connector as a program: reads its configuration, puts the parts together, serves until it is told to stop."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import final

import orjson
import structlog

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.alarms import AlarmFacts, ConnectorAlarms
from opensqt.connector.certificates import CertificateWatch
from opensqt.connector.config import ConnectorConfig
from opensqt.connector.core import ConnectorCore
from opensqt.connector.market_types import Channel, ChannelKind
from opensqt.connector.metrics import ConnectorCollector
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.registry import make_adapter
from opensqt.connector.service import ROLES, SERVICE_NAME, Handler, add_service, make_handlers
from opensqt.connector.servicer_market import MarketServicer
from opensqt.connector.servicer_orders import OrderServicer
from opensqt.connector.servicer_queries import QueryServicer
from opensqt.connector.servicer_streams import StreamServicer
from opensqt.connector.servicer_trade import TradeServicer
from opensqt.connector.state_file import ConnectorState, StateFile
from opensqt.connector.upkeep import Upkeep
from opensqt.domain.clock import Clock
from opensqt.domain.errors import ErrorReason, LimitError, UnavailableError
from opensqt.domain.latency import Hop
from opensqt.domain.market import DeadManState
from opensqt.domain.order import Order
from opensqt.runtime.alerts import Alerts
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import EXIT_CONFIG, ConfigError, load_config
from opensqt.runtime.garbage import settle_heap
from opensqt.runtime.grpc_server import GrpcServer
from opensqt.runtime.latency_metrics import LatencyCollector
from opensqt.runtime.lifecycle import Lifecycle, run_service
from opensqt.runtime.logs import configure_logging
from opensqt.runtime.loop_watch import watch_loop
from opensqt.runtime.metrics import REGISTRY, start_metrics_server

TICK_S = 0.1
STOP_GRACE_S = 1.0
QUERY_TIMEOUT_S = 5.0

_ALWAYS_OPEN = (ChannelKind.BOOK, ChannelKind.TRADES, ChannelKind.MARK)

_log = structlog.get_logger(__name__)


@final
class Connector:
    """One running connector: `start`, then `serve` until it is cancelled, then `stop`. The adapter was not started."""

    def __init__(self, config: ConnectorConfig, clock: Clock, adapter: VenueAdapter) -> None:
        self.config = config
        self.adapter = adapter
        self._clock = clock
        self._state_file = StateFile(config.state_file)
        state = self._state_file.load()
        # Wall time in ns: differs after every start, and rises even when the clock was set back.
        self._session_epoch = max(clock.now_ns(), state.session_epoch + 1)
        self.core = ConnectorCore(
            self.adapter.capabilities,
            clock,
            session_epoch=self._session_epoch,
            veto=config.limits,
            budget=RateBudget(self.adapter.rate_windows),
            command_timeout_ms=config.command_timeout_ms,
            subscribe=self.adapter.subscribe,
            unsubscribe=self.adapter.unsubscribe,
        )
        self.core.leases.restore(state.leases, state.bot_epochs, clock.monotonic_ns())
        self._saved_state = state
        self._save_failed = False
        self._alarms = ConnectorAlarms(self.adapter.capabilities.exchange)
        self._alerts = Alerts(config.alerts, "connector")
        self.certificates = CertificateWatch(adapter.tls_hosts, clock)
        self.server: GrpcServer | None = None
        self.handlers: dict[str, Handler] = {}
        """What is served, by full method name; filled by `start`."""

    async def start(self) -> None:
        """Open the venue and listen.

        Raises:
            ConfigError: the configuration cannot be used here.
            OpensqtError: the venue cannot be reached or refuses us.
        """
        server = GrpcServer(self.config.grpc, roles=ROLES, clock=self._clock, services=[SERVICE_NAME])
        self._save_state()
        self._alerts.start()
        await self.adapter.start(self.core)
        for symbol in self.adapter.instruments:
            self.core.book(symbol)
            for kind in _ALWAYS_OPEN:
                self.core.upstreams.acquire(Channel(kind, symbol))
        handlers = make_handlers(
            (
                QueryServicer(self.core, self.adapter),
                MarketServicer(self.core, self.adapter),
                OrderServicer(self.core, self.adapter),
                StreamServicer(self.core, self.adapter),
                TradeServicer(self.core, self.adapter),
            )
        )
        add_service(server.server, handlers)
        self.handlers = {f"/{SERVICE_NAME}/{name}": handler for name, handler in handlers.items()}
        self.server = server
        await server.start()

    async def serve(self) -> None:
        """Let time pass: health, stale books, commands without answer, engines that vanished."""
        assert self.server is not None, "serve needs start"
        async with asyncio.TaskGroup() as group:
            upkeep = Upkeep(
                self.core,
                self.adapter,
                max_book_age_ms=self.config.max_book_age_ms,
                ask=self._ask,
                spawn=group.create_task,
            )
            while True:
                self.server.health.set(SERVICE_NAME, self.core.is_serving)
                upkeep.tick()
                for alarm in self._alarms.judge(self._facts(), self._clock.monotonic_ns()):
                    self._alerts.raise_alert(*alarm)
                self._try_to_save_state()
                await asyncio.sleep(TICK_S)

    async def stop(self) -> None:
        """End the streams, stop listening, close the venue."""
        self.core.trade.end_all(
            UnavailableError(ErrorReason.SHUTTING_DOWN, "the connector is shutting down; attach again when it is back")
        )
        if self.server is not None:
            await self.server.stop(STOP_GRACE_S)
        await self.adapter.stop()
        self._try_to_save_state()
        await asyncio.to_thread(self._alerts.close)

    def _facts(self) -> AlarmFacts:
        core, session = self.core, self.core.session
        left_ns, reason = core.budget.circuit(self._clock.monotonic_ns())
        return AlarmFacts(
            market_up=session.market_stream_up,
            private_up=session.private_stream_up,
            reason=session.reason,
            circuit_left_ns=left_ns,
            circuit_reason=reason,
            needs_approval=frozenset(
                symbol for symbol in core.feeds if core.dead_man(symbol) is DeadManState.NEEDS_APPROVAL
            ),
            certificates_left_s=self.certificates.left_s(),
        )

    async def _ask(self, order: Order) -> Order:
        async with asyncio.timeout(QUERY_TIMEOUT_S):
            return await self.adapter.account.order(order.symbol, order.client_order_id, "")

    def _save_state(self) -> None:
        leases = self.core.leases
        state = ConnectorState(
            session_epoch=self._session_epoch, leases=leases.leases(), bot_epochs=leases.bot_epochs()
        )
        if state != self._saved_state:
            self._state_file.save(state)
            self._saved_state = state

    def _try_to_save_state(self) -> None:
        """Save what changed. A full disk must not end a connector that trades: it is said once, and tried again."""
        try:
            self._save_state()
        except UnavailableError as error:
            if not self._save_failed:
                _log.error("state_not_saved", problem=error.message)
            self._save_failed = True
        else:
            self._save_failed = False


async def start_when_allowed(make: Callable[[], Connector], stop_event: asyncio.Event) -> Connector | None:
    """Start a connector; while the venue's limits forbid it, wait and try again.

    Ending instead would have a supervisor start it again and again, each time asking the venue that wants to be left
    alone, which turns a limit into a ban and a ban into a longer one.

    Args:
        make: builds a connector, a new one for every try.
        stop_event: ends the waiting.

    Returns:
        The connector, None when it was to stop before it could start.

    Raises:
        ConfigError, OpensqtError: it cannot be started.
    """
    while True:
        connector = make()
        try:
            await connector.start()
        except LimitError as error:
            wait_s = max(1.0, (error.retry_after_ms or 0) / 1000)
            _log.warning("start_waits_for_the_venue", wait_s=wait_s, why=error.message)
            await connector.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await stop_event.wait()
            if stop_event.is_set():
                return None
        except BaseException:
            await connector.stop()
            raise
        else:
            return connector


@contextlib.asynccontextmanager
async def open_connector(config: ConnectorConfig, lifecycle: Lifecycle) -> AsyncIterator[Connector | None]:
    """Start a connector with its metrics and its tasks, and stop it at the end of the block.

    Yields None when it was to stop before the venue let it start.
    """
    stop_metrics = start_metrics_server(config.metrics)
    clock = SystemClock()
    try:
        connector = await start_when_allowed(
            lambda: Connector(config, clock, make_adapter(config, clock)), lifecycle.stop_event
        )
        if connector is None:
            yield None
            return
        latency = connector.core.latency
        collectors = (
            ConnectorCollector(connector.core, connector.certificates),
            LatencyCollector("connector", latency),
        )
        for collector in collectors:
            REGISTRY.register(collector)
        try:
            assert connector.server is not None, "start made it"
            lifecycle.supervise(connector.adapter.run(), "venue")
            lifecycle.supervise(connector.serve(), "serve")
            lifecycle.supervise(connector.certificates.run(), "certificates")
            lifecycle.supervise(watch_loop(latency.recorder(Hop.LOOP_LAG), clock.monotonic_ns, latency.roll), "loop")
            settle_heap()
            _log.info(
                "ready",
                addresses=connector.server.addresses,
                exchange=config.exchange,
                symbols=sorted(connector.adapter.instruments),
            )
            yield connector
        finally:
            await connector.stop()
            for collector in collectors:
                REGISTRY.unregister(collector)
    finally:
        stop_metrics()


def run(argv: Sequence[str] | None = None) -> None:
    """Run the connector from the command line and exit with its code."""
    arguments = _parse(argv)
    try:
        config = load_config(arguments.config, ConnectorConfig, env=os.environ)
    except ConfigError as error:
        _print_problems(error, as_json=arguments.json)
        sys.exit(EXIT_CONFIG)
    if arguments.check:
        sys.stdout.write('{"ok":true}\n' if arguments.json else f"{arguments.config}: ok\n")
        sys.exit(0)

    async def main(lifecycle: Lifecycle) -> None:
        configure_logging("connector", config.log)
        async with open_connector(config, lifecycle):
            await lifecycle.stop_event.wait()

    sys.exit(run_service("connector", main))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="opensqt-connector", description="The only door to an exchange: serves ExchangeService over gRPC."
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML configuration")
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    parser.add_argument("--json", action="store_true", help="print the result of --check as JSON")
    return parser.parse_args(argv)


def _print_problems(error: ConfigError, *, as_json: bool) -> None:
    if as_json:
        problems = [
            {"path": problem.path, "value": problem.value, "rule": problem.rule, "fix": problem.fix}
            for problem in error.problems
        ]
        sys.stdout.buffer.write(orjson.dumps({"ok": False, "problems": problems}) + b"\n")
    else:
        sys.stderr.write(f"{error}\n")


if __name__ == "__main__":
    run()
