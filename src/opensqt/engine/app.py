"""The engine's composition: configuration, state file, core, clients, server; and its command line.

    opensqt-engine --config engine.yaml            run
    opensqt-engine --config engine.yaml --check    only check the configuration (add --json for machines)

Health: every service answers while the loop lives; EngineService is SERVING while the engine is attached to its
connector, also when paused, and NOT_SERVING while the connector is away.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random

import msgspec
import structlog
from grpc import aio

from opensqt.domain.latency import Hop
from opensqt.engine.candle_client import CandleClient
from opensqt.engine.commands import JournalRecord
from opensqt.engine.config import EngineConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.exchange_client import ExchangeClient
from opensqt.engine.latency import EngineLatency
from opensqt.engine.market_client import MarketClient
from opensqt.engine.metrics import EngineCollector
from opensqt.engine.publisher import Publisher
from opensqt.engine.risk.stalls import StallDetector
from opensqt.engine.servicer_engine import EngineServicer
from opensqt.engine.servicer_portfolio import PortfolioServicer
from opensqt.engine.servicer_position import PositionServicer
from opensqt.engine.servicer_risk import RiskServicer
from opensqt.engine.settings_watch import watch_settings
from opensqt.engine.shell import EngineShell
from opensqt.engine.steady_clock import SteadyClock
from opensqt.engine.stopping import Stopper
from opensqt.engine.store.rebuild import require_space, restore_or_rebuild
from opensqt.engine.store.store import Store
from opensqt.engine.venue_reader import VenueReader
from opensqt.proto import engine_pb2, portfolio_pb2, position_pb2, risk_pb2
from opensqt.proto.engine_pb2_grpc import add_EngineServiceServicer_to_server
from opensqt.proto.portfolio_pb2_grpc import add_PortfolioServiceServicer_to_server
from opensqt.proto.position_pb2_grpc import add_PositionServiceServicer_to_server
from opensqt.proto.risk_pb2_grpc import add_RiskServiceServicer_to_server
from opensqt.runtime.alerts import LEVEL_OF, Alerts
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import EXIT_CONFIG, ConfigError, Role, load_config
from opensqt.runtime.garbage import settle_heap
from opensqt.runtime.grpc_client import open_channel
from opensqt.runtime.grpc_server import GrpcServer
from opensqt.runtime.latency_metrics import LatencyCollector
from opensqt.runtime.lifecycle import Lifecycle, run_service
from opensqt.runtime.logs import configure_logging
from opensqt.runtime.loop_collector import LoopCollector
from opensqt.runtime.loop_watch import watch_loop
from opensqt.runtime.metrics import REGISTRY, start_metrics_server
from opensqt.runtime.watchdog import Watchdog

STOP_GRACE_S = 1.0
WARM_UP_S = 2.0
WATCHDOG_ALARM_S = 3.0

ENGINE_SERVICE = engine_pb2.DESCRIPTOR.services_by_name["EngineService"].full_name
SERVICES = (
    ENGINE_SERVICE,
    position_pb2.DESCRIPTOR.services_by_name["PositionService"].full_name,
    risk_pb2.DESCRIPTOR.services_by_name["RiskService"].full_name,
    portfolio_pb2.DESCRIPTOR.services_by_name["PortfolioService"].full_name,
)

ROLES: dict[str, Role] = {
    f"/{ENGINE_SERVICE}/Pause": "trade",
    f"/{ENGINE_SERVICE}/Resume": "trade",
    f"/{ENGINE_SERVICE}/Stop": "trade",
    f"/{ENGINE_SERVICE}/Kill": "trade",
    f"/{ENGINE_SERVICE}/Reconcile": "trade",
    f"/{ENGINE_SERVICE}/ApplyGrid": "trade",
    f"/{ENGINE_SERVICE}/UndoGrid": "trade",
    f"/{ENGINE_SERVICE}/CheckLedger": "trade",
    f"/{ENGINE_SERVICE}/Backup": "trade",
    f"/{SERVICES[2]}/UpdatePositionLimits": "trade",
    f"/{SERVICES[2]}/TriggerReconciliation": "trade",
    f"/{SERVICES[2]}/OpenCircuitBreaker": "trade",
    f"/{SERVICES[2]}/CloseCircuitBreaker": "trade",
}
"""Methods that change something; all others need `read`."""

_log = structlog.get_logger(__name__)


async def serve(config: EngineConfig, lifecycle: Lifecycle, *, channel: aio.Channel | None = None) -> int:
    """Run the engine until it is asked to stop; returns the exit code, which tells whether something was left.

    Args:
        config: of the engine.
        lifecycle: of the process.
        channel: to a connector in this process; without it the configured one is dialled.
    """
    clock = SteadyClock(SystemClock())
    # Jitter of reconnects: any seed will do, but engines of one machine should not share it.
    rng = Random(f"{config.engine_id}:{clock.now_ns()}")  # noqa: S311  no secret depends on it
    require_space(config.state_file, config.store.min_free_mb)
    restored = await asyncio.to_thread(restore_or_rebuild, config.state_file, config.bots, clock.now_ns())
    core = EngineCore(config, restored)
    latency = EngineLatency(SystemClock())
    publisher = Publisher(core, clock, latency.board)
    store = Store(config.state_file, config.store)
    shell = EngineShell(core, store, publisher, clock, StallDetector(config.max_stall_ms), config.state_file)
    server = GrpcServer(config.grpc, roles=ROLES, clock=clock, services=SERVICES)
    engine = EngineServicer(shell, latency.board)
    add_EngineServiceServicer_to_server(engine, server.server)
    add_PositionServiceServicer_to_server(PositionServicer(shell), server.server)
    add_RiskServiceServicer_to_server(RiskServicer(shell, engine), server.server)
    add_PortfolioServiceServicer_to_server(PortfolioServicer(shell), server.server)
    channel = channel or open_channel(config.connector)
    client = ExchangeClient(config, channel, core, clock, shell.take, rng, latency)
    market = MarketClient(client.stub, list(core.by_symbol), config.book_depth, shell.take, rng, latency)
    candles = CandleClient(client.stub, config.volume_halt, shell.take, rng)
    shell.client = client
    shell.market = market
    watchdog = Watchdog(WATCHDOG_ALARM_S, config.watchdog_exit_s, clock.monotonic_ns)
    shell.beat = watchdog.beat
    alerts = Alerts(config.alerts, "engine")
    shell.tell = partial(_alert, alerts)
    shell.reader = VenueReader(core, client.stub, shell.take)
    stop_metrics = start_metrics_server(config.metrics)
    collectors = (LatencyCollector("engine", latency.board), LoopCollector(EngineCollector(core, store, clock)))
    for collector in collectors:
        REGISTRY.register(collector)
    record_lag = latency.board.recorder(Hop.LOOP_LAG)
    settle_heap()
    watchdog.start()
    try:
        await server.start()
        store.start()
        alerts.start()
        shell.obey_marker()
        for name in SERVICES[1:]:
            server.health.set(name, True)
        was_attached = asyncio.Event()

        def on_attached(attached: bool) -> None:
            server.health.set(ENGINE_SERVICE, attached)
            was_attached.set()

        shell.on_attached = on_attached
        tasks = [
            lifecycle.supervise(coro, name)
            for coro, name in (
                (client.run(), "trade"),
                (market.run_books(), "books"),
                (market.run_trades(), "trades"),
                (publisher.run(), "publisher"),
                (shell.run_timer(), "timer"),
                (shell.run_equity(), "equity"),
                (shell.run_disk(), "disk"),
                (watch_settings(shell, config.settings_check_s), "settings"),
                (watch_loop(record_lag, clock.monotonic_ns, latency.board.roll), "loop"),
                (_settle_once_warm(was_attached), "heap"),
            )
        ]
        if config.volume_halt.enabled:
            tasks.append(lifecycle.supervise(candles.run(), "candles"))
        _log.info("ready", addresses=server.addresses, bots=[bot.id for bot in config.bots])
        await lifecycle.stop_event.wait()
        exit_code = await Stopper(shell).leave(config.on_stop)
        # Whoever has something left at the venue vanishes instead, so that the connector applies the vanish policy.
        if exit_code == 0 and all(bot.stop_mode is not None for bot in core.bots.values()):
            await client.leave()
        for task in tasks:
            task.cancel()
        return exit_code
    finally:
        watchdog.stop()
        await shell.reader.close()
        await server.stop(STOP_GRACE_S)
        await channel.close()
        shell.sample_equity()
        store.close()
        await asyncio.to_thread(alerts.close)
        for collector in collectors:
            REGISTRY.unregister(collector)
        stop_metrics()


def _alert(alerts: Alerts, record: JournalRecord) -> None:
    """Tell a line of a bot's journal to whoever is not looking at the page."""
    alerts.raise_alert(
        LEVEL_OF[record.level], f"{record.bot_id}:{record.code}", f"{record.bot_id} {record.code}", record.message
    )


async def _settle_once_warm(attached: asyncio.Event) -> None:
    """Exempt what the first session brought from garbage collections, when it has traded for a while."""
    await attached.wait()
    await asyncio.sleep(WARM_UP_S)
    settle_heap()


def run(argv: Sequence[str] | None = None) -> None:
    """Run the engine's command line."""
    parser = argparse.ArgumentParser(prog="opensqt-engine", description="Trade the configured grids.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (YAML)")
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    parser.add_argument("--json", action="store_true", help="print the result of --check as JSON")
    arguments = parser.parse_args(argv)
    try:
        config = load_config(arguments.config, EngineConfig, env=os.environ)
        configure_logging("engine", config.log)
    except ConfigError as error:
        _print_check(error, as_json=arguments.json)
        sys.exit(EXIT_CONFIG)
    if arguments.check:
        _print_check(None, as_json=arguments.json)
        sys.exit(0)

    async def main(lifecycle: Lifecycle) -> int:
        return await serve(config, lifecycle)

    sys.exit(run_service("engine", main))


def _print_check(error: ConfigError | None, *, as_json: bool) -> None:
    if as_json:
        problems = [] if error is None else [msgspec.structs.asdict(problem) for problem in error.problems]
        sys.stdout.write(msgspec.json.encode({"ok": error is None, "problems": problems}).decode() + "\n")
    elif error is None:
        sys.stdout.write("the configuration is good\n")
    else:
        sys.stderr.write(f"{error}\n")


if __name__ == "__main__":
    run()
