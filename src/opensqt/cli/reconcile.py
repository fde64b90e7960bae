"""`opensqt reconcile`: have the venue prove every open order now, and compare the position."""

import asyncio
from pathlib import Path

from opensqt.cli.engine_client import engine_client, find_engine
from opensqt.cli.errors import EXIT_FAILURE, EXIT_OK
from opensqt.cli.options import Bot, Config, Json, State
from opensqt.cli.output import print_json, print_line


def reconcile(*, bot: Bot = "", state: State = None, config: Config = None, json: Json = False) -> int:
    """Compare orders and position with the venue and correct what two reads agree on. Exit code 1 on a mismatch."""
    return asyncio.run(_reconcile(bot, state, config, json))


async def _reconcile(bot: str, state: Path | None, config: Path | None, as_json: bool) -> int:
    async with engine_client(find_engine(state, config)) as client:
        answer = await client.reconcile(bot)
    if as_json:
        print_json(
            {
                "position_match": answer.position_match,
                "local_lots": answer.local_lots,
                "venue_lots": answer.venue_lots,
                "corrections": [
                    {
                        "bot_id": one.bot_id,
                        "client_order_id": one.client_order_id,
                        "what": one.what,
                        "evidence": one.evidence,
                    }
                    for one in answer.corrections
                ],
            }
        )
    else:
        for one in answer.corrections:
            print_line(f"{one.bot_id} {one.client_order_id}: {one.what} ({one.evidence})")
        verdict = "agree" if answer.position_match else "DISAGREE: compare the venue's trades, then resume"
        print_line(
            f"{len(answer.corrections)} corrections; position {answer.local_lots} lots here, {answer.venue_lots} at"
            f" the venue: they {verdict}"
        )
    return EXIT_OK if answer.position_match else EXIT_FAILURE
