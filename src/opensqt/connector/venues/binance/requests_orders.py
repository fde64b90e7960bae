"""Builders of order requests: place, amend, cancel, in ones and batches.

Rules of the venue that shape them (docs, "New Order", "Modify Order", "Cancel Multiple Orders", "STP FAQ"):

- Post-only is the time in force GTX. Market orders carry neither price nor time in force.
- In hedge mode positionSide is mandatory and reduceOnly forbidden; in one-way mode neither LONG nor SHORT may be sent.
- Self-trade prevention has had several defaults, so the mode is always said, except where it has no effect (GTX, FOK).
- RESULT makes the reply to a taking order final; a resting order is answered with its acceptance either way.
- An amendment needs price and quantity, both, and the side; it keeps the ids and loses the place in the queue.
- A batch of n orders counts n in the 10 s window and 1 in the minute window.
"""

from collections.abc import Sequence
from enum import StrEnum, unique

import msgspec
import orjson

from opensqt.connector.rate_budget import Lane
from opensqt.connector.venues.binance import order_map
from opensqt.connector.venues.binance.listing import Listing, Units
from opensqt.connector.venues.binance.requests import Cost, Request, Security
from opensqt.connector.venues.binance.user_events import PositionSide
from opensqt.domain.errors import ErrorReason, RequestError, StateError, invalid_field
from opensqt.domain.order import OrderRequest, OrderType, Side, TimeInForce

MAX_BATCH_PLACE = 5
MAX_BATCH_AMEND = 5
MAX_BATCH_CANCEL = 10
CLIENT_ORDER_ID_PATTERN = r"[.A-Z:/a-z0-9_-]{1,36}"
NUMBERS = frozenset({"orderId"})

_NO_STP = (TimeInForce.GTX, TimeInForce.FOK)
_TAKING = (TimeInForce.IOC, TimeInForce.FOK)


@unique
class SelfTradePrevention(StrEnum):
    """Which order goes when two of the account would match; the taker's mode decides."""

    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class OrderStyle(msgspec.Struct, frozen=True):
    """Settings of the account that shape every order."""

    hedge_mode: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.EXPIRE_MAKER


class OrderRef(msgspec.Struct, frozen=True):
    """One order, by our id or else by the venue's."""

    client_order_id: str
    exchange_order_id: str = ""


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """New price and total size (executed part included) of one order. `side` is the order's own."""

    listing: Listing
    ref: OrderRef
    side: Side
    price_ticks: int
    total_lots: int
    instrument_revision: int


def position_side_of(side: Side, *, reduce_only: bool) -> PositionSide:
    """Return which position an order works on in hedge mode: the one it opens, or the one it reduces."""
    return PositionSide.LONG if (side is Side.BUY) is not reduce_only else PositionSide.SHORT


def place(order: OrderRequest, listing: Listing, style: OrderStyle) -> Request:
    """Place one order.

    Raises:
        StateError: STALE_INSTRUMENT, its ticks and lots are of another revision.
    """
    return Request(
        verb="POST",
        path="/fapi/v1/order",
        params=_place_params(order, listing, style),
        security=Security.SIGNED,
        cost=Cost(0, 1, 1),
        lane=Lane.NEW,
        changes_state=True,
        api_method="order.place",
    )


def place_batch(orders: Sequence[tuple[OrderRequest, Listing]], style: OrderStyle) -> Request:
    """Place up to five orders; the venue works on them concurrently and answers each on its own, in this order.

    Raises:
        RequestError: none, or more than five.
        StateError: STALE_INSTRUMENT of one of them.
    """
    _check_batch("batch of orders", len(orders), MAX_BATCH_PLACE)
    return _batch("POST", [dict(_place_params(order, listing, style)) for order, listing in orders], Lane.NEW)


def amend(amendment: Amendment) -> Request:
    """Amend one LIMIT order. A GTX order that would take then is cancelled, not refused.

    Raises:
        StateError: STALE_INSTRUMENT, its ticks and lots are of another revision.
    """
    return Request(
        verb="PUT",
        path="/fapi/v1/order",
        params=_amend_params(amendment),
        security=Security.SIGNED,
        cost=Cost(1, 1, 1),
        lane=Lane.AMEND,
        changes_state=True,
        api_method="order.modify",
        numbers=NUMBERS,
    )


def amend_batch(amendments: Sequence[Amendment]) -> Request:
    """Amend up to five orders.

    Raises:
        RequestError: none, or more than five.
        StateError: STALE_INSTRUMENT of one of them.
    """
    _check_batch("batch of amendments", len(amendments), MAX_BATCH_AMEND)
    return _batch("PUT", [dict(_amend_params(amendment)) for amendment in amendments], Lane.AMEND)


def cancel(venue_symbol: str, ref: OrderRef) -> Request:
    """Cancel one order; the reply is the order."""
    return _one("DELETE", "/fapi/v1/order", venue_symbol, ref, Lane.CANCEL, "order.cancel")


def cancel_batch(venue_symbol: str, refs: Sequence[OrderRef]) -> Request:
    """Cancel up to ten orders of one symbol, each answered on its own.

    Raises:
        RequestError: none or more than ten, or some named by our id and some by the venue's.
    """
    _check_batch("batch of cancels", len(refs), MAX_BATCH_CANCEL)
    client_ids = [ref.client_order_id for ref in refs if ref.client_order_id]
    if client_ids and len(client_ids) != len(refs):
        raise invalid_field("batch of cancels", len(refs), "must name all orders by client id or all by the venue's")
    if client_ids:
        ids = ("origClientOrderIdList", orjson.dumps(client_ids).decode())
    else:
        ids = ("orderIdList", orjson.dumps([_order_id(ref) for ref in refs]).decode())
    return Request(
        verb="DELETE",
        path="/fapi/v1/batchOrders",
        params=(("symbol", venue_symbol), ids),
        security=Security.SIGNED,
        cost=Cost(1),
        lane=Lane.CANCEL,
        changes_state=True,
    )


def cancel_all(venue_symbol: str) -> Request:
    """Cancel every open order of a symbol, also those somebody else placed."""
    return Request(
        verb="DELETE",
        path="/fapi/v1/allOpenOrders",
        params=(("symbol", venue_symbol),),
        security=Security.SIGNED,
        cost=Cost(1),
        lane=Lane.CANCEL,
        changes_state=True,
    )


def countdown(venue_symbol: str, countdown_ms: int) -> Request:
    """Have the venue cancel a symbol's orders unless this is repeated in time; 0 stops the countdown."""
    return Request(
        verb="POST",
        path="/fapi/v1/countdownCancelAll",
        params=(("symbol", venue_symbol), ("countdownTime", str(countdown_ms))),
        security=Security.SIGNED,
        cost=Cost(10),
        lane=Lane.CANCEL,
        changes_state=True,
    )


def query(venue_symbol: str, ref: OrderRef) -> Request:
    """Ask for one order in whatever state; orders without fills vanish three days after they ended."""
    request = _one("GET", "/fapi/v1/order", venue_symbol, ref, Lane.QUERY, "order.status")
    return msgspec.structs.replace(request, changes_state=False)


def _place_params(order: OrderRequest, listing: Listing, style: OrderStyle) -> tuple[tuple[str, str], ...]:
    units = _current(listing, order.instrument_revision)
    params = [
        ("symbol", listing.instrument.venue_symbol),
        ("side", order_map.SIDE_WORDS[order.side]),
        ("type", order_map.TYPE_WORDS[order.type]),
    ]
    if style.hedge_mode:
        params.append(("positionSide", position_side_of(order.side, reduce_only=order.reduce_only).value))
    elif order.reduce_only:
        params.append(("reduceOnly", "true"))
    params.append(("quantity", units.lot.format(order.lots)))
    is_market = order.type is OrderType.MARKET
    if not is_market:
        params.append(("timeInForce", order_map.TIME_IN_FORCE_WORDS[order.time_in_force]))
        params.append(("price", units.price.format(order.price_ticks)))
    params.append(("newClientOrderId", order.client_order_id))
    if is_market or order.time_in_force not in _NO_STP:
        params.append(("selfTradePreventionMode", style.self_trade_prevention.value))
    params.append(("newOrderRespType", "RESULT" if is_market or order.time_in_force in _TAKING else "ACK"))
    return tuple(params)


def _amend_params(amendment: Amendment) -> tuple[tuple[str, str], ...]:
    units = _current(amendment.listing, amendment.instrument_revision)
    return (
        ("symbol", amendment.listing.instrument.venue_symbol),
        ("side", order_map.SIDE_WORDS[amendment.side]),
        _id_param(amendment.ref),
        ("quantity", units.lot.format(amendment.total_lots)),
        ("price", units.price.format(amendment.price_ticks)),
    )


def _current(listing: Listing, revision: int) -> Units:
    units = listing.units[0]
    if units.revision != revision:
        raise StateError(
            ErrorReason.STALE_INSTRUMENT,
            f"ticks and lots of {listing.instrument.symbol} are counted in revision {revision}, in force is "
            f"{units.revision}: read the instrument again",
        )
    return units


def _one(verb: str, path: str, venue_symbol: str, ref: OrderRef, lane: Lane, api_method: str) -> Request:
    return Request(
        verb=verb,
        path=path,
        params=(("symbol", venue_symbol), _id_param(ref)),
        security=Security.SIGNED,
        cost=Cost(1),
        lane=lane,
        changes_state=True,
        api_method=api_method,
        numbers=NUMBERS,
    )


def _batch(verb: str, members: list[dict[str, str]], lane: Lane) -> Request:
    return Request(
        verb=verb,
        path="/fapi/v1/batchOrders",
        params=(("batchOrders", orjson.dumps(members).decode()),),
        security=Security.SIGNED,
        cost=Cost(5, len(members), 1),
        lane=lane,
        changes_state=True,
    )


def _id_param(ref: OrderRef) -> tuple[str, str]:
    if ref.client_order_id:
        return "origClientOrderId", ref.client_order_id
    return "orderId", str(_order_id(ref))


def _order_id(ref: OrderRef) -> int:
    if not (ref.exchange_order_id.isascii() and ref.exchange_order_id.isdigit()):
        raise RequestError(
            ErrorReason.INVALID_FIELD,
            f"exchange order id was {ref.exchange_order_id!r}: name an order by its client id or the venue's number",
            metadata={"field": "exchange_order_id"},
        )
    return int(ref.exchange_order_id)


def _check_batch(what: str, size: int, limit: int) -> None:
    if not 1 <= size <= limit:
        raise invalid_field(what, size, f"must be 1 to {limit}")
