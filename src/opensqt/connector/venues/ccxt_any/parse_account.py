"""Balances, positions and funding payments of ccxt -> domain values."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

from opensqt.connector.venues.ccxt_any.figures import (
    ZERO,
    UnreadableError,
    lots,
    optional,
    payload,
    required,
    text,
    time_ns,
)
from opensqt.domain.account import Account, Position
from opensqt.domain.errors import ErrorReason, StateError
from opensqt.domain.fill import CashFlow, CashFlowKind
from opensqt.domain.instrument import Instrument
from opensqt.domain.money import EXACT


def parse_positions(
    values: Sequence[object],
    instruments: Iterable[Instrument],
    leverages: Mapping[str, int],
    now_ns: int,
) -> list[Position]:
    """Return one position per instrument, flat where ccxt lists none.

    Args:
        leverages: what we set, by symbol, for exchanges that do not tell it.

    Raises:
        UnreadableError: a figure is missing or not exact.
        StateError: POSITION_MODE: the account holds a long and a short position of one symbol.
    """
    wanted = {instrument.symbol: instrument for instrument in instruments}
    found: dict[str, Position] = {}
    for value in values:
        row = payload(value, "position")
        symbol = text(row, "symbol")
        instrument = wanted.get(symbol)
        if instrument is None:
            continue
        position = _position(row, instrument, leverages.get(symbol, 1), now_ns)
        if row.get("hedged") is True or (position.lots and symbol in found and found[symbol].lots):
            raise StateError(
                ErrorReason.POSITION_MODE,
                f"{symbol} is held in hedge mode; switch the account to one-way mode at the exchange",
            )
        if position.lots or symbol not in found:
            found[symbol] = position
    return [
        found.get(symbol, Position(symbol=symbol, lots=0, leverage=leverages.get(symbol, 1), venue_time_ns=now_ns))
        for symbol in wanted
    ]


def _position(row: Mapping[str, object], instrument: Instrument, leverage: int, now_ns: int) -> Position:
    contracts = optional(row.get("contracts"), "contracts") or ZERO
    size = lots(abs(contracts), instrument, "contracts")
    side = text(row, "side")
    if size and side not in ("long", "short"):
        raise UnreadableError(f"position of {instrument.symbol} has the side {side!r}")
    told = optional(row.get("leverage"), "leverage")
    return Position(
        symbol=instrument.symbol,
        lots=-size if side == "short" else size,
        entry_price=optional(row.get("entryPrice"), "entryPrice") or ZERO,
        mark_price=optional(row.get("markPrice"), "markPrice") or ZERO,
        unrealized_pnl=optional(row.get("unrealizedPnl"), "unrealizedPnl") or ZERO,
        liquidation_price=optional(row.get("liquidationPrice"), "liquidationPrice") or ZERO,
        leverage=int(told) if told else leverage,
        margin_type="isolated" if text(row, "marginMode") == "isolated" else "cross",
        venue_time_ns=time_ns(row.get("timestamp")) or now_ns,
    )


def parse_accounts(
    value: object,
    assets: Iterable[str],
    unrealized: Mapping[str, Decimal],
    balance_total: Literal["margin", "wallet"],
    now_ns: int,
) -> list[Account]:
    """Return the balance of each settle asset; one that ccxt does not list is empty.

    Args:
        assets: settle assets of what is traded.
        unrealized: profit of the open positions by asset.
        balance_total: what the exchange's total is; see `CcxtConfig`.

    Raises:
        UnreadableError: a figure is no number, or free or total is missing.
    """
    balances = payload(value, "balance")
    venue_time_ns = time_ns(balances.get("timestamp")) or now_ns
    accounts = []
    for asset in assets:
        row = payload(balances.get(asset) or {"free": 0, "total": 0}, asset)
        total, free = required(row.get("total"), f"{asset} total"), required(row.get("free"), f"{asset} free")
        profit = unrealized.get(asset, ZERO)
        is_margin = balance_total == "margin"
        accounts.append(
            Account(
                asset=asset,
                wallet_balance=EXACT.subtract(total, profit) if is_margin else total,
                available_balance=free,
                margin_balance=total if is_margin else EXACT.add(total, profit),
                unrealized_pnl=profit,
                venue_time_ns=venue_time_ns,
            )
        )
    return accounts


def parse_funding(value: object, symbol: str) -> CashFlow:
    """Read one funding payment.

    Raises:
        UnreadableError: no id or amount.
    """
    row = payload(value, "funding payment")
    venue_time_ns = time_ns(row.get("timestamp"))
    identity = text(row, "id") or (f"{symbol}-{venue_time_ns}" if venue_time_ns else "")
    if not identity:
        raise UnreadableError("a funding payment has neither an id nor a time")
    return CashFlow(
        id=identity,
        kind=CashFlowKind.FUNDING,
        symbol=symbol,
        asset=text(row, "code"),
        amount=required(row.get("amount"), "funding amount"),
        venue_time_ns=venue_time_ns,
    )
