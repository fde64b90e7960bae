"""The state file: what is written is found again, epochs rise and are durable, trades are stored once."""

import contextlib
import sqlite3
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from models.grid_venue import SYMBOL, World, config

from opensqt.domain.client_id import MAX_SEQUENCE
from opensqt.domain.fill import CashFlow, CashFlowKind
from opensqt.domain.order import Side
from opensqt.engine.commands import Cancel, Place, Query, Reattach, SetLeverage
from opensqt.engine.core import EngineCore
from opensqt.engine.store import queries
from opensqt.engine.store.load import connect, first_epoch, restore
from opensqt.engine.store.write import write_records
from opensqt.runtime.config import ConfigError

NOW_NS = 1_795_000_000_000_000_000


class StoredWorld(World):
    """A world whose disk is a real state file as well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = None
        super().__init__()
        self.database = connect(path)

    def carry_out(self, commands) -> None:  # type: ignore[no-untyped-def]
        records = [c for c in commands if not isinstance(c, (Place, Cancel, Query, SetLeverage, Reattach))]
        assert self.database is not None
        write_records(self.database, records)
        super().carry_out(commands)


@pytest.fixture
def world(tmp_path: Path):  # type: ignore[no-untyped-def]
    made = StoredWorld(tmp_path / "engine.db")
    made.start()
    yield made
    made.database.close()


def trade_a_little(world: World) -> None:
    world.price(299_775)
    world.settle()
    world.price(300_125)
    world.settle()
    world.price(299_575)
    world.settle()


def test_state_file_restores_what_the_model_disk_restores(world: StoredWorld, tmp_path: Path) -> None:
    trade_a_little(world)
    world.turn(
        CashFlow(
            id="f1",
            kind=CashFlowKind.FUNDING,
            symbol=SYMBOL,
            asset="USDT",
            amount=Decimal("-0.0123"),
            rate=Decimal("0.0001"),
            venue_time_ns=world.venue.now_ns,
        )
    )
    world.venue.wallet -= Decimal("0.0123")
    from_file = restore(tmp_path / "engine.db", world.settings.bots, NOW_NS).bots["eth"]
    from_model = world.disk.restore(world.settings).bots["eth"]
    assert from_file.slots == {slot: lot for slot, lot in from_model.slots.items() if not lot.is_blank}
    assert from_file.totals == from_model.totals
    assert from_file.anchor_ticks == 300_000
    assert from_file.begun
    assert {o.order.client_order_id for o in from_file.open_orders} == {
        o.client_order_id for o in world.venue.open_orders
    }
    assert len(from_file.recent_trades) == len(world.venue.fills)
    assert from_file.recent_cash_flow_ids == ("f1",)
    world.core = EngineCore(world.settings, restore(tmp_path / "engine.db", world.settings.bots, NOW_NS))
    world.start()
    world.check_settled()
    assert world.bot.pnl().funding == Decimal("-0.0123")


def test_epoch_rises_with_every_start_and_is_durable(tmp_path: Path) -> None:
    path, bots = tmp_path / "engine.db", config().bots
    first = restore(path, bots, NOW_NS).bots["eth"]
    second = restore(path, bots, NOW_NS).bots["eth"]
    assert second.epoch == first.epoch + 1
    assert first.is_new
    assert second.is_new, "without a lattice there is nothing to go on from"


def test_epoch_after_a_lost_database_lies_above_the_lost_ones(tmp_path: Path) -> None:
    first = restore(tmp_path / "one.db", config().bots, NOW_NS).bots["eth"].epoch
    later = restore(tmp_path / "two.db", config().bots, NOW_NS + 3_600_000_000_000).bots["eth"].epoch
    assert later > first
    assert first_epoch(0) == 1


def test_runs_that_share_an_epoch_share_no_client_order_ids(tmp_path: Path) -> None:
    one = restore(tmp_path / "one.db", config().bots, NOW_NS).bots["eth"]
    two = restore(tmp_path / "two.db", config().bots, NOW_NS + 20_000_000).bots["eth"]
    assert one.epoch == two.epoch
    assert two.first_sequence - one.first_sequence == 200_000
    latest = restore(tmp_path / "three.db", config().bots, (1 << 63) - 1).bots["eth"]
    assert latest.first_sequence < MAX_SEQUENCE - 10**9


def test_bot_may_not_change_its_tag_or_symbol(world: StoredWorld, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="eth1"):
        restore(tmp_path / "engine.db", config(tag="eth2").bots, NOW_NS)


def test_changed_config_is_a_new_version(world: StoredWorld, tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    assert restore(path, config(grid={"buy_window": 12}).bots, NOW_NS).bots["eth"].config_version == 2
    assert restore(path, config(grid={"buy_window": 12}).bots, NOW_NS).bots["eth"].config_version == 2


def test_same_trade_is_stored_once(world: StoredWorld) -> None:
    trade_a_little(world)
    assert world.database is not None
    row = world.database.execute("SELECT * FROM fills LIMIT 1").fetchone()
    with pytest.raises(sqlite3.IntegrityError):
        world.database.execute(f"INSERT INTO fills VALUES ({','.join('?' * len(row))})", tuple(row))


def test_pages_of_fills_follow_on(world: StoredWorld) -> None:
    trade_a_little(world)
    assert world.database is not None
    total = len(world.venue.fills)
    seen, cursor = [], ""
    while True:
        span = queries.Span((SYMBOL,), 0, queries.MAX_TIME_NS, 2, cursor)
        fills, cursor = queries.fills_page(world.database, span)
        seen.extend(booked.fill.trade_id for booked in fills)
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == total
    closed = queries.realized(world.database, SYMBOL, 0, queries.MAX_TIME_NS)
    assert closed.profit_ticks_lots == world.bot.ledger.totals.grid_profit_ticks_lots
    assert closed.closing_fills == sum(fill.side is Side.SELL for fill in world.venue.fills)


def test_fills_on_disk_make_the_slots_on_disk(world: StoredWorld) -> None:
    trade_a_little(world)
    assert world.database is not None
    rows = world.database.execute(
        "SELECT slot, sum(CASE side WHEN 1 THEN lots ELSE -lots END) FROM fills GROUP BY slot"
    ).fetchall()
    held = {row[0]: row[1] for row in rows if row[1]}
    stored = world.database.execute("SELECT slot, lots FROM slots WHERE lots <> 0").fetchall()
    assert held == {row["slot"]: row["lots"] for row in stored}


def test_newer_state_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    restore(path, config().bots, NOW_NS)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="newer"):
        restore(path, config().bots, NOW_NS)


def test_rescaled_rows_are_what_the_model_disk_has_and_what_the_ledger_holds(world: StoredWorld) -> None:
    trade_a_little(world)
    before = world.bot.pnl()
    finer = msgspec.structs.replace(
        world.venue.spec, tick_size=Decimal("0.002"), lot_size=Decimal("0.00025"), revision=2, min_lots=4
    )
    world.turn(finer)
    assert world.bot.pnl() == before
    stored = restore(world.path, [world.settings.bots[0]], NOW_NS).bots["eth"]
    model = world.disk.restore(world.settings).bots["eth"]
    assert stored.totals == model.totals == world.bot.ledger.totals
    assert stored.slots == {slot: lot for slot, lot in model.slots.items() if not lot.is_blank}
    assert {one.trade_id: one for one in stored.recent_trades} == {one.trade_id: one for one in model.recent_trades}
    assert all(fill.price_ticks % 5 == 0 and fill.lots % 4 == 0 for fill in stored.recent_trades)
    by_id = {one.order.client_order_id: one for one in model.open_orders}
    assert {one.order.client_order_id: one for one in stored.open_orders} == by_id
    for record in stored.open_orders:
        assert int(record.inputs["level_ticks"]) == record.order.price_ticks
    assert stored.record is not None
    assert stored.record.tick_size == "0.002"
