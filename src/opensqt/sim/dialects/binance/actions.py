"""Things that happen to users and symbols without their doing: others' orders, ADL, liquidation, changed rules."""

from decimal import Decimal, InvalidOperation
from typing import final

from opensqt.domain.order import Side
from opensqt.matching.events import MarkUpdate
from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.order_request import DEFAULT_SELF_TRADE, Placement
from opensqt.sim.dialects.binance.params import Params
from opensqt.sim.dialects.binance.rules import SymbolRules
from opensqt.sim.dialects.binance.venue import BinanceVenue
from opensqt.sim.fault_kinds import Fault, FaultKind


@final
class Actions:
    """Carries faults of the venue's state out.

    Every method raises ValueError when the fault lacks something or the venue refuses: the message says what.
    """

    def __init__(self, venue: BinanceVenue) -> None:
        self._venue = venue
        self._made = 0
        self._original: dict[str, tuple[str, Decimal, Decimal, Decimal]] = {}
        self._shown: dict[str, tuple[str, Decimal, Decimal, Decimal]] = {}

    def check(self, fault: Fault) -> None:
        """Refuse a fault that names an unknown user or symbol, before it is set."""
        if fault.account:
            self._user(fault)
        if fault.symbol:
            self._rules(fault)
        for text in (fault.quantity, fault.price, fault.amount, fault.tick_size, fault.step_size, fault.min_notional):
            if text:
                _decimal(text, "a number")

    def act(self, fault: Fault) -> None:
        """Let something happen once."""
        try:
            self._act(fault)
        except ApiError as error:
            raise ValueError(f"{fault.kind}: the venue refused: {error}") from error
        self._venue.flush()

    def _act(self, fault: Fault) -> None:
        kind, venue = fault.kind, self._venue
        if kind is FaultKind.LISTEN_KEY_EXPIRY:
            for user in [self._user(fault)] if fault.account else venue.exchange.users.values():
                venue.listen_keys.expire(user.name)
            venue.hub.expire_keys(venue.exchange.now_ms)
        elif kind is FaultKind.MANUAL_ORDER:
            self._manual_order(fault)
        elif kind is FaultKind.MANUAL_CANCEL_ALL:
            venue.exchange.cancel_all(self._user(fault), self._rules(fault))
        elif kind is FaultKind.POSITION_CHANGE:
            self._market(fault, "web_", Side[fault.side or "BUY"], reduces=False, calculated=False)
        elif kind in {FaultKind.ADL, FaultKind.LIQUIDATION}:
            self._close(fault)
        elif kind is FaultKind.MARK_PRICE:
            self._mark(fault)
        elif kind is FaultKind.TRANSFER:
            venue.exchange.transfer(self._user(fault), _decimal(fault.amount, "amount"))
        elif kind is FaultKind.REVOKE_KEY:
            self._user(fault).is_revoked = True
        elif kind is FaultKind.SET_LEVERAGE:
            venue.exchange.set_leverage(self._user(fault), self._rules(fault), fault.leverage)
        elif kind is FaultKind.SEQUENCE_GAP:
            venue.streams.skip_ids(self._rules(fault).symbol)

    # ---- rules and status, for as long as a fault lasts

    def apply_rules(self, halts: list[Fault], filters: list[Fault]) -> None:
        """Let exactly these halts and filter changes be in force; what changed is told on `!contractInfo`."""
        for symbol, rules in self._venue.exchange.rules.items():
            original = self._original.setdefault(symbol, (rules.status, rules.tick, rules.step, rules.min_notional))
            status, tick, step, notional = original
            if any(fault.symbol in {"", symbol} for fault in halts):
                status = "SETTLING"
            for fault in filters:
                if fault.symbol in {"", symbol}:
                    tick = _decimal(fault.tick_size, "tick_size") if fault.tick_size else tick
                    step = _decimal(fault.step_size, "step_size") if fault.step_size else step
                    notional = _decimal(fault.min_notional, "min_notional") if fault.min_notional else notional
            wanted = (status, tick, step, notional)
            if wanted != self._shown.get(symbol, original):
                rules.status, rules.tick, rules.step, rules.min_notional = wanted
                self._shown[symbol] = wanted
                self._venue.streams.contract_info(symbol, self._venue.exchange.now_ms)

    def apply_stale_snapshots(self, faults: list[Fault]) -> None:
        """Freeze the books of exactly these symbols as snapshots show them."""
        public, now_ms = self._venue.public, self._venue.exchange.now_ms
        wanted = {symbol for symbol in self._venue.exchange.rules for fault in faults if fault.symbol in {"", symbol}}
        for symbol in set(public.stale_snapshots) - wanted:
            del public.stale_snapshots[symbol]
        for symbol in wanted - set(public.stale_snapshots):
            public.stale_snapshots[symbol] = public.snapshot(self._venue.streams.data[symbol], 1_000, now_ms)

    # ---- parts

    def _manual_order(self, fault: Fault) -> None:
        user, rules = self._user(fault), self._rules(fault)
        self._made += 1
        values: dict[str, object] = {
            "symbol": rules.symbol,
            "side": fault.side or "BUY",
            "quantity": fault.quantity,
            "type": "LIMIT" if fault.price else "MARKET",
            "newClientOrderId": f"web_manual{self._made}",
        }
        if fault.price:
            values |= {"price": fault.price, "timeInForce": "GTC"}
        if user.dual_side:
            values["positionSide"] = "LONG" if values["side"] == "BUY" else "SHORT"
        self._venue.desk.place(user, Params.of_json(values))

    def _close(self, fault: Fault) -> None:
        user, rules = self._user(fault), self._rules(fault)
        for account in user.accounts:
            lots = self._venue.exchange.venue.view.position(account, rules.instrument.symbol).lots
            if not lots:
                continue
            side = Side.SELL if lots > 0 else Side.BUY
            prefix = "adl_autoclose" if fault.kind is FaultKind.ADL else "autoclose-"
            wanted = (
                rules.check_quantity(_decimal(fault.quantity, "quantity"), is_market=False) if fault.quantity else 0
            )
            if fault.kind is FaultKind.LIQUIDATION:
                self._venue.exchange.cancel_all(user, rules)
            self._market(
                fault,
                prefix,
                side,
                reduces=True,
                calculated=True,
                lots=min(wanted or abs(lots), abs(lots)),
                position_side=user.position_side(account),
            )

    def _market(
        self,
        fault: Fault,
        prefix: str,
        side: Side,
        *,
        reduces: bool,
        calculated: bool,
        lots: int = 0,
        position_side: str = "",
    ) -> None:
        user, rules = self._user(fault), self._rules(fault)
        self._made += 1
        if not position_side:
            position_side = "BOTH" if not user.dual_side else "LONG" if side is Side.BUY else "SHORT"
        placement = Placement(
            rules=rules,
            side=side,
            position_side=position_side,
            type="MARKET",
            time_in_force="GTC",
            price_ticks=0,
            lots=lots or self._lots(fault, rules),
            reduces=reduces,
            client_id=f"{prefix}{self._venue.exchange.now_ms}{self._made}",
            self_trade=DEFAULT_SELF_TRADE,
            price_match="NONE",
            good_till_ms=0,
            wants_result=False,
        )
        self._venue.desk.enter(user, placement, calculated=calculated)

    def _lots(self, fault: Fault, rules: SymbolRules) -> int:
        return rules.check_quantity(_decimal(fault.quantity, "quantity"), is_market=False)

    def _mark(self, fault: Fault) -> None:
        rules = self._rules(fault)
        exchange = self._venue.exchange
        mark = exchange.venue.view.mark(rules.instrument.symbol)
        price = _decimal(fault.price, "price")
        self._venue.jump_mark(
            MarkUpdate(
                rules.instrument.symbol,
                exchange.now_ns,
                price,
                price,
                Decimal(0) if mark is None else mark.funding_rate,
                0 if mark is None else mark.next_funding_time_ms,
            )
        )

    def _user(self, fault: Fault) -> User:
        users = self._venue.exchange.users
        name = fault.account or next(iter(users))
        if name not in users:
            raise ValueError(f"account was {name!r}: this venue has {', '.join(users)}")
        return users[name]

    def _rules(self, fault: Fault) -> SymbolRules:
        rules = self._venue.exchange.rules
        symbol = fault.symbol or next(iter(rules))
        if symbol not in rules:
            raise ValueError(f"symbol was {symbol!r}: this venue trades {', '.join(rules)}")
        return rules[symbol]


def _decimal(text: str, field: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{field} was {text!r}: give a decimal as a string") from None
    if not value.is_finite():
        raise ValueError(f"{field} was {text!r}: give a finite decimal")
    return value
