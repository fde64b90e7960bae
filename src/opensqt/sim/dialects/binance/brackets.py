"""Notional brackets: how much a leverage allows, and what each bracket must be backed with.

Caps and multiples are those of the exchange behind (`matching.margin`), so that what is published is what is charged.
"""

from decimal import Decimal
from typing import Any, Final

from opensqt.sim.dialects.binance.rules import SymbolRules

_BRACKETS: Final = (
    # largest notional, largest leverage, multiple of the maintenance rate
    (50_000, 125, "1"),
    (600_000, 100, "1.25"),
    (3_000_000, 50, "2.5"),
    (12_000_000, 20, "6.25"),
    (70_000_000, 10, "12.5"),
    (9_223_372_036_854_775_807, 4, "25"),
)


def max_notional(leverage: int) -> int:
    """Return the largest notional a leverage allows."""
    return max((cap for cap, most, _ in _BRACKETS if most >= leverage), default=_BRACKETS[0][0])


def bracket_rows(rules: SymbolRules) -> list[dict[str, Any]]:
    """Return a symbol's notional brackets as `leverageBracket` lists them."""
    rows: list[dict[str, Any]] = []
    floor, deduction, previous = 0, Decimal(0), rules.instrument.maintenance_margin_rate
    for number, (cap, leverage, multiple) in enumerate(_BRACKETS, 1):
        rate = min(rules.instrument.maintenance_margin_rate * Decimal(multiple), Decimal("0.5"))
        deduction += floor * (rate - previous)
        rows.append(
            {
                "bracket": number,
                "initialLeverage": min(leverage, rules.instrument.max_leverage),
                "notionalCap": cap,
                "notionalFloor": floor,
                "maintMarginRatio": float(rate),
                "cum": float(deduction),
            }
        )
        floor, previous = cap, rate
    return rows
