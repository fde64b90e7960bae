"""The account as the user stream tells it, completed by what replies add: what is pushed to the sink comes from here.

An order is the merger of all its reports. A position or wallet from a reply never replaces what the stream told later:
by the venue's time, and where that is the same millisecond, by whether the stream spoke after the question (`asking`).
The stream tells a wallet but not what of it is available: that moves with the margin balance until the next reply, and
whoever holds this book is told that a reply is due (`needs_refresh`). Cash flows are announced by the stream without an
id of their own; they come from the income history (`needs_income`).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import final

import msgspec
import structlog

from opensqt.connector.adapter import AdapterSink
from opensqt.connector.venues.binance.order_table import OrderTable
from opensqt.connector.venues.binance.user_events import (
    AccountEvent,
    IgnoredEvent,
    LeverageEvent,
    ListenKeyExpiredEvent,
    MarginCallEvent,
    MultiAssetsEvent,
    OrderEvent,
    PositionSide,
    TradeLiteEvent,
    UserEvent,
)
from opensqt.domain.account import Account, Position
from opensqt.domain.fill import Fill
from opensqt.domain.money import EXACT
from opensqt.domain.order import Order

ZERO = Decimal(0)

_log = structlog.get_logger(__name__)


@final
class AccountBook:
    """Orders, positions and wallets of one account in one-way mode."""

    def __init__(self, sink: AdapterSink) -> None:
        self._sink = sink
        self.orders = OrderTable()
        self.positions: dict[str, Position] = {}
        self.accounts: dict[str, Account] = {}
        self.last_trade_id: dict[str, int] = {}
        self.needs_refresh = False
        self.needs_income = False

    # ---- the user stream

    def on_event(self, event: UserEvent) -> None:
        """Take one event."""
        if isinstance(event, OrderEvent):
            self._on_order_event(event)
        elif isinstance(event, AccountEvent):
            self._on_account_event(event)
        elif isinstance(event, LeverageEvent):
            known = self.positions.get(event.symbol)
            if known is not None:
                self._position(msgspec.structs.replace(known, leverage=event.leverage))
        elif isinstance(event, MultiAssetsEvent | MarginCallEvent):
            _log.warning("account_warning", warning=type(event).__name__)
        else:
            # The listen key is its session's; TRADE_LITE has no fee, the full event follows; the rest is not ours.
            assert isinstance(event, TradeLiteEvent | ListenKeyExpiredEvent | IgnoredEvent), "no other kind"

    def _on_order_event(self, event: OrderEvent) -> None:
        if event.position_side is not PositionSide.BOTH:
            _log.error("hedge_mode_order_ignored", side=event.position_side.value)
            return
        if event.fill is not None:
            self.on_fill(event.fill)
        if event.order is not None:
            self.on_order(event.order, event.fill, is_amendment=event.is_amendment)
        else:
            _log.error("order_event_unfit", why=event.unfit)

    def _on_account_event(self, event: AccountEvent) -> None:
        for update in event.positions:
            known = self.positions.get(update.symbol)
            if known is not None and update.side is PositionSide.BOTH and update.venue_time_ns >= known.venue_time_ns:
                self._position(update.applied_to(known))
        for wallet in event.wallets:
            account = self.accounts.get(wallet.asset)
            if account is None or event.venue_time_ns < account.venue_time_ns:
                continue
            unrealized = sum((position.unrealized_pnl for position in self.positions.values()), ZERO)
            margin_balance = EXACT.add(wallet.wallet_balance, unrealized)
            gain = EXACT.subtract(margin_balance, account.margin_balance)
            self._account(
                msgspec.structs.replace(
                    account,
                    wallet_balance=wallet.wallet_balance,
                    unrealized_pnl=unrealized,
                    margin_balance=margin_balance,
                    available_balance=max(ZERO, EXACT.add(account.available_balance, gain)),
                    venue_time_ns=event.venue_time_ns,
                )
            )
        self.needs_refresh = True
        if event.cash_flows:
            self.needs_income = True

    # ---- replies and queries

    def on_order(self, report: Order, fill: Fill | None = None, *, is_amendment: bool = False) -> Order:
        """Take a report of an order from wherever, push what is known now, and return it."""
        order = self.orders.report(report, fill, is_amendment=is_amendment)
        self._sink.on_order(order)
        return order

    def on_fill(self, fill: Fill) -> None:
        """Take an execution."""
        if fill.trade_id.isdecimal():
            self.last_trade_id[fill.symbol] = max(self.last_trade_id.get(fill.symbol, 0), int(fill.trade_id))
        self._sink.on_fill(fill)

    def asking(self) -> Mapping[str, Position]:
        """Return what is known now, to be handed to `on_positions` with the reply to a question put from here on."""
        return dict(self.positions)

    def on_positions(self, positions: Sequence[Position], asked: Mapping[str, Position] | None = None) -> None:
        """Take positions of a reply; `asked` is what was known before the question, None = what is known now."""
        for position in positions:
            known = self.positions.get(position.symbol)
            was_told_since = asked is not None and known is not asked.get(position.symbol)
            # Reads tell whole milliseconds: what the stream told after the question wins within one.
            if known is None or position.venue_time_ns >= known.venue_time_ns + was_told_since:
                self._position(position)
            elif was_told_since:
                # What a reply alone tells (liquidation price, leverage) is asked for again.
                self.needs_refresh = True

    def on_accounts(self, accounts: list[Account]) -> None:
        """Take wallets of a reply."""
        for account in accounts:
            known = self.accounts.get(account.asset)
            if known is None or account.venue_time_ns >= known.venue_time_ns or not account.venue_time_ns:
                self._account(account)

    def _position(self, position: Position) -> None:
        if self.positions.get(position.symbol) != position:
            self.positions[position.symbol] = position
            self._sink.on_position(position)

    def _account(self, account: Account) -> None:
        if self.accounts.get(account.asset) != account:
            self.accounts[account.asset] = account
            self._sink.on_account(account)
