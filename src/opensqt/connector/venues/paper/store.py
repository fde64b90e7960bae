"""The paper venue's memory: one SQLite file of its own, written before anybody hears of a change.

One table of rows (kind, key, value) as `opensqt.matching.state` defines them, plus the position of the market source
and the settings that the state belongs to. A transaction holds all that one turn changed together with the source's
position, so a restart finds orders, wallet and market at the same moment.

A commit in WAL mode survives the death of the process at any instruction; only a power cut may take the last moments.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, final

import msgspec

from opensqt.domain.errors import ErrorReason, UnavailableError
from opensqt.matching.state import Row, VenueState
from opensqt.runtime.config import ConfigError
from opensqt.runtime.sqlite import StoreError, open_database, quick_check

MIGRATIONS = (
    """
    CREATE TABLE rows (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID;
    """,
)

_POSITION = "source_position"
_SETTINGS = "settings"
_FUNDING = "funding_settlement"


@final
class PaperStore:
    """The open file. Used from one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create the file.

        Raises:
            ConfigError: it cannot be used, or it is damaged; says what to do.
        """
        try:
            if self._path.exists():
                quick_check(self._path)
            self._connection = open_database(self._path, MIGRATIONS)
        except StoreError as error:
            raise ConfigError.single(
                "paper.state_file", self._path, str(error), "move the file away; the venue then starts anew"
            ) from None

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def check_settings(self, settings: dict[str, Any]) -> None:
        """Remember the settings in a new file; refuse a file that belongs to others.

        Raises:
            ConfigError: naming what differs.
        """
        saved = self._value(_SETTINGS)
        if saved is None:
            self.write([(_SETTINGS, "", msgspec.json.encode(settings))], None)
            return
        before = msgspec.json.decode(saved)
        if before != settings:
            different = sorted(key for key in {*before, *settings} if before.get(key) != settings.get(key))
            raise ConfigError.single(
                "paper.state_file",
                self._path,
                "holds the state of another market: "
                + "; ".join(f"{key} was {before.get(key)!r} and is {settings.get(key)!r} now" for key in different),
                "use the same settings, another state_file, or delete this one to start anew",
            )

    def load(self) -> VenueState | None:
        """Return the saved exchange, None in a new file.

        Raises:
            ConfigError: a row cannot be read.
        """
        rows = self._rows("SELECT kind, key, value FROM rows")
        try:
            return VenueState.from_rows(rows)
        except msgspec.MsgspecError as error:
            raise ConfigError.single(
                "paper.state_file", self._path, f"cannot be read ({error})", "move the file away to start anew"
            ) from None

    def position(self) -> dict[str, Any] | None:
        """Return where the market source stood."""
        saved = self._value(_POSITION)
        if saved is None:
            return None
        position: dict[str, Any] = msgspec.json.decode(saved)
        return position

    def funding_settlements(self) -> list[tuple[str, int, str]]:
        """Return the settled funding rates as (symbol, time in ms, rate), oldest first."""
        rows = self._rows("SELECT kind, key, value FROM rows WHERE kind = ?", _FUNDING)
        found = [(key.rpartition("@"), value.decode()) for _kind, key, value in rows]
        return sorted(((name[0], int(name[2]), rate) for name, rate in found), key=lambda entry: entry[1])

    @staticmethod
    def funding_row(symbol: str, settled_ms: int, rate: str) -> Row:
        """Return a settled rate as a row."""
        return _FUNDING, f"{symbol}@{settled_ms}", rate.encode()

    def write(self, rows: Iterable[Row], position: dict[str, Any] | None) -> None:
        """Make rows durable in one transaction, with the position of the source.

        Raises:
            UnavailableError: the disk is full or fails; nothing of it was written.
        """
        assert self._connection is not None, "write needs open"
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for kind, key, value in rows:
                if value is None:
                    connection.execute("DELETE FROM rows WHERE kind = ? AND key = ?", (kind, key))
                else:
                    connection.execute(
                        "INSERT INTO rows (kind, key, value) VALUES (?, ?, ?) "
                        "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                        (kind, key, value),
                    )
            if position is not None:
                connection.execute(
                    "INSERT INTO rows (kind, key, value) VALUES (?, '', ?) "
                    "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                    (_POSITION, msgspec.json.encode(position)),
                )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise UnavailableError(
                ErrorReason.VENUE_UNAVAILABLE,
                f"the paper venue cannot write its state to {self._path} ({error}); free the disk and start again: "
                "nothing that was acknowledged is lost",
            ) from None

    def _value(self, kind: str) -> bytes | None:
        rows = self._rows("SELECT kind, key, value FROM rows WHERE kind = ? AND key = ''", kind)
        return rows[0][2] if rows else None

    def _rows(self, query: str, *arguments: str) -> list[tuple[str, str, bytes]]:
        assert self._connection is not None, "reading needs open"
        try:
            return self._connection.execute(query, arguments).fetchall()
        except sqlite3.Error as error:
            raise ConfigError.single(
                "paper.state_file", self._path, f"cannot be read ({error})", "move the file away to start anew"
            ) from None
