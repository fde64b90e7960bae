"""The venue's account against our ledgers: what nobody can explain is shown, never hidden.

Wallets realise profit at an average entry, ledgers by slot, so wallets are not compared. Cash is: `wallet - lots *
entry` is what the account would hold had every open position been paid for in full, and it changes only by trades at
their price, fees, funding and transfers, which is what ledgers book. The difference to the same figure at the bots'
beginning is `unexplained`. It is read only when both sides speak of the same trades (the positions agree), else the
last reading stands.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import final

from opensqt.domain.account import Account, Position
from opensqt.domain.instrument import Instrument
from opensqt.domain.ledger import Ledger
from opensqt.domain.money import EXACT, decimals_of

ZERO = Decimal(0)
_ENTRY_DECIMALS = 8


@final
class AccountBook:
    """One settle asset's account, shared by all bots that settle in it."""

    def __init__(self, asset: str) -> None:
        self.asset = asset
        self.account: Account | None = None
        self.baseline_cash: Decimal | None = None
        self.unexplained = ZERO

    def cash(self, parts: Iterable[tuple[Instrument, Position]]) -> Decimal | None:
        """Return wallet minus the open positions at entry; None without an account."""
        if self.account is None:
            return None
        cash = self.account.wallet_balance
        for instrument, position in parts:
            size = instrument.lots_to_quantity(position.lots)
            cash = EXACT.subtract(cash, EXACT.multiply(size, position.entry_price))
        return cash

    def begin(self, parts: list[tuple[Instrument, Position, Ledger]]) -> None:
        """Take the present as the baseline, with what the ledgers have booked already taken out."""
        cash = self.cash((instrument, position) for instrument, position, _ledger in parts)
        if cash is None:
            return
        for instrument, _position, ledger in parts:
            cash = EXACT.subtract(cash, ledger.cash_change(instrument))
        self.baseline_cash = cash
        self.unexplained = ZERO

    def compare(self, parts: list[tuple[Instrument, Position, Ledger]]) -> bool:
        """Read `unexplained` anew; returns whether it changed. Does nothing while the positions disagree."""
        cash = self.cash((instrument, position) for instrument, position, _ledger in parts)
        if cash is None or self.baseline_cash is None:
            return False
        if any(position.lots != ledger.position_lots for _instrument, position, ledger in parts):
            return False
        difference = EXACT.subtract(cash, self.baseline_cash)
        rounding = ZERO
        for instrument, position, ledger in parts:
            difference = EXACT.subtract(difference, ledger.cash_change(instrument))
            rounding += entry_rounding(instrument, position)
        if abs(difference) <= rounding:
            difference = ZERO
        changed = difference != self.unexplained
        self.unexplained = difference
        return changed


def entry_rounding(instrument: Instrument, position: Position) -> Decimal:
    """Return how much of the cash figure the venue's rounding of the entry price can be."""
    if position.lots == 0:
        return ZERO
    # One with fewer decimals may have lost its zeros after it was rounded.
    digits = max(decimals_of(position.entry_price), _ENTRY_DECIMALS)
    return abs(instrument.lots_to_quantity(position.lots)) * Decimal(1).scaleb(-digits)
