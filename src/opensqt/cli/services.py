"""The services, and the simulated venue below them: how each is started and how each shows that it is healthy."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from opensqt.cli.probe import Probe, grpc_probe, http_probe
from opensqt.cli.sim_section import SimConfig, sim_argv
from opensqt.cli.supervisor import ServiceSpec
from opensqt.runtime.config import GrpcClientConfig
from opensqt.sim.addresses import HOST as SIM_HOST

MODULES = {
    "connector": "opensqt.connector.app",
    "engine": "opensqt.engine.app",
    "live_server": "opensqt.live_server.app",
    "embedded": "opensqt.cli.embedded",
}
"""What to start; `embedded` is connector and engine in one process."""

START_ORDER = ("sim", "connector", "engine", "embedded", "live_server")
# The engine first: it leaves the market in order while its connector still stands, which needs its venue until then.
STOP_ORDER = ("engine", "live_server", "embedded", "connector", "sim")

EXCHANGE_SERVICE = "opensqt.market_maker.v1.ExchangeService"
ENGINE_SERVICE = "opensqt.market_maker.v1.EngineService"


def service_spec(name: str, config_file: Path, log_file: Path, probe: Probe) -> ServiceSpec:
    """Return how to start one of our services with a config file."""
    argv = [sys.executable, "-m", MODULES[name], "--config", str(config_file)]
    return ServiceSpec(name=name, argv=argv, log_file=log_file, probe=probe)


def sim_spec(config: SimConfig, log_file: Path) -> ServiceSpec:
    """Return how to start the simulated venue.

    It is healthy while its control endpoint answers: asking the venue itself would use up its limits, and a fault that
    was set on purpose is no reason to call the process sick.
    """
    probe = http_probe(SIM_HOST, config.port, "/sim/status")
    return ServiceSpec(name="sim", argv=sim_argv(config), log_file=log_file, probe=probe)


def connector_probe(config: GrpcClientConfig) -> Probe:
    """Return the connector's probe: healthy while its exchange session is up and fresh."""
    return grpc_probe(config, EXCHANGE_SERVICE)


def engine_probe(config: GrpcClientConfig) -> Probe:
    """Return the engine's probe."""
    return grpc_probe(config, ENGINE_SERVICE)


def embedded_probe(connector: GrpcClientConfig, engine: GrpcClientConfig) -> Probe:
    """Return the probe of connector and engine in one process: healthy while both are."""
    probes = (connector_probe(connector), engine_probe(engine))

    async def probe() -> bool:
        return all([await one() for one in probes])

    return probe


def page_probe(host: str, port: int, *, tls: bool) -> Probe:
    """Return the page's probe."""
    here = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  where to ask, not to bind
    return http_probe(here, port, tls=tls)


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for services: without our own variables, which the generated configs hold already."""
    kept = {name: value for name, value in environ.items() if not name.startswith("OPENSQT_")}
    return {**kept, "PYTHONUNBUFFERED": "1"}
