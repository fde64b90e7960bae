"""The ledger step by step against the simplest one there is: a list of everything that happened."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from opensqt.domain.fill import CashFlow, CashFlowKind, Fill
from opensqt.domain.instrument import Instrument
from opensqt.domain.ledger import BookResult, Ledger, LedgerTotals
from opensqt.domain.order import Side

SPEC = Instrument(
    symbol="ETH/USDT:USDT",
    venue_symbol="ETHUSDT",
    base_asset="ETH",
    quote_asset="USDT",
    settle_asset="USDT",
    tick_size=Decimal("0.01"),
    lot_size=Decimal("0.001"),
)
AMOUNTS = st.integers(-10_000, 10_000).map(lambda number: Decimal(number).scaleb(-6))
SLOTS = st.one_of(st.none(), st.integers(-3, 3))


class LedgerMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.ledger = Ledger()
        self.fills: dict[str, Fill] = {}
        self.flows: dict[str, CashFlow] = {}
        self.profit_of_fills = 0
        self.cycles_of_fills = 0

    def _book(self, fill: Fill, slot: int | None, closing: bool) -> None:
        booking = self.ledger.book_closing_fill(fill) if closing else self.ledger.book_fill(fill, slot)
        known = self.fills.get(fill.trade_id)
        if known is None:
            assert booking.result is BookResult.BOOKED
            self.fills[fill.trade_id] = fill
            self.profit_of_fills += booking.profit_ticks_lots
            self.cycles_of_fills += booking.cycles
        else:
            same = (known.side, known.price_ticks, known.lots) == (fill.side, fill.price_ticks, fill.lots)
            assert booking.result is (BookResult.DUPLICATE if same else BookResult.CONFLICT)

    @rule(
        number=st.integers(0, 30),
        side=st.sampled_from(Side),
        price=st.integers(1, 500_000),
        lots=st.integers(1, 2_000),
        slot=SLOTS,
        fee=AMOUNTS,
        asset=st.sampled_from(["USDT", "BNB"]),
        closing=st.booleans(),
    )
    def fill(
        self, number: int, side: Side, price: int, lots: int, slot: int | None, fee: Decimal, asset: str, closing: bool
    ) -> None:
        self._book(
            Fill(
                symbol=SPEC.symbol,
                trade_id=f"t{number}",
                client_order_id="",
                exchange_order_id="",
                side=side,
                price_ticks=price,
                lots=lots,
                fee=fee,
                fee_asset=asset,
                is_maker=number % 2 == 0,
                venue_time_ns=number,
            ),
            slot,
            closing,
        )

    @rule(index=st.integers(0, 50), slot=SLOTS)
    def same_fill_again(self, index: int, slot: int | None) -> None:
        if self.fills:
            self._book(list(self.fills.values())[index % len(self.fills)], slot, False)

    @rule(number=st.integers(0, 20), kind=st.sampled_from(CashFlowKind), amount=AMOUNTS)
    def flow(self, number: int, kind: CashFlowKind, amount: Decimal) -> None:
        flow = CashFlow(id=f"f{number}", kind=kind, asset="USDT", amount=amount, venue_time_ns=number)
        assert self.ledger.book_cash_flow(flow) is (flow.id not in self.flows)
        self.flows.setdefault(flow.id, flow)

    @rule(source=st.integers(-3, 3), into=st.integers(-3, 3))
    def merge(self, source: int, into: int) -> None:
        if source != into and source in self.ledger.slots:
            self.ledger.merge(source, into)

    @rule()
    def restart(self) -> None:
        stored = msgspec.json.Encoder(decimal_format="string").encode(self.ledger.totals)
        totals = msgspec.json.decode(stored, type=LedgerTotals)
        made = Ledger(totals, self.ledger.slots)
        for fill in self.fills.values():
            made.remember_trade(fill.trade_id, fill.side, fill.price_ticks, fill.lots)
        for flow_id in self.flows:
            made.remember_cash_flow(flow_id)
        self.ledger = made

    @invariant()
    def it_equals_the_list_of_everything(self) -> None:
        if not hasattr(self, "ledger"):
            return
        ledger, fills = self.ledger, list(self.fills.values())
        assert ledger.position_lots == sum(fill.side.sign * fill.lots for fill in fills)
        cash = -sum(fill.side.sign * fill.lots * fill.price_ticks for fill in fills)
        assert ledger.trade_cash_ticks_lots == cash
        totals = ledger.totals
        assert (totals.fills, totals.grid_profit_ticks_lots) == (len(fills), self.profit_of_fills)
        assert totals.cycles == self.cycles_of_fills
        mark = Decimal("2345.67")
        pnl = ledger.pnl(SPEC, mark)
        wallet = SPEC.money(cash * SPEC.units_per_tick_lot)
        wallet -= sum((fill.fee for fill in fills if fill.fee_asset == "USDT"), Decimal(0))
        wallet += sum((flow.amount for flow in self.flows.values()), Decimal(0))
        assert pnl.equity_change == wallet + SPEC.lots_to_quantity(ledger.position_lots) * mark
        bnb = -sum((fill.fee for fill in fills if fill.fee_asset == "BNB"), Decimal(0))
        assert ledger.other_assets("USDT").get("BNB", Decimal(0)) == bnb


LedgerMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestLedger: Any = LedgerMachine.TestCase
