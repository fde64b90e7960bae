"""`opensqt export FOLDER`: everything the engine has stored of its bots, as files for a spreadsheet or a program."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from opensqt.cli.bot_summary import summarise_bot
from opensqt.cli.engine_client import EngineClient, engine_client, find_engine
from opensqt.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from opensqt.cli.ledger_export import read_days, read_funding
from opensqt.cli.options import Bot, Config, Json, State, time_text
from opensqt.cli.output import print_json, print_line
from opensqt.cli.rows import Row, fill_row, journal_row, order_row
from opensqt.proto import engine_pb2

_EQUITY = ("equity", "equity_change", "grid_profit", "inventory_pnl", "fees", "funding", "transfers", "unexplained")


def export(folder: Path, /, *, bot: Bot = "", state: State = None, config: Config = None, json: Json = False) -> int:
    """Write fills, orders, funding, days, equity and the journal of every bot as CSV, decimals exactly as they are.

    Args:
        folder: must not exist; each bot gets a folder of its own in it.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise CliError(f"{folder} exists already; an export never mixes with what is there", EXIT_USAGE) from None
    except OSError as error:
        raise CliError(f"{folder} cannot be made: {error.strerror}") from None
    counts = asyncio.run(_export(folder, bot, state, config))
    if json:
        print_json({"folder": str(folder.absolute()), "rows": counts})
    else:
        for name, count in counts.items():
            print_line(f"{count:>9}  {folder / name}")
    return EXIT_OK


async def _export(folder: Path, bot_id: str, state: Path | None, config: Path | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    async with engine_client(find_engine(state, config)) as client:
        for bot in (await client.get_status(bot_id)).bots:
            own = folder / bot.bot_id
            own.mkdir()
            (own / "status.json").write_text(json.dumps(summarise_bot(bot), indent=2), encoding="utf-8")
            for name, read in _READERS.items():
                counts[f"{bot.bot_id}/{name}.csv"] = await _write(own / f"{name}.csv", read(client, bot))
    return counts


async def _write(path: Path, rows: AsyncIterator[Row]) -> int:
    count = 0
    with path.open("x", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        async for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
            count += 1
    return count


async def _fills(client: EngineClient, bot: engine_pb2.BotState) -> AsyncIterator[Row]:
    async for page in client.fills(bot.bot_id, 0):
        for told in page.fills:
            yield fill_row(told, page.instrument)


async def _orders(client: EngineClient, bot: engine_pb2.BotState) -> AsyncIterator[Row]:
    """Yield orders by last change, the newest first: they are read back from now."""
    async for page in client.orders_back(bot.bot_id):
        for told in reversed(page):
            yield order_row(told, bot)


async def _equity(client: EngineClient, bot: engine_pb2.BotState) -> AsyncIterator[Row]:
    async for points in client.equity_pages(bot.bot_id):
        for point in points:
            row: dict[str, Any] = {"time": time_text(point.time_ns)}
            row.update({name: getattr(point, name).value or "0" for name in _EQUITY})
            yield {**row, "mark_price": point.mark_price.value, "position_lots": point.position_lots}


async def _journal(client: EngineClient, bot: engine_pb2.BotState) -> AsyncIterator[Row]:
    async for entries in client.journal_pages(bot.bot_id):
        for entry in entries:
            yield journal_row(entry)


_READERS: dict[str, Callable[[EngineClient, engine_pb2.BotState], AsyncIterator[Row]]] = {
    "fills": _fills,
    "orders": _orders,
    "funding": lambda client, bot: read_funding(client, bot.bot_id, 0),
    "days": lambda client, bot: read_days(client, bot.bot_id, 0),
    "equity": _equity,
    "journal": _journal,
}
