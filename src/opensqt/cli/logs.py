"""`opensqt logs`: what the engine decided and corrected, or the end of a service's own log."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from opensqt.cli.engine_client import engine_client, find_engine, find_state
from opensqt.cli.errors import EXIT_OK, CliError
from opensqt.cli.options import Bot, Config, Since, State, since_ns
from opensqt.cli.output import print_line
from opensqt.cli.rows import journal_row, json_line
from opensqt.cli.state_dir import StateDir
from opensqt.domain.errors import LimitError, OutcomeUnknownError, UnavailableError
from opensqt.proto import engine_pb2

RECONNECT_S = 1.0
MAX_LINES = 1_000
LEVELS = ("info", "warning", "alarm")
TAIL_BYTES = 1 << 20

Level = Annotated[Literal["info", "warning", "alarm"], Parameter(help="Nothing less than this.")]
Lines = Annotated[int, Parameter(name=["--lines", "-n"], help="How many of the newest; at most 1000.")]
Follow = Annotated[bool, Parameter(name=["--follow", "-f"], help="Go on with what comes, until Ctrl-C.", negative="")]
Service = Annotated[
    str, Parameter(help="Show the end of this service's own log instead: engine, connector, live-server, sim.")
]
JsonLines = Annotated[bool, Parameter(name="--json", help="Print one JSON object per line.", negative="")]


def logs(
    *,
    level: Level = "info",
    lines: Lines = 50,
    since: Since = "",
    follow: Follow = False,
    bot: Bot = "",
    service: Service = "",
    json: JsonLines = False,
    state: State = None,
    config: Config = None,
) -> int:
    """Show the journal of decisions and corrections, oldest first."""
    if service:
        _print_service_log(StateDir(find_state(state)), service, max(1, lines))
        return EXIT_OK
    chosen = Wanted(bot, level, since_ns(since), as_json=json)
    show = follow_journal if follow else _show_journal
    asyncio.run(show(chosen, min(max(1, lines), MAX_LINES), state, config))
    return EXIT_OK


async def _show_journal(wanted: "Wanted", lines: int, state: Path | None, config: Path | None) -> None:
    async with engine_client(find_engine(state, config)) as client:
        page = await client.journal(wanted.bot, wanted.level, wanted.from_ns, lines)
        wanted.show(list(reversed(page.entries)))


async def follow_journal(wanted: "Wanted", lines: int, state: Path | None, config: Path | None) -> None:
    """Show the newest entries and then what comes; an engine that is away is waited for."""
    async with engine_client(find_engine(state, config)) as client:
        while True:
            try:
                async for event in client.follow_state(wanted.bot):
                    if event.HasField("snapshot"):
                        recent = [entry for bot in event.snapshot.bots for entry in bot.recent_journal]
                        wanted.show_new(sorted(recent, key=lambda entry: entry.time_ns), lines)
                    else:
                        wanted.show_new(event.delta.journal, lines)
            except (UnavailableError, OutcomeUnknownError, LimitError) as error:
                print_line(f"the engine does not answer: {error.message}; waiting for it", to_stderr=True)
            await asyncio.sleep(RECONNECT_S)


class Wanted:
    """Which entries to show and how, and the time of the newest that was shown."""

    def __init__(self, bot: str, level: str, from_ns: int, *, as_json: bool) -> None:
        self.bot, self.level, self.from_ns = bot, level, from_ns
        self._levels = LEVELS[LEVELS.index(level) :]
        self._as_json = as_json
        self._newest_ns = 0

    def show(self, entries: Sequence[engine_pb2.JournalEntry]) -> None:
        """Print entries."""
        for entry in entries:
            self._newest_ns = max(self._newest_ns, entry.time_ns)
            row = journal_row(entry)
            if self._as_json:
                print_line(json_line(row))
            else:
                print_line(f"{row['time']}  {row['level']:<7}  {row['bot_id']}  {row['code']}  {row['message']}")

    def show_new(self, entries: Sequence[engine_pb2.JournalEntry], lines: int) -> None:
        """Print what was not shown yet; of what was there before the first look, the newest lines."""
        since_ns = self._newest_ns
        fresh = [
            entry
            for entry in entries
            if entry.level in self._levels and entry.time_ns >= self.from_ns and entry.time_ns > since_ns
        ]
        self.show(fresh if since_ns else fresh[-lines:])


def _print_service_log(state: StateDir, service: str, lines: int) -> None:
    path = state.log_file(service)
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            tail = file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        known = sorted(one.stem for one in path.parent.glob("*.log"))
        raise CliError(
            f"there is no log of {service!r} in {path.parent}; there are {', '.join(known) or 'none'}"
        ) from None
    for line in tail:
        print_line(line)
