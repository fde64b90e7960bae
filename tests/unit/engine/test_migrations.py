"""A state file of every earlier version is brought forward with everything in it, one version at a time."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from models.grid_venue import SYMBOL, World, config

from opensqt.engine.commands import JournalRecord
from opensqt.engine.store.days import DaysOf, daily
from opensqt.engine.store.load import connect, restore
from opensqt.engine.store.schema import MIGRATIONS
from opensqt.engine.store.write import to_json

NOW_NS = 1_795_000_000_000_000_000
FIRST_FILL_COLUMNS = (
    "symbol", "trade_id", "bot_id", "client_order_id", "exchange_order_id", "slot", "side", "price_ticks", "lots",
    "cumulative_filled_lots", "fee", "fee_asset", "is_maker", "origin", "venue_time_ns", "receive_time_ns",
    "instrument_revision", "profit_ticks_lots",
)  # fmt: skip


@pytest.fixture
def world() -> World:
    made = World()
    made.start()
    for bid in (299_775, 300_125, 299_575):
        made.price(bid)
        made.settle()
    return made


def write_first_version(path: Path, world: World) -> None:
    """Write what the first version of OpenSQT wrote, with nothing but its own SQL."""
    disk, bot = world.disk, world.bot
    record = msgspec.to_builtins(disk.bot)
    for later in ("complete_since_ns", "losses"):
        record.pop(later, None)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(MIGRATIONS[0])
        database.execute("PRAGMA user_version = 1")
        database.execute(
            "INSERT INTO bots VALUES (?, ?, ?, ?, ?, ?, ?)",
            ("eth", bot.tag, SYMBOL, 5, 1, to_json(world.settings.bots[0]), to_json(record)),
        )
        database.execute("INSERT INTO totals VALUES (?, ?)", ("eth", to_json(disk.totals)))
        for slot in disk.slots.values():
            database.execute(
                "INSERT INTO slots VALUES ('eth', ?, ?, ?, ?, ?)",
                (slot.slot, slot.lots, slot.cost_ticks_lots, slot.cycles, slot.profit_ticks_lots),
            )
        for item in disk.fills.values():
            fill = item.fill
            values = [
                fill.symbol, fill.trade_id, "eth", fill.client_order_id, fill.exchange_order_id, item.slot,
                int(fill.side), fill.price_ticks, fill.lots, fill.cumulative_filled_lots, str(fill.fee), fill.fee_asset,
                fill.is_maker, int(fill.origin), fill.venue_time_ns, fill.receive_time_ns, fill.instrument_revision,
                item.profit_ticks_lots,
            ]  # fmt: skip
            marks = ", ".join("?" * len(FIRST_FILL_COLUMNS))
            database.execute(f"INSERT INTO fills ({', '.join(FIRST_FILL_COLUMNS)}) VALUES ({marks})", values)
        database.execute("INSERT INTO journal VALUES ('eth', 1, 'info', 'OLD', 'written by the first version')")
        database.execute("INSERT INTO audit VALUES ('eth', 1, 'pause', 'by hand')")
        database.execute("INSERT INTO baselines VALUES ('USDT', 'eth', '10000')")
        database.execute("INSERT INTO equity VALUES ('eth', 1, '10000', '3000', 0, '0', '0', '0', '0', '0', '0', '0')")
        database.commit()


def rows(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def test_first_version_is_brought_to_the_newest_with_all_it_knew(world: World, tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    write_first_version(path, world)
    bot = restore(path, config().bots, NOW_NS).bots["eth"]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert bot.totals == world.disk.totals
    assert {slot: lot for slot, lot in bot.slots.items() if lot.lots} == {
        slot: lot for slot, lot in world.bot.ledger.slots.items() if lot.lots
    }
    assert [fill.trade_id for fill in bot.recent_trades] == list(world.disk.fills)
    assert bot.recent_journal == (
        JournalRecord(bot_id="eth", time_ns=1, level="info", code="OLD", message="written by the first version"),
    )
    assert bot.anchor_ticks == 300_000
    assert bot.history_complete


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_each_version_becomes_the_next_one_and_loses_no_row(world: World, tmp_path: Path, version: int) -> None:
    path = tmp_path / "engine.db"
    write_first_version(path, world)
    with closing(sqlite3.connect(path)) as database:
        for number, script in enumerate(MIGRATIONS[1:version], start=2):
            database.executescript(f"{script}; PRAGMA user_version = {number};")
    before = rows(path)
    assert before["fills"] > 2
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"{MIGRATIONS[version]}; PRAGMA user_version = {version + 1};")
    after = rows(path)
    assert {name: after[name] for name in before} == before
    connect(path).close()


def test_days_of_a_file_without_cycle_counts_still_sum_to_the_ledger(world: World, tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    write_first_version(path, world)
    instrument, mark = world.bot.instrument, Decimal(3000)
    of = DaysOf(bot_id="eth", instrument=instrument, mark_price=mark, started_ns=1, now_ns=world.venue.now_ns)
    with closing(connect(path)) as database:
        days, before = daily(database, of, world.venue.now_ns)
    assert sum(day.cycles for day in days) + before.cycles == world.bot.ledger.totals.cycles > 0
    change = world.bot.ledger.pnl(instrument, mark).equity_change
    assert sum((day.equity_change for day in days), before.equity_change) == change
