"""`opensqt ledger export`: fills, funding and transfers, or days, as CSV or JSON lines, page by page."""

import asyncio
import csv
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Literal, TextIO

from cyclopts import Parameter

from opensqt.cli.engine_client import EngineClient, engine_client, find_engine
from opensqt.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from opensqt.cli.options import Config, OneBot, Since, State, since_ns, time_text
from opensqt.cli.rows import Row, fill_row
from opensqt.proto import engine_pb2, trade_pb2

_DAY_AMOUNTS = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers", "equity_change", "turnover")


def export(
    what: Literal["fills", "funding", "days"] = "fills",
    /,
    *,
    csv: Annotated[bool, Parameter(help="Comma-separated values with a header (the default).", negative="")] = False,
    json: Annotated[bool, Parameter(help="One JSON object per line.", negative="")] = False,
    output: Annotated[Path | None, Parameter(help="Write to this file, which must not exist; else print.")] = None,
    since: Since = "",
    bot: OneBot = "",
    state: State = None,
    config: Config = None,
) -> int:
    """Write what the ledger booked, oldest first, decimals exactly as they are.

    Args:
        what: `fills`, `funding` (with transfers), or `days` (profit by UTC day).
    """
    if csv and json:
        raise CliError("--csv and --json were both given; choose one", EXIT_USAGE)
    return asyncio.run(_export(what, json, output, since_ns(since), bot, state, config))


async def _export(
    what: str, as_json: bool, output: Path | None, from_ns: int, bot: str, state: Path | None, config: Path | None
) -> int:
    async with engine_client(find_engine(state, config)) as client:
        rows = _READERS[what](client, bot, from_ns)
        if output is None:
            await _write(rows, sys.stdout, as_json)
            return EXIT_OK
        try:
            file = output.open("x", encoding="utf-8", newline="")
        except FileExistsError:
            raise CliError(f"{output} exists already; an export never replaces a file", EXIT_USAGE) from None
        with file:
            await _write(rows, file, as_json)
    return EXIT_OK


async def _write(rows: AsyncIterator[Row], file: TextIO, as_json: bool) -> None:
    writer: csv.DictWriter[str] | None = None
    async for row in rows:
        if as_json:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            continue
        if writer is None:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)


async def _fills(client: EngineClient, bot: str, from_ns: int) -> AsyncIterator[Row]:
    async for page in client.fills(bot, from_ns):
        for told in page.fills:
            yield fill_row(told, page.instrument)


async def read_funding(client: EngineClient, bot: str, from_ns: int) -> AsyncIterator[Row]:
    """Yield booked funding and transfers, oldest first."""
    async for page in client.cash_flows(bot, from_ns):
        for flow in page.cash_flows:
            yield {
                "time": time_text(flow.venue_time_ns),
                "venue_time_ns": flow.venue_time_ns,
                "kind": trade_pb2.CashFlowKind.Name(flow.kind).removeprefix("CASH_FLOW_KIND_").lower(),
                "symbol": flow.symbol,
                "id": flow.id,
                "asset": flow.asset,
                "amount": flow.amount.value or "0",
                "rate": flow.rate.value,
            }


async def read_days(client: EngineClient, bot: str, from_ns: int) -> AsyncIterator[Row]:
    """Yield the profit by UTC day, oldest first."""
    answer: engine_pb2.GetDailyPnlResponse = await client.daily_pnl(bot, from_ns)
    for day in answer.days:
        yield {
            "date": day.date,
            "asset": answer.asset,
            **{name: getattr(day, name).value or "0" for name in _DAY_AMOUNTS},
            "fills": day.fills,
            "maker_fills": day.maker_fills,
            "cycles": day.cycles,
            "position_lots": day.position_lots,
            "mark_price": day.mark_price.value,
        }


_READERS: dict[str, Callable[[EngineClient, str, int], AsyncIterator[Row]]] = {
    "fills": _fills,
    "funding": read_funding,
    "days": read_days,
}
