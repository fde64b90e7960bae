"""`opensqt backup`: a consistent copy of the engine's state file, made by the running engine."""

import asyncio
from pathlib import Path

from opensqt.cli.engine_client import engine_client, find_engine
from opensqt.cli.errors import EXIT_OK
from opensqt.cli.options import Config, Json, State
from opensqt.cli.output import print_json, print_line


def backup(file: Path, /, *, state: State = None, config: Config = None, json: Json = False) -> int:
    """Copy the engine's state file while it goes on; the engine writes it on its own machine.

    Args:
        file: the copy; it must not exist.
    """
    return asyncio.run(_backup(file.absolute(), state, config, json))


async def _backup(path: Path, state: Path | None, config: Path | None, as_json: bool) -> int:
    async with engine_client(find_engine(state, config)) as client:
        answer = await client.backup(str(path))
    if as_json:
        print_json({"path": answer.path, "size_bytes": answer.size_bytes})
    else:
        print_line(f"{answer.path}: {answer.size_bytes} bytes")
    return EXIT_OK
