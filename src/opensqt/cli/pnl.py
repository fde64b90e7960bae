"""`opensqt pnl`: what each bot earned, in parts that sum exactly, and by day."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from opensqt.cli.bot_summary import PNL_FIELDS, pnl_values
from opensqt.cli.engine_client import engine_client, find_engine
from opensqt.cli.errors import EXIT_OK, EXIT_UNVERIFIED
from opensqt.cli.options import Bot, Config, Json, State
from opensqt.cli.output import print_columns, print_json, print_line, print_table
from opensqt.domain.money import EXACT, plain
from opensqt.proto import engine_pb2

_PARTS = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers")
_DAY_COLUMNS = (*_PARTS, "equity_change", "turnover")

Days = Annotated[int, Parameter(help="Also the profit of so many UTC days, today included.")]


def pnl(*, days: Days = 0, bot: Bot = "", state: State = None, config: Config = None, json: Json = False) -> int:
    """Show profit in parts. Exit code 4 when the venue's wallet differs from the ledger by something unexplained."""
    told = asyncio.run(_read(bot, days, state, config))
    if json:
        print_json(told)
    else:
        _print(told)
    doubtful = any(Decimal(str(one["unexplained"])) for one in told["bots"])
    return EXIT_UNVERIFIED if doubtful else EXIT_OK


async def _read(bot_id: str, days: int, state: Path | None, config: Path | None) -> dict[str, Any]:
    bots: list[dict[str, Any]] = []
    async with engine_client(find_engine(state, config)) as client:
        for bot in (await client.get_status(bot_id)).bots:
            values: dict[str, Any] = {
                "bot_id": bot.bot_id,
                "symbol": bot.symbol,
                "asset": bot.pnl.asset,
                **pnl_values(bot.pnl),
                "history_complete": bot.pnl.history_complete,
            }
            if days > 0:
                answer = await client.daily_pnl(bot.bot_id, 0)
                values["days"] = [_day(day) for day in answer.days[-days:]]
            bots.append(values)
    return {"bots": bots, "totals": _totals(bots)}


def _day(day: engine_pb2.DayPnl) -> dict[str, Any]:
    values: dict[str, Any] = {"date": day.date, "fills": day.fills, "cycles": day.cycles}
    values.update({name: getattr(day, name).value or "0" for name in _DAY_COLUMNS})
    return values


def _totals(bots: Iterable[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Sum all bots by asset; amounts of different assets are never added."""
    totals: dict[str, dict[str, Decimal]] = {}
    for one in bots:
        if not one["asset"]:
            continue
        sums = totals.setdefault(one["asset"], dict.fromkeys((*_PARTS, "equity_change"), Decimal(0)))
        for name in sums:
            sums[name] = EXACT.add(sums[name], Decimal(str(one[name])))
    return {asset: {name: plain(value) for name, value in sums.items()} for asset, sums in totals.items()}


def _print(told: dict[str, Any]) -> None:
    for one in told["bots"]:
        rows = [(name.replace("_", " "), str(one[name])) for name in (*PNL_FIELDS, "fills", "maker_fills", "cycles")]
        print_table(f"{one['bot_id']}  {one['symbol']}  {one['asset']}", rows)
        if not one["history_complete"]:
            print_line("  profit before the oldest known fill is not known: the state file was lost once")
        if one.get("days"):
            heads = ["day", *(name.replace("_", " ") for name in _DAY_COLUMNS), "fills"]
            print_columns(
                "by UTC day",
                heads,
                [[day["date"], *(day[name] for name in _DAY_COLUMNS), str(day["fills"])] for day in one["days"]],
            )
    if len(told["bots"]) > 1:
        for asset, sums in told["totals"].items():
            print_table(f"all bots  {asset}", [(name.replace("_", " "), value) for name, value in sums.items()])
