"""`opensqt demo`: the three services against the built-in paper venue. No keys, no network.

It generates the services' configurations into a state folder and hands them to the supervisor of `opensqt up`. A demo
without an end keeps its state, so that the next one goes on where it stopped; a replay, and a timed run whose report
should be its own, begin fresh.
"""

import os
import webbrowser
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from opensqt.cli.capture_peek import canonical_symbol, peek, venue_symbol_of
from opensqt.cli.demo_config import DemoPorts, DemoSettings, demo_config
from opensqt.cli.demo_grid import grid_for_replay, grid_for_synthetic
from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.cli.operate import Plan
from opensqt.cli.output import is_terminal, print_line
from opensqt.cli.ports import free_port_near, require_free, socket_folder
from opensqt.cli.state_dir import StateDir
from opensqt.cli.up import operate, plan_of

DEFAULT_SYMBOL = "BTC/USDT:USDT"
DEFAULT_PAGE_PORT = 8081
CONNECTOR_PORT = 50051
ENGINE_PORT = 50052
SETTINGS_FILE = "demo.json"

Source = Literal["synthetic", "replay"]


def demo(
    *,
    source: Annotated[Source | None, Parameter(help="Market to trade; replay when --replay is given.")] = None,
    replay: Annotated[
        list[Path] | None,
        Parameter(help="Capture files, in the order they were recorded.", consume_multiple=True, negative=""),
    ] = None,
    speed: Annotated[float, Parameter(help="How much faster than real time the market runs.")] = 1.0,
    loop: Annotated[bool, Parameter(help="Begin a capture again at its end.", negative="")] = False,
    seed: Annotated[int, Parameter(help="Seed of the synthetic market: the same seed, the same market.")] = 1,
    symbol: Annotated[str | None, Parameter(help="Symbol of the synthetic market, for example ETHUSDT.")] = None,
    port: Annotated[int, Parameter(help="Port of the page.")] = DEFAULT_PAGE_PORT,
    connector_port: Annotated[
        int | None, Parameter(help="Port of the connector's gRPC; default 50051, or a free one when that is taken.")
    ] = None,
    engine_port: Annotated[
        int | None, Parameter(help="Port of the engine's gRPC; default 50052, or a free one when that is taken.")
    ] = None,
    browser: Annotated[
        bool, Parameter(help="Open the page, on a desktop.", name="--browser", negative="--no-browser")
    ] = True,
    for_: Annotated[float | None, Parameter(name="--for", help="Run this many seconds, print a report, stop.")] = None,
    json: Annotated[bool, Parameter(help="Print the report as one JSON object.", negative="")] = False,
    state: Annotated[Path | None, Parameter(help="State folder; default var/demo-SOURCE-SYMBOL.")] = None,
    fresh: Annotated[
        bool | None, Parameter(help="Forget the state of earlier runs; default for a replay and with --for.")
    ] = None,
) -> int:
    """Trade a grid on the built-in paper venue and show it on a page. Ctrl-C stops everything."""
    _check_numbers(speed, for_, [port, connector_port or port, engine_port or port])
    if replay is not None and not replay:
        raise CliError("--replay was given no file; name one or more capture files", EXIT_USAGE)
    settings = _settings(source, replay or [], speed, loop, seed, symbol)
    name = f"demo-{settings.source}-{venue_symbol_of(settings.symbol)}"
    folder = StateDir(state or Path("var") / name)
    with folder.lock():
        ports = _ports(port, connector_port, engine_port)
        folder.prepare(fresh=_begins_fresh(fresh, settings, folder, timed=for_ is not None, quiet=json))
        folder.write_private(SETTINGS_FILE, msgspec.json.encode(settings.identity()).decode())
        config = demo_config(settings, folder.path, sockets=socket_folder(folder.path), ports=ports)
        plan = plan_of(name, config, folder)
        if browser and not json:
            plan = _opening_the_page(plan)
        return operate(plan, for_, as_json=json)


def _ports(page: int, connector: int | None, engine: int | None) -> DemoPorts:
    """Return ports that are free now. Raises CliError for one that was asked for and is taken."""
    require_free(page, "--port")
    for port, option in ((connector, "--connector-port"), (engine, "--engine-port")):
        if port is not None:
            require_free(port, option)
    return DemoPorts(
        page=page, connector=connector or free_port_near(CONNECTOR_PORT), engine=engine or free_port_near(ENGINE_PORT)
    )


def _check_numbers(speed: float, duration_s: float | None, ports: list[int]) -> None:
    if not 0 < speed <= 1000:
        raise CliError(f"--speed was {speed:g}; it must be above 0 and at most 1000", EXIT_USAGE)
    if duration_s is not None and not 0 < duration_s < 10**7:
        raise CliError(f"--for was {duration_s:g}; it must be a number of seconds above 0", EXIT_USAGE)
    for port in ports:
        if not 0 < port < 65536:
            raise CliError(f"a port was {port}; it must be from 1 to 65535", EXIT_USAGE)


def _settings(
    source: Source | None, files: list[Path], speed: float, loop: bool, seed: int, symbol: str | None
) -> DemoSettings:
    source = source or ("replay" if files else "synthetic")
    if source == "replay":
        if not files:
            raise CliError("--source replay needs --replay with one or more capture files", EXIT_USAGE)
        capture = peek(files)
        if symbol is not None and canonical_symbol(symbol) != capture.symbol:
            raise CliError(f"--symbol was {symbol}, but the capture is of {capture.venue_symbol}", EXIT_USAGE)
        return DemoSettings(
            source=source,
            symbol=capture.symbol,
            files=tuple(str(path.absolute()) for path in files),
            loop=loop,
            seed=seed,
            speed=speed,
            grid=grid_for_replay(capture.venue_symbol, capture.price),
        )
    if files:
        raise CliError("--replay has no meaning with --source synthetic; leave one of them out", EXIT_USAGE)
    chosen = canonical_symbol(DEFAULT_SYMBOL if symbol is None else symbol)
    return DemoSettings(
        source=source, symbol=chosen, seed=seed, speed=speed, grid=grid_for_synthetic(venue_symbol_of(chosen))
    )


def _begins_fresh(asked: bool | None, settings: DemoSettings, folder: StateDir, *, timed: bool, quiet: bool) -> bool:
    if asked is not None:
        return asked
    if settings.source == "replay" or timed:
        return True
    try:
        before = (folder.path / SETTINGS_FILE).read_bytes()
    except OSError:
        return False
    if before == msgspec.json.encode(settings.identity()):
        return False
    print_line("the market differs from that of the last run, so its state is not used", to_stderr=quiet)
    return True


def _opening_the_page(plan: Plan) -> Plan:
    """Open the page when all is healthy, where there is a desktop to open it on."""
    url = plan.page_url
    if url is None or not is_terminal() or not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return plan

    def open_page() -> None:
        webbrowser.open(url)

    return msgspec.structs.replace(plan, on_ready=open_page)
