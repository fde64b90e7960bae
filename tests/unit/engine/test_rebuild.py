"""Starting on a bad disk: too little room is refused, a damaged file is moved aside and said to have been."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from models.grid_venue import Disk, World, config

from opensqt.engine.core import EngineCore
from opensqt.engine.store.load import restore
from opensqt.engine.store.rebuild import require_space, restore_or_rebuild
from opensqt.runtime.config import ConfigError

NOW_NS = 1_795_000_000_000_000_000
BOTS = config().bots


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "engine.db"
    restore(made, BOTS, NOW_NS)
    return made


def test_a_sound_file_is_used_as_it_is(path: Path) -> None:
    epoch = restore(path, BOTS, NOW_NS).bots["eth"].epoch
    bot = restore_or_rebuild(path, BOTS, NOW_NS).bots["eth"]
    assert bot.epoch == epoch + 1
    assert not bot.lost_past
    assert sorted(found.name for found in path.parent.glob("*.damaged-*")) == []


def test_no_file_is_a_new_beginning_and_no_loss(tmp_path: Path) -> None:
    bot = restore_or_rebuild(tmp_path / "new" / "engine.db", BOTS, NOW_NS).bots["eth"]
    assert bot.is_new
    assert not bot.lost_past


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)


def tear_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for offset in range(4_096 + 100, len(data), 700):
        data[offset : offset + 200] = b"\xa5" * 200
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 4_096 * 3 + 77])


def write_nonsense(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE bots SET document = '{\"bot_id\": 7'")
        database.commit()


@pytest.mark.parametrize("damage", [overwrite, tear_pages, truncate, write_nonsense])
def test_a_damaged_file_is_moved_aside_and_the_bot_knows_why_it_has_no_past(path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    damage(path)
    damaged = path.read_bytes()
    bot = restore_or_rebuild(path, BOTS, NOW_NS).bots["eth"]
    (aside,) = path.parent.glob("*.damaged-*[0-9]")
    assert aside.read_bytes() == damaged, "it is evidence: nothing of it is changed"
    assert bot.is_new
    assert str(aside) in bot.lost_past
    assert not restore_or_rebuild(path, BOTS, NOW_NS).bots["eth"].lost_past


def test_a_torn_log_is_dropped_and_what_was_committed_before_it_stays(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE bots SET epoch = epoch + 1000")
        database.commit()
        log = path.with_name(path.name + "-wal").read_bytes()
        whole = path.read_bytes()
    path.write_bytes(whole)
    path.with_name(path.name + "-wal").write_bytes(log[: len(log) - 300])
    bot = restore_or_rebuild(path, BOTS, NOW_NS).bots["eth"]
    assert not bot.lost_past
    assert list(path.parent.glob("*.damaged-*")) == []


def test_a_config_that_does_not_fit_the_file_is_no_damage(path: Path) -> None:
    with pytest.raises(ConfigError, match="tag"):
        restore_or_rebuild(path, config(tag="eth2").bots, NOW_NS)
    assert path.exists()
    assert list(path.parent.glob("*.damaged-*")) == []


def test_a_disk_without_room_is_refused_with_the_limit_and_the_fix(tmp_path: Path) -> None:
    require_space(tmp_path / "deep" / "engine.db", 1)
    with pytest.raises(ConfigError, match=r"MiB free, at least 999999999 MiB .*min_free_mb"):
        require_space(tmp_path / "deep" / "engine.db", 999_999_999)


def test_bot_without_its_past_adopts_its_orders_and_says_that_profit_is_not_whole(tmp_path: Path) -> None:
    world = World()
    world.start()
    world.price(299_775)
    world.settle()
    resting = {order.client_order_id for order in world.venue.open_orders}
    placed = len(world.venue.placed)
    (tmp_path / "engine.db").write_bytes(b"garbage" * 999)
    restored = restore_or_rebuild(tmp_path / "engine.db", world.settings.bots, NOW_NS)
    world.disk = Disk()
    world.core = EngineCore(world.settings, restored)
    world.start()
    world.check_settled()
    assert {order.client_order_id for order in world.venue.open_orders} == resting
    assert len(world.venue.placed) == placed, "an order was placed although its slot had one"
    assert not world.bot.history_complete
    (alarm,) = [entry for entry in world.bot.recent_journal if entry.code == "HISTORY_INCOMPLETE"]
    assert alarm.level == "alarm"
    assert "damaged" in alarm.message
