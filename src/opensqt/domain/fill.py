"""Fills and cash flows: everything that changes a wallet."""

from decimal import Decimal
from enum import IntEnum, unique

import msgspec

from opensqt.domain.order import Side


@unique
class FillOrigin(IntEnum):
    """Whose doing a fill was; the numbers are those of the wire."""

    OURS = 1
    MANUAL = 2
    ADL = 3
    LIQUIDATION = 4
    SETTLEMENT = 5


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. `trade_id` is the venue's, unique per symbol; `fee` is positive when paid, negative as rebate."""

    symbol: str
    trade_id: str
    client_order_id: str
    exchange_order_id: str
    side: Side
    price_ticks: int
    lots: int
    cumulative_filled_lots: int = 0
    """Of the order, this fill included; 0 = the venue did not say."""
    fee: Decimal
    fee_asset: str
    is_maker: bool
    origin: FillOrigin = FillOrigin.OURS
    venue_time_ns: int
    receive_time_ns: int = 0
    instrument_revision: int = 0


@unique
class CashFlowKind(IntEnum):
    """Why a wallet changed without a trade."""

    FUNDING = 1
    TRANSFER = 2
    LIQUIDATION_FEE = 3


class CashFlow(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet change that is no trade: funding, a transfer. `amount` is signed; `id` is unique."""

    id: str
    kind: CashFlowKind
    symbol: str = ""
    asset: str
    amount: Decimal
    rate: Decimal | None = None
    venue_time_ns: int
