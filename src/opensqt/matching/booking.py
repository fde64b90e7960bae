"""Turns what the matcher reports into orders, fills, fees, positions and wallets, and into private events."""

from collections.abc import Iterable
from decimal import Decimal
from typing import final

import msgspec

from opensqt._core import match
from opensqt._core.match import MatchEvent
from opensqt.domain.errors import ErrorReason
from opensqt.domain.fill import CashFlow, Fill, FillOrigin
from opensqt.domain.money import MIN_MONEY_SCALE, from_units, to_units
from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import OrderState
from opensqt.matching.account import AccountState
from opensqt.matching.events import AccountChanged, CashFlowHappened, FillHappened, OrderChanged, PositionChanged
from opensqt.matching.exact import divide_half_even
from opensqt.matching.market import SymbolMarket
from opensqt.matching.order_store import StoredOrder
from opensqt.matching.records import Records
from opensqt.matching.valuation import balances_of, position_of

_SIDES = {match.BUY: Side.BUY, match.SELL: Side.SELL}

REASONS: dict[int, ErrorReason | None] = {
    match.NO_REASON: None,
    match.POST_ONLY_WOULD_CROSS: ErrorReason.POST_ONLY_WOULD_CROSS,
    match.REDUCE_ONLY_REJECTED: ErrorReason.REDUCE_ONLY_REJECTED,
    match.SELF_TRADE: ErrorReason.SELF_TRADE,
    match.REMAINDER: None,
    match.FOK_NOT_FILLABLE: None,
    match.UNKNOWN_ORDER: ErrorReason.UNKNOWN_ORDER,
    match.DUPLICATE_ORDER_ID: ErrorReason.INTERNAL,
    match.TOO_MANY_ORDERS: ErrorReason.MAX_OPEN_ORDERS,
    match.REQUESTED: None,
    match.AMENDED_BELOW_FILLED: None,
}


@final
class Booking:
    """Books events of the matcher at the venue's time."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def apply(self, market: SymbolMarket, events: Iterable[MatchEvent]) -> None:
        """Book what happened to resting and arriving orders, in order."""
        touched: dict[str, AccountState] = {}
        for event in events:
            if event.kind == match.FILL:
                account = self._records.owners[event.owner]
                touched[account.name] = account
                self._fill(market, account, event)
            elif event.kind == match.AMENDED:
                self._amended(event)
            elif event.kind in {match.CANCELED, match.EXPIRED}:
                self._ended(event)
        for account in touched.values():
            self.announce(market, account)

    def put(self, number: int, stored: StoredOrder) -> None:
        """Keep an order and tell its account."""
        records = self._records
        if stored.order.state.is_terminal:
            stored.rank = records.next_rank()
        records.orders.put(number, stored)
        records.out.append(OrderChanged(stored.account, records.clock_ns, stored.order))

    def announce(self, market: SymbolMarket, account: AccountState) -> None:
        """Tell an account its balances and one position."""
        records = self._records
        records.changed_accounts.add(account.name)
        now_ns = records.clock_ns
        position = position_of(records, account, market)
        records.out.append(PositionChanged(account.name, now_ns, position))
        records.out.append(AccountChanged(account.name, now_ns, balances_of(records, account)))

    def cash(self, account: AccountState, flow: CashFlow) -> None:
        """Book a cash flow into the wallet."""
        records = self._records
        account.wallet_units += to_units(flow.amount, records.money_scale)
        records.add_cash_flow(account.name, flow)
        records.changed_accounts.add(account.name)
        records.out.append(CashFlowHappened(account.name, records.clock_ns, flow))

    def book_fill(
        self, market: SymbolMarket, account: AccountState, order: Order, *, price_ticks: int, lots: int,
        fee_rate: Decimal, is_maker: bool, origin: FillOrigin,
    ) -> Order:  # fmt: skip
        """Book one execution of an order: position, realized profit, fee; return the order after it."""
        records = self._records
        units_per_lot = price_ticks * market.units_per_tick_lot
        fee = fee_of(units_per_lot * lots, fee_rate, records.money_scale)
        position = account.position(order.symbol)
        account.wallet_units += position.apply(order.side.sign * lots, units_per_lot)
        account.wallet_units -= to_units(fee, records.money_scale)
        filled = order.filled_lots + lots
        after = msgspec.structs.replace(
            order,
            filled_lots=filled,
            filled_ticks_lots=order.filled_ticks_lots + price_ticks * lots,
            state=OrderState.FILLED if filled == order.lots else OrderState.PARTIALLY_FILLED,
            updated_time_ns=records.clock_ns,
        )
        number = records.next_trade_number()
        fill = Fill(
            symbol=order.symbol,
            trade_id=str(number),
            client_order_id=order.client_order_id,
            exchange_order_id=order.exchange_order_id,
            side=order.side,
            price_ticks=price_ticks,
            lots=lots,
            cumulative_filled_lots=filled,
            fee=fee,
            fee_asset=records.asset,
            is_maker=is_maker,
            origin=origin,
            venue_time_ns=records.clock_ns,
            instrument_revision=market.instrument.revision,
        )
        records.add_fill(number, account.name, fill)
        records.out.append(FillHappened(account.name, records.clock_ns, fill))
        return after

    def _fill(self, market: SymbolMarket, account: AccountState, event: MatchEvent) -> None:
        stored = self._stored(event.order_id)
        instrument = market.instrument
        is_taker_of_market = not event.is_maker and event.counterparty_id == 0
        if is_taker_of_market:
            market.consume(stored.order.side, event.price_ticks, event.lots)
        order = self.book_fill(
            market,
            account,
            stored.order,
            price_ticks=event.price_ticks,
            lots=event.lots,
            fee_rate=instrument.maker_fee_rate if event.is_maker else instrument.taker_fee_rate,
            is_maker=event.is_maker,
            origin=FillOrigin.OURS,
        )
        self.put(event.order_id, StoredOrder(stored.account, order, stored.rank))

    def _amended(self, event: MatchEvent) -> None:
        stored = self._stored(event.order_id)
        order = stored.order
        order = msgspec.structs.replace(
            order,
            price_ticks=event.price_ticks,
            lots=order.filled_lots + event.remaining_lots,
            updated_time_ns=self._records.clock_ns,
        )
        self.put(event.order_id, StoredOrder(stored.account, order, stored.rank))

    def _ended(self, event: MatchEvent) -> None:
        stored = self._stored(event.order_id)
        order = msgspec.structs.replace(
            stored.order,
            state=OrderState.CANCELED if event.kind == match.CANCELED else OrderState.EXPIRED,
            reason=REASONS[event.reason],
            updated_time_ns=self._records.clock_ns,
        )
        self.put(event.order_id, StoredOrder(stored.account, order, stored.rank))

    def _stored(self, number: int) -> StoredOrder:
        stored = self._records.orders.get(number)
        assert stored is not None, "the matcher holds no order that the store does not"
        return stored


def fee_of(notional_units: int, rate: Decimal, money_scale: int) -> Decimal:
    """Return the fee on a notional, rounded half to even to 8 decimals as venues book it; negative is a rebate."""
    numerator, denominator = rate.as_integer_ratio()
    units = divide_half_even(notional_units * numerator, denominator * 10 ** (money_scale - MIN_MONEY_SCALE))
    return from_units(units, MIN_MONEY_SCALE)
