"""The versions of a bot's settings on disk, and which configuration a new run trades with.

The file is what the operator wrote; edits of the running grid are on top of it. After a restart an edited setting stays
edited as long as the file still says what it said when it was edited; a file that says something else is the newer
word. What comes of the two is a version of its own.
"""

import sqlite3

import msgspec

from opensqt.engine.bot import KEPT_VERSIONS
from opensqt.engine.commands import GridVersionRecord
from opensqt.engine.config import BotConfig
from opensqt.engine.grid_settings import config_of, describe, merged
from opensqt.engine.restored import RestoredBot
from opensqt.engine.store.write import to_json, write_records
from opensqt.runtime.config import ConfigError


def stored_versions(connection: sqlite3.Connection, bot_id: str) -> tuple[GridVersionRecord, ...]:
    """Return the newest versions of a bot's settings, oldest first."""
    rows = connection.execute(
        "SELECT * FROM (SELECT * FROM grid_versions WHERE bot_id = ? ORDER BY version DESC LIMIT ?) ORDER BY version",
        (bot_id, KEPT_VERSIONS),
    )
    return tuple(
        GridVersionRecord(
            bot_id=row["bot_id"],
            version=row["version"],
            time_ns=row["time_ns"],
            action=row["action"],
            who=row["who"],
            what=tuple(msgspec.json.decode(row["what"], type=list[str])),
            undo_version=row["undo_version"],
            document=row["document"],
        )
        for row in rows
    )


def config_in_force(config: BotConfig, file_text_then: str, versions: tuple[GridVersionRecord, ...]) -> BotConfig:
    """Return what a bot trades with: its file and the edits on top.

    Raises:
        ConfigError: a stored version cannot be read, or does not go with the file any more.
    """
    if not versions or versions[-1].action == "file":
        return config
    try:
        file_then = config_of(file_text_then)
        edited = config_of(versions[-1].document)
    except ConfigError as error:
        raise ConfigError.single(
            f"bots.{config.id}",
            None,
            f"version {versions[-1].version} of its settings is in the state file and cannot be read: {error}",
            "run the release that wrote it, or give the bot another id and tag",
        ) from None
    return merged(file_then, edited, config)


def is_new_version(in_force: BotConfig, file_text_then: str, versions: tuple[GridVersionRecord, ...]) -> bool:
    """Return whether what holds now is another configuration than the last run's."""
    return in_force != _readable(versions[-1].document if versions else file_text_then)


def record_file_version(connection: sqlite3.Connection, config: BotConfig, bot: RestoredBot, now_ns: int) -> None:
    """Store the version a run begins with, when it is new, and let the bot know of it; the caller owns the transaction.

    It is what the file says, or what a changed file and earlier edits make together.
    """
    if any(record.version == bot.config_version for record in bot.versions):
        return
    in_force = bot.config or config
    before = _readable(bot.versions[-1].document) if bot.versions else None
    record = GridVersionRecord(
        bot_id=config.id,
        version=bot.config_version,
        time_ns=now_ns,
        action="file" if in_force == config else "file_and_edits",
        who="",
        what=tuple(describe(before, in_force)) if before is not None else (),
        undo_version=bot.versions[-1].version if bot.versions else 0,
        document=to_json(in_force),
    )
    write_records(connection, [record])
    bot.versions = (*bot.versions, record)


def _readable(document: str) -> BotConfig | None:
    try:
        return config_of(document)
    except ConfigError:
        return None  # another release wrote it
