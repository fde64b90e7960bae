"""exchangeInfo -> instruments, and what to do when it changes.

Traded here are linear perpetuals (contract type PERPETUAL, margin in the quote asset). Quarterlies and perpetuals on
traditional assets (TRADIFI_PERPETUAL, with market hours and other rules) are left out and named, with the reason.
Ticks, lots and limits come from the filters, never from pricePrecision and quantityPrecision, which are not the tick.
A symbol that stops trading keeps its instrument, marked HALTED or SETTLING: a position in it must stay expressible.

Source: Binance docs, USDⓈ-M futures, "Exchange Information" and "Common Definition", filters.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from opensqt._core.fixed import FixedError, Increment
from opensqt.connector.rate_budget import RateWindow
from opensqt.connector.venues.binance.limits import WireLimit, windows_of
from opensqt.connector.venues.binance.payload import (
    Id,
    Ms,
    PayloadError,
    SignedText,
    Symbol,
    UnsignedText,
    decimal_of,
    read,
    typed,
)
from opensqt.domain.errors import OpensqtError
from opensqt.domain.instrument import Instrument, InstrumentStatus
from opensqt.domain.money import EXACT, divmod_exact, plain

NO_DELIVERY_MS = 4_133_404_800_000
"""`deliveryDate` of a perpetual that nobody plans to delist."""

MAX_LOTS = 10**15
"""No order is that big; a filter beyond it is cut, so that sizes stay far inside 63 bits."""

ZERO = Decimal(0)
ONE = Decimal(1)

_STATUSES: Mapping[str, InstrumentStatus] = {
    "TRADING": InstrumentStatus.TRADING,
    "PENDING_TRADING": InstrumentStatus.HALTED,
    "PRE_DELIVERING": InstrumentStatus.SETTLING,
    "DELIVERING": InstrumentStatus.SETTLING,
    "DELIVERED": InstrumentStatus.SETTLING,
    "PRE_SETTLE": InstrumentStatus.SETTLING,
    "SETTLING": InstrumentStatus.SETTLING,
    "CLOSE": InstrumentStatus.SETTLING,
}

# What a revision stands for: a change of anything else (status, fees) does not make commands stale.
_FILTER_FIELDS = (
    "tick_size",
    "lot_size",
    "contract_multiplier",
    "min_lots",
    "max_lots",
    "min_notional",
    "max_open_orders",
    "price_band_up",
    "price_band_down",
)


class SymbolTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says of a symbol beyond its instrument. `delivery_ms` None = no delisting is planned."""

    market_max_lots: int
    delivery_ms: int | None
    max_amendments: int


class FeeRates(msgspec.Struct, frozen=True):
    """The account's own rates in one symbol, as fractions."""

    maker: Decimal
    taker: Decimal


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What exchangeInfo says. `excluded` names the venue symbols left out, and why."""

    server_time_ms: int
    windows: tuple[RateWindow, ...]
    instruments: tuple[Instrument, ...]
    terms: dict[str, SymbolTerms]
    excluded: dict[str, str]


class InstrumentChanges(msgspec.Struct, frozen=True):
    """Instruments after a reload: all of them, and those that differ from before."""

    instruments: tuple[Instrument, ...]
    changed: tuple[Instrument, ...]


class _WireSymbol(msgspec.Struct, rename="camel", frozen=True):
    symbol: Symbol
    contract_type: str
    status: str
    base_asset: str
    quote_asset: str
    margin_asset: str
    filters: list[dict[str, object]]
    delivery_date: Ms = NO_DELIVERY_MS
    max_move_order_limit: Id = 10_000


class _WireExchange(msgspec.Struct, rename="camel", frozen=True):
    server_time: Ms
    rate_limits: list[WireLimit]
    symbols: list[dict[str, object]]


class _PriceFilter(msgspec.Struct, rename="camel", frozen=True):
    min_price: UnsignedText
    tick_size: UnsignedText


class _LotFilter(msgspec.Struct, rename="camel", frozen=True):
    min_qty: UnsignedText
    max_qty: UnsignedText
    step_size: UnsignedText


class _NotionalFilter(msgspec.Struct, frozen=True):
    notional: UnsignedText


class _CountFilter(msgspec.Struct, frozen=True):
    limit: Id


class _PercentFilter(msgspec.Struct, rename="camel", frozen=True):
    multiplier_up: SignedText
    multiplier_down: SignedText


def parse_exchange(data: bytes, fees: Mapping[str, FeeRates] | None = None) -> Exchange:
    """Read exchangeInfo.

    Args:
        data: the body.
        fees: the account's rates by venue symbol, where they are known.

    Raises:
        PayloadError: not JSON, or not an exchangeInfo. One odd symbol is no such error: it is excluded, with a reason.
    """
    wire = read(data, _WireExchange, "exchangeInfo")
    instruments: dict[str, Instrument] = {}
    terms: dict[str, SymbolTerms] = {}
    excluded: dict[str, str] = {}
    for member in wire.symbols:
        name = str(member.get("symbol", ""))
        try:
            symbol = typed(member, _WireSymbol, f"exchangeInfo {name}")
            why = _why_excluded(symbol)
            if not why:
                instrument, symbol_terms = _instrument(symbol, (fees or {}).get(symbol.symbol))
                if instrument.symbol in instruments:
                    why = f"a second contract named {instrument.symbol}"
                else:
                    instruments[instrument.symbol] = instrument
                    terms[instrument.symbol] = symbol_terms
        except (PayloadError, OpensqtError) as error:
            why = str(error)
        if why:
            excluded[name] = why
    return Exchange(
        server_time_ms=wire.server_time,
        windows=windows_of(wire.rate_limits),
        instruments=tuple(instruments.values()),
        terms=terms,
        excluded=excluded,
    )


def with_fees(instrument: Instrument, fees: FeeRates) -> Instrument:
    """Return the instrument with the account's own rates."""
    return msgspec.structs.replace(instrument, maker_fee_rate=fees.maker, taker_fee_rate=fees.taker)


def next_instruments(old: Mapping[str, Instrument], new: Iterable[Instrument]) -> InstrumentChanges:
    """Carry revisions over a reload.

    A changed filter raises the revision by one; a changed status or fee keeps it. An instrument the venue no longer
    lists stays, as SETTLING.

    Args:
        old: instruments in force, by canonical symbol.
        new: instruments of a fresh exchangeInfo; their revisions do not matter.
    """
    instruments: list[Instrument] = []
    changed: list[Instrument] = []
    listed = set()
    for fresh in new:
        listed.add(fresh.symbol)
        known = old.get(fresh.symbol)
        if known is None:
            current = fresh
        else:
            has_new_filters = any(getattr(known, name) != getattr(fresh, name) for name in _FILTER_FIELDS)
            current = msgspec.structs.replace(fresh, revision=known.revision + has_new_filters)
        instruments.append(current)
        if current != known:
            changed.append(current)
    for symbol, known in old.items():
        if symbol not in listed:
            gone = msgspec.structs.replace(known, status=InstrumentStatus.SETTLING)
            instruments.append(gone)
            if gone != known:
                changed.append(gone)
    return InstrumentChanges(tuple(instruments), tuple(changed))


def _why_excluded(symbol: _WireSymbol) -> str:
    if symbol.contract_type != "PERPETUAL":
        return f"contract type {symbol.contract_type or 'none'}: only PERPETUAL is traded here"
    if symbol.margin_asset != symbol.quote_asset:
        return f"margin asset {symbol.margin_asset} is not the quote asset {symbol.quote_asset}"
    return ""


def _instrument(symbol: _WireSymbol, fees: FeeRates | None) -> tuple[Instrument, SymbolTerms]:
    filters = {str(member.get("filterType", "")): member for member in symbol.filters}

    def required(name: str) -> dict[str, object]:
        if name not in filters:
            raise PayloadError(f"exchangeInfo {symbol.symbol}", "the filter is missing", name)
        return filters[name]

    price = typed(required("PRICE_FILTER"), _PriceFilter, "PRICE_FILTER")
    lot = typed(required("LOT_SIZE"), _LotFilter, "LOT_SIZE")
    tick_size, lot_size = decimal_of(price.tick_size), decimal_of(lot.step_size)
    _check_grid(symbol.symbol, decimal_of(price.min_price), tick_size, lot_size)
    notional = typed(required("MIN_NOTIONAL"), _NotionalFilter, "MIN_NOTIONAL")
    market = typed(filters.get("MARKET_LOT_SIZE", required("LOT_SIZE")), _LotFilter, "MARKET_LOT_SIZE")
    count = filters.get("MAX_NUM_ORDERS")
    percent = filters.get("PERCENT_PRICE")
    band = None if percent is None else typed(percent, _PercentFilter, "PERCENT_PRICE")
    max_lots = _floor(lot.max_qty, lot_size)
    instrument = Instrument(
        symbol=f"{symbol.base_asset}/{symbol.quote_asset}:{symbol.margin_asset}",
        venue_symbol=symbol.symbol,
        base_asset=symbol.base_asset,
        quote_asset=symbol.quote_asset,
        settle_asset=symbol.margin_asset,
        tick_size=tick_size,
        lot_size=lot_size,
        min_lots=max(1, _ceiling(lot.min_qty, lot_size)),
        max_lots=max_lots,
        min_notional=decimal_of(notional.notional),
        max_open_orders=200 if count is None else typed(count, _CountFilter, "MAX_NUM_ORDERS").limit,
        status=_STATUSES.get(symbol.status, InstrumentStatus.HALTED),
        price_band_up=ZERO if band is None else max(ZERO, EXACT.subtract(decimal_of(band.multiplier_up), ONE)),
        price_band_down=ZERO if band is None else max(ZERO, EXACT.subtract(ONE, decimal_of(band.multiplier_down))),
    )
    terms = SymbolTerms(
        market_max_lots=min(max_lots, _floor(market.max_qty, lot_size)),
        delivery_ms=None if symbol.delivery_date >= NO_DELIVERY_MS else symbol.delivery_date,
        max_amendments=symbol.max_move_order_limit,
    )
    return (instrument if fees is None else with_fees(instrument, fees)), terms


def _check_grid(name: str, min_price: Decimal, tick_size: Decimal, lot_size: Decimal) -> None:
    """Refuse what cannot be counted: no step, or prices that count from a minimum off the tick grid."""
    for field, step in (("tickSize", tick_size), ("stepSize", lot_size)):
        try:
            Increment(format(step, "f"))
        except FixedError as error:
            raise PayloadError(f"exchangeInfo {name}", str(error), field) from None
    if divmod_exact(min_price, tick_size)[1]:
        problem = f"{plain(min_price)} is no multiple of the tick {plain(tick_size)}"
        raise PayloadError(f"exchangeInfo {name}", problem, "minPrice")


def _floor(quantity: str, lot_size: Decimal) -> int:
    return min(MAX_LOTS, divmod_exact(decimal_of(quantity), lot_size)[0])


def _ceiling(quantity: str, lot_size: Decimal) -> int:
    lots, rest = divmod_exact(decimal_of(quantity), lot_size)
    return lots + bool(rest)
