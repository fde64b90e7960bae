"""The web service, put together: feeds read the connector and the engine, browsers read us.

opensqt-live-server --config live_server.yaml
"""

import argparse
import asyncio
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, final

import msgspec
import structlog

from opensqt.runtime.config import EXIT_CONFIG, ConfigError, load_config  # first: it sets gRPC's environment

if TYPE_CHECKING:
    import grpc

from grpc_health.v1.health_pb2_grpc import (  # type: ignore[import-untyped, unused-ignore]  # stubs are a package apart
    HealthStub,
)

from opensqt.domain.clock import Clock
from opensqt.live_server import sources as names
from opensqt.live_server.auth import Authenticator
from opensqt.live_server.broadcast import Admission, Group
from opensqt.live_server.config import LiveServerConfig
from opensqt.live_server.connector_feeds import ConnectorReader
from opensqt.live_server.controls import Controls
from opensqt.live_server.engine_feed import EngineReader
from opensqt.live_server.feeds import Feed, Session
from opensqt.live_server.grid_edit import GridEditor
from opensqt.live_server.history import History
from opensqt.live_server.legacy_rooms import LegacyRooms
from opensqt.live_server.login_limit import LoginLimit
from opensqt.live_server.market import MarketStore
from opensqt.live_server.page_files import load_page
from opensqt.live_server.publisher import Publisher
from opensqt.live_server.replica import EngineReplica
from opensqt.live_server.routes import Web, build_app
from opensqt.live_server.server_metrics import ServerMetrics, server_registry
from opensqt.live_server.sockets import Sockets
from opensqt.live_server.symbols import SymbolSet
from opensqt.live_server.view_model import ViewModel
from opensqt.live_server.web_server import WebServer
from opensqt.proto.engine_pb2_grpc import EngineServiceStub
from opensqt.proto.exchange_pb2_grpc import ExchangeServiceStub
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.grpc_client import open_channel
from opensqt.runtime.lifecycle import Lifecycle, run_service
from opensqt.runtime.logs import configure_logging

SERVICE: Final = "live_server"

_log = structlog.get_logger(__name__)


@final
class LiveServer:
    """The whole service; create it inside the running loop.

    Args:
        config: what it was told.
        clock: wall clock for times shown, monotonic clock for ages.
        rng: jitter of reconnects.
    """

    def __init__(self, config: LiveServerConfig, clock: Clock, rng: Random) -> None:
        self._channels: list[grpc.aio.Channel] = [open_channel(config.connector), open_channel(config.engine)]
        control_channel = self._channels[1]
        if config.engine_control is not None:
            control_channel = open_channel(config.engine_control)
            self._channels.append(control_channel)
        symbols = SymbolSet(config.symbols)
        board = names.SourceBoard(
            clock,
            {
                names.SOURCE_ENGINE: 0,
                names.SOURCE_VENUE: 0,
                names.SOURCE_CANDLES: config.staleness.candles_ms,
                names.SOURCE_PRICES: config.staleness.prices_ms,
                names.SOURCE_ORDERS: 0,
                names.SOURCE_ACCOUNT: 0,
                names.SOURCE_POSITIONS: 0,
                names.SOURCE_BUDGET: 0,
            },
        )
        self.sources = board
        replica = EngineReplica()
        market = MarketStore(config.limits.candles)
        legacy = LegacyRooms(market, symbols)
        view = ViewModel(replica, market, board, {"version": _version()})
        self.publisher = Publisher(view, Group(), clock, interval_ms=config.limits.publish_interval_ms)
        connector = ConnectorReader(
            ExchangeServiceStub(self._channels[0]),
            HealthStub(self._channels[0]),
            market,
            legacy,
            symbols,
        )
        engine = EngineReader(EngineServiceStub(self._channels[1]), replica, symbols)
        sessions: dict[str, Session] = {
            names.SOURCE_ENGINE: engine.read_state,
            names.SOURCE_VENUE: connector.watch_venue,
            names.SOURCE_CANDLES: connector.read_candles,
            names.SOURCE_PRICES: connector.read_prices,
            names.SOURCE_ORDERS: connector.read_orders,
            names.SOURCE_ACCOUNT: connector.read_account,
            names.SOURCE_POSITIONS: connector.read_positions,
            names.SOURCE_BUDGET: connector.read_budget,
        }
        self._feeds = {
            name: Feed(name, session, board, self.publisher.notify, rng) for name, session in sessions.items()
        }
        operators = [(operator.name, operator.token) for operator in config.operators]
        auth = Authenticator(config.login_token, config.operator_token, clock, operators)
        admission = Admission(
            max_clients=config.limits.max_clients, max_per_address=config.limits.max_clients_per_address
        )
        self._sockets = Sockets(self.publisher, legacy, auth, config.limits, admission)
        metrics = ServerMetrics(
            board, admission, {"v1": lambda: [self.publisher.group], "original": lambda: legacy.groups}
        )
        control_stub = EngineServiceStub(control_channel)
        controls = Controls(control_stub, auth)
        web = Web(
            page=load_page(config.static_dir),
            replica=replica,
            sources=board,
            auth=auth,
            login_limit=LoginLimit(clock),
            tls_by_proxy=config.tls_by_proxy,
            admission=admission,
            controls=controls,
            history=History(
                ExchangeServiceStub(self._channels[0]), EngineServiceStub(self._channels[1]), replica, auth, clock
            ),
            grid=GridEditor(control_stub, controls),
            sockets=self._sockets,
            registry=server_registry(metrics),
            clock=clock,
        )
        self.page_built = web.page.is_built
        self.web_server = WebServer(build_app(web, config.allowed_hosts), config)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then let every browser and channel go.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        self.web_server.bind()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(feed.run(), name=f"feed {name}") for name, feed in self._feeds.items()]
                tasks.append(group.create_task(self.publisher.run(), name="publisher"))
                tasks.append(group.create_task(self.publisher.run_ticks(), name="ticks"))
                serving = group.create_task(self.web_server.serve(), name="web server")
                await self.web_server.wait_started()
                _log.info("ready", address=self.web_server.url, page_built=self.page_built)
                await stop.wait()
                for task in tasks:
                    task.cancel()
                self._sockets.cut_all()
                self.web_server.stop()
                await serving
        finally:
            for channel in self._channels:
                await channel.close()


def _version() -> str:
    try:
        return version("opensqt")
    except PackageNotFoundError:
        return "development"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="opensqt-live-server", description="Serve OpenSQT's web page.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="YAML configuration")
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    parser.add_argument("--json", action="store_true", help="with --check: print the result as one JSON object")
    return parser.parse_args()


def _report_check(problems: list[dict[str, str]], *, as_json: bool) -> None:
    if as_json:
        result = {"ok": not problems, "problems": problems}
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    elif not problems:
        sys.stdout.write("The configuration is good.\n")


def run() -> None:
    """Run the service from the command line; exit codes: 0 ok, 1 failure, 2 usage, 78 bad configuration."""
    arguments = _arguments()
    try:
        config = load_config(arguments.config, LiveServerConfig, env=os.environ)
        configure_logging(SERVICE, config.log)
    except ConfigError as error:
        if arguments.check and arguments.json:
            _report_check([msgspec.structs.asdict(problem) for problem in error.problems], as_json=True)
        else:
            sys.stderr.write(f"opensqt-live-server: {error}\n")
        sys.exit(EXIT_CONFIG)
    if arguments.check:
        _report_check([], as_json=arguments.json)
        sys.exit(0)

    async def main(lifecycle: Lifecycle) -> None:
        await LiveServer(config, SystemClock(), Random()).run(lifecycle.stop_event)  # noqa: S311  jitter, not secrets

    sys.exit(run_service(SERVICE, main))


if __name__ == "__main__":
    run()
