"""`opensqt status`: what the running engine does, as a table or as JSON."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from opensqt.cli.bot_summary import summarise_bot
from opensqt.cli.engine_client import engine_client, find_engine
from opensqt.cli.output import CLEAR, is_terminal, print_json, print_line, print_table
from opensqt.domain.errors import UnavailableError
from opensqt.proto import engine_pb2

WATCH_S = 1.0


def status(
    *,
    state: Annotated[Path | None, Parameter(help="State folder of the instance.")] = None,
    config: Annotated[Path | None, Parameter(help="Config file the instance was started with.")] = None,
    bot: Annotated[str, Parameter(help="Only this bot.")] = "",
    json: Annotated[bool, Parameter(help="Print one JSON object; with --watch one per second.", negative="")] = False,
    watch: Annotated[bool, Parameter(help="Show it anew every second, until Ctrl-C.", negative="")] = False,
) -> int:
    """Show state, orders, position and PnL of the running bots."""
    if not watch:
        return asyncio.run(_status(state, config, bot, json))
    return asyncio.run(_watch(state, config, bot, json))


async def _status(state: Path | None, config: Path | None, bot: str, as_json: bool) -> int:
    async with engine_client(find_engine(state, config)) as client:
        _show(await client.get_status(bot), as_json)
    return 0


async def _watch(state: Path | None, config: Path | None, bot: str, as_json: bool) -> int:
    """Show the newest state every second; an engine that is away for a moment is said to be, and waited for."""
    async with engine_client(find_engine(state, config)) as client:
        while True:
            try:
                answer = await client.get_status(bot)
            except UnavailableError as error:
                print_line(f"the engine does not answer: {error.message}", to_stderr=True)
            else:
                if is_terminal() and not as_json:
                    print_line(CLEAR)
                _show(answer, as_json)
            await asyncio.sleep(WATCH_S)


def _show(answer: engine_pb2.GetStatusResponse, as_json: bool) -> None:
    bots = [summarise_bot(one) for one in answer.bots]
    if as_json:
        summary: dict[str, Any] = {
            "version": answer.version,
            "uptime_ms": answer.uptime_ms,
            "connector_up": answer.connector_up,
            "bots": bots,
        }
        print_json(summary)
        return
    for one in bots:
        rows = [(key.replace("_", " "), _text(value)) for key, value in one.items() if key not in ("bot_id", "symbol")]
        print_table(f"{one['bot_id']}  {one['symbol']}", rows)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(str(item) for item in value) or "-"
    return str(value)
