"""What the user stream tells us, as values.

An event that concerns a symbol or a kind of order we do not trade is an `Ignored`: known, counted, not acted upon.
"""

from decimal import Decimal
from enum import StrEnum, unique
from typing import TypeAlias

import msgspec

from opensqt.domain.account import Position
from opensqt.domain.fill import CashFlow, Fill
from opensqt.domain.order import Order, Side


@unique
class PositionSide(StrEnum):
    """Which position of a symbol: the only one (one-way mode), or the long or short one (hedge mode)."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """ORDER_TRADE_UPDATE: the order as it is now, and the execution that made it so, if one did.

    `order` is None when the order's price or size fits no known revision of the instrument; its fill stands even so,
    and `unfit` says why.
    """

    order: Order | None
    fill: Fill | None
    execution: str
    position_side: PositionSide
    realized_pnl: Decimal
    unfit: str = ""
    event_time_ns: int

    @property
    def is_amendment(self) -> bool:
        """Return whether an amendment was done."""
        return self.execution == "AMENDMENT"


class TradeLiteEvent(msgspec.Struct, frozen=True, kw_only=True):
    """TRADE_LITE: the first news of an execution, without fee and cumulative size; the full event follows."""

    symbol: str
    trade_id: str
    client_order_id: str
    exchange_order_id: str
    side: Side
    price_ticks: int
    lots: int
    is_maker: bool
    instrument_revision: int
    venue_time_ns: int


class WalletUpdate(msgspec.Struct, frozen=True):
    """One asset's wallet as it is now; `change` is without profit and fees."""

    asset: str
    wallet_balance: Decimal
    cross_wallet_balance: Decimal
    change: Decimal


class PositionUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One position as it is now. `lots` is signed."""

    symbol: str
    side: PositionSide
    lots: int
    entry_price: Decimal
    unrealized_pnl: Decimal
    margin_type: str
    venue_time_ns: int

    def applied_to(self, known: Position) -> Position:
        """Return the position with this update; what the event does not tell stays."""
        return msgspec.structs.replace(
            known,
            lots=self.lots,
            entry_price=self.entry_price,
            unrealized_pnl=self.unrealized_pnl,
            margin_type=self.margin_type,
            venue_time_ns=self.venue_time_ns,
        )


class AccountEvent(msgspec.Struct, frozen=True, kw_only=True):
    """ACCOUNT_UPDATE: wallets and positions that changed, and the cash flows among the changes."""

    reason: str
    wallets: tuple[WalletUpdate, ...]
    positions: tuple[PositionUpdate, ...]
    cash_flows: tuple[CashFlow, ...]
    unlisted: tuple[str, ...]
    """Venue symbols of changed positions in instruments that are not traded here."""
    venue_time_ns: int


class LeverageEvent(msgspec.Struct, frozen=True):
    """ACCOUNT_CONFIG_UPDATE: a symbol's leverage changed."""

    symbol: str
    leverage: int


class MultiAssetsEvent(msgspec.Struct, frozen=True):
    """ACCOUNT_CONFIG_UPDATE: the account's multi-assets mode changed."""

    is_on: bool


class MarginCallPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One position that needs margin; `quantity` is signed, in the base asset."""

    venue_symbol: str
    side: PositionSide
    quantity: Decimal
    mark_price: Decimal
    unrealized_pnl: Decimal
    maintenance_margin: Decimal


class MarginCallEvent(msgspec.Struct, frozen=True):
    """MARGIN_CALL: guidance only, it may come late or not at all."""

    cross_wallet_balance: Decimal | None
    positions: tuple[MarginCallPosition, ...]


class ListenKeyExpiredEvent(msgspec.Struct, frozen=True):
    """The stream stays open and silent from now on: open another with a new key."""

    listen_key: str


class IgnoredEvent(msgspec.Struct, frozen=True):
    """An event that is known or unknown, and none of our business."""

    name: str
    why: str


UserEvent: TypeAlias = (
    OrderEvent
    | TradeLiteEvent
    | AccountEvent
    | LeverageEvent
    | MultiAssetsEvent
    | MarginCallEvent
    | ListenKeyExpiredEvent
    | IgnoredEvent
)
