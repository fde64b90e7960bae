"""What the venue says of an account: balances, margin, positions."""

from decimal import Decimal

import msgspec

ZERO = Decimal(0)


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's position, one-way mode. `lots` is signed; a liquidation price of 0 means there is none.

    `instrument_revision` is what the lots are counted in, 0 = the revision in force.
    """

    symbol: str
    lots: int
    entry_price: Decimal = ZERO
    mark_price: Decimal = ZERO
    unrealized_pnl: Decimal = ZERO
    liquidation_price: Decimal = ZERO
    leverage: int = 1
    margin_type: str = "cross"
    venue_time_ns: int = 0
    instrument_revision: int = 0


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One settle asset's balances. Margin balance = wallet + unrealized profit."""

    asset: str
    wallet_balance: Decimal
    available_balance: Decimal
    margin_balance: Decimal
    unrealized_pnl: Decimal = ZERO
    maintenance_margin: Decimal = ZERO
    venue_time_ns: int = 0
