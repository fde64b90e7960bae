"""`opensqt ledger check`: our ledger against the venue's wallet, fills and cash flows, to the last unit."""

import asyncio
from pathlib import Path
from typing import Any

from opensqt.cli.engine_client import engine_client, find_engine
from opensqt.cli.errors import EXIT_FAILURE, EXIT_OK
from opensqt.cli.options import Bot, Config, Json, Since, State, since_ns, time_text
from opensqt.cli.output import print_json, print_line
from opensqt.proto import engine_pb2

_AMOUNTS = ("wallet", "venue_cash", "ledger_cash", "difference", "named", "unexplained")


def check(*, bot: Bot = "", since: Since = "", state: State = None, config: Config = None, json: Json = False) -> int:
    """Ask the venue for wallet, fills and cash flows and name what differs. Exit code 1 unless all agrees."""
    return asyncio.run(_check(bot, since_ns(since), state, config, json))


async def _check(bot: str, from_ns: int, state: Path | None, config: Path | None, as_json: bool) -> int:
    async with engine_client(find_engine(state, config)) as client:
        answer = await client.check_ledger(bot, from_ns)
    if as_json:
        print_json(_values(answer))
    else:
        _print(answer)
    return EXIT_OK if answer.ok else EXIT_FAILURE


def _values(answer: engine_pb2.CheckLedgerResponse) -> dict[str, Any]:
    return {
        "ok": answer.ok,
        "accounts": [
            {
                "asset": account.asset,
                "bots": list(account.bot_ids),
                "compared": account.compared,
                "message": account.message,
                **{name: getattr(account, name).value or "0" for name in _AMOUNTS},
            }
            for account in answer.accounts
        ],
        "differences": [
            {
                "bot_id": one.bot_id,
                "kind": one.kind,
                "what": one.what,
                "id": one.id,
                "symbol": one.symbol,
                "asset": one.asset,
                "cash": one.cash.value or "0",
                "time": time_text(one.venue_time_ns),
                "message": one.message,
            }
            for one in answer.differences
        ],
        "differences_total": answer.differences_total,
        "fills_compared": answer.fills_compared,
        "cash_flows_compared": answer.cash_flows_compared,
        "compared_since": time_text(answer.compared_since_ns),
        "notes": list(answer.notes),
    }


def _print(answer: engine_pb2.CheckLedgerResponse) -> None:
    print_line(
        f"{answer.fills_compared} fills and {answer.cash_flows_compared} cash flows compared since"
        f" {time_text(answer.compared_since_ns)}"
    )
    for one in answer.differences:
        print_line(f"  {one.kind}: {one.message} ({one.symbol}, {time_text(one.venue_time_ns)}, {one.cash.value})")
    if answer.differences_total > len(answer.differences):
        print_line(f"  and {answer.differences_total - len(answer.differences)} more")
    for account in answer.accounts:
        if not account.compared:
            print_line(f"{account.asset}: NOT compared, {account.message}")
            continue
        amounts = {name: getattr(account, name).value or "0" for name in _AMOUNTS}
        print_line(
            f"{account.asset}: wallet {amounts['wallet']}; cash {amounts['venue_cash']} at the venue,"
            f" {amounts['ledger_cash']} here: difference {amounts['difference']}"
        )
        if amounts["difference"] != "0":
            print_line(f"  named above {amounts['named']}, unexplained {amounts['unexplained']}")
    for note in answer.notes:
        print_line(f"note: {note}")
    print_line("the ledger agrees with the venue" if answer.ok else "the ledger does NOT agree with the venue")
