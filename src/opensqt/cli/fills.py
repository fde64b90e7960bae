"""`opensqt fills`: the newest executions with their slot, fee and profit."""

import asyncio
from pathlib import Path

from opensqt.cli.engine_client import engine_client, find_engine
from opensqt.cli.errors import EXIT_OK
from opensqt.cli.options import Bot, Config, Json, Since, State, since_ns
from opensqt.cli.rows import Csv, Limit, Row, fill_columns, fill_row, show_rows
from opensqt.proto import engine_pb2

_COLUMNS = ("time", "symbol", "side", "price", "quantity", "fee", "maker", "slot", "grid_profit", "trade_id")


def fills(
    *,
    since: Since = "",
    limit: Limit = 50,
    bot: Bot = "",
    csv: Csv = False,
    json: Json = False,
    state: State = None,
    config: Config = None,
) -> int:
    """Show executions, oldest first. For everything at once see `opensqt export`."""
    rows = asyncio.run(_read(bot, since_ns(since), limit, state, config))
    show_rows("fills", rows, _COLUMNS, fill_columns(), as_csv=csv, as_json=json)
    return EXIT_OK


async def _read(bot_id: str, from_ns: int, limit: int, state: Path | None, config: Path | None) -> list[Row]:
    found: list[tuple[int, Row]] = []
    async with engine_client(find_engine(state, config)) as client:
        for bot in (await client.get_status(bot_id)).bots:
            told: list[engine_pb2.BotFill] = []
            async for page in client.fills_back(bot.bot_id):
                told = [*page, *told]
                if page[0].fill.venue_time_ns < from_ns or (limit and len(told) >= limit):
                    break
            found.extend(
                (one.fill.venue_time_ns, fill_row(one, bot.instrument))
                for one in told
                if one.fill.venue_time_ns >= from_ns
            )
    rows = [row for _time, row in sorted(found, key=lambda item: item[0])]
    return rows[-limit:] if limit else rows
