"""A user's money and positions as queries and events show them, across the accounts of hedge mode."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.domain.account import Position
from opensqt.domain.money import from_units, plain
from opensqt.domain.order import Side
from opensqt.matching.exact import WIDE
from opensqt.matching.margin import initial_margin, maintenance_margin
from opensqt.matching.venue import SimulatedVenue
from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.rules import SymbolRules

ZERO = Decimal(0)
MARGIN_CALL_EVERY_MS = 60_000
_MARGIN_CALL_RATIO = Decimal("1.25")
_EIGHT = Decimal("1e-8")


class Money:
    """One user's totals; every figure in the settle asset."""

    def __init__(self, venue: SimulatedVenue, user: User) -> None:
        self.wallet = self.unrealized = self.maintenance = self.available = ZERO
        for account in user.accounts:
            balances = venue.view.balances(account)
            self.wallet += balances.wallet_balance
            self.unrealized += balances.unrealized_pnl
            self.maintenance += balances.maintenance_margin
            self.available += balances.available_balance
        self.margin = self.wallet + self.unrealized
        self.initial = max(ZERO, self.margin - self.available)


def margin_call(venue: SimulatedVenue, user: User, rules: Iterable[SymbolRules], now_ms: int) -> dict[str, Any] | None:
    """Return MARGIN_CALL for a user close to liquidation, at most once a minute; None for all others."""
    if now_ms - user.margin_called_ms < MARGIN_CALL_EVERY_MS:
        return None
    money = Money(venue, user)
    if not money.maintenance or money.margin >= money.maintenance * _MARGIN_CALL_RATIO:
        return None
    rows = []
    for rule in rules:
        for account in user.accounts:
            position = venue.view.position(account, rule.instrument.symbol)
            if position.lots:
                entry = position_entry(venue, user, account, rule)
                notional = abs(rule.instrument.lots_to_quantity(position.lots)) * position.mark_price
                rows.append(
                    {
                        "s": rule.symbol,
                        "ps": entry["ps"],
                        "pa": entry["pa"],
                        "mt": user.setting(rule.symbol).margin_type,
                        "iw": entry["iw"],
                        "mp": plain(position.mark_price),
                        "up": entry["up"],
                        "mm": plain(maintenance_margin(rule.instrument, notional).quantize(_EIGHT, context=WIDE)),
                    }
                )
    return {"e": "MARGIN_CALL", "E": now_ms, "cw": plain(money.wallet), "p": rows}


def wallet_of(venue: SimulatedVenue, user: User) -> Decimal:
    """Return a user's wallet."""
    return sum((venue.view.balances(account).wallet_balance for account in user.accounts), ZERO)


def break_even(position: Position, rules: SymbolRules) -> Decimal:
    """Return the price at which closing as a taker leaves nothing."""
    if not position.lots:
        return ZERO
    rate = rules.instrument.taker_fee_rate
    factor = 1 + rate if position.lots > 0 else 1 - rate
    return (position.entry_price * factor).quantize(_EIGHT, context=WIDE).normalize()


def position_entry(venue: SimulatedVenue, user: User, account: str, rules: SymbolRules) -> dict[str, Any]:
    """Return a position as ACCOUNT_UPDATE lists it."""
    position = venue.view.position(account, rules.instrument.symbol)
    side = user.position_side(account)
    leg = user.leg(rules.symbol, side)
    setting = user.setting(rules.symbol)
    isolated = setting.margin_type == "ISOLATED"
    scale = max(market.money_scale for market in venue.view.instruments())
    return {
        "s": rules.symbol,
        "pa": plain(rules.instrument.lots_to_quantity(position.lots)),
        "ep": plain(position.entry_price),
        "cr": plain(from_units(leg.realized_units, scale)),
        "up": plain(position.unrealized_pnl),
        "mt": "isolated" if isolated else "cross",
        "iw": plain(isolated_wallet(position, rules)) if isolated else "0",
        "ps": side,
        "ma": rules.instrument.settle_asset,
        "bep": plain(break_even(position, rules)),
    }


def isolated_wallet(position: Position, rules: SymbolRules) -> Decimal:
    """Return what an isolated position would hold: its entry notional over the leverage.

    The exchange behind keeps one cross wallet; isolation is shown, not enforced.
    """
    quantity = abs(rules.instrument.lots_to_quantity(position.lots))
    return (quantity * position.entry_price / position.leverage).quantize(_EIGHT, context=WIDE)


def position_risk(venue: SimulatedVenue, user: User, account: str, rules: SymbolRules) -> dict[str, Any]:
    """Return a position as `positionRisk` of version 3 lists it, with the fields of version 2 beside them."""
    position = venue.view.position(account, rules.instrument.symbol)
    leg = user.leg(rules.symbol, user.position_side(account))
    isolated = user.setting(rules.symbol).margin_type == "ISOLATED"
    quantity = rules.instrument.lots_to_quantity(position.lots)
    notional = quantity * position.mark_price
    bids, asks = open_notional(venue, account, rules)
    total = initial_margin(notional, bids, asks, position.leverage)
    own = abs(notional) / position.leverage
    wallet = plain(isolated_wallet(position, rules)) if isolated else "0"
    return {
        "symbol": rules.symbol,
        "positionSide": user.position_side(account),
        "positionAmt": f"{quantity:.{rules.quantity_decimals}f}",
        "entryPrice": plain(position.entry_price),
        "breakEvenPrice": plain(break_even(position, rules)),
        "markPrice": f"{position.mark_price:.8f}",
        "unRealizedProfit": f"{position.unrealized_pnl:.8f}",
        "liquidationPrice": plain(position.liquidation_price),
        "isolatedMargin": wallet,
        "notional": _money(notional),
        "marginAsset": rules.instrument.settle_asset,
        "isolatedWallet": wallet,
        "initialMargin": _money(total),
        "maintMargin": _money(maintenance_margin(rules.instrument, abs(notional)) if position.lots else ZERO),
        "positionInitialMargin": _money(own),
        "openOrderInitialMargin": _money(max(ZERO, total - own)),
        "adl": 2 if position.lots else 0,
        "bidNotional": _money(bids),
        "askNotional": _money(asks),
        "updateTime": leg.updated_ms,
    }


def open_notional(venue: SimulatedVenue, account: str, rules: SymbolRules) -> tuple[Decimal, Decimal]:
    """Return the notional of working opening buys and sells."""
    bids = asks = 0
    for order in venue.view.open_orders(account, rules.instrument.symbol):
        if order.reduce_only:
            continue
        if order.side is Side.BUY:
            bids += order.price_ticks * order.remaining_lots
        else:
            asks += order.price_ticks * order.remaining_lots
    return rules.notional(bids), rules.notional(asks)


def _money(value: Decimal) -> str:
    return "0" if not value else f"{value.quantize(_EIGHT, context=WIDE):.8f}"
