"""Executes commands at the moment they reach the exchange: checks, the matcher, booking, one answer each."""

from typing import final

import msgspec

from opensqt._core import match
from opensqt.domain.errors import (
    ErrorReason,
    ExistsError,
    LimitError,
    NotFoundError,
    OpensqtError,
    RequestError,
    StateError,
    invalid_field,
)
from opensqt.domain.money import plain
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.matching.account import AccountState
from opensqt.matching.booking import REASONS, Booking
from opensqt.matching.commands import Amend, Cancel, CancelAll, Command, Place, SetLeverage
from opensqt.matching.events import CommandDone, Outcome
from opensqt.matching.filters import check_band, check_margin, check_open_orders, check_request, check_revision
from opensqt.matching.market import SymbolMarket
from opensqt.matching.order_store import StoredOrder
from opensqt.matching.records import Records
from opensqt.matching.valuation import margins_of

_TIF = {
    TimeInForce.GTC: match.GTC,
    TimeInForce.GTX: match.GTC,
    TimeInForce.IOC: match.IOC,
    TimeInForce.FOK: match.FOK,
}

_REFUSALS: dict[ErrorReason, str] = {
    ErrorReason.POST_ONLY_WOULD_CROSS: "a post-only order at this price would trade at once; quote behind the touch",
    ErrorReason.REDUCE_ONLY_REJECTED: "there is no position (left) that a reduce-only order of this side could reduce",
    ErrorReason.SELF_TRADE: "the order would trade with one of the account's own",
    ErrorReason.MAX_OPEN_ORDERS: "the exchange holds as many orders as it can; cancel some first",
    ErrorReason.INTERNAL: "the exchange gave an order number out twice",
}


@final
class OrderEntry:
    """The exchange's side of order commands."""

    def __init__(self, records: Records, booking: Booking) -> None:
        self._records = records
        self._booking = booking

    def execute(self, command: Command) -> None:
        """Execute one command; its answer follows what it caused in the venue's output."""
        try:
            done = self._dispatch(command)
        except OpensqtError as error:
            done = self._done(
                command, Outcome.REJECTED, reason=error.reason, message=error.message, order=self._order_named(command)
            )
        self._records.out.append(done)

    def _dispatch(self, command: Command) -> CommandDone:
        account = self._records.accounts.get(command.account)
        if account is None:
            raise invalid_field("account", command.account, f"must be one of {', '.join(self._records.accounts)}")
        symbol = command.request.symbol if isinstance(command, Place) else command.symbol
        market = self._records.markets.get(symbol)
        if market is None:
            raise RequestError(
                ErrorReason.UNKNOWN_SYMBOL,
                f"{symbol or 'an empty symbol'} is not traded here; this venue has {', '.join(self._records.markets)}",
                metadata={"symbol": symbol},
            )
        if isinstance(command, Place):
            return self._place(command, account, market)
        if isinstance(command, Amend):
            return self._amend(command, account, market)
        if isinstance(command, Cancel):
            return self._cancel(command, market)
        if isinstance(command, CancelAll):
            return self._cancel_all(command, market)
        return self._set_leverage(command, account, market)

    def _place(self, command: Place, account: AccountState, market: SymbolMarket) -> CommandDone:
        records, request = self._records, command.request
        existing = records.orders.by_client_id(account.name, request.client_order_id)
        if existing is not None and not existing.order.state.is_terminal:
            raise ExistsError(
                ErrorReason.DUPLICATE_CLIENT_ID,
                f"client order id {request.client_order_id} is in use by open order "
                f"{existing.order.exchange_order_id}; that order may be the one you mean",
                metadata={"exchange_order_id": existing.order.exchange_order_id},
            )
        check_request(market, request)
        rests = request.type is OrderType.LIMIT and request.time_in_force in {TimeInForce.GTC, TimeInForce.GTX}
        if rests:
            check_open_orders(records, account, market)
        if not request.reduce_only:
            check_margin(records, account, market, request.side, request.price_ticks, request.lots)
        number = records.next_order_number()
        events = market.matcher.submit(
            number,
            account.owner,
            match.BUY if request.side is Side.BUY else match.SELL,
            request.price_ticks,
            request.lots,
            tif=_TIF[request.time_in_force],
            post_only=request.post_only,
            reduce_only=request.reduce_only,
            opposite=market.opposite_levels(request.side, request.price_ticks),
            displayed_lots=market.displayed_lots(request.side, request.price_ticks) if request.price_ticks else 0,
            stp=command.self_trade,
        )
        if events[0].kind == match.REJECTED:
            raise _refusal(events[0].reason)
        now_ns = records.clock_ns
        order = Order(
            symbol=request.symbol,
            client_order_id=request.client_order_id,
            exchange_order_id=str(number),
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            price_ticks=request.price_ticks,
            lots=events[0].lots,
            reduce_only=request.reduce_only,
            state=OrderState.LIVE,
            created_time_ns=now_ns,
            updated_time_ns=now_ns,
            instrument_revision=request.instrument_revision,
        )
        self._booking.put(number, StoredOrder(account.name, order, records.next_rank()))
        self._booking.apply(market, events[1:])
        return self._done(command, Outcome.CONFIRMED, order=self._current(number))

    def _amend(self, command: Amend, account: AccountState, market: SymbolMarket) -> CommandDone:
        records = self._records
        check_revision(market.instrument, command.instrument_revision)
        number, stored = self._working(command)
        order = stored.order
        if command.price_ticks <= 0 or command.total_lots <= 0:
            raise invalid_field(
                "price_ticks" if command.price_ticks <= 0 else "total_lots",
                command.price_ticks if command.price_ticks <= 0 else command.total_lots,
                "must be positive; cancel the order to remove it",
            )
        market.instrument.check_order(command.price_ticks, command.total_lots, reduce_only=order.reduce_only)
        check_band(market, order.side, command.price_ticks)
        remaining = command.total_lots - order.filled_lots
        if not order.reduce_only and remaining > 0:
            check_margin(
                records, account, market, order.side, command.price_ticks, remaining,
                released_ticks_lots=order.price_ticks * order.remaining_lots,
            )  # fmt: skip
        keeps_place = command.price_ticks == order.price_ticks and command.total_lots <= order.lots
        if not keeps_place:
            stored.rank = records.next_rank()
        events = market.matcher.amend(
            number,
            command.price_ticks,
            command.total_lots,
            opposite=market.opposite_levels(order.side, command.price_ticks),
            displayed_lots=market.displayed_lots(order.side, command.price_ticks),
        )
        self._booking.apply(market, events)
        after = self._current(number)
        if events[0].kind == match.CANCELED and events[0].reason == match.POST_ONLY_WOULD_CROSS:
            return self._done(
                command,
                Outcome.REJECTED,
                reason=ErrorReason.POST_ONLY_WOULD_CROSS,
                message="the amended post-only order would have traded at once; the venue cancelled it",
                order=after,
            )
        return self._done(command, Outcome.CONFIRMED, order=after)

    def _cancel(self, command: Cancel, market: SymbolMarket) -> CommandDone:
        number, _ = self._working(command)
        self._booking.apply(market, market.matcher.cancel(number))
        return self._done(command, Outcome.CONFIRMED, order=self._current(number))

    def _cancel_all(self, command: CancelAll, market: SymbolMarket) -> CommandDone:
        numbers = [
            number
            for number, stored in self._records.orders.working(command.account, command.symbol)
            if stored.order.client_order_id.startswith(command.prefix)
        ]
        for number in numbers:
            self._booking.apply(market, market.matcher.cancel(number))
        done = self._done(command, Outcome.CONFIRMED)
        return msgspec.structs.replace(done, count=len(numbers))

    def _set_leverage(self, command: SetLeverage, account: AccountState, market: SymbolMarket) -> CommandDone:
        limit = market.instrument.max_leverage
        if not 1 <= command.leverage <= limit:
            raise StateError(
                ErrorReason.LEVERAGE_LIMIT,
                f"leverage was {command.leverage}; {command.symbol} allows 1 to {limit}",
                metadata={"limit": str(limit)},
            )
        position = account.position(command.symbol)
        before, position.leverage = position.leverage, command.leverage
        unrealized, _, initial = margins_of(self._records, account)
        balance = self._records.money(account.wallet_units) + unrealized
        if command.leverage < before and initial > balance:
            position.leverage = before
            raise StateError(
                ErrorReason.INSUFFICIENT_MARGIN,
                f"at {command.leverage}x the open orders and positions need {plain(round(initial, 2))} "
                f"{self._records.asset}, the margin balance is {plain(round(balance, 2))}; reduce them first",
            )
        self._booking.announce(market, account)
        return self._done(command, Outcome.CONFIRMED)

    def _working(self, command: Amend | Cancel) -> tuple[int, StoredOrder]:
        stored = self._named(command)
        if stored is None or stored.order.symbol != command.symbol:
            raise NotFoundError(
                ErrorReason.UNKNOWN_ORDER,
                f"there is no order {_name(command)} of {command.symbol} on this account",
            )
        if stored.order.state.is_terminal:
            raise NotFoundError(
                ErrorReason.UNKNOWN_ORDER,
                f"order {_name(command)} is {stored.order.state.value} already; its fills are in the fill history",
            )
        return int(stored.order.exchange_order_id), stored

    def _named(self, command: Amend | Cancel) -> StoredOrder | None:
        orders = self._records.orders
        if command.client_order_id:
            return orders.by_client_id(command.account, command.client_order_id)
        if isinstance(command, Cancel) and command.exchange_order_id.isascii() and command.exchange_order_id.isdigit():
            stored = orders.get(int(command.exchange_order_id))
            return stored if stored is not None and stored.account == command.account else None
        return None

    def _order_named(self, command: Command) -> Order | None:
        """Return what is known of the order a refused command was about."""
        if isinstance(command, Place):
            stored = self._records.orders.by_client_id(command.account, command.request.client_order_id)
        elif isinstance(command, Amend | Cancel):
            stored = self._named(command)
        else:
            return None
        return None if stored is None else stored.order

    def _current(self, number: int) -> Order:
        stored = self._records.orders.get(number)
        assert stored is not None, "an order stays in the store at least until the next one ends"
        return stored.order

    def _done(
        self,
        command: Command,
        outcome: Outcome,
        *,
        reason: ErrorReason | None = None,
        message: str = "",
        order: Order | None = None,
    ) -> CommandDone:
        if isinstance(command, Place):
            client_order_id = command.request.client_order_id
        elif isinstance(command, Amend | Cancel):
            client_order_id = command.client_order_id or (order.client_order_id if order else "")
        else:
            client_order_id = ""
        return CommandDone(
            account=command.account,
            time_ns=self._records.clock_ns,
            command_id=command.command_id,
            outcome=outcome,
            reason=reason,
            message=message,
            client_order_id=client_order_id,
            order=order,
        )


def _name(command: Amend | Cancel) -> str:
    if command.client_order_id:
        return command.client_order_id
    return (command.exchange_order_id if isinstance(command, Cancel) else "") or "(unnamed)"


def _refusal(code: int) -> OpensqtError:
    reason = REASONS[code] or ErrorReason.VENUE_REJECTED
    message = _REFUSALS.get(reason, "the exchange refused the order")
    kind = LimitError if reason is ErrorReason.MAX_OPEN_ORDERS else StateError
    return kind(reason, message)
