"""`opensqt kill`: the kill switch, with or without an engine.

It asks the engine first: only the engine knows which lots are its own. When that does not answer, is wedged, or left
something behind, the command goes to the connector itself, with the trade token of the engine's configuration, cancels
by query and verifies by query, and leaves a note beside the engine's state file that keeps those bots stopped when the
engine wakes up or is started again. The exit code tells what is left: 0 nothing, verified; 3 something; 4 not known.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from opensqt.cli.engine_client import STATE_ROOT, engine_client, find_engine
from opensqt.cli.errors import EXIT_LEFT, EXIT_OK, EXIT_UNVERIFIED, EXIT_USAGE, CliError
from opensqt.cli.options import Bot, Config, Json, State
from opensqt.cli.output import print_json, print_line
from opensqt.engine.config import EngineConfig
from opensqt.engine.kill_marker import leave_marker
from opensqt.engine.kill_switch import KillSwitch, KillTarget, describe, is_clean
from opensqt.engine.store.load import first_epoch
from opensqt.proto import engine_pb2, exchange_pb2_grpc
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.grpc_client import open_channel

DIRECT_S = 20.0
ENGINE_CONFIGS = ("engine.yaml", "embedded.yaml")
"""What a state folder holds of the engine: alone, or in one process with its connector."""


def kill(
    *,
    flatten: Annotated[
        bool, Parameter(help="Also close the position, reduce-only, inside a collar.", negative="")
    ] = False,
    everything: Annotated[bool, Parameter(help="Also cancel orders that are not ours.", negative="")] = False,
    bot: Bot = "",
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Stop at once: cancel all our orders, verify at the exchange, close the position if asked. Needs no engine.

    Exit code 0 = nothing is left, verified; 3 = something is left; 4 = what is left is not known. Without an engine
    `--flatten` closes the whole position of the symbol: only the engine knows which part of it is its own.
    """
    return asyncio.run(_kill(flatten, everything, bot, state, config, as_json=json))


async def _kill(
    flatten: bool, everything: bool, bot: str, state: Path | None, config: Path | None, *, as_json: bool
) -> int:
    killed: Sequence[engine_pb2.KilledSymbol] = ()
    way = "engine"
    trouble = ""
    try:
        killed = await _by_engine(flatten, everything, bot, state, config)
    except CliError as error:
        if error.exit_code == EXIT_USAGE:
            raise
        trouble = str(error)
    if not killed or not is_clean(killed, flatten=flatten, everything=everything):
        if not as_json:
            print_line(f"{trouble or 'the engine left something'}; going to the exchange without it")
        way = "connector"
        killed = await _direct(flatten, everything, bot, state, config, trouble)
    clean = is_clean(killed, flatten=flatten, everything=everything)
    if as_json:
        print_json(
            {"clean": clean, "way": way, "engine": trouble or "answered", "symbols": [_plain(one) for one in killed]}
        )
    else:
        for one in killed:
            print_line(describe(one))
        print_line("nothing is left" if clean else "SOMETHING MAY BE LEFT: look at the exchange")
    if clean:
        return EXIT_OK
    return EXIT_LEFT if all(one.is_verified for one in killed) else EXIT_UNVERIFIED


async def _by_engine(
    flatten: bool, everything: bool, bot: str, state: Path | None, config: Path | None
) -> Sequence[engine_pb2.KilledSymbol]:
    async with engine_client(find_engine(state, config)) as client:
        return (await client.kill(bot, flatten=flatten, everything=everything)).symbols


async def _direct(
    flatten: bool, everything: bool, bot: str, state: Path | None, config: Path | None, trouble: str
) -> list[engine_pb2.KilledSymbol]:
    engine = _engine_config(state, config, trouble)
    clock = SystemClock()
    chosen = [one for one in engine.bots if bot in ("", one.id)]
    if not chosen:
        raise CliError(f"no bot {bot!r} in that configuration", EXIT_USAGE)
    try:
        leave_marker(engine.state_file, [one.id for one in chosen])
    except OSError as error:
        print_line(
            f"the engine cannot be told ({error.strerror}): should it wake up or be started again, stop it by hand",
            to_stderr=True,
        )
    epoch = first_epoch(clock.now_ns())
    async with open_channel(engine.connector) as channel:
        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        killed: list[engine_pb2.KilledSymbol] = []
        for one in chosen:
            arm = KillSwitch(stub, clock, patience_s=DIRECT_S, collar_bps=one.risk.flatten_collar_bps)
            target = KillTarget(one.id, one.symbol, one.tag, epoch)
            killed += await arm.kill_all([target], flatten=flatten, everything=everything)
    return killed


def _engine_config(state: Path | None, config: Path | None, trouble: str) -> EngineConfig:
    from opensqt.cli.umbrella_config import UmbrellaConfig, load_any

    if config is None:
        folders = [state] if state is not None else sorted(path for path in STATE_ROOT.glob("*") if path.is_dir())
        files = [folder / name for folder in folders for name in ENGINE_CONFIGS if (folder / name).exists()]
        if len(files) != 1:
            what = ", ".join(str(file) for file in files) or "none"
            raise CliError(
                f"{trouble}; to go to the exchange without an engine its configuration is needed (found: {what}): name "
                "it with --config FILE or --state DIR",
                EXIT_UNVERIFIED,
            )
        config = files[0]
    loaded: msgspec.Struct | None = load_any(config)
    if isinstance(loaded, UmbrellaConfig):
        loaded = loaded.engine
    if not isinstance(loaded, EngineConfig):
        raise CliError("that configuration has no engine; give the one that has", EXIT_USAGE)
    return loaded


def _plain(one: engine_pb2.KilledSymbol) -> dict[str, object]:
    return {
        "bot": one.bot_id,
        "symbol": one.symbol,
        "cancelled": one.cancelled,
        "own_orders_left": one.own_orders_left,
        "foreign_orders_left": one.foreign_orders_left,
        "position_left": one.position_left.value if one.HasField("position_left") else None,
        "verified": one.is_verified,
        "error": one.error,
    }
