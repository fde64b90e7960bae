"""What the core asks for: orders for the connector, records for the database.

Sending commands go out in the order they stand in; records become durable later, in the same order.
"""

from decimal import Decimal
from enum import Enum, unique

import msgspec

from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.ledger import LedgerTotals
from opensqt.domain.order import Order, OrderRequest
from opensqt.engine.lattices import LatticeSpan
from opensqt.engine.risk.gate import Limits
from opensqt.engine.risk.losses import LossState
from opensqt.engine.units import UnitSpan

# ---- to the connector ----


class Place(msgspec.Struct, frozen=True):
    """Place an order."""

    command_id: int
    request: OrderRequest


class Cancel(msgspec.Struct, frozen=True):
    """Cancel an order."""

    command_id: int
    symbol: str
    client_order_id: str
    exchange_order_id: str


class Query(msgspec.Struct, frozen=True):
    """Ask what became of an order."""

    command_id: int
    symbol: str
    client_order_id: str


class SetLeverage(msgspec.Struct, frozen=True):
    """Set a symbol's leverage; answered by a position."""

    symbol: str
    leverage: int


class Reattach(msgspec.Struct, frozen=True):
    """End the session and begin another: something the stream should have told is missing.

    `with_market` begins the market streams anew as well.
    """

    reason: str
    with_market: bool = False


@unique
class AskKind(Enum):
    """What the shell is to ask the connector for, beside the ordered stream."""

    READ = "read"  # open orders and position, answered by a VenueRead
    CANCEL_ALL = "cancel_all"  # everything of the symbol; its effect is told by the stream


class Ask(msgspec.Struct, frozen=True):
    """A question or a last resort that needs no place in the order of commands."""

    kind: AskKind
    symbol: str


# ---- to the database ----


class BotRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a bot must know after a restart besides its slots: lattice, run number, what an operator decided."""

    bot_id: str
    tag: str
    symbol: str
    epoch: int
    anchor_ticks: int
    interval_ticks: int
    ratio_ppb: int
    tick_size: str
    lot_size: str
    config_version: int
    config_text: str
    started_ns: int
    history_complete: bool
    begun: bool
    watermark_ns: int
    paused_reason: str
    stopped: bool
    limits: Limits
    limits_changed: bool
    """Whether an operator set the limits; else the configuration's hold."""
    losses: LossState = LossState()
    complete_since_ns: int = 0
    lattices: tuple[LatticeSpan, ...] = ()
    """Of a bot whose lattice changed: all its lattices, the present one last."""
    tick_step: int = 1
    """Ticks of `tick_size`, which all of the bot counts in, that make one tick of the venue's; likewise for lots."""
    lot_step: int = 1
    unit_spans: tuple[UnitSpan, ...] = ()
    """The instrument's revisions, with what each counts in."""


class RescaleRecord(msgspec.Struct, frozen=True):
    """Everything stored of a bot so far counts in finer units from now on: a tick was `tick_factor` of its ticks."""

    bot_id: str
    tick_factor: int
    lot_factor: int


class BaselineRecord(msgspec.Struct, frozen=True):
    """What an account's cash was, less everything these bots had booked, when they began."""

    asset: str
    bot_ids: str
    cash: Decimal


class SlotRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One slot as it is now."""

    bot_id: str
    slot: int
    lots: int
    cost_ticks_lots: int
    cycles: int
    profit_ticks_lots: int


class TotalsRecord(msgspec.Struct, frozen=True):
    """The ledger's totals as they are now."""

    bot_id: str
    totals: LedgerTotals


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One order as it is now, with why it exists."""

    bot_id: str
    order: Order
    slot: int
    rule: str
    inputs: dict[str, str]
    config_version: int
    history: tuple[str, ...]
    is_open: bool
    """It can still change the position: not over, or over with fills still to come."""


class FillRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One booked fill with its effect; `slot` None = outside of all slots."""

    bot_id: str
    fill: Fill
    slot: int | None
    profit_ticks_lots: int
    cycles: int = 0


class CashFlowRecord(msgspec.Struct, frozen=True):
    """One booked cash flow."""

    bot_id: str
    flow: CashFlow


class EquityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The profit and its parts at one moment."""

    bot_id: str
    time_ns: int
    equity: Decimal
    mark_price: Decimal
    position_lots: int
    entry_price: Decimal
    grid_profit: Decimal
    inventory: Decimal
    fees: Decimal
    funding: Decimal
    transfers: Decimal
    unexplained: Decimal


class JournalRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the bot's journal; level is info, warning or alarm."""

    bot_id: str
    time_ns: int
    level: str
    code: str
    message: str


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One thing an operator did."""

    time_ns: int
    bot_id: str
    action: str
    detail: str
    who: str = ""
    """The operator's name, or the rule that acted; empty = nobody said."""


class GridVersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a bot's settings: `document` is the whole configuration then in force, as JSON.

    `action` is file, edit, undo or filters (the venue changed them); `undo_version` is what an undo goes back to, 0 =
    nothing.
    """

    bot_id: str
    version: int
    time_ns: int
    action: str
    who: str
    what: tuple[str, ...]
    undo_version: int
    document: str


SendCommand = Place | Cancel | Query | SetLeverage
StoreRecord = (
    BotRecord
    | BaselineRecord
    | SlotRecord
    | TotalsRecord
    | OrderRecord
    | FillRecord
    | CashFlowRecord
    | EquityRecord
    | JournalRecord
    | AuditRecord
    | GridVersionRecord
    | RescaleRecord
)
Command = SendCommand | Reattach | StoreRecord
