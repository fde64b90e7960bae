"""`opensqt pause`, `resume` and `stop`: control the running engine."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from opensqt.cli.engine_client import EngineClient, engine_client, find_engine
from opensqt.cli.errors import EXIT_FAILURE, EXIT_OK
from opensqt.cli.options import Bot, Config, Json, State
from opensqt.cli.output import print_json, print_line


def pause(
    *,
    reason: str = "asked by the operator",
    bot: Bot = "",
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Open nothing new until `resume`; take-profits stay where they are.

    Args:
        reason: shown wherever the pause is shown.
    """
    return _bots_command("paused", lambda client: client.pause(bot, reason), state, config, json)


def resume(*, bot: Bot = "", state: State = None, config: Config = None, json: Json = False) -> int:
    """Go on after a pause."""
    return _bots_command("resumed", lambda client: client.resume(bot), state, config, json)


def stop(
    mode: Literal["keep", "cancel", "flatten"],
    /,
    *,
    bot: Bot = "",
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Stop trading and say what is left, by query of the venue. Exit code 1 when something is left that should not be.

    Args:
        mode: `keep` leaves orders and position, `cancel` cancels our orders, `flatten` also closes the position.
    """
    return asyncio.run(_stop(mode, bot, state, config, json))


def _bots_command(
    done: str,
    action: Callable[[EngineClient], Awaitable[list[str]]],
    state: Path | None,
    config: Path | None,
    as_json: bool,
) -> int:
    async def command() -> list[str]:
        async with engine_client(find_engine(state, config)) as client:
            return await action(client)

    bot_ids = asyncio.run(command())
    if as_json:
        print_json({done: bot_ids})
    else:
        print_line(f"{done}: {', '.join(bot_ids) or 'no bot'}")
    return EXIT_OK


async def _stop(mode: str, bot: str, state: Path | None, config: Path | None, as_json: bool) -> int:
    async with engine_client(find_engine(state, config)) as client:
        answer = await client.stop(bot, mode)
    clean = answer.verified and (
        mode == "keep" or (answer.open_orders_left == 0 and (mode == "cancel" or answer.position_lots_left == 0))
    )
    if as_json:
        print_json(
            {
                "stopped": list(answer.bot_ids),
                "open_orders_left": answer.open_orders_left,
                "position_lots_left": answer.position_lots_left,
                "verified": answer.verified,
                "message": answer.message,
            }
        )
    else:
        print_line(
            f"stopped: {', '.join(answer.bot_ids) or 'no bot'}; {answer.open_orders_left} orders and"
            f" {answer.position_lots_left} lots left, {'verified' if answer.verified else 'NOT verified'} at the venue"
            + (f"; {answer.message}" if answer.message else "")
        )
    return EXIT_OK if clean else EXIT_FAILURE
