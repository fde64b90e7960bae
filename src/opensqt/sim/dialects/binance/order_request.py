"""Reads a placement from its parameters and checks it as the venue does, in the venue's order, before the exchange.

Source: Binance "New Order", "Common Definition", "Error Codes"; parameters are those of the REST order endpoint, which
the WebSocket API shares.
"""

from decimal import Decimal
from typing import Final

import msgspec

from opensqt.domain.money import decimals_of
from opensqt.domain.order import OrderType, Side, TimeInForce
from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.params import Params
from opensqt.sim.dialects.binance.rules import SymbolRules

_CONDITIONAL: Final = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
_TYPES: Final = frozenset({"LIMIT", "MARKET"}) | _CONDITIONAL
_SIDES: Final = frozenset({"BUY", "SELL"})
_POSITION_SIDES: Final = frozenset({"BOTH", "LONG", "SHORT"})
_TIMES: Final = frozenset({"GTC", "IOC", "FOK", "GTX", "GTD", "RPI"})
_SELF_TRADE: Final = frozenset({"NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"})
_RESPONSES: Final = frozenset({"ACK", "RESULT"})
_MATCH_LEVELS: Final = {
    "OPPONENT": (True, 1),
    "OPPONENT_5": (True, 5),
    "OPPONENT_10": (True, 10),
    "OPPONENT_20": (True, 20),
    "QUEUE": (False, 1),
    "QUEUE_5": (False, 5),
    "QUEUE_10": (False, 10),
    "QUEUE_20": (False, 20),
}
_GOOD_TILL_MARGIN_MS: Final = 600_000
_GOOD_TILL_MAX_MS: Final = 253_402_300_799_000
DEFAULT_SELF_TRADE: Final = "EXPIRE_MAKER"

_VENUE_TIMES: Final = {
    "GTC": TimeInForce.GTC,
    "GTD": TimeInForce.GTC,
    "GTX": TimeInForce.GTX,
    "RPI": TimeInForce.GTX,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """One order as the venue understood it; `reduces` also holds for closing orders of hedge mode."""

    rules: SymbolRules
    side: Side
    position_side: str
    type: str
    time_in_force: str
    price_ticks: int
    lots: int
    reduces: bool
    client_id: str
    self_trade: str
    price_match: str
    good_till_ms: int
    wants_result: bool

    @property
    def venue_type(self) -> OrderType:
        """Return the exchange's order type."""
        return OrderType.MARKET if self.type == "MARKET" else OrderType.LIMIT

    @property
    def venue_time(self) -> TimeInForce:
        """Return the exchange's time in force."""
        return TimeInForce.IOC if self.type == "MARKET" else _VENUE_TIMES[self.time_in_force]


def read_placement(exchange: Exchange, user: User, params: Params) -> Placement:
    """Read and check one placement.

    Raises:
        ApiError: whatever the venue would answer.
    """
    rules = exchange.rule(params.text("symbol"))
    side = Side[params.choice("side", _SIDES, -1117)]
    type_ = params.choice("type", _TYPES, -1116)
    if type_ in _CONDITIONAL:
        raise ApiError(-4120)
    is_market = type_ == "MARKET"
    position_side, reduces = _position_side(user, side, params)
    price_match = _price_match(params, is_market=is_market)
    time_in_force = _time_in_force(params, is_market=is_market)
    lots = rules.check_quantity(params.decimal("quantity"), is_market=is_market)
    price_ticks = 0
    if price_match != "NONE":
        price_ticks = _matched_price(exchange, rules, side, price_match)
    elif not is_market:
        price_ticks = rules.check_price(params.decimal("price"))
    elif params.has("price"):
        raise ApiError(-1106, "price")
    client_id = params.client_id("newClientOrderId")
    self_trade = params.choice("selfTradePreventionMode", _SELF_TRADE, -5039, DEFAULT_SELF_TRADE)
    good_till_ms = _good_till(exchange, params, time_in_force)
    wants_result = params.choice("newOrderRespType", _RESPONSES, -1130, "ACK") == "RESULT"
    placement = Placement(
        rules=rules,
        side=side,
        position_side=position_side,
        type=type_,
        time_in_force=time_in_force,
        price_ticks=price_ticks,
        lots=lots,
        reduces=reduces,
        client_id=client_id,
        self_trade=self_trade,
        price_match=price_match,
        good_till_ms=good_till_ms,
        wants_result=wants_result,
    )
    _check_market(exchange, placement)
    return placement


def _position_side(user: User, side: Side, params: Params) -> tuple[str, bool]:
    """Return (position side, whether the order may only reduce)."""
    position_side = params.choice("positionSide", _POSITION_SIDES, -4060, "BOTH")
    if user.dual_side:
        if position_side == "BOTH":
            raise ApiError(-4061)
        if params.has("reduceOnly"):
            raise ApiError(-1106, "reduceOnly")
        return position_side, (side is Side.SELL) == (position_side == "LONG")
    if position_side != "BOTH":
        raise ApiError(-4061)
    return position_side, params.boolean("reduceOnly")


def _price_match(params: Params, *, is_market: bool) -> str:
    price_match = params.get("priceMatch", "NONE") or "NONE"
    if price_match == "NONE":
        return price_match
    if price_match not in _MATCH_LEVELS:
        raise ApiError(-5037)
    if is_market:
        raise ApiError(-5038)
    if params.has("price"):
        raise ApiError(-1106, "price")
    return price_match


def _time_in_force(params: Params, *, is_market: bool) -> str:
    if is_market:
        if params.has("timeInForce"):
            raise ApiError(-1106, "timeinforce")
        return "GTC"
    if not params.has("timeInForce"):
        raise ApiError(-1102, "timeinforce")
    return params.choice("timeInForce", _TIMES, -1115)


def _good_till(exchange: Exchange, params: Params, time_in_force: str) -> int:
    if time_in_force != "GTD":
        return 0
    good_till_ms = params.integer("goodTillDate")
    if not exchange.now_ms + _GOOD_TILL_MARGIN_MS < good_till_ms < _GOOD_TILL_MAX_MS:
        raise ApiError(-5040)
    return good_till_ms - good_till_ms % 1_000


def _matched_price(exchange: Exchange, rules: SymbolRules, side: Side, price_match: str) -> int:
    opponent, depth = _MATCH_LEVELS[price_match]
    is_bid = (side is Side.BUY) != opponent
    levels = exchange.venue.view.book(rules.instrument.symbol).levels(is_bid, depth)
    if len(levels) < depth:
        raise ApiError(-5041)
    return levels[depth - 1][0]


def _check_market(exchange: Exchange, placement: Placement) -> None:
    """Check what depends on status, mark and touch."""
    rules = placement.rules
    if rules.status != "TRADING":
        raise ApiError(-4140)
    mark = exchange.mark_price(rules)
    book = exchange.venue.view.book(rules.instrument.symbol)
    if placement.price_ticks:
        price = rules.instrument.ticks_to_price(placement.price_ticks)
        rules.check_band(placement.side, price, mark)
    else:
        touch = book.best_ask_ticks if placement.side is Side.BUY else book.best_bid_ticks
        if touch is not None:
            rules.check_band(placement.side, rules.instrument.ticks_to_price(touch), mark, is_market=True)
        price = mark
    if not placement.reduces and price:
        rules.check_notional(price, rules.instrument.lots_to_quantity(placement.lots))


def read_amended(rules: SymbolRules, params: Params) -> tuple[int, int, Decimal, Decimal]:
    """Return (price in ticks, total lots, price, quantity) of an amendment; both must be sent."""
    quantity = params.decimal("quantity")
    lots = rules.check_quantity(quantity, is_market=False)
    if params.has("priceMatch") and params.get("priceMatch") != "NONE":
        raise ApiError(-5037)
    price = params.decimal("price")
    if decimals_of(price) > rules.price_decimals:
        raise ApiError(-1111)
    return rules.check_price(price), lots, price, quantity
