"""What happens to positions without their owner: funding, and liquidation when the margin no longer suffices."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import final

from opensqt.domain.clock import NS_PER_MS
from opensqt.domain.fill import CashFlow, CashFlowKind, FillOrigin
from opensqt.domain.market import BookValidity, MarkPrice
from opensqt.domain.order import Order, OrderType, Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.matching.account import AccountState
from opensqt.matching.booking import Booking, fee_of
from opensqt.matching.exact import WIDE, round_decimals
from opensqt.matching.funding import funding_amount
from opensqt.matching.margin import maintenance_margin
from opensqt.matching.market import SymbolMarket
from opensqt.matching.order_store import StoredOrder
from opensqt.matching.records import Records
from opensqt.matching.valuation import margins_of, mark_price, unrealized_of


@final
class Settlement:
    """Reacts to the clock and to marks."""

    def __init__(self, records: Records, booking: Booking) -> None:
        self._records = records
        self._booking = booking

    def on_clock(self, market: SymbolMarket, time_ms: int) -> None:
        """Freeze the positions a funding settlement counts, if the clock passes one."""
        if market.funding.passes(time_ms):
            symbol = market.instrument.symbol
            holders = {name: account.lots(symbol) for name, account in self._records.accounts.items()}
            market.funding.freeze({name: lots for name, lots in holders.items() if lots})

    def on_mark(self, market: SymbolMarket, mark: MarkPrice) -> None:
        """Settle funding that waits for this mark, then liquidate whom it ruined."""
        symbol = market.instrument.symbol
        settled = market.funding.settle(mark, mark.venue_time_ns // NS_PER_MS)
        if settled is not None:
            self._pay_funding(market, mark, *settled)
        for account in list(self._records.accounts.values()):
            if account.lots(symbol):
                self._check(account)

    def _pay_funding(
        self, market: SymbolMarket, mark: MarkPrice, settlement_ms: int, rate: Decimal, holders: dict[str, int]
    ) -> None:
        instrument, records = market.instrument, self._records
        for name, lots in holders.items():
            amount = round_decimals(funding_amount(instrument, lots, mark.mark_price, rate), records.money_scale)
            account = records.accounts[name]
            flow = CashFlow(
                id=f"funding-{instrument.venue_symbol}-{settlement_ms}-{name}",
                kind=CashFlowKind.FUNDING,
                symbol=instrument.symbol,
                asset=records.asset,
                amount=amount,
                rate=rate,
                venue_time_ns=settlement_ms * NS_PER_MS,
            )
            self._booking.cash(account, flow)
            self._booking.announce(market, account)

    def _check(self, account: AccountState) -> None:
        unrealized, maintenance, _ = margins_of(self._records, account)
        if self._records.money(account.wallet_units) + unrealized >= maintenance:
            return
        for market in self._records.markets.values():
            for number, _ in self._records.orders.working(account.name, market.instrument.symbol):
                self._booking.apply(market, market.matcher.cancel(number))
        # The largest position goes first; closing one may save the others.
        markets = [market for market in self._records.markets.values() if account.lots(market.instrument.symbol)]
        for market in sorted(markets, key=lambda item: -self._maintenance(account, item)):
            unrealized, maintenance, _ = margins_of(self._records, account)
            if self._records.money(account.wallet_units) + unrealized >= maintenance:
                return
            self._liquidate(account, market)

    def _maintenance(self, account: AccountState, market: SymbolMarket) -> Decimal:
        quantity = abs(market.instrument.lots_to_quantity(account.lots(market.instrument.symbol)))
        return maintenance_margin(market.instrument, quantity * mark_price(market))

    def _liquidate(self, account: AccountState, market: SymbolMarket) -> None:
        """Close a position at the market, or at the price that leaves nothing if the market is beyond it.

        What the market takes beyond that price the insurance fund pays; the fee takes at most what is left.
        """
        records, instrument = self._records, market.instrument
        lots = account.lots(instrument.symbol)
        side = Side.SELL if lots > 0 else Side.BUY
        price_ticks = self._liquidation_ticks(account, market, lots)
        number = records.next_order_number()
        order = Order(
            symbol=instrument.symbol,
            client_order_id=f"autoclose-{number}",
            exchange_order_id=str(number),
            side=side,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.IOC,
            price_ticks=price_ticks,
            lots=abs(lots),
            reduce_only=True,
            state=OrderState.LIVE,
            created_time_ns=records.clock_ns,
            updated_time_ns=records.clock_ns,
            instrument_revision=instrument.revision,
        )
        order = self._booking.book_fill(
            market, account, order, price_ticks=price_ticks, lots=abs(lots), fee_rate=Decimal(0), is_maker=False,
            origin=FillOrigin.LIQUIDATION,
        )  # fmt: skip
        self._booking.put(number, StoredOrder(account.name, order, records.next_rank()))
        self._booking.apply(market, market.matcher.set_position(account.owner, 0))
        fee = min(
            fee_of(
                price_ticks * abs(lots) * market.units_per_tick_lot,
                records.config.liquidation_fee_rate,
                records.money_scale,
            ),
            max(Decimal(0), records.money(account.wallet_units)),
        )
        if fee:
            self._booking.cash(
                account,
                CashFlow(
                    id=f"liquidation-fee-{number}",
                    kind=CashFlowKind.LIQUIDATION_FEE,
                    symbol=instrument.symbol,
                    asset=records.asset,
                    amount=-fee,
                    venue_time_ns=records.clock_ns,
                ),
            )
        self._booking.announce(market, account)

    def _liquidation_ticks(self, account: AccountState, market: SymbolMarket, lots: int) -> int:
        instrument = market.instrument
        touch = market.book.best_bid_ticks if lots > 0 else market.book.best_ask_ticks
        if touch is None or market.validity is not BookValidity.VALID:
            touch = int(WIDE.divide(mark_price(market), instrument.tick_size))
        unrealized, _, _ = margins_of(self._records, account)
        others = unrealized - unrealized_of(self._records, account, market)
        # The price at which wallet + other profit + this position's profit is zero.
        balance = self._records.money(account.wallet_units) + min(others, Decimal(0))
        cost = self._records.money(account.position(instrument.symbol).cost_units)
        bankruptcy = WIDE.divide(WIDE.divide(cost - balance, instrument.lots_to_quantity(lots)), instrument.tick_size)
        rounding = ROUND_CEILING if lots > 0 else ROUND_FLOOR
        limit = int(bankruptcy.to_integral_value(rounding=rounding))
        return max(1, max(touch, limit) if lots > 0 else min(touch, limit))
