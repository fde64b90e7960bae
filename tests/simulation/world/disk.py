"""The engine's disk: records become durable a moment after they were written, unless it stalls or the engine dies.

What is durable is kept as records, and put into a real state file only when an engine starts and reads it back with the
product's own loader. Of records that replace each other only the newest is kept, as the database keeps one row.
"""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from simulation.world.timeline import MS, Timeline

from opensqt.engine.commands import (
    AuditRecord,
    BaselineRecord,
    BotRecord,
    CashFlowRecord,
    EquityRecord,
    FillRecord,
    GridVersionRecord,
    JournalRecord,
    OrderRecord,
    SlotRecord,
    StoreRecord,
    TotalsRecord,
)
from opensqt.engine.config import BotConfig
from opensqt.engine.restored import Restored
from opensqt.engine.store.load import connect, restore
from opensqt.engine.store.rebuild import restore_or_rebuild
from opensqt.engine.store.write import write_records

_SHM = Path("/dev/shm")
COMMIT_NS = 4 * MS


class Disk:
    """Durable records. `trade_ids` are those of the durable fills."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._folder = tempfile.TemporaryDirectory(prefix="sim-", dir=_SHM if _SHM.is_dir() else None)
        self.path = Path(self._folder.name) / "engine.db"
        self.error = ""
        """Why no write succeeds; empty when they do."""
        self.trade_ids: set[str] = set()
        self.flow_ids: set[str] = set()
        self.stalled_until_ns = 0
        self._newest: dict[Any, StoreRecord] = {}
        self._rows: list[StoreRecord] = []

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()

    @property
    def commit_delay_ns(self) -> int:
        """Return how long a commit takes that is asked for now."""
        return max(COMMIT_NS, self.stalled_until_ns - self._timeline.now_ns)

    def commit(self, records: list[StoreRecord]) -> None:
        """Make one turn's records durable.

        Raises:
            ValueError: a fill or cash flow is there already.
        """
        for record in records:
            if isinstance(record, FillRecord):
                if record.fill.trade_id in self.trade_ids:
                    raise ValueError(f"trade {record.fill.trade_id} was made durable twice")
                self.trade_ids.add(record.fill.trade_id)
            elif isinstance(record, CashFlowRecord):
                if record.flow.id in self.flow_ids:
                    raise ValueError(f"cash flow {record.flow.id} was made durable twice")
                self.flow_ids.add(record.flow.id)
            key = _key(record)
            if key is None:
                self._rows.append(record)
            else:
                self._newest[key] = record

    def wipe(self) -> None:
        """Lose everything, as with a deleted database."""
        self._newest.clear()
        self._rows.clear()
        self.trade_ids.clear()
        self.flow_ids.clear()
        for path in self.path.parent.iterdir():
            path.unlink()

    def damage(self) -> None:
        """Turn the database into something that is none."""
        self.wipe()
        self.path.write_bytes(b"torn pages" * 1_000)

    def read(self, configs: tuple[BotConfig, ...], now_ns: int) -> Restored:
        """Return what an engine that starts now finds; its new epochs are durable."""
        if self.path.exists() and self.path.read_bytes()[:4] == b"torn":
            return restore_or_rebuild(self.path, configs, now_ns)
        records = [*self._newest.values(), *self._rows]
        self._newest.clear()
        self._rows.clear()
        with closing(connect(self.path)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            write_records(connection, records)
            connection.execute("COMMIT")
        return restore(self.path, configs, now_ns)


def _key(record: StoreRecord) -> Any:
    if isinstance(record, OrderRecord):
        return ("order", record.order.client_order_id)
    if isinstance(record, SlotRecord):
        return ("slot", record.bot_id, record.slot)
    if isinstance(record, TotalsRecord | BotRecord):
        return (type(record).__name__, record.bot_id)
    if isinstance(record, BaselineRecord):
        return ("baseline", record.asset)
    assert isinstance(
        record, FillRecord | CashFlowRecord | JournalRecord | AuditRecord | EquityRecord | GridVersionRecord
    ), record
    return None
