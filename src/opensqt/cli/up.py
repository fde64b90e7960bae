"""`opensqt up CONFIG`: the supervisor of the demo, with a user's own configuration."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.cli.operate import Operation, Plan
from opensqt.cli.output import print_json, print_line, print_table
from opensqt.cli.ports import require_free
from opensqt.cli.probe import Probe
from opensqt.cli.services import (
    START_ORDER,
    connector_probe,
    embedded_probe,
    engine_probe,
    page_probe,
    service_spec,
    sim_spec,
)
from opensqt.cli.sim_section import sim_access
from opensqt.cli.sim_state import begin_on_sim
from opensqt.cli.state_dir import StateDir
from opensqt.cli.status_line import StatusLine
from opensqt.cli.umbrella_config import UmbrellaConfig, client_of, dump_config, load_any
from opensqt.runtime.alerts import AlertsConfig

SIM_ACCESS_FILE = "sim.json"


def up(
    config: Path,
    /,
    *,
    state: Annotated[Path | None, Parameter(help="State folder; default var/NAME-OF-CONFIG.")] = None,
    for_: Annotated[float | None, Parameter(name="--for", help="Run this many seconds, print a report, stop.")] = None,
    embedded: Annotated[
        bool, Parameter(help="Run connector and engine in one process, for the lowest latency.", negative="")
    ] = False,
    json: Annotated[bool, Parameter(help="Print the report as one JSON object.", negative="")] = False,
) -> int:
    """Start the services a configuration describes, restart those that die, stop all on Ctrl-C.

    Args:
        config: YAML file with the sections connector, engine, live_server, one that is left out runs elsewhere; and sim
            for a simulated venue to trade on.
    """
    loaded = load_any(config)
    if not isinstance(loaded, UmbrellaConfig):
        raise CliError(
            f"{config} is one service's configuration; start it with its own program, or put it below"
            " `connector:`, `engine:` or `live_server:`",
            EXIT_USAGE,
        )
    if embedded:
        loaded = msgspec.structs.replace(loaded, embedded=True)
    folder = StateDir(state or Path("var") / config.stem)
    with folder.lock():
        if loaded.sim is not None:
            require_free(loaded.sim.port, "sim.port")
        folder.prepare(fresh=False)
        if loaded.trades_on_sim and _begin_on_sim(loaded, folder):
            print_line("the simulated venue has forgotten the last run, so its ledger is not used", to_stderr=json)
        return operate(plan_of(config.stem, loaded, folder), for_, as_json=json)


def _begin_on_sim(config: UmbrellaConfig, folder: StateDir) -> bool:
    files = [] if config.engine is None else [config.engine.state_file]
    if config.connector is not None and config.connector.mode == "paper":
        # The paper account lived in a market that begins again, too.
        files.append(folder.path / config.connector.paper.state_file)
    removed = [begin_on_sim(file) for file in files]
    return any(removed)


def operate(plan: Plan, duration_s: float | None, *, as_json: bool) -> int:
    """Run a plan to its end; prints the report of a timed run and returns the exit code."""
    with StatusLine(to_stderr=as_json) as line:
        operation = Operation(plan, line)
        report = asyncio.run(operation.run(duration_s))
    if report is None:
        return operation.left_code
    if as_json:
        print_json(report.as_json())
    else:
        print_table(f"{report.seconds:.0f} s of {', '.join(report.symbols)}", report.rows())
    if not report.sums_exactly:
        raise CliError(f"the parts of the PnL are off by {report.difference:f}: that is a bug of the ledger")
    return operation.left_code


def plan_of(name: str, config: UmbrellaConfig, folder: StateDir) -> Plan:
    """Write each service's effective configuration into the state folder and return how to run them."""
    sections: dict[str, msgspec.Struct | None] = {
        "connector": config.connector,
        "engine": config.engine,
        "live_server": config.live_server,
    }
    specs = []
    if config.sim is not None:
        # For any other client that wants to trade there; the simulator's log holds no secrets.
        folder.write_private(SIM_ACCESS_FILE, msgspec.json.format(msgspec.json.encode(sim_access(config.sim))).decode())
        specs.append(sim_spec(config.sim, folder.log_file("sim")))
    if config.embedded:
        sections = {"embedded": _Both(sections["connector"], sections["engine"]), "live_server": config.live_server}
    for service in START_ORDER:
        section = sections.get(service)
        if section is None:
            continue
        file = folder.write_private(f"{service}.yaml", dump_config(section))
        specs.append(service_spec(service, file, folder.log_file(service), _probe(service, config)))
    engine = None if config.engine is None else client_of(config.engine.grpc)
    token_file = None
    if engine is not None and engine.token is not None:
        token_file = str(folder.write_private("tokens/engine", engine.token.reveal() + "\n"))
    return Plan(
        name=name,
        state=folder,
        specs=specs,
        engine=engine,
        engine_token_file=token_file,
        page_url=_page_url(config),
        alerts=_alerts(config),
    )


def _alerts(config: UmbrellaConfig) -> AlertsConfig:
    """Return where the supervisor tells of crash loops: where the engine tells, else the connector."""
    for section in (config.engine, config.connector):
        if section is not None and section.alerts.urls is not None:
            return section.alerts
    return AlertsConfig()


class _Both(msgspec.Struct, frozen=True):
    """The configuration file of connector and engine in one process."""

    connector: msgspec.Struct | None
    engine: msgspec.Struct | None


def _probe(service: str, config: UmbrellaConfig) -> Probe:
    if service == "embedded":
        assert config.connector is not None and config.engine is not None, "checked with the configuration"  # noqa: PT018
        return embedded_probe(client_of(config.connector.grpc), client_of(config.engine.grpc))
    if service == "connector" and config.connector is not None:
        return connector_probe(client_of(config.connector.grpc))
    if service == "engine" and config.engine is not None:
        return engine_probe(client_of(config.engine.grpc))
    assert config.live_server is not None
    page = config.live_server
    return page_probe(page.host, page.port, tls=page.tls is not None)


def _page_url(config: UmbrellaConfig) -> str | None:
    if config.live_server is None:
        return None
    scheme = "http" if config.live_server.tls is None else "https"
    return f"{scheme}://{config.live_server.host}:{config.live_server.port}"
