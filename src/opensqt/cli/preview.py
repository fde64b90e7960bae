"""`opensqt grid preview CONFIG`: the first orders of every bot and what they need, before anything is sent."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from opensqt.cli.connector_access import ConnectorAccess, connector_access
from opensqt.cli.errors import EXIT_FAILURE, EXIT_USAGE, CliError
from opensqt.cli.first_grid import FirstGrid, VenueFacts, first_grid
from opensqt.cli.output import print_columns, print_json, print_line, print_table
from opensqt.cli.umbrella_config import UmbrellaConfig, load_any
from opensqt.engine.config import BotConfig, EngineConfig
from opensqt.runtime.clock import SystemClock

SHOWN = 12


def preview(
    config: Path,
    /,
    *,
    bot: Annotated[str, Parameter(help="Only this bot.")] = "",
    all_orders: Annotated[bool, Parameter(name="--all", help="Show every order.", negative="")] = False,
    json: Annotated[bool, Parameter(help="Print one JSON object.", negative="")] = False,
) -> int:
    """Show which orders a new bot would send at this price, and the grid's worst case. Nothing is sent.

    Asks the connector that runs, or starts one for the question. Exit code 1 when a bot would refuse to start.

    Args:
        config: YAML file with the sections connector and engine.
    """
    loaded = umbrella_of(config)
    if not json:
        print_line("asking the venue ...", to_stderr=True)
    grids = asyncio.run(_grids(loaded, bot))
    if json:
        print_json({"bots": [grid.as_json() for grid in grids]})
    else:
        for grid in grids:
            show(grid, everything=all_orders)
    return EXIT_FAILURE if any(grid.refusals for grid in grids) else 0


def umbrella_of(path: Path) -> UmbrellaConfig:
    """Return a configuration that has an engine. Raises CliError when it has none."""
    loaded = load_any(path)
    if isinstance(loaded, EngineConfig):
        return UmbrellaConfig(engine=loaded)
    if not isinstance(loaded, UmbrellaConfig) or loaded.engine is None:
        raise CliError(f"{path} has no `engine:` section, so there is no grid to show", EXIT_USAGE)
    return loaded


async def _grids(config: UmbrellaConfig, bot_id: str) -> list[FirstGrid]:
    engine = config.engine
    assert engine is not None
    bots = [bot for bot in engine.bots if bot_id in ("", bot.id)]
    if not bots:
        raise CliError(f"there is no bot {bot_id}; choose from {', '.join(bot.id for bot in engine.bots)}", EXIT_USAGE)
    async with connector_access(config) as access:
        return [await grid_of(access, engine, bot) for bot in bots]


async def grid_of(access: ConnectorAccess, engine: EngineConfig, bot: BotConfig) -> FirstGrid:
    """Return one bot's first grid at the venue's price of now."""
    return first_grid(engine, bot, await facts_of(access, bot), SystemClock().now_ns())


async def facts_of(access: ConnectorAccess, bot: BotConfig) -> VenueFacts:
    """Return what the venue says of a bot's symbol."""
    view = access.view
    instrument = await view.instrument(bot.symbol)
    return VenueFacts(
        instrument=instrument,
        account=await view.account(instrument.settle_asset),
        position=await view.position(instrument),
        touch=await view.touch(instrument),
    )


def show(grid: FirstGrid, *, everything: bool) -> None:
    """Print one grid for people."""
    rows = [(name.replace("_", " "), value) for name, value in grid.figures.items()]
    print_line(f"{grid.bot_id}: {grid.symbol} at {grid.price}, money in {grid.asset}")
    print_table("", rows)
    for refusal in grid.refusals:
        print_line(f"would not start: {refusal}")
    shown = grid.orders if everything else grid.orders[:SHOWN]
    if shown:
        table = [(one.side, str(one.slot), one.price, one.quantity, one.notional) for one in shown]
        print_columns(f"{len(grid.orders)} orders", ("side", "slot", "price", "quantity", "notional"), table)
    if len(shown) < len(grid.orders):
        print_line(f"... and {len(grid.orders) - len(shown)} more (--all shows them)")
