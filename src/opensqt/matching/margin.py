"""Margin of a cross-margin account: what orders tie up, what positions need, when they are liquidated.

Maintenance follows tiers: the first bracket has the instrument's own maintenance rate, each larger one a multiple of
it, and a deduction keeps the requirement continuous (Binance, "Leverage and Margin of USDT-M Futures"). The initial
margin of a symbol is its worst-case notional, |position + buys| or |position - sells|, over the leverage; reduce-only
orders tie up nothing.
"""

from decimal import Decimal
from typing import Final

from opensqt.domain.instrument import Instrument
from opensqt.matching.exact import WIDE

ZERO: Final = Decimal(0)

_BRACKETS: Final = (
    (Decimal(50_000), Decimal(1)),
    (Decimal(600_000), Decimal("1.25")),
    (Decimal(3_000_000), Decimal("2.5")),
    (Decimal(12_000_000), Decimal("6.25")),
    (Decimal(70_000_000), Decimal("12.5")),
    (None, Decimal(25)),
)
"""(largest notional of the bracket, multiple of the instrument's maintenance rate)."""


def bracket_of(instrument: Instrument, notional: Decimal) -> tuple[Decimal, Decimal]:
    """Return (maintenance rate, deduction) of a notional: maintenance = notional * rate - deduction."""
    base = instrument.maintenance_margin_rate
    deduction, floor, previous = ZERO, ZERO, base
    for cap, multiple in _BRACKETS:
        rate = min(base * multiple, Decimal("0.5"))
        deduction += floor * (rate - previous)
        if cap is None or notional <= cap:
            return rate, deduction
        floor, previous = cap, rate
    raise AssertionError("the last bracket has no cap")


def maintenance_margin(instrument: Instrument, notional: Decimal) -> Decimal:
    """Return what a position of this notional must be backed with."""
    rate, deduction = bracket_of(instrument, notional)
    return notional * rate - deduction


def initial_margin(position_value: Decimal, buys: Decimal, sells: Decimal, leverage: int) -> Decimal:
    """Return the margin a symbol ties up.

    Args:
        position_value: signed lots at the mark.
        buys: notional of working opening buys.
        sells: the same of sells.
        leverage: of the symbol.
    """
    return WIDE.divide(max(abs(position_value + buys), abs(position_value - sells)), Decimal(leverage))


def liquidation_price(
    instrument: Instrument, lots: int, cost: Decimal, mark: Decimal, other_balance: Decimal
) -> Decimal:
    """Return the mark at which the account is liquidated if only this symbol moves; 0 when there is none.

    Args:
        instrument: of the position.
        lots: signed, not 0.
        cost: signed cost of the position.
        mark: now; it chooses the bracket.
        other_balance: wallet plus the other symbols' unrealized profit less their maintenance.
    """
    quantity = instrument.lots_to_quantity(lots)
    rate, deduction = bracket_of(instrument, abs(quantity) * mark)
    price = WIDE.divide(cost - other_balance - deduction, quantity - abs(quantity) * rate)
    if price <= 0:
        return ZERO
    return price.quantize(instrument.tick_size, context=WIDE)
