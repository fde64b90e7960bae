"""The venue itself: the simulated exchange with Binance's users, order rules and clockwork around it. Pure.

Market events go in by `on_market`, time by `advance`, orders by `OrderDesk`; private events come out by `take_events`
in the order in which they happened.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, final

import msgspec

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.instrument import Instrument
from opensqt.domain.order import Order
from opensqt.matching.config import ZERO_LATENCY, HistoryConfig, QueueConfig, VenueConfig
from opensqt.matching.events import CommandDone, MarketEvent, MarkUpdate, Outcome, VenueEvent
from opensqt.matching.venue import SimulatedVenue
from opensqt.sim.audit import Audit
from opensqt.sim.dialects.binance.accounts import SHORT_SUFFIX, KeyPair, OrderFacts, User, free_to_move
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.limits import LimitConfig
from opensqt.sim.dialects.binance.positions import margin_call
from opensqt.sim.dialects.binance.rules import SymbolRules
from opensqt.sim.dialects.binance.user_events import INTERNAL_TRANSFER, UserEvent, UserEvents

_BALANCE_EVERY_MS: Final = 1_000


class ExchangeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about the venue but its market."""

    users: tuple[KeyPair, ...]
    wallet: Decimal = Decimal(10_000)
    default_leverage: int = 20
    limits: LimitConfig = LimitConfig()
    legacy_fields: bool = False
    """Whether placements are answered with avgPrice and cumQuote, as before June 2026."""
    seed: int = 1


@final
class Exchange:
    """Users, rules, orders.

    Args:
        config: of the venue.
        instruments: what is traded; all settle in one asset.
    """

    def __init__(self, config: ExchangeConfig, instruments: Sequence[Instrument]) -> None:
        self.config = config
        wallets: dict[str, Decimal] = {}
        for pair in config.users:
            wallets[pair.name] = config.wallet
            wallets[pair.name + SHORT_SUFFIX] = Decimal(0)
        self.venue = SimulatedVenue(
            VenueConfig(
                wallets=wallets,
                default_leverage=config.default_leverage,
                seed=config.seed,
                latency=ZERO_LATENCY,
                queue=QueueConfig(keep_on_decrease=False),
                history=HistoryConfig(candles=1),
                keep_changes=False,
            ),
            instruments,
        )
        self.users = {pair.name: User(pair, config.limits, config.default_leverage) for pair in config.users}
        self.by_key = {user.pair.key: user for user in self.users.values()}
        self.rules = {item.venue_symbol: SymbolRules(item) for item in instruments}
        self.rules_by_canonical = {rule.instrument.symbol: rule for rule in self.rules.values()}
        self._events: list[tuple[User, UserEvent]] = []
        self.user_events = UserEvents(
            self.venue, self.users, self.rules_by_canonical, lambda user, event: self._events.append((user, event))
        )
        self.audit = Audit(self.venue)
        self.now_ns = 0
        self._command_id = 0
        self._transfers = 0
        self._next_balance_ms = 0
        self._good_till: dict[tuple[str, int], int] = {}

    # ---- time and market

    @property
    def now_ms(self) -> int:
        """Return the venue's time in ms."""
        return self.now_ns // NS_PER_MS

    def on_market(self, event: MarketEvent) -> None:
        """Let the market move, and with it orders, marks and positions."""
        self.now_ns = max(self.now_ns, event.time_ns)
        self.happened(self.venue.on_market(event))
        if isinstance(event, MarkUpdate) and self.now_ms >= self._next_balance_ms:
            self._next_balance_ms = self.now_ms + _BALANCE_EVERY_MS
            for user in self.users.values():
                call = margin_call(self.venue, user, self.rules.values(), self.now_ms)
                if call is not None:
                    user.margin_called_ms = self.now_ms
                    self.tell(user, call)
                if user.dual_side:
                    self._share_funds(user)

    def advance(self, now_ns: int) -> None:
        """Move the clock: countdowns and good-till-dates."""
        self.now_ns = max(self.now_ns, now_ns)
        self.happened(self.venue.advance(self.now_ns))
        now_ms = self.now_ms
        for user in self.users.values():
            # Its first money arrived when the venue opened; a balance of time 0 counts as never used.
            user.updated_ms = user.updated_ms or now_ms
            for symbol in [name for name, due_ms in user.countdowns.items() if due_ms <= now_ms]:
                del user.countdowns[symbol]
                self.cancel_all(user, self.rules[symbol])
        for (name, number), due_ms in list(self._good_till.items()):
            if due_ms <= now_ms:
                self._expire(self.users[name], number)

    def take_events(self) -> list[tuple[User, UserEvent]]:
        """Return the private events since the last call."""
        events, self._events = self._events, []
        return events

    def happened(self, events: list[VenueEvent]) -> None:
        """Note, book and tell what the exchange did at one moment."""
        if events:
            self.audit.observe(events)
            self.user_events.tell(events)

    def tell(self, user: User, event: UserEvent) -> None:
        """Tell a user something that is no order and no fill."""
        self._events.append((user, event))

    # ---- lookups

    def rule(self, symbol: str) -> SymbolRules:
        """Return a symbol's rules.

        Raises:
            ApiError: -1121.
        """
        found = self.rules.get(symbol.upper())
        if found is None:
            raise ApiError(-1121)
        return found

    def rule_of(self, order: Order) -> SymbolRules:
        """Return the rules of an order's symbol."""
        return self.rules_by_canonical[order.symbol]

    def mark_price(self, rules: SymbolRules) -> Decimal:
        """Return a symbol's mark price, 0 before the first."""
        mark = self.venue.view.mark(rules.instrument.symbol)
        return Decimal(0) if mark is None else mark.mark_price

    def open_orders(self, user: User, rules: SymbolRules | None = None) -> list[Order]:
        """Return a user's working orders, oldest first."""
        symbol = None if rules is None else rules.instrument.symbol
        found = [order for account in user.accounts for order in self.venue.view.open_orders(account, symbol)]
        return sorted(found, key=_order_id)

    def find(self, user: User, rules: SymbolRules, order_id: int, client_id: str) -> tuple[str, Order] | None:
        """Return (account, order) by exchange id or else by client id; None when there is none."""
        found: list[tuple[str, Order]] = []
        for account in (user.name, user.name + SHORT_SUFFIX):
            order = self.venue.view.order(
                account,
                rules.instrument.symbol,
                client_order_id="" if order_id else client_id,
                exchange_order_id=str(order_id) if order_id else "",
            )
            if order is not None and int(order.exchange_order_id) in user.facts:
                found.append((account, order))
        return max(found, key=_newest, default=None)

    def facts(self, user: User, order: Order) -> OrderFacts:
        """Return what is remembered of an order."""
        return user.facts[int(order.exchange_order_id)]

    # ---- commands

    def next_command_id(self) -> int:
        """Return a number for a command."""
        self._command_id += 1
        return self._command_id

    def run(self, events: Iterable[VenueEvent]) -> CommandDone:
        """Tell what a command caused and return its answer."""
        rows = list(events)
        self.happened(rows)
        done = [event for event in rows if isinstance(event, CommandDone)]
        assert len(done) == 1, "without latency every command is answered at once"
        return done[0]

    def cancel(self, account: str, order: Order) -> CommandDone:
        """Cancel a working order."""
        return self.run(
            self.venue.cancel(
                account,
                order.symbol,
                exchange_order_id=order.exchange_order_id,
                command_id=self.next_command_id(),
                now_ns=self.now_ns,
            )
        )

    def cancel_all(self, user: User, rules: SymbolRules) -> int:
        """Cancel every working order of a symbol; return how many there were."""
        count = 0
        for account in user.accounts:
            events = self.venue.cancel_all(
                account, rules.instrument.symbol, "", self.next_command_id(), now_ns=self.now_ns
            )
            count += self.run(events).count
        return count

    def set_leverage(self, user: User, rules: SymbolRules, leverage: int) -> None:
        """Set a symbol's leverage and tell the user if it changed.

        Raises:
            ApiError: -4028 out of range, -2028 the margin does not suffice.
        """
        if not 1 <= leverage <= rules.instrument.max_leverage:
            raise ApiError(-4028, leverage)
        for account in (user.name, user.name + SHORT_SUFFIX):
            events = self.venue.set_leverage(
                account, rules.instrument.symbol, leverage, self.next_command_id(), self.now_ns
            )
            if self.run(events).outcome is not Outcome.CONFIRMED:
                raise ApiError(-2028)
        setting = user.setting(rules.symbol)
        if setting.leverage != leverage:
            setting.leverage = leverage
            members = {"s": rules.symbol, "l": leverage}
            self.tell(user, {"e": "ACCOUNT_CONFIG_UPDATE", "E": self.now_ms, "T": self.now_ms, "ac": members})

    def expire_at(self, user: User, number: int, due_ms: int) -> None:
        """Let an order end by its date."""
        self._good_till[user.name, number] = due_ms

    def _expire(self, user: User, number: int) -> None:
        del self._good_till[user.name, number]
        facts = user.facts.get(number)
        if facts is None or facts.last is None or facts.last.state.is_terminal:
            return
        facts.is_expired = True
        self.cancel(user.account_of(facts.position_side), facts.last)

    # ---- money

    def transfer(self, user: User, amount: Decimal) -> None:
        """Move money in or out of a user's wallet."""
        self._transfers += 1
        self.happened(self.venue.transfer(user.name, amount, f"user-{self._transfers}", self.now_ns))

    def lend(self, user: User, account: str) -> None:
        """Move what is free in a hedge-mode user's other account to the one that is about to use it."""
        if user.dual_side:
            other = user.name if account.endswith(SHORT_SUFFIX) else user.name + SHORT_SUFFIX
            self._move(other, account, free_to_move(self.venue.view.balances(other).available_balance))

    def set_position_mode(self, user: User, *, dual_side: bool) -> None:
        """Switch between one-way and hedge mode; all money returns to the one account when leaving hedge mode."""
        if not dual_side:
            short = user.name + SHORT_SUFFIX
            self._move(short, user.name, self.venue.view.balances(short).wallet_balance)
        user.dual_side = dual_side

    def _share_funds(self, user: User) -> None:
        long, short = user.name, user.name + SHORT_SUFFIX
        free_long = self.venue.view.balances(long).available_balance
        free_short = self.venue.view.balances(short).available_balance
        half = ((free_long - free_short) / 2).quantize(Decimal("1e-8"))
        if half > 1:
            self._move(long, short, half)
        elif half < -1:
            self._move(short, long, -half)

    def _move(self, source: str, target: str, amount: Decimal) -> None:
        if not amount:
            return
        self._transfers += 1
        key = f"{INTERNAL_TRANSFER}{self._transfers}"
        events: list[Any] = self.venue.transfer(source, -amount, f"{key}-out", self.now_ns)
        events += self.venue.transfer(target, amount, f"{key}-in", self.now_ns)
        self.happened(events)


def _newest(found: tuple[str, Order]) -> int:
    return int(found[1].exchange_order_id)


def _order_id(order: Order) -> int:
    return int(order.exchange_order_id)
