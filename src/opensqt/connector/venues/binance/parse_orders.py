"""Orders and executions in replies: place, amend, cancel, query, lists, batches, userTrades.

The members `avgPrice` and `cumQuote` left the replies to order requests in 2026-06 and stay in queries: they are
optional, and only used where they are exact. In a list one odd member never hides the others.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypeAlias, cast

import msgspec

from opensqt.connector.venues.binance import order_map
from opensqt.connector.venues.binance.errors import Failure, api_failure, lost_failure
from opensqt.connector.venues.binance.listing import Listings
from opensqt.connector.venues.binance.payload import (
    Id,
    Ms,
    PayloadError,
    SignedText,
    Symbol,
    UnsignedText,
    decimal_of,
    load,
    to_ns,
    typed,
)
from opensqt.connector.venues.binance.user_events import PositionSide
from opensqt.domain.fill import Fill
from opensqt.domain.order import Order


class OrderReport(msgspec.Struct, frozen=True):
    """An order as a reply tells it."""

    order: Order
    position_side: PositionSide


class Unread(msgspec.Struct, frozen=True):
    """A member of a list that says something we cannot express, and why."""

    venue_symbol: str
    exchange_order_id: str
    client_order_id: str
    why: str


class OrderList(msgspec.Struct, frozen=True):
    """The orders of a list, and those that could not be read."""

    orders: tuple[OrderReport, ...]
    unread: tuple[Unread, ...]


class UserTrade(msgspec.Struct, frozen=True):
    """One execution of the account; `fill.client_order_id` is empty where the order's is not known."""

    fill: Fill
    position_side: PositionSide
    realized_pnl: Decimal


class UserTradeList(msgspec.Struct, frozen=True):
    """Executions, oldest first. `unattributed` are the venue's ids of orders whose client id must still be asked."""

    trades: tuple[UserTrade, ...]
    unattributed: frozenset[str]
    unread: tuple[Unread, ...]


BatchItem: TypeAlias = OrderReport | Failure


class _WireOrder(msgspec.Struct, rename="camel", frozen=True):
    order_id: Id
    symbol: Symbol
    status: str
    client_order_id: str
    price: UnsignedText
    orig_qty: UnsignedText
    executed_qty: UnsignedText
    side: Literal["BUY", "SELL"]
    type: str
    time_in_force: str
    update_time: Ms
    time: Ms = 0
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    cum_quote: UnsignedText = "0"


class _WireUserTrade(msgspec.Struct, rename="camel", frozen=True):
    id: Id
    order_id: Id
    symbol: Symbol
    side: Literal["BUY", "SELL"]
    price: UnsignedText
    qty: UnsignedText
    commission: SignedText
    commission_asset: str
    maker: bool
    time: Ms
    position_side: PositionSide = PositionSide.BOTH
    realized_pnl: SignedText = "0"


def parse_order(data: bytes, listings: Listings) -> OrderReport:
    """Read the reply to placing, amending, cancelling or querying one order.

    Raises:
        PayloadError: not an order, or of a symbol that is not traded here.
    """
    return order_report(load(data, "order"), listings)


def order_report(value: object, listings: Listings) -> OrderReport:
    """Read one order of decoded JSON (also the `result` of a WebSocket API reply).

    Raises:
        PayloadError: as `parse_order`.
    """
    wire = typed(value, _WireOrder, "order")
    listing = listings.require(wire.symbol, "order")
    counted = listing.count("order", (wire.price,), (wire.orig_qty, wire.executed_qty))
    lots, filled_lots = counted.lots
    order = Order(
        symbol=listing.instrument.symbol,
        client_order_id=wire.client_order_id,
        exchange_order_id=str(wire.order_id),
        side=order_map.SIDES[wire.side],
        type=order_map.order_type_of(wire.type, has_price=counted.ticks[0] > 0),
        time_in_force=order_map.time_in_force_of(wire.time_in_force),
        price_ticks=counted.ticks[0],
        lots=lots,
        filled_lots=filled_lots,
        reduce_only=wire.reduce_only,
        state=order_map.state_of(wire.status, filled_lots, lots),
        reason=order_map.expiry_reason(wire.status, ""),
        created_time_ns=to_ns(wire.time),
        updated_time_ns=to_ns(wire.update_time),
        instrument_revision=counted.units.revision,
        filled_ticks_lots=counted.units.tick_lots(decimal_of(wire.cum_quote)) if filled_lots else 0,
    )
    return OrderReport(order, wire.position_side)


def parse_orders(data: bytes, listings: Listings) -> OrderList:
    """Read openOrders or allOrders.

    Raises:
        PayloadError: not a list: never read that as "no orders".
    """
    orders = []
    unread = []
    for member in _list(data, "orders"):
        try:
            orders.append(order_report(member, listings))
        except PayloadError as error:
            unread.append(_unread(member, error))
    return OrderList(tuple(orders), tuple(unread))


def parse_batch(data: bytes, listings: Listings, *, now_ms: int) -> tuple[BatchItem, ...]:
    """Read the reply to a batch: one item per member of the request, in its order.

    A member that is neither an order nor an error has an unknown outcome.

    Raises:
        PayloadError: not a list: the outcome of every member is unknown.
    """
    items: list[BatchItem] = []
    for member in _list(data, "batch"):
        error = member_error(member, now_ms=now_ms)
        if error is not None:
            items.append(error)
            continue
        try:
            items.append(order_report(member, listings))
        except PayloadError as problem:
            items.append(lost_failure(str(problem), changes_state=True))
    return tuple(items)


def member_error(member: object, *, now_ms: int) -> Failure | None:
    """Return the failure of a batch member that is an error, None when it is something else."""
    members = cast("dict[str, object]", member) if isinstance(member, dict) else {}
    code = members.get("code")
    if "orderId" in members or not isinstance(code, int) or isinstance(code, bool):
        return None
    return api_failure(400, code, str(members.get("msg", "")), changes_state=True, now_ms=now_ms)


def parse_user_trades(
    data: bytes, listings: Listings, client_order_ids: Mapping[str, str], own_prefix: str
) -> UserTradeList:
    """Read userTrades.

    Args:
        data: the body.
        listings: the instruments in force.
        client_order_ids: our ids by the venue's, as far as they are known; executions do not carry ours.
        own_prefix: how our client order ids start.

    Raises:
        PayloadError: not a list: never read that as "no executions".
    """
    trades = []
    unread = []
    unattributed = set()
    for member in _list(data, "userTrades"):
        try:
            trade = _user_trade(member, listings, client_order_ids, own_prefix)
        except PayloadError as error:
            unread.append(_unread(member, error))
            continue
        trades.append(trade)
        if not trade.fill.client_order_id:
            unattributed.add(trade.fill.exchange_order_id)
    return UserTradeList(tuple(trades), frozenset(unattributed), tuple(unread))


def _user_trade(member: object, listings: Listings, client_order_ids: Mapping[str, str], own_prefix: str) -> UserTrade:
    wire = typed(member, _WireUserTrade, "userTrades")
    listing = listings.require(wire.symbol, "userTrades")
    counted = listing.count("userTrades", (wire.price,), (wire.qty,))
    client_order_id = client_order_ids.get(str(wire.order_id), "")
    fill = Fill(
        symbol=listing.instrument.symbol,
        trade_id=str(wire.id),
        client_order_id=client_order_id,
        exchange_order_id=str(wire.order_id),
        side=order_map.SIDES[wire.side],
        price_ticks=counted.ticks[0],
        lots=counted.lots[0],
        fee=decimal_of(wire.commission),
        fee_asset=wire.commission_asset,
        is_maker=wire.maker,
        origin=order_map.origin_of(client_order_id, own_prefix),
        venue_time_ns=to_ns(wire.time),
        instrument_revision=counted.units.revision,
    )
    return UserTrade(fill, wire.position_side, decimal_of(wire.realized_pnl))


def _list(data: bytes, what: str) -> list[object]:
    value = load(data, what)
    if not isinstance(value, list):
        raise PayloadError(what, f"expected a list, was {type(value).__name__}")
    return cast("list[object]", value)


def _unread(member: object, error: PayloadError) -> Unread:
    members = cast("dict[str, object]", member) if isinstance(member, dict) else {}
    return Unread(
        venue_symbol=str(members.get("symbol", "")),
        exchange_order_id=str(members.get("orderId", "")),
        client_order_id=str(members.get("clientOrderId", "")),
        why=str(error),
    )
