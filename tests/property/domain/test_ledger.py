"""The ledger: whatever is traded, long or short, the parts sum to the change in equity, and nothing is booked twice."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

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

STEP = st.one_of(
    st.tuples(
        st.just("fill"),
        st.sampled_from(Side),
        st.integers(1, 500_000),
        st.integers(1, 2_000),
        st.one_of(st.none(), st.integers(-4, 4)),
        st.decimals(min_value=-1, max_value=1, places=8),
    ),
    st.tuples(st.just("close"), st.sampled_from(Side), st.integers(1, 500_000), st.integers(1, 5_000)),
    st.tuples(st.just("flow"), st.sampled_from(CashFlowKind), st.decimals(min_value=-100, max_value=100, places=8)),
    st.tuples(st.just("merge"), st.integers(-4, 4), st.integers(-4, 4)),
)
MARK = st.decimals(min_value=Decimal("0.01"), max_value=10_000, places=10)


def fill_of(number: int, side: Side, price: int, lots: int, fee: Decimal = Decimal(0)) -> Fill:
    return Fill(
        symbol=SPEC.symbol,
        trade_id=f"t{number}",
        client_order_id="",
        exchange_order_id="",
        side=side,
        price_ticks=price,
        lots=lots,
        fee=fee,
        fee_asset="USDT",
        is_maker=True,
        venue_time_ns=number,
    )


@given(st.lists(STEP, max_size=40), MARK)
def test_parts_sum_exactly_to_the_change_in_equity(steps: list[tuple], mark: Decimal) -> None:  # type: ignore[type-arg]
    ledger = Ledger()
    cash, lots, cycles_before = Decimal(0), 0, 0
    for number, step in enumerate(steps):
        if step[0] == "flow":
            flow = CashFlow(id=f"f{number}", kind=step[1], asset="USDT", amount=step[2], venue_time_ns=number)
            assert ledger.book_cash_flow(flow)
            assert not ledger.book_cash_flow(flow)
            cash += step[2]
        elif step[0] == "merge":
            if step[1] in ledger.slots and step[1] != step[2]:
                ledger.merge(step[1], step[2])
        else:
            _kind, side, price, size = step[:4]
            fee = step[5] if step[0] == "fill" else Decimal(0)
            fill = fill_of(number, side, price, size, fee)
            booked = ledger.book_fill(fill, step[4]) if step[0] == "fill" else ledger.book_closing_fill(fill)
            assert booked.result is BookResult.BOOKED
            assert ledger.book_fill(fill, 0).result is BookResult.DUPLICATE
            cash -= side.sign * SPEC.money(SPEC.notional_units(price, size)) + fee
            lots += side.sign * size
        assert ledger.totals.cycles >= cycles_before
        cycles_before = ledger.totals.cycles
    assert ledger.position_lots == lots
    assert ledger.cash_change(SPEC) == cash
    pnl = ledger.pnl(SPEC, mark)
    assert pnl.grid_profit + pnl.inventory + pnl.fees + pnl.funding + pnl.transfers == pnl.equity_change
    assert pnl.equity_change == cash + SPEC.lots_to_quantity(lots) * mark
    slot_profit = sum(lot.profit_ticks_lots for lot in ledger.slots.values())
    assert slot_profit == ledger.totals.grid_profit_ticks_lots


@given(st.lists(STEP, max_size=20), MARK)
def test_stored_ledger_goes_on_as_the_same(steps: list[tuple], mark: Decimal) -> None:  # type: ignore[type-arg]
    ledger = Ledger()
    for number, step in enumerate(steps):
        if step[0] == "fill":
            ledger.book_fill(fill_of(number, step[1], step[2], step[3], step[5]), step[4])
    encoder = msgspec.json.Encoder(decimal_format="string")
    totals = msgspec.json.decode(encoder.encode(ledger.totals), type=LedgerTotals)
    slots = {slot: msgspec.structs.replace(lot) for slot, lot in ledger.slots.items()}
    again = Ledger(totals, slots)
    assert again.pnl(SPEC, mark) == ledger.pnl(SPEC, mark)


def test_known_trade_with_other_data_is_a_conflict_and_not_booked() -> None:
    ledger = Ledger()
    ledger.book_fill(fill_of(1, Side.BUY, 100, 5), 0)
    assert ledger.book_fill(fill_of(1, Side.BUY, 101, 5), 0).result is BookResult.CONFLICT
    assert ledger.position_lots == 5


def test_cycle_of_a_slot_earns_the_difference() -> None:
    ledger = Ledger()
    ledger.book_fill(fill_of(1, Side.BUY, 300_000, 10), 0)
    assert ledger.book_fill(fill_of(2, Side.SELL, 300_200, 4), 0).profit_ticks_lots == 800
    assert ledger.totals.cycles == 0
    assert ledger.book_fill(fill_of(3, Side.SELL, 300_200, 6), 0).profit_ticks_lots == 1_200
    assert ledger.totals.cycles == 1
    assert ledger.slots[0].lots == ledger.slots[0].cost_ticks_lots == 0


def test_fee_in_another_asset_is_kept_apart_and_shown() -> None:
    ledger = Ledger()
    fill = msgspec.structs.replace(fill_of(1, Side.BUY, 100, 5, Decimal("0.001")), fee_asset="BNB")
    ledger.book_fill(fill, 0)
    assert ledger.pnl(SPEC, Decimal(1)).fees == 0
    assert ledger.other_assets("USDT") == {"BNB": Decimal("-0.001")}


def test_closing_fill_takes_the_dearest_level_first_and_leaves_the_rest_outside() -> None:
    ledger = Ledger()
    ledger.book_fill(fill_of(1, Side.BUY, 100, 5), 0)
    ledger.book_fill(fill_of(2, Side.BUY, 110, 5), 1)
    assert ledger.book_closing_fill(fill_of(3, Side.SELL, 105, 6)).slots == (1, 0)
    assert ledger.slots[0].lots == 4
    ledger.book_closing_fill(fill_of(4, Side.SELL, 105, 6))
    assert ledger.totals.outside_lots == -2
