"""What the wallet and the market did: income, the last 24 hours, open interest; and what the API key may do.

Income is the one source of cash flows: its `tranId` names a flow once and for all, which the user stream's events
cannot. Profit and fees of trades are income to the venue; here they belong to the fills and are left out.
"""

from collections.abc import Mapping

import msgspec

from opensqt.connector.market_types import TickerStats
from opensqt.connector.venues.binance.listing import Listing, Listings
from opensqt.connector.venues.binance.payload import (
    Id,
    Ms,
    PayloadError,
    SignedText,
    Symbol,
    UnsignedText,
    decimal_of,
    read,
    to_ns,
)
from opensqt.domain.fill import CashFlow, CashFlowKind

OF_TRADES = frozenset({"REALIZED_PNL", "COMMISSION", "COMMISSION_REBATE", "REFERRAL_KICKBACK"})

_KINDS: Mapping[str, CashFlowKind] = {
    "FUNDING_FEE": CashFlowKind.FUNDING,
    "INSURANCE_CLEAR": CashFlowKind.LIQUIDATION_FEE,
}


class IncomePage(msgspec.Struct, frozen=True):
    """Cash flows, oldest first; `count` is how many entries the reply had, `last_ms` the time of its last."""

    flows: tuple[CashFlow, ...]
    count: int
    last_ms: int


class KeyPermissions(msgspec.Struct, rename="camel", frozen=True):
    """What an API key may do."""

    enable_withdrawals: bool
    enable_futures: bool = True
    ip_restrict: bool = False


class _WireIncome(msgspec.Struct, rename="camel", frozen=True):
    income_type: str
    income: SignedText
    asset: str
    time: Ms
    tran_id: Id
    symbol: str = ""


class _WireTicker(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    last_price: UnsignedText
    open_price: UnsignedText
    volume: UnsignedText
    quote_volume: UnsignedText
    close_time: Ms


class _WireInterest(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    open_interest: UnsignedText


def parse_income(data: bytes, listings: Listings) -> IncomePage:
    """Read income.

    Raises:
        PayloadError: not a list of income: never read that as "no income".
    """
    wires = read(data, list[_WireIncome], "income")
    flows = []
    for wire in wires:
        if wire.income_type in OF_TRADES:
            continue
        listing = listings.by_venue(wire.symbol)
        flows.append(
            CashFlow(
                id=f"{wire.income_type}-{wire.tran_id}-{wire.asset}",
                kind=_KINDS.get(wire.income_type, CashFlowKind.TRANSFER),
                symbol=listing.instrument.symbol if listing is not None else "",
                asset=wire.asset,
                amount=decimal_of(wire.income),
                venue_time_ns=to_ns(wire.time),
            )
        )
    return IncomePage(tuple(flows), len(wires), wires[-1].time if wires else 0)


def parse_day_ticker(data: bytes, listing: Listing) -> TickerStats:
    """Read ticker/24hr of one symbol.

    Raises:
        PayloadError: not that, of another symbol, or prices off the tick.
    """
    wire = read(data, _WireTicker, "ticker/24hr")
    if wire.symbol != listing.instrument.venue_symbol:
        raise PayloadError("ticker/24hr", f"expected {listing.instrument.venue_symbol}, was {wire.symbol}", "symbol")
    counted = listing.count("ticker/24hr", (wire.last_price, wire.open_price), (wire.volume,))
    return TickerStats(
        symbol=listing.instrument.symbol,
        last_ticks=counted.ticks[0],
        open_ticks=counted.ticks[1],
        volume_lots=counted.lots[0],
        turnover_ticks_lots=counted.units.tick_lots(decimal_of(wire.quote_volume)),
        venue_time_ms=wire.close_time,
    )


def parse_open_interest(data: bytes, listing: Listing) -> int:
    """Read openInterest in lots.

    Raises:
        PayloadError: not that.
    """
    return listing.count("openInterest", (), (read(data, _WireInterest, "openInterest").open_interest,)).lots[0]


def parse_key_permissions(data: bytes) -> KeyPermissions:
    """Read apiRestrictions.

    Raises:
        PayloadError: not that.
    """
    return read(data, KeyPermissions, "apiRestrictions")
