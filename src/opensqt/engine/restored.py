"""What an earlier run left behind, as the core wants it: values only, no database."""

from decimal import Decimal

import msgspec

from opensqt.domain.fill import Fill
from opensqt.domain.ledger import LedgerTotals, SlotLot
from opensqt.engine.commands import BotRecord, GridVersionRecord, JournalRecord, OrderRecord
from opensqt.engine.config import BotConfig
from opensqt.engine.risk.gate import Limits
from opensqt.engine.risk.losses import LossState


class BookedFill(msgspec.Struct, frozen=True):
    """A fill with what it meant; `slot` None = outside of all slots."""

    fill: Fill
    slot: int | None
    profit_ticks_lots: int


class RestoredBot(msgspec.Struct, kw_only=True):
    """One bot's state at the start of a run. `epoch` is this run's and durable already.

    `is_new` says that nothing was stored: the bot never ran, or its database is gone.
    """

    epoch: int
    first_sequence: int = 0
    """Where this run's client order ids begin: no run that shares its epoch by accident began there."""
    is_new: bool = True
    lost_past: str = ""
    """Why nothing is stored of a bot that may have a past: its state file was damaged."""
    anchor_ticks: int = 0
    config_version: int = 1
    started_ns: int = 0
    history_complete: bool = True
    begun: bool = False
    """Whether its start checks passed once: from then on every lot must be explained."""
    complete_since_ns: int = 0
    watermark_ns: int = 0
    orders_placed: int = 0
    paused_reason: str = ""
    stopped: bool = False
    limits: Limits | None = None
    losses: LossState | None = None
    totals: LedgerTotals = msgspec.field(default_factory=LedgerTotals)
    slots: dict[int, SlotLot] = msgspec.field(default_factory=dict)
    open_orders: tuple[OrderRecord, ...] = ()
    recent_trades: tuple[Fill, ...] = ()
    """Fills the venue may report again: they are remembered, not booked."""
    recent_cash_flow_ids: tuple[str, ...] = ()
    recent_fills: tuple[BookedFill, ...] = ()
    recent_journal: tuple[JournalRecord, ...] = ()
    record: BotRecord | None = None
    config: BotConfig | None = None
    """What is in force after edits of the running grid; None = the configuration as it stands in the file."""
    versions: tuple[GridVersionRecord, ...] = ()
    """The newest versions of its settings, oldest first."""


class Restored(msgspec.Struct, kw_only=True):
    """The engine's state at the start of a run."""

    bots: dict[str, RestoredBot]
    baselines: dict[str, tuple[str, Decimal]] = msgspec.field(default_factory=dict)
    """By asset: the ids of the bots it was taken with, and the cash."""
