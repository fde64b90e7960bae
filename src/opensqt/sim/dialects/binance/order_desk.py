"""Places, amends and cancels orders for users: the venue's order entry, behind REST and WebSocket alike."""

import hashlib
from typing import Any, Final, final

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.errors import ErrorReason
from opensqt.domain.order import Order, OrderRequest, OrderType, Side
from opensqt.domain.order_state import OrderState
from opensqt.matching.commands import SelfTrade
from opensqt.matching.events import CommandDone, Outcome
from opensqt.sim.dialects.binance import encode
from opensqt.sim.dialects.binance.accounts import OrderFacts, User
from opensqt.sim.dialects.binance.brackets import max_notional
from opensqt.sim.dialects.binance.errors import FROM_REASON, ApiError
from opensqt.sim.dialects.binance.exchange import Exchange
from opensqt.sim.dialects.binance.order_request import Placement, read_amended, read_placement
from opensqt.sim.dialects.binance.params import Params
from opensqt.sim.dialects.binance.rules import SymbolRules

MAX_AMENDMENTS: Final = 10_000
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SIDES: Final = frozenset({"BUY", "SELL"})
_SELF_TRADE: Final = {
    # Old clients may still ask for NONE; the exchange behind never lets an account trade with itself.
    "NONE": SelfTrade.EXPIRE_MAKER,
    "EXPIRE_MAKER": SelfTrade.EXPIRE_MAKER,
    "EXPIRE_TAKER": SelfTrade.EXPIRE_TAKER,
    "EXPIRE_BOTH": SelfTrade.EXPIRE_BOTH,
}
_HOUR_MS: Final = 3_600_000
_UNFILLED_KEPT_MS: Final = 3 * 24 * _HOUR_MS


@final
class OrderDesk:
    """Order entry of one venue."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._named = 0

    # ---- place

    def place(self, user: User, params: Params) -> dict[str, Any]:
        """Place one order; the reply is the order as accepted, or as it ended when RESULT was asked for."""
        if not user.can_trade:
            raise ApiError(-4087)
        return self.enter(user, read_placement(self._exchange, user, params))

    def test(self, user: User, params: Params) -> dict[str, Any]:
        """Check an order without placing it."""
        read_placement(self._exchange, user, params)
        return {}

    def enter(self, user: User, placement: Placement, *, calculated: bool = False) -> dict[str, Any]:
        """Place an order that was read already. `calculated` marks one the venue makes itself."""
        exchange, rules = self._exchange, placement.rules
        client_id = placement.client_id or self._new_client_id()
        known = exchange.find(user, rules, 0, client_id)
        if known is not None and not known[1].state.is_terminal:
            raise ApiError(-4116)
        account = user.account_of(placement.position_side)
        if not placement.reduces:
            self._check_position_limit(user, account, placement)
        exchange.lend(user, account)
        request = OrderRequest(
            symbol=rules.instrument.symbol,
            client_order_id=client_id,
            side=placement.side,
            type=placement.venue_type,
            time_in_force=placement.venue_time,
            price_ticks=placement.price_ticks,
            lots=placement.lots,
            reduce_only=placement.reduces,
            instrument_revision=rules.instrument.revision,
        )
        events = exchange.venue.place(
            account, request, exchange.next_command_id(), exchange.now_ns, _SELF_TRADE[placement.self_trade]
        )
        done = next(event for event in events if isinstance(event, CommandDone))
        if done.outcome is not Outcome.CONFIRMED or done.order is None:
            exchange.happened(events)
            raise refusal(done, amends=False)
        if placement.time_in_force == "FOK" and done.order.state is OrderState.EXPIRED and not done.order.filled_lots:
            # The venue keeps no record of it and tells nobody.
            raise ApiError(-5021)
        number = int(done.order.exchange_order_id)
        facts = OrderFacts(
            position_side=placement.position_side,
            type=placement.type,
            time_in_force=placement.time_in_force,
            self_trade=placement.self_trade,
            price_match=placement.price_match,
            good_till_ms=placement.good_till_ms,
            calculated=calculated,
        )
        user.remember(number, facts)
        if placement.good_till_ms:
            exchange.expire_at(user, number, placement.good_till_ms)
        exchange.happened(events)
        is_final = placement.venue_type is OrderType.MARKET or placement.time_in_force in {"IOC", "FOK"}
        shown = done.order if placement.wants_result and is_final else _as_accepted(done.order)
        return encode.order_reply(shown, facts, rules, legacy=exchange.config.legacy_fields)

    def _check_position_limit(self, user: User, account: str, placement: Placement) -> None:
        """Refuse an order that could make the position larger than its leverage allows."""
        rules, view = placement.rules, self._exchange.venue.view
        symbol = rules.instrument.symbol
        signed = placement.lots * placement.side.sign
        for order in view.open_orders(account, symbol):
            if order.side is placement.side and not order.reduce_only:
                signed += order.remaining_lots * order.side.sign
        price = self._exchange.mark_price(rules)
        reached = abs(rules.instrument.lots_to_quantity(view.position(account, symbol).lots + signed)) * price
        if reached > max_notional(user.setting(rules.symbol).leverage):
            raise ApiError(-2027)

    # ---- amend

    def amend(self, user: User, params: Params) -> dict[str, Any]:
        """Give a working limit order a new price and size; it goes to the back of the queue."""
        exchange = self._exchange
        rules = exchange.rule(params.text("symbol"))
        price_ticks, lots, price, quantity = read_amended(rules, params)
        side = Side[params.choice("side", _SIDES, -1117)]
        account, order = self._named_order(user, rules, params, -2013)
        facts = exchange.facts(user, order)
        if order.state.is_terminal or order.side is not side:
            raise ApiError(-2013)
        if facts.type != "LIMIT":
            raise ApiError(-5025)
        if facts.amendments >= MAX_AMENDMENTS:
            raise ApiError(-5026)
        if (order.price_ticks, order.lots) == (price_ticks, lots):
            raise ApiError(-5027)
        rules.check_band(side, price, exchange.mark_price(rules))
        if not order.reduce_only and lots > order.filled_lots:
            rules.check_notional(price, quantity)
        exchange.lend(user, account)
        done = exchange.run(
            exchange.venue.amend(
                account,
                order.symbol,
                order.client_order_id,
                price_ticks=price_ticks,
                total_lots=lots,
                instrument_revision=rules.instrument.revision,
                command_id=exchange.next_command_id(),
                now_ns=exchange.now_ns,
            )
        )
        crossed = done.reason is ErrorReason.POST_ONLY_WOULD_CROSS
        if (done.outcome is not Outcome.CONFIRMED and not crossed) or done.order is None:
            raise refusal(done, amends=True)
        facts.amendments += 1
        return encode.order_reply(done.order, facts, rules, legacy=exchange.config.legacy_fields)

    # ---- cancel

    def cancel(self, user: User, params: Params) -> dict[str, Any]:
        """Cancel one order, named by id or client id."""
        exchange = self._exchange
        rules = exchange.rule(params.text("symbol"))
        account, order = self._named_order(user, rules, params, -2011)
        if order.state.is_terminal:
            raise ApiError(-2011)
        done = exchange.cancel(account, order)
        if done.outcome is not Outcome.CONFIRMED or done.order is None:
            raise ApiError(-2011)
        facts = exchange.facts(user, order)
        return encode.order_reply(done.order, facts, rules, legacy=exchange.config.legacy_fields)

    def cancel_all(self, user: User, params: Params) -> dict[str, Any]:
        """Cancel the working orders of a symbol."""
        self._exchange.cancel_all(user, self._exchange.rule(params.text("symbol")))
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def countdown(self, user: User, params: Params) -> dict[str, Any]:
        """Arm, refresh or stop (0) the dead-man switch of a symbol."""
        rules = self._exchange.rule(params.text("symbol"))
        countdown_ms = params.integer("countdownTime")
        if countdown_ms:
            user.countdowns[rules.symbol] = self._exchange.now_ms + countdown_ms
        else:
            user.countdowns.pop(rules.symbol, None)
        return {"symbol": rules.symbol, "countdownTime": str(countdown_ms)}

    # ---- queries

    def query(self, user: User, params: Params, *, only_open: bool) -> dict[str, Any]:
        """Return one order, working or (unless `only_open`) ended."""
        rules = self._exchange.rule(params.text("symbol"))
        _, order = self._named_order(user, rules, params, -2013)
        if (only_open and order.state.is_terminal) or self._is_forgotten(order):
            raise ApiError(-2013)
        return encode.order_query(order, self._exchange.facts(user, order), rules)

    def open_orders(self, user: User, params: Params) -> list[dict[str, Any]]:
        """Return the working orders of a symbol, or of all."""
        rules = self._exchange.rule(params.text("symbol")) if params.has("symbol") else None
        return [self._shown(user, order) for order in self._exchange.open_orders(user, rules)]

    def all_orders(self, user: User, params: Params) -> list[dict[str, Any]]:
        """Return orders of every state, oldest first: from an id on, or the newest of a time span."""
        exchange = self._exchange
        wanted = exchange.rule(params.text("symbol")) if params.has("symbol") else None
        limit = params.integer("limit", 500, 1, 1_000)
        from_id = params.integer("orderId", 0)
        start_ms = params.integer("startTime", 0)
        end_ms = params.integer("endTime", 1 << 60)
        found: list[Order] = []
        for rules in exchange.rules.values() if wanted is None else (wanted,):
            for account in user.accounts:
                found += exchange.venue.view.open_orders(account, rules.instrument.symbol)
                found += exchange.venue.view.ended_orders(account, rules.instrument.symbol, 1 << 30)
        rows = sorted(
            (
                order
                for order in found
                if int(order.exchange_order_id) in user.facts
                and int(order.exchange_order_id) >= from_id
                and start_ms <= order.created_time_ns // NS_PER_MS <= end_ms
                and not self._is_forgotten(order)
            ),
            key=_number,
        )
        chosen = rows[:limit] if from_id else rows[-limit:]
        return [self._shown(user, order) for order in chosen]

    # ---- parts

    def _shown(self, user: User, order: Order) -> dict[str, Any]:
        exchange = self._exchange
        return encode.order_query(order, exchange.facts(user, order), exchange.rule_of(order))

    def _named_order(self, user: User, rules: SymbolRules, params: Params, code: int) -> tuple[str, Order]:
        order_id = params.integer("orderId", 0)
        client_id = params.client_id("origClientOrderId")
        if not order_id and not client_id:
            raise ApiError(-1102, "orderId")
        found = self._exchange.find(user, rules, order_id, client_id)
        if found is None:
            raise ApiError(code)
        return found

    def _is_forgotten(self, order: Order) -> bool:
        """Orders that ended without a fill vanish three days after they were made."""
        age_ms = self._exchange.now_ms - order.created_time_ns // NS_PER_MS
        return order.state.is_terminal and not order.filled_lots and age_ms > _UNFILLED_KEPT_MS

    def _new_client_id(self) -> str:
        self._named += 1
        digest = hashlib.sha256(f"{self._exchange.config.seed}:{self._named}".encode()).digest()
        return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:22])


def refusal(done: CommandDone, *, amends: bool) -> ApiError:
    """Return the venue's words for a refusal of the exchange."""
    if done.reason is ErrorReason.UNKNOWN_ORDER and amends:
        return ApiError(-2013)
    code = FROM_REASON.get(done.reason, -1000) if done.reason is not None else -1000
    if code == -4028:
        return ApiError(-4028, "")
    return ApiError(code)


def _as_accepted(order: Order) -> Order:
    """Return an order as it was the moment it was accepted: replies do not wait for its fills."""
    return Order(
        symbol=order.symbol,
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id,
        side=order.side,
        type=order.type,
        time_in_force=order.time_in_force,
        price_ticks=order.price_ticks,
        lots=order.lots,
        reduce_only=order.reduce_only,
        state=OrderState.LIVE,
        created_time_ns=order.created_time_ns,
        updated_time_ns=order.created_time_ns,
        instrument_revision=order.instrument_revision,
    )


def _number(order: Order) -> int:
    return int(order.exchange_order_id)
