"""Account state in replies: balances and positions.

positionRisk v3 answers only symbols that have a position or an open order, in hedge mode one entry per side, and no
leverage: that is symbolConfig's. A balance of an asset counts its cross positions' profit.
"""

from collections.abc import Mapping

import msgspec

from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.parse_settings import Leverage, SymbolConfig
from opensqt.connector.venues.binance.payload import Ms, SignedText, Symbol, decimal_of, load, to_ns, typed
from opensqt.connector.venues.binance.user_events import PositionSide
from opensqt.domain.account import Account, Position
from opensqt.domain.money import EXACT


class PositionReport(msgspec.Struct, frozen=True):
    """One position and which of its symbol's it is."""

    position: Position
    side: PositionSide


class PositionList(msgspec.Struct, frozen=True):
    """Positions the venue named, and the venue symbols among them that are not traded here."""

    positions: tuple[PositionReport, ...]
    unlisted: tuple[str, ...]


class AccountReport(msgspec.Struct, frozen=True, kw_only=True):
    """Balances by asset, and the account's rights where the reply tells them (None = it does not)."""

    accounts: tuple[Account, ...]
    can_trade: bool | None
    can_withdraw: bool | None
    multi_assets: bool | None


class _WireAsset(msgspec.Struct, rename="camel", frozen=True):
    asset: str
    wallet_balance: SignedText
    unrealized_profit: SignedText
    margin_balance: SignedText
    maint_margin: SignedText
    available_balance: SignedText
    update_time: Ms = 0


class _WireAccount(msgspec.Struct, rename="camel", frozen=True):
    assets: list[_WireAsset]
    can_trade: bool | None = None
    can_withdraw: bool | None = None
    multi_assets_margin: bool | None = None


class _WireBalance(msgspec.Struct, frozen=True, rename={"cross_profit": "crossUnPnl", "available": "availableBalance"}):
    asset: str
    balance: SignedText
    cross_profit: SignedText
    available: SignedText
    updateTime: Ms = 0  # noqa: N815 the venue's own name


class _WirePosition(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    position_amt: SignedText
    entry_price: SignedText
    mark_price: SignedText
    un_realized_profit: SignedText
    liquidation_price: SignedText
    isolated_wallet: SignedText = "0"
    position_side: PositionSide = PositionSide.BOTH
    leverage: Leverage | None = None
    margin_type: str = ""
    update_time: Ms = 0


def parse_account(data: bytes) -> AccountReport:
    """Read /fapi/v2/account or /fapi/v3/account.

    Raises:
        PayloadError: not an account.
    """
    return account_report(load(data, "account"))


def account_report(value: object) -> AccountReport:
    """Read an account of decoded JSON (also the `result` of account.status).

    Raises:
        PayloadError: not an account.
    """
    wire = typed(value, _WireAccount, "account")
    accounts = tuple(
        Account(
            asset=asset.asset,
            wallet_balance=decimal_of(asset.wallet_balance),
            available_balance=decimal_of(asset.available_balance),
            margin_balance=decimal_of(asset.margin_balance),
            unrealized_pnl=decimal_of(asset.unrealized_profit),
            maintenance_margin=decimal_of(asset.maint_margin),
            venue_time_ns=to_ns(asset.update_time),
        )
        for asset in wire.assets
    )
    return AccountReport(
        accounts=accounts,
        can_trade=wire.can_trade,
        can_withdraw=wire.can_withdraw,
        multi_assets=wire.multi_assets_margin,
    )


def parse_balance(data: bytes) -> tuple[Account, ...]:
    """Read /fapi/v2/balance or /fapi/v3/balance.

    Raises:
        PayloadError: not a list of balances.
    """
    return balances(load(data, "balance"))


def balances(value: object) -> tuple[Account, ...]:
    """Read balances of decoded JSON (also the `result` of account.balance).

    Raises:
        PayloadError: not a list of balances.
    """
    wires = typed(value, list[_WireBalance], "balance")
    return tuple(
        Account(
            asset=wire.asset,
            wallet_balance=decimal_of(wire.balance),
            available_balance=decimal_of(wire.available),
            margin_balance=EXACT.add(decimal_of(wire.balance), decimal_of(wire.cross_profit)),
            unrealized_pnl=decimal_of(wire.cross_profit),
            venue_time_ns=to_ns(wire.updateTime),
        )
        for wire in wires
    )


def parse_positions(data: bytes, listings: Listings, configs: Mapping[str, SymbolConfig]) -> PositionList:
    """Read /fapi/v3/positionRisk; what it does not name is flat.

    Args:
        data: the body.
        listings: the instruments in force.
        configs: by venue symbol, for what the reply lacks (leverage, margin type).

    Raises:
        PayloadError: not a list of positions, or a position finer than its symbol's lot.
    """
    return positions(load(data, "positionRisk"), listings, configs)


def positions(value: object, listings: Listings, configs: Mapping[str, SymbolConfig]) -> PositionList:
    """Read positions of decoded JSON (also the `result` of account.position).

    Raises:
        PayloadError: as `parse_positions`.
    """
    reports = []
    unlisted = []
    for wire in typed(value, list[_WirePosition], "positionRisk"):
        listing = listings.by_venue(wire.symbol)
        if listing is None:
            unlisted.append(wire.symbol)
            continue
        config = configs.get(wire.symbol)
        counted = listing.count("positionRisk", (), (wire.position_amt,))
        position = Position(
            symbol=listing.instrument.symbol,
            lots=counted.lots[0],
            entry_price=decimal_of(wire.entry_price),
            mark_price=decimal_of(wire.mark_price),
            unrealized_pnl=decimal_of(wire.un_realized_profit),
            liquidation_price=decimal_of(wire.liquidation_price),
            leverage=wire.leverage or (config.leverage if config else 1),
            margin_type=_margin_type(wire, config),
            venue_time_ns=to_ns(wire.update_time),
            instrument_revision=counted.units.revision,
        )
        reports.append(PositionReport(position, wire.position_side))
    return PositionList(tuple(reports), tuple(unlisted))


def _margin_type(wire: _WirePosition, config: SymbolConfig | None) -> str:
    if wire.margin_type:
        return wire.margin_type.lower()
    is_isolated = config.is_isolated if config else bool(decimal_of(wire.isolated_wallet))
    return "isolated" if is_isolated else "cross"
