"""What an earlier run left behind, and this run's epochs, made durable before anything is sent."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec

from opensqt.domain.client_id import MAX_SEQUENCE
from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.ledger import REMEMBERED_IDS, LedgerTotals, SlotLot
from opensqt.engine.bot import FILL_OVERLAP_NS, KEPT_FILLS, KEPT_JOURNAL
from opensqt.engine.commands import BotRecord, JournalRecord
from opensqt.engine.config import BotConfig
from opensqt.engine.restored import Restored, RestoredBot
from opensqt.engine.store.rows import booked_fill_of, order_of
from opensqt.engine.store.schema import MIGRATIONS
from opensqt.engine.store.versions import config_in_force, is_new_version, record_file_version, stored_versions
from opensqt.engine.store.write import to_json
from opensqt.runtime.config import ConfigError
from opensqt.runtime.sqlite import open_database

_EPOCH_ZERO_NS = 1_735_689_600_000_000_000  # 2025-01-01
_EPOCH_STEP_NS = 600_000_000_000
_IDS_PER_SLOT = 10_000
_SEQUENCE_SLOTS = MAX_SEQUENCE // _IDS_PER_SLOT // 2


def connect(path: Path) -> sqlite3.Connection:
    """Open the state file, migrated, with rows readable by name. Raises ConfigError or StoreError."""
    connection = open_database(path, MIGRATIONS)
    connection.row_factory = sqlite3.Row
    return connection


def restore(path: Path, configs: Iterable[BotConfig], now_ns: int) -> Restored:
    """Load every bot and give it the next epoch, on disk before this returns.

    Raises:
        ConfigError: a bot's id now names another tag or symbol, or the file cannot be used.
    """
    with closing(connect(path)) as connection:
        bots = {config.id: _restore_bot(connection, config, now_ns) for config in configs}
        baselines = {
            row["asset"]: (row["bot_ids"], Decimal(row["cash"]))
            for row in connection.execute("SELECT * FROM baselines")
        }
        # An epoch that a power cut takes back would let client order ids repeat.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        for config in configs:
            bot = bots[config.id]
            record_file_version(connection, config, bot, now_ns)
            connection.execute(
                "INSERT INTO bots VALUES (?, ?, ?, ?, ?, ?, '') ON CONFLICT (bot_id) DO UPDATE SET "
                "epoch = excluded.epoch, config_version = excluded.config_version, config_text = excluded.config_text",
                (config.id, config.tag, config.symbol, bot.epoch, bot.config_version, to_json(config)),
            )
        connection.execute("COMMIT")
    return Restored(bots=bots, baselines=baselines)


def first_sequence(now_ns: int) -> int:
    """Return where a run's client order ids begin.

    After a lost database two runs may get the same epoch; beginning at the time of day keeps their ids apart.
    """
    return now_ns // NS_PER_MS % _SEQUENCE_SLOTS * _IDS_PER_SLOT


def first_epoch(now_ns: int) -> int:
    """Return the epoch of a bot without a past on this disk.

    Counted from the calendar, so that it lies above the epochs of a database that was lost: those rise by one per start
    only, this by one every ten minutes.
    """
    return max(1, (now_ns - _EPOCH_ZERO_NS) // _EPOCH_STEP_NS)


def _restore_bot(connection: sqlite3.Connection, config: BotConfig, now_ns: int) -> RestoredBot:
    row = connection.execute("SELECT * FROM bots WHERE bot_id = ?", (config.id,)).fetchone()
    if row is None:
        return RestoredBot(epoch=first_epoch(now_ns), first_sequence=first_sequence(now_ns), started_ns=now_ns)
    for key in ("tag", "symbol"):
        if row[key] != getattr(config, key):
            raise ConfigError.single(
                f"bots.{config.id}.{key}",
                getattr(config, key),
                f"the state file knows this bot with {key} {row[key]!r}, and its orders and lots are counted under it",
                f"restore the {key}, or give the new bot another id",
            )
    epoch = max(row["epoch"] + 1, first_epoch(now_ns))
    versions = stored_versions(connection, config.id)
    in_force = config_in_force(config, row["config_text"], versions)
    version = row["config_version"] + is_new_version(in_force, row["config_text"], versions)
    record = msgspec.json.decode(row["document"], type=BotRecord) if row["document"] else None
    if record is None:  # it never got as far as a lattice
        return RestoredBot(
            epoch=epoch,
            first_sequence=first_sequence(now_ns),
            config_version=version,
            started_ns=now_ns,
            config=in_force,
            versions=versions,
        )
    watermark_ns = max(
        record.watermark_ns,
        _one(connection, "SELECT max(venue_time_ns) FROM fills WHERE bot_id = ?", config.id),
        _one(connection, "SELECT max(venue_time_ns) FROM cash_flows WHERE bot_id = ?", config.id),
    )
    totals = connection.execute("SELECT document FROM totals WHERE bot_id = ?", (config.id,)).fetchone()
    since_ns = watermark_ns - 2 * FILL_OVERLAP_NS
    return RestoredBot(
        epoch=epoch,
        first_sequence=first_sequence(now_ns),
        is_new=False,
        begun=record.begun,
        anchor_ticks=record.anchor_ticks,
        config_version=version,
        started_ns=record.started_ns,
        history_complete=record.history_complete,
        complete_since_ns=record.complete_since_ns,
        watermark_ns=watermark_ns,
        orders_placed=_one(connection, "SELECT count(*) FROM orders WHERE bot_id = ?", config.id),
        paused_reason=record.paused_reason,
        stopped=record.stopped,
        limits=record.limits if record.limits_changed else None,
        losses=record.losses,
        totals=msgspec.json.decode(totals["document"], type=LedgerTotals) if totals else LedgerTotals(),
        slots=_slots(connection, config.id),
        open_orders=tuple(
            order_of(item)
            for item in connection.execute("SELECT * FROM orders WHERE bot_id = ? AND is_open", (config.id,))
        ),
        recent_trades=tuple(
            booked_fill_of(item).fill
            for item in connection.execute(
                "SELECT * FROM (SELECT * FROM fills WHERE bot_id = ? AND venue_time_ns >= ? "
                "ORDER BY venue_time_ns DESC LIMIT ?) ORDER BY venue_time_ns",
                (config.id, since_ns, REMEMBERED_IDS),
            )
        ),
        recent_cash_flow_ids=tuple(
            item["id"]
            for item in connection.execute(
                "SELECT id FROM cash_flows WHERE bot_id = ? AND venue_time_ns >= ?", (config.id, since_ns)
            )
        ),
        recent_fills=tuple(
            booked_fill_of(item)
            for item in connection.execute(
                "SELECT * FROM (SELECT * FROM fills WHERE bot_id = ? ORDER BY venue_time_ns DESC, rowid DESC LIMIT ?) "
                "ORDER BY venue_time_ns",
                (config.id, KEPT_FILLS),
            )
        ),
        recent_journal=tuple(
            JournalRecord(**item)
            for item in connection.execute(
                "SELECT * FROM (SELECT bot_id, time_ns, level, code, message FROM journal WHERE bot_id = ? "
                "ORDER BY time_ns DESC LIMIT ?) ORDER BY time_ns",
                (config.id, KEPT_JOURNAL),
            )
        ),
        record=record,
        config=in_force,
        versions=versions,
    )


def _one(connection: sqlite3.Connection, query: str, bot_id: str) -> int:
    value: int | None = connection.execute(query, (bot_id,)).fetchone()[0]
    return value or 0


def _slots(connection: sqlite3.Connection, bot_id: str) -> dict[int, SlotLot]:
    return {
        row["slot"]: SlotLot(
            lots=row["lots"],
            cost_ticks_lots=row["cost_ticks_lots"],
            cycles=row["cycles"],
            profit_ticks_lots=row["profit_ticks_lots"],
        )
        for row in connection.execute("SELECT * FROM slots WHERE bot_id = ?", (bot_id,))
    }
