"""What a new run trades with after edits: the file, and on top of it what was edited, as long as the file agrees."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from models.grid_venue import World, config

from opensqt.engine.commands import Cancel, Place, Query, Reattach, SetLeverage
from opensqt.engine.config import EngineConfig
from opensqt.engine.core import EngineCore
from opensqt.engine.events import EditGrid
from opensqt.engine.grid_preview import preview
from opensqt.engine.grid_settings import Settings
from opensqt.engine.restored import RestoredBot
from opensqt.engine.risk.reasons import Code
from opensqt.engine.store.load import connect, restore
from opensqt.engine.store.write import write_records
from opensqt.runtime.config import ConfigError

NOW_NS = 1_795_000_000_000_000_000


class StoredWorld(World):
    """A world that starts from a real state file and writes to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database: sqlite3.Connection | None = None
        super().__init__()
        self.core = EngineCore(self.settings, restore(path, self.settings.bots, NOW_NS))
        self.database = connect(path)

    def carry_out(self, commands) -> None:  # type: ignore[no-untyped-def]
        records = [c for c in commands if not isinstance(c, (Place, Cancel, Query, SetLeverage, Reattach))]
        assert self.database is not None
        write_records(self.database, records)
        super().carry_out(commands)

    def edit(self, changes: Settings) -> None:
        found = preview(self.bot, changes, self.venue.now_ns)
        event = EditGrid(
            bot_id="eth",
            changes=changes,
            expected_version=found.base_version,
            preview_token=found.token,
            who="ann",
        )
        self.turn(event)
        answer = self.bot.edit_answer
        assert answer is not None
        assert answer.reason is None, answer.message
        self.settle()

    def restart(self, settings: EngineConfig) -> RestoredBot:
        """Start again from the file, with a configuration that may have changed."""
        assert self.database is not None
        self.database.close()
        self.settings = settings
        restored = restore(self.path, settings.bots, NOW_NS)
        self.core = EngineCore(settings, restored)
        self.database = connect(self.path)
        self.start()
        return restored.bots["eth"]


@pytest.fixture
def world(tmp_path: Path):  # type: ignore[no-untyped-def]
    made = StoredWorld(tmp_path / "engine.db")
    made.start()
    made.price(299_775)
    made.settle()
    yield made
    assert made.database is not None
    made.database.close()


def actions(world: StoredWorld) -> list[tuple[int, str]]:
    return [(record.version, record.action) for record in world.bot.versions]


def test_edits_hold_after_a_restart_with_the_same_file(world: StoredWorld) -> None:
    world.edit({"interval": Decimal(5), "buy_window": 7})
    cost, rests = world.bot.ledger.cost_ticks_lots, sorted(o.client_order_id for o in world.venue.open_orders)
    restored = world.restart(config())
    assert restored.config_version == 2
    assert world.bot.config.grid.interval == 5
    assert world.bot.grid.lattice.interval_ticks == 500
    assert world.bot.ledger.cost_ticks_lots == cost
    assert sorted(o.client_order_id for o in world.venue.open_orders) == rests
    assert actions(world) == [(1, "file"), (2, "edit")]
    assert [span.interval_ticks for span in world.bot.past.spans] == [200, 500]
    world.restart(config())
    assert (world.bot.config_version, world.bot.config.grid.buy_window) == (2, 7)
    world.check_settled()


def test_a_file_that_says_something_else_is_the_newer_word(world: StoredWorld) -> None:
    world.edit({"buy_window": 7, "order_quantity": Decimal(45)})
    world.restart(config(grid={"buy_window": 12}))
    assert world.bot.config.grid.buy_window == 12
    assert world.bot.config.grid.order_quantity == 45
    assert actions(world) == [(1, "file"), (2, "edit"), (3, "file_and_edits")]
    assert world.bot.versions[-1].what == ("buy_window 7 -> 12",)
    world.restart(config(grid={"buy_window": 12}))
    assert world.bot.config_version == 3
    world.restart(config(grid={"buy_window": 12, "order_quantity": Decimal(60)}))
    assert world.bot.config.grid.order_quantity == 60
    assert actions(world)[-1] == (4, "file")


def test_what_cannot_be_edited_comes_from_the_file_and_leaves_the_edits(world: StoredWorld) -> None:
    world.edit({"sell_window": 4, "range_lower": Decimal(2900), "range_action": "stop"})
    world.restart(config(leverage=7))
    limits = world.bot.config.grid.range
    assert (world.bot.config.leverage, world.bot.config.grid.sell_window) == (7, 4)
    assert limits is not None
    assert (limits.lower, limits.action) == (Decimal(2900), "stop")


def test_a_file_that_takes_over_the_edit_changes_nothing(world: StoredWorld) -> None:
    world.edit({"interval": Decimal(5)})
    world.restart(config(grid={"interval": Decimal(5)}))
    assert world.bot.config_version == 2
    assert Code.START_CHECK not in world.bot.gate.reasons
    assert world.bot.grid.lattice.interval_ticks == 500


def test_another_step_in_the_file_alone_is_still_refused(world: StoredWorld) -> None:
    world.edit({"interval": Decimal(5)})
    world.restart(config(grid={"interval": Decimal(3)}))
    assert "restore `grid.interval`" in world.bot.gate.reasons[Code.START_CHECK].message


def test_a_version_of_another_release_is_said_to_be_one(world: StoredWorld) -> None:
    world.edit({"buy_window": 7})
    assert world.database is not None
    world.database.execute("UPDATE grid_versions SET document = '{\"id\": 5}' WHERE version = 2")
    with pytest.raises(ConfigError, match="version 2 of its settings"):
        restore(world.path, config().bots, NOW_NS)


def test_a_state_file_from_before_there_were_versions_begins_with_one(world: StoredWorld) -> None:
    assert world.database is not None
    world.database.execute("DELETE FROM grid_versions")
    world.restart(config())
    assert actions(world) == [(1, "file")]
    world.database.execute("DELETE FROM grid_versions")
    world.restart(config(grid={"buy_window": 12}))
    assert actions(world) == [(2, "file")]
