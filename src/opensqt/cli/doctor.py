"""`opensqt doctor CONFIG`: everything that should be right before money is at work, looked at one by one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from opensqt.cli import doctor_machine as machine
from opensqt.cli.doctor_check import Finding, Status, failed
from opensqt.cli.doctor_venue import venue_findings
from opensqt.cli.errors import EXIT_FAILURE
from opensqt.cli.output import print_json, print_line
from opensqt.cli.preview import umbrella_of
from opensqt.cli.probe import Probe
from opensqt.cli.services import connector_probe, engine_probe, page_probe
from opensqt.cli.umbrella_config import UmbrellaConfig, client_of
from opensqt.runtime.config import EXIT_CONFIG, ConfigError, read_document

_MARKS = {Status.OK: "ok     ", Status.WARNING: "warning", Status.FAILED: "FAILED ", Status.UNKNOWN: "unknown"}


def doctor(
    config: Path,
    /,
    *,
    state: Annotated[Path | None, Parameter(help="State folder; default var/NAME-OF-CONFIG.")] = None,
    offline: Annotated[bool, Parameter(help="Do not ask the venue.", negative="")] = False,
    json: Annotated[bool, Parameter(help="Print one JSON object.", negative="")] = False,
) -> int:
    """Check configuration, clock, disk, ports, permissions, venue, key, fees, margin and liquidation price.

    No order is sent. Asks the connector that runs, or starts one for the check; with a live account that one sets
    leverage and margin type as configured, as any start does. Exit code 1 when something failed, 78 for a configuration
    that cannot be read.

    Args:
        config: YAML file with the sections connector, engine, live_server.
    """
    folder = state or Path("var") / config.stem
    try:
        loaded = umbrella_of(config)
    except ConfigError as error:
        problems = [failed("config", problem.what, problem.fix) for problem in error.problems]
        if not json:
            for problem in problems:
                _print(problem)
        _tell(problems, as_json=json)
        return EXIT_CONFIG
    findings = asyncio.run(_collect(config.absolute(), loaded, folder, offline=offline, quiet=json))
    return _tell(findings, as_json=json)


async def _collect(path: Path, config: UmbrellaConfig, folder: Path, *, offline: bool, quiet: bool) -> list[Finding]:
    found = []
    async for finding in _findings(path, config, folder, offline=offline):
        found.append(finding)
        if not quiet:
            _print(finding)
    return found


async def _findings(path: Path, config: UmbrellaConfig, folder: Path, *, offline: bool) -> AsyncIterator[Finding]:
    document = read_document(path)
    yield machine.config_file(path, document)
    for finding in machine.secret_files(document, path.parent):
        yield finding
    yield machine.clock()
    yield machine.disk(folder)
    yield machine.state_folder(folder)
    healthy = await machine.healthy_services(_probes(config))
    for finding in machine.ports(config, folder, healthy):
        yield finding
    for finding in machine.state_file(None if config.engine is None else config.engine.state_file):
        yield finding
    if not offline:
        async for finding in venue_findings(config):
            yield finding


def _probes(config: UmbrellaConfig) -> list[tuple[str, Probe]]:
    probes: list[tuple[str, Probe]] = []
    if config.connector is not None:
        probes.append(("connector", connector_probe(client_of(config.connector.grpc))))
    if config.engine is not None:
        probes.append(("engine", engine_probe(client_of(config.engine.grpc))))
    page = config.live_server
    if page is not None:
        probes.append(("live_server", page_probe(page.host, page.port, tls=page.tls is not None)))
    return probes


def _print(finding: Finding) -> None:
    print_line(f"{_MARKS[finding.status]}  {finding.name}: {finding.detail}")
    if finding.fix:
        print_line(f"         -> {finding.fix}")


def _tell(findings: list[Finding], *, as_json: bool) -> int:
    counts = Counter(finding.status for finding in findings)
    is_ok = counts[Status.FAILED] == 0
    if as_json:
        print_json({"ok": is_ok, "findings": [msgspec.to_builtins(finding) for finding in findings]})
    else:
        counted = ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])
        print_line(f"{counted}. {'Ready to trade.' if is_ok else 'Mend what failed before you trade.'}")
    return 0 if is_ok else EXIT_FAILURE
