"""Turns what the exchange says privately into user stream events, in the order recorded from the venue.

All that happened to an account at one moment is told as TRADE_LITE for every fill, ORDER_TRADE_UPDATE NEW for orders
never heard of, one ACCOUNT_UPDATE, then the remaining order updates; all with the same transaction time. So a fill may
be known before its order is, and the position before the fill.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, final

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.fill import CashFlow, CashFlowKind, Fill, FillOrigin
from opensqt.domain.money import from_units, plain
from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import OrderState
from opensqt.matching.events import CashFlowHappened, FillHappened, OrderChanged, VenueEvent
from opensqt.matching.venue import SimulatedVenue
from opensqt.sim.dialects.binance import encode
from opensqt.sim.dialects.binance.accounts import SHORT_SUFFIX, OrderFacts, TradeRow, User
from opensqt.sim.dialects.binance.positions import position_entry, wallet_of
from opensqt.sim.dialects.binance.rules import SymbolRules

INTERNAL_TRANSFER = "legs-"
"""Transfers between the two accounts of a user in hedge mode; nobody hears of them."""

UserEvent = dict[str, Any]


@final
class UserEvents:
    """Keeps each user's books in step with the exchange and words what happened.

    Args:
        venue: the exchange.
        users: by name.
        rules: by canonical symbol.
        emit: takes one event for one user.
    """

    def __init__(
        self,
        venue: SimulatedVenue,
        users: Mapping[str, User],
        rules: Mapping[str, SymbolRules],
        emit: Callable[[User, UserEvent], None],
    ) -> None:
        self._venue = venue
        self._users = users
        self._rules = rules
        self._emit = emit
        any_instrument = next(iter(rules.values())).instrument
        self.asset = any_instrument.settle_asset
        self._money_scale = max(item.instrument.money_scale for item in rules.values())

    def tell(self, events: Iterable[VenueEvent]) -> None:
        """Book and tell what the exchange said at one moment."""
        groups: dict[str, list[VenueEvent]] = {}
        for event in events:
            if isinstance(event, OrderChanged | FillHappened | CashFlowHappened):
                groups.setdefault(event.account, []).append(event)
        for account, group in groups.items():
            self._tell_account(self._users[account.removesuffix(SHORT_SUFFIX)], account, group)

    def _tell_account(self, user: User, account: str, events: list[VenueEvent]) -> None:
        lites: list[UserEvent] = []
        news: list[UserEvent] = []
        rest: list[UserEvent] = []
        changed: dict[str, None] = {}
        pending: Fill | None = None
        time_ms = 0
        for event in events:
            time_ms = event.time_ns // NS_PER_MS
            if isinstance(event, CashFlowHappened):
                self._cash(user, event.cash_flow, time_ms)
            elif isinstance(event, FillHappened):
                pending = event.fill
            elif isinstance(event, OrderChanged):
                fill, pending = pending, None
                self._order(user, account, event.order, fill, time_ms, lites, news, rest)
                if fill is not None:
                    changed[fill.symbol] = None
        updates = [self._account_update(user, account, list(changed), "ORDER", time_ms)] if changed else []
        for told in (*lites, *news, *updates, *rest):
            self._emit(user, told)

    def _order(
        self,
        user: User,
        account: str,
        order: Order,
        fill: Fill | None,
        time_ms: int,
        lites: list[UserEvent],
        news: list[UserEvent],
        rest: list[UserEvent],
    ) -> None:
        rules = self._rules[order.symbol]
        facts = self._facts(user, account, order, fill)
        before, facts.last = facts.last, order
        if fill is not None:
            details = self._book(user, facts, rules, fill)
            if not facts.calculated:
                lites.append(
                    encode.trade_lite(
                        order,
                        rules,
                        trade_id=int(fill.trade_id),
                        price_ticks=fill.price_ticks,
                        lots=fill.lots,
                        is_maker=fill.is_maker,
                        time_ms=time_ms,
                    )
                )
            execution = "CALCULATED" if facts.calculated else "TRADE"
            rest.append(self._update(user, order, facts, execution, time_ms, details))
        elif before is None:
            news.append(self._update(user, order, facts, "NEW", time_ms, None))
        elif order.state in {OrderState.CANCELED, OrderState.EXPIRED}:
            is_expired = order.state is OrderState.EXPIRED or facts.is_expired
            rest.append(self._update(user, order, facts, "EXPIRED" if is_expired else "CANCELED", time_ms, None))
        elif (before.price_ticks, before.lots) != (order.price_ticks, order.lots):
            rest.append(self._update(user, order, facts, "AMENDMENT", time_ms, None))

    def _facts(self, user: User, account: str, order: Order, fill: Fill | None) -> OrderFacts:
        number = int(order.exchange_order_id)
        facts = user.facts.get(number)
        if facts is None:
            # An order nobody placed: the exchange closes a position by itself.
            facts = OrderFacts(
                position_side=user.position_side(account),
                type="LIMIT",
                time_in_force="IOC",
                self_trade="NONE",
                calculated=fill is not None and fill.origin is not FillOrigin.OURS,
            )
            user.remember(number, facts)
        return facts

    def _book(self, user: User, facts: OrderFacts, rules: SymbolRules, fill: Fill) -> dict[str, Any]:
        """Book a fill into the position's books; return its part of ORDER_TRADE_UPDATE."""
        leg = user.leg(rules.symbol, facts.position_side)
        factor = 10 ** (self._money_scale - rules.instrument.money_scale)
        units_per_lot = fill.price_ticks * rules.instrument.units_per_tick_lot * factor
        realized_units = leg.state.apply(fill.side.sign * fill.lots, units_per_lot)
        leg.realized_units += realized_units
        time_ms = fill.venue_time_ns // NS_PER_MS
        leg.updated_ms = user.updated_ms = time_ms
        realized = plain(from_units(realized_units, self._money_scale))
        commission = plain(fill.fee)
        number = int(fill.trade_id)
        order_id = int(fill.exchange_order_id)
        row = encode.trade_row(
            rules,
            trade_id=number,
            order_id=order_id,
            side=fill.side,
            position_side=facts.position_side,
            price_ticks=fill.price_ticks,
            lots=fill.lots,
            commission=f"{fill.fee:.8f}",
            asset=self.asset,
            realized=f"{Decimal(realized):.8f}",
            is_maker=fill.is_maker,
            time_ms=time_ms,
        )
        user.trades.append(TradeRow(id=number, order_id=order_id, symbol=rules.symbol, row=row, time_ms=time_ms))
        if realized_units:
            self._income(user, "REALIZED_PNL", f"{Decimal(realized):.8f}", rules.symbol, time_ms, number)
        if fill.fee:
            self._income(user, "COMMISSION", f"{-fill.fee:.8f}", rules.symbol, time_ms, number)
        return {
            "l": rules.plain_quantity(fill.lots),
            "L": rules.plain_price(fill.price_ticks),
            "n": commission,
            "t": number,
            "m": fill.is_maker,
            "rp": realized,
        }

    def _update(
        self, user: User, order: Order, facts: OrderFacts, execution: str, time_ms: int, fill: dict[str, Any] | None
    ) -> UserEvent:
        rules = self._rules[order.symbol]
        bids = asks = 0
        for account in user.accounts:
            for other in self._venue.view.open_orders(account, order.symbol):
                if other.side is Side.BUY:
                    bids += other.price_ticks * other.remaining_lots
                else:
                    asks += other.price_ticks * other.remaining_lots
        return encode.order_event(
            order,
            facts,
            rules,
            execution=execution,
            time_ms=time_ms,
            fill=fill,
            asset=self.asset,
            bid_notional=plain(rules.notional(bids)),
            ask_notional=plain(rules.notional(asks)),
        )

    def _cash(self, user: User, flow: CashFlow, time_ms: int) -> None:
        if flow.id.startswith(f"transfer-{INTERNAL_TRANSFER}"):
            return
        kind, reason = {
            CashFlowKind.FUNDING: ("FUNDING_FEE", "FUNDING_FEE"),
            CashFlowKind.LIQUIDATION_FEE: ("INSURANCE_CLEAR", "INSURANCE_CLEAR"),
            CashFlowKind.TRANSFER: ("TRANSFER", "DEPOSIT" if flow.amount > 0 else "WITHDRAW"),
        }[flow.kind]
        symbol = self._rules[flow.symbol].symbol if flow.symbol else ""
        self._income(user, kind, f"{flow.amount:.8f}", symbol, flow.venue_time_ns // NS_PER_MS, 0)
        self._emit(user, self._account_update(user, user.name, [], reason, time_ms, change=flow.amount))

    def _income(self, user: User, kind: str, amount: str, symbol: str, time_ms: int, trade_id: int) -> None:
        user.income.append(
            {
                "symbol": symbol,
                "incomeType": kind,
                "income": amount,
                "asset": self.asset,
                "info": str(trade_id) if trade_id else kind,
                "time": time_ms,
                "tranId": int(f"{time_ms}{len(user.income) % 1000:03}"),
                "tradeId": str(trade_id) if trade_id else "",
            }
        )

    def _account_update(
        self, user: User, account: str, symbols: list[str], reason: str, time_ms: int, change: Decimal = Decimal(0)
    ) -> UserEvent:
        wallet = plain(wallet_of(self._venue, user))
        balances = [{"a": self.asset, "wb": wallet, "cw": wallet, "bc": plain(change)}]
        positions = [position_entry(self._venue, user, account, self._rules[symbol]) for symbol in symbols]
        return {
            "e": "ACCOUNT_UPDATE",
            "T": time_ms,
            "E": time_ms,
            "a": {"B": balances, "P": positions, "m": reason},
        }
