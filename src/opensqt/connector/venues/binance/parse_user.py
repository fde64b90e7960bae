"""User stream messages -> `user_events`.

Wire: Binance docs, USDⓈ-M futures, "User Data Streams".
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, cast

import msgspec

from opensqt._core.decode.binance_order import OrderUpdate, decode_order_update
from opensqt._core.decode.errors import DecodeError
from opensqt.connector.venues.binance import order_map
from opensqt.connector.venues.binance.listing import Listing, Listings
from opensqt.connector.venues.binance.payload import PayloadError, decimal_of, load, to_ns, typed
from opensqt.connector.venues.binance.user_events import (
    AccountEvent,
    IgnoredEvent,
    LeverageEvent,
    ListenKeyExpiredEvent,
    MarginCallEvent,
    MarginCallPosition,
    MultiAssetsEvent,
    OrderEvent,
    PositionSide,
    PositionUpdate,
    TradeLiteEvent,
    UserEvent,
    WalletUpdate,
)
from opensqt.connector.venues.binance.wire_user import (
    WireAccountEvent,
    WireBalance,
    WireConfigEvent,
    WireListenKeyExpired,
    WireMarginCall,
    WireOrder,
    WireOrderEvent,
    WireTradeLite,
)
from opensqt.domain.fill import CashFlow, CashFlowKind, Fill
from opensqt.domain.order import Order

_ORDER_UPDATE: Final = b'"ORDER_TRADE_UPDATE"'
# The venue names an event first; the combined form has the listen key before it.
_NAME_WITHIN_BYTES: Final = 160

_ZERO: Final = Decimal(0)
_POSITION_SIDES: Mapping[str, PositionSide] = {side.value: side for side in PositionSide}

_EXECUTIONS_WITH_FILL = ("TRADE", "CALCULATED")

# Money that moves inside the account (between the cross and an isolated wallet) is no cash flow of it.
_INTERNAL_MOVES = ("MARGIN_TRANSFER", "MARGIN_TYPE_CHANGE")
_FLOW_KINDS: Mapping[str, CashFlowKind] = {
    "FUNDING_FEE": CashFlowKind.FUNDING,
    "INSURANCE_CLEAR": CashFlowKind.LIQUIDATION_FEE,
}

_IGNORED: Mapping[str, str] = {
    "ALGO_UPDATE": "conditional orders are not traded here",
    "CONDITIONAL_ORDER_TRIGGER_REJECT": "conditional orders are not traded here",
    "STRATEGY_UPDATE": "the venue's own strategies are not used",
    "GRID_UPDATE": "the venue's own grids are not used",
}


class UserContext(msgspec.Struct, frozen=True):
    """What an event is read against: the instruments in force and how our client order ids start."""

    listings: Listings
    own_prefix: str


def parse_user_event(data: bytes, context: UserContext, receive_time_ns: int = 0) -> UserEvent:
    """Read one message of the user stream, raw or in the combined form.

    Raises:
        PayloadError: not JSON, or a known event without a member it always has.
    """
    if data.find(_ORDER_UPDATE, 0, _NAME_WITHIN_BYTES) >= 0:
        try:
            update = decode_order_update(data)
        except DecodeError:
            # Below it is read by what takes more spellings, or names the member that is wrong.
            pass
        else:
            return _order_update(update, update.event_time_ms, context, receive_time_ns)
    value = load(data, "user event")
    if isinstance(value, dict) and "stream" in value and "data" in value:
        value = value["data"]
    if not isinstance(value, dict):
        raise PayloadError("user event", f"expected an object, was {type(value).__name__}")
    message = cast("dict[str, object]", value)
    name = message.get("e")
    if not isinstance(name, str):
        raise PayloadError("user event", "missing event name", "e")
    parser = _PARSERS.get(name)
    if parser is None:
        return IgnoredEvent(name, _IGNORED.get(name, "unknown event"))
    return parser(message, context, receive_time_ns)


def _order_event(message: dict[str, object], context: UserContext, receive_time_ns: int) -> UserEvent:
    wire = typed(message, WireOrderEvent, "ORDER_TRADE_UPDATE")
    return _order_update(wire.o, wire.E, context, receive_time_ns)


def _order_update(
    o: WireOrder | OrderUpdate, event_time_ms: int, context: UserContext, receive_time_ns: int
) -> UserEvent:
    listing = context.listings.by_venue(o.symbol)
    if listing is None:
        return IgnoredEvent("ORDER_TRADE_UPDATE", f"symbol {o.symbol} is not traded here")
    fill = _fill(o, listing, context.own_prefix, receive_time_ns)
    unfit = ""
    try:
        order: Order | None = _order(o, listing, fill)
    except PayloadError as error:
        order, unfit = None, error.problem
    return OrderEvent(
        order=order,
        fill=fill,
        execution=o.execution,
        position_side=_POSITION_SIDES[o.position_side],
        realized_pnl=_amount(o.realized_pnl),
        unfit=unfit,
        event_time_ns=to_ns(event_time_ms),
    )


def _order(o: WireOrder | OrderUpdate, listing: Listing, fill: Fill | None) -> Order:
    price_ticks, lots, filled_lots, revision = _order_sizes(o, listing)
    is_whole = fill is not None and fill.lots == filled_lots and fill.instrument_revision == revision
    return Order(
        symbol=listing.instrument.symbol,
        client_order_id=o.client_id,
        exchange_order_id=str(o.order_id),
        side=order_map.SIDES[o.side],
        type=order_map.order_type_of(o.type_word, has_price=price_ticks > 0),
        time_in_force=order_map.time_in_force_of(o.tif_word),
        price_ticks=price_ticks,
        lots=lots,
        filled_lots=filled_lots,
        reduce_only=o.reduce_only,
        state=order_map.state_of(o.status, filled_lots, lots),
        reason=order_map.expiry_reason(o.status, o.expiry_code),
        created_time_ns=to_ns(o.time) if o.execution == "NEW" else 0,
        updated_time_ns=to_ns(o.time),
        instrument_revision=revision,
        filled_ticks_lots=fill.price_ticks * fill.lots if fill is not None and is_whole else 0,
    )


def _fill(o: WireOrder | OrderUpdate, listing: Listing, own_prefix: str, receive_time_ns: int) -> Fill | None:
    if o.execution not in _EXECUTIONS_WITH_FILL:
        return None
    price_ticks, lots, cumulative_lots, revision = _fill_sizes(o, listing)
    if lots == 0:
        return None
    return Fill(
        symbol=listing.instrument.symbol,
        # The venue's own closing orders may carry no trade id; order and cumulative size name the fill as well.
        trade_id=str(o.trade_id) if o.trade_id else f"order-{o.order_id}-{cumulative_lots}",
        client_order_id=o.client_id,
        exchange_order_id=str(o.order_id),
        side=order_map.SIDES[o.side],
        price_ticks=price_ticks,
        lots=lots,
        cumulative_filled_lots=cumulative_lots,
        fee=_amount(o.fee),
        fee_asset=o.fee_asset or listing.instrument.settle_asset,
        is_maker=o.is_maker,
        origin=order_map.origin_of(o.client_id, own_prefix),
        venue_time_ns=to_ns(o.time),
        receive_time_ns=receive_time_ns,
        instrument_revision=revision,
    )


def _order_sizes(o: WireOrder | OrderUpdate, listing: Listing) -> tuple[int, int, int, int]:
    """Return (price ticks, lots, filled lots, revision they are counted in). Raises PayloadError: none fits."""
    found = listing.newest_fit(o.order_sizes) if isinstance(o, OrderUpdate) else None
    return found or _count(listing, o.price, o.quantity, o.filled)


def _fill_sizes(o: WireOrder | OrderUpdate, listing: Listing) -> tuple[int, int, int, int]:
    """Return (price ticks, lots, filled lots after it, revision) of the last fill. Raises PayloadError: none fits."""
    found = listing.newest_fit(o.fill_sizes) if isinstance(o, OrderUpdate) else None
    return found or _count(listing, o.last_price, o.last_quantity, o.filled)


def _count(listing: Listing, price: str, quantity: str, filled: str) -> tuple[int, int, int, int]:
    counted = listing.count("ORDER_TRADE_UPDATE", (price,), (quantity, filled))
    return counted.ticks[0], counted.lots[0], counted.lots[1], counted.units.revision


def _amount(text: str) -> Decimal:
    return _ZERO if text == "0" else decimal_of(text)


def _trade_lite(message: dict[str, object], context: UserContext, _receive_time_ns: int) -> UserEvent:
    wire = typed(message, WireTradeLite, "TRADE_LITE")
    listing = context.listings.by_venue(wire.symbol)
    if listing is None:
        return IgnoredEvent("TRADE_LITE", f"symbol {wire.symbol} is not traded here")
    counted = listing.count("TRADE_LITE", (wire.last_price,), (wire.last_quantity,))
    return TradeLiteEvent(
        symbol=listing.instrument.symbol,
        trade_id=str(wire.trade_id),
        client_order_id=wire.client_id,
        exchange_order_id=str(wire.order_id),
        side=order_map.SIDES[wire.side],
        price_ticks=counted.ticks[0],
        lots=counted.lots[0],
        is_maker=wire.is_maker,
        instrument_revision=counted.units.revision,
        venue_time_ns=to_ns(wire.time),
    )


def _account_event(message: dict[str, object], context: UserContext, _receive_time_ns: int) -> UserEvent:
    wire = typed(message, WireAccountEvent, "ACCOUNT_UPDATE")
    time_ns = to_ns(wire.T)
    positions = []
    unlisted = []
    for p in wire.a.P:
        listing = context.listings.by_venue(p.s)
        if listing is None:
            unlisted.append(p.s)
            continue
        positions.append(
            PositionUpdate(
                symbol=listing.instrument.symbol,
                side=p.ps,
                lots=listing.count("ACCOUNT_UPDATE", (), (p.pa,)).lots[0],
                entry_price=decimal_of(p.ep),
                unrealized_pnl=decimal_of(p.up),
                margin_type=p.mt.lower(),
                venue_time_ns=time_ns,
            )
        )
    # Funding of an isolated position names it; funding of cross positions names only the wallet.
    symbols = {position.symbol for position in positions}
    symbol = symbols.pop() if len(symbols) == 1 and not unlisted else ""
    return AccountEvent(
        reason=wire.a.m,
        wallets=tuple(WalletUpdate(b.a, decimal_of(b.wb), decimal_of(b.cw), decimal_of(b.bc)) for b in wire.a.B),
        positions=tuple(positions),
        cash_flows=tuple(flow for b in wire.a.B if (flow := _cash_flow(b, wire, symbol)) is not None),
        unlisted=tuple(unlisted),
        venue_time_ns=time_ns,
    )


def _cash_flow(balance: WireBalance, wire: WireAccountEvent, symbol: str) -> CashFlow | None:
    amount = decimal_of(balance.bc)
    reason = wire.a.m
    if not amount or reason in _INTERNAL_MOVES:
        return None
    return CashFlow(
        # The event has no id. Two flows of one moment differ in the wallet they leave behind.
        id=f"{reason}-{balance.a}-{wire.T}-{balance.wb}-{balance.bc}",
        kind=_FLOW_KINDS.get(reason, CashFlowKind.TRANSFER),
        symbol=symbol,
        asset=balance.a,
        amount=amount,
        venue_time_ns=to_ns(wire.T),
    )


def _config_event(message: dict[str, object], context: UserContext, _receive_time_ns: int) -> UserEvent:
    wire = typed(message, WireConfigEvent, "ACCOUNT_CONFIG_UPDATE")
    if wire.ac is not None:
        listing = context.listings.by_venue(wire.ac.s)
        if listing is None:
            return IgnoredEvent("ACCOUNT_CONFIG_UPDATE", f"symbol {wire.ac.s} is not traded here")
        return LeverageEvent(listing.instrument.symbol, wire.ac.l)
    if wire.ai is not None:
        return MultiAssetsEvent(wire.ai.j)
    return IgnoredEvent("ACCOUNT_CONFIG_UPDATE", "neither leverage nor multi-assets mode")


def _margin_call(message: dict[str, object], _context: UserContext, _receive_time_ns: int) -> UserEvent:
    wire = typed(message, WireMarginCall, "MARGIN_CALL")
    positions = tuple(
        MarginCallPosition(
            venue_symbol=p.s,
            side=p.ps,
            quantity=decimal_of(p.pa),
            mark_price=decimal_of(p.mp),
            unrealized_pnl=decimal_of(p.up),
            maintenance_margin=decimal_of(p.mm),
        )
        for p in wire.p
    )
    return MarginCallEvent(None if wire.cw is None else decimal_of(wire.cw), positions)


def _listen_key_expired(message: dict[str, object], _context: UserContext, _receive_time_ns: int) -> UserEvent:
    return ListenKeyExpiredEvent(typed(message, WireListenKeyExpired, "listenKeyExpired").listen_key)


_PARSERS: Mapping[str, Callable[[dict[str, object], UserContext, int], UserEvent]] = {
    "ORDER_TRADE_UPDATE": _order_event,
    "TRADE_LITE": _trade_lite,
    "ACCOUNT_UPDATE": _account_event,
    "ACCOUNT_CONFIG_UPDATE": _config_event,
    "MARGIN_CALL": _margin_call,
    "listenKeyExpired": _listen_key_expired,
}
