"""`opensqt status`: what the running engine does, as a table or as JSON."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from opensqt.cli.bot_summary import summarise_bot
from opensqt.cli.engine_client import engine_client, find_engine
from opensqt.cli.output import print_json, print_table


def status(
    *,
    state: Annotated[Path | None, Parameter(help="State folder of the instance.")] = None,
    config: Annotated[Path | None, Parameter(help="Config file the instance was started with.")] = None,
    bot: Annotated[str, Parameter(help="Only this bot.")] = "",
    json: Annotated[bool, Parameter(help="Print one JSON object.", negative="")] = False,
) -> int:
    """Show state, orders, position and PnL of the running bots."""
    return asyncio.run(_status(state, config, bot, json))


async def _status(state: Path | None, config: Path | None, bot: str, as_json: bool) -> int:
    async with engine_client(find_engine(state, config)) as client:
        answer = await client.get_status(bot)
    bots = [summarise_bot(one) for one in answer.bots]
    if as_json:
        summary: dict[str, Any] = {
            "version": answer.version,
            "uptime_ms": answer.uptime_ms,
            "connector_up": answer.connector_up,
            "bots": bots,
        }
        print_json(summary)
        return 0
    for one in bots:
        rows = [(key.replace("_", " "), _text(value)) for key, value in one.items() if key not in ("bot_id", "symbol")]
        print_table(f"{one['bot_id']}  {one['symbol']}", rows)
    return 0


def _text(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(str(item) for item in value) or "-"
    return str(value)
