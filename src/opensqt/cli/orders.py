"""`opensqt orders`: what rests at the exchange now, or with `--all` what became of every order."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from opensqt.cli.engine_client import EngineClient, engine_client, find_engine
from opensqt.cli.errors import EXIT_OK
from opensqt.cli.options import Bot, Config, Json, State
from opensqt.cli.rows import Csv, Limit, Row, order_columns, order_row, show_rows
from opensqt.proto import engine_pb2

_COLUMNS = ("updated", "bot_id", "side", "price", "quantity", "filled", "slot", "state", "rule", "client_order_id")

AllOrders = Annotated[bool, Parameter(name="--all", help="Ended ones too, by last change.", negative="")]


def orders(
    *,
    all_orders: AllOrders = False,
    limit: Limit = 100,
    bot: Bot = "",
    csv: Csv = False,
    json: Json = False,
    state: State = None,
    config: Config = None,
) -> int:
    """Show open orders with slot, rule and state; orders of others on our symbols are marked `foreign`."""
    rows = asyncio.run(_read(bot, limit, state, config, all_orders=all_orders))
    show_rows("orders", rows, _COLUMNS, order_columns(), as_csv=csv, as_json=json)
    return EXIT_OK


async def _read(bot_id: str, limit: int, state: Path | None, config: Path | None, *, all_orders: bool) -> list[Row]:
    rows: list[Row] = []
    async with engine_client(find_engine(state, config)) as client:
        for bot in (await client.get_status(bot_id)).bots:
            if all_orders:
                rows.extend([order_row(told, bot) for told in await _history(client, bot, limit)])
            else:
                told = sorted(bot.orders, key=lambda one: -one.order.price_ticks)
                rows.extend(order_row(one, bot) for one in told)
    return rows[-limit:] if limit and all_orders else rows


async def _history(client: EngineClient, bot: engine_pb2.BotState, limit: int) -> list[engine_pb2.BotOrder]:
    found: list[engine_pb2.BotOrder] = []
    async for page in client.orders_back(bot.bot_id):
        found = [*page, *found]
        if limit and len(found) >= limit:
            break
    return found[-limit:] if limit else found
