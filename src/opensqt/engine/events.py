"""What the core is told.

Domain values (Fill, Order, Account, Position, FeedHealth, MarkPrice, CashFlow, Instrument) are events as they are; the
rest is here. Times are in ns; `receive_ns` is the connector's clock.
"""

from enum import Enum, unique

import msgspec

from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.market import FeedHealth, MarkPrice
from opensqt.domain.order import Order
from opensqt.engine.grid_settings import Settings
from opensqt.engine.risk.volume_halt import MarketCandle


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A session with the connector began; everything the venue knows, at one moment."""

    session_epoch: int
    exchange: str
    mode: str
    instruments: tuple[Instrument, ...]
    open_orders: tuple[Order, ...] = ()
    positions: tuple[Position, ...] = ()
    accounts: tuple[Account, ...] = ()
    fills: tuple[Fill, ...] = ()
    cash_flows: tuple[CashFlow, ...] = ()
    feeds: tuple[FeedHealth, ...] = ()
    marks: tuple[MarkPrice, ...] = ()
    venue_time_ns: int = 0


class Detached(msgspec.Struct, frozen=True):
    """The session ended: nothing more will be heard of what is in flight."""

    reason: str


@unique
class Outcome(Enum):
    """What is known of a command; the numbers are those of the wire."""

    CONFIRMED = 1
    REJECTED = 2
    UNKNOWN = 3


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The one answer to a command."""

    command_id: int
    client_order_id: str
    outcome: Outcome
    reason: ErrorReason | None = None
    message: str = ""
    order: Order | None = None
    retry_after_ms: int = 0
    received_ns: int = 0
    """When the connector read the command, sent it (0 = never) and had the venue's answer, on its clock."""
    sent_ns: int = 0
    acknowledged_ns: int = 0


class BookTop(msgspec.Struct, frozen=True, gc=False):
    """Best prices after one batch of book updates, 0 for an empty side; only a valid book may price.

    `revision` is what its ticks are counted in, 0 = the revision in force.
    """

    symbol: str
    bid_ticks: int
    ask_ticks: int
    valid: bool
    reason: str = ""
    receive_ns: int = 0
    revision: int = 0


class LastTrade(msgspec.Struct, frozen=True, gc=False):
    """The newest public trade of one batch."""

    symbol: str
    price_ticks: int
    receive_ns: int = 0


class Timer(msgspec.Struct, frozen=True):
    """Time passed; sent a few times per second."""


class SettingsSeen(msgspec.Struct, frozen=True):
    """What the venue answered about a symbol's settings; a leverage of 0 and an empty mode are not known."""

    symbol: str
    leverage: int
    margin_mode: str


class CandlesLost(msgspec.Struct, frozen=True):
    """No candles of a monitored symbol come, and why."""

    symbol: str
    reason: str


class Stalled(msgspec.Struct, frozen=True):
    """The engine, or the machine, stood still for so long: everything that waits to be read was true before."""

    gap_ns: int


class Pause(msgspec.Struct, frozen=True):
    """An operator wants no new inventory."""

    bot_id: str
    reason: str
    who: str = ""


class Resume(msgspec.Struct, frozen=True):
    """An operator lifts a pause, and lets the start checks run again."""

    bot_id: str
    who: str = ""


@unique
class StopMode(Enum):
    """What a stop leaves behind; the numbers are those of the wire."""

    KEEP = 1
    CANCEL = 2
    FLATTEN = 3


class Stop(msgspec.Struct, frozen=True):
    """An operator ends a bot."""

    bot_id: str
    mode: StopMode
    who: str = ""
    killed: bool = False
    """By the kill switch: the audit calls it so."""


class Leave(msgspec.Struct, frozen=True):
    """The engine is about to end: take the bot off the market, without that being an operator's decision to stop it."""

    bot_id: str
    mode: StopMode


class Reconcile(msgspec.Struct, frozen=True):
    """An operator wants every order proven again."""

    bot_id: str
    who: str = ""


class Saved(msgspec.Struct, frozen=True):
    """The bot's lattice and run number are durable: its first order may go."""

    bot_id: str


class StoreHealth(msgspec.Struct, frozen=True):
    """Whether what happened becomes durable; `lost` = not for so long that everything must be taken off the market."""

    healthy: bool
    detail: str = ""
    lost: bool = False


class VenueRead(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue lists for one symbol, asked for anew; with an `error` it says nothing else."""

    symbol: str
    orders: tuple[Order, ...] = ()
    position: Position | None = None
    error: str = ""


class LimitsChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An operator set hard limits; None leaves one as it is, 0 takes it away."""

    bot_id: str
    max_position_lots: int | None = None
    max_notional_units: int | None = None
    max_order_notional_units: int | None = None
    max_leverage: int | None = None
    reason: str = ""
    who: str = ""


class EditGrid(msgspec.Struct, frozen=True, kw_only=True):
    """An operator applies an edit that was previewed; the answer is the bot's `edit_answer`."""

    bot_id: str
    changes: Settings = {}
    undo: bool = False
    expected_version: int
    preview_token: str
    who: str = ""


Event = (
    Attached
    | Detached
    | Result
    | BookTop
    | LastTrade
    | Timer
    | Stalled
    | MarketCandle
    | CandlesLost
    | SettingsSeen
    | Pause
    | Resume
    | Stop
    | Leave
    | Reconcile
    | Saved
    | StoreHealth
    | LimitsChanged
    | EditGrid
    | VenueRead
    | Fill
    | Order
    | Account
    | Position
    | FeedHealth
    | MarkPrice
    | CashFlow
    | Instrument
)
