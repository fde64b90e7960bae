from decimal import Decimal

import msgspec
import pytest
from models.venue_bench import ACCOUNT, BTC, ETH, START_NS, Bench, open_bench

from opensqt.domain.errors import ErrorReason, RequestError
from opensqt.domain.fill import CashFlowKind, FillOrigin
from opensqt.domain.order import Side, TimeInForce
from opensqt.domain.order_state import OrderState
from opensqt.matching.booking import fee_of
from opensqt.matching.config import ZERO_LATENCY, VenueConfig
from opensqt.matching.events import AccountChanged, CashFlowHappened, Outcome
from opensqt.matching.funding import PERIOD_MS
from opensqt.matching.margin import bracket_of, maintenance_margin
from opensqt.matching.position import PositionState


def test_fees_are_exact_to_eight_decimals_half_to_even() -> None:
    assert fee_of(64_000_00000000, Decimal("0.0002"), 8) == Decimal("12.8")
    assert fee_of(25_000, Decimal("0.0001"), 8) == Decimal("0.00000002")
    assert fee_of(35_000, Decimal("0.0001"), 8) == Decimal("0.00000004")
    assert fee_of(3_500_000, Decimal("0.0001"), 10) == Decimal("0.00000004")
    assert fee_of(64_000_00000000, Decimal("-0.0001"), 8) == Decimal("-6.4")


def test_wallet_moves_by_realized_profit_less_fees() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 0, 10)
    assert bench.wallet() == Decimal(10_000) - Decimal("64001.0") * Decimal("0.01") * Decimal("0.0005")
    bench.place(Side.SELL, 640_020, 10, reduce_only=True)
    bench.trade(Side.BUY, 640_030, 500)
    realized = (Decimal("64002.0") - Decimal("64001.0")) * Decimal("0.01")
    fees = Decimal("640.01") * Decimal("0.0005") + Decimal("640.02") * Decimal("0.0002")
    assert bench.wallet() == Decimal(10_000) + realized - fees
    assert bench.position() == 0


def test_entry_price_is_the_exact_average_and_survives_reductions() -> None:
    state = PositionState(leverage=10)
    assert state.apply(3, 100) == 0
    assert state.apply(1, 104) == 0
    assert (state.lots, state.cost_units) == (4, 404)
    assert state.apply(-1, 105) == 4
    assert (state.lots, state.cost_units) == (3, 303)
    assert state.apply(-5, 90) == 3 * 90 - 303
    assert (state.lots, state.cost_units) == (-2, -180)
    assert state.apply(1, 80) == 10
    assert state.apply(1, 80) == 10
    assert (state.lots, state.cost_units) == (0, 0)


def test_unrealized_profit_follows_the_mark() -> None:
    bench = open_bench()
    bench.mark("64000.0")
    bench.place(Side.BUY, 0, 100)
    bench.mark("64101.0")
    position = bench.venue.view.position(ACCOUNT, BTC.symbol)
    assert position.entry_price == Decimal("64001.0")
    assert position.unrealized_pnl == Decimal(10)
    balances = bench.venue.view.balances(ACCOUNT)
    assert balances.margin_balance == balances.wallet_balance + 10


def test_funding_is_paid_by_who_held_the_position_at_the_settlement() -> None:
    settlement_ms = START_NS // 1_000_000 // PERIOD_MS * PERIOD_MS + PERIOD_MS
    bench = open_bench()
    bench.place(Side.BUY, 640_010, 100, tif=TimeInForce.IOC)
    before = bench.wallet()
    bench.mark("64000.0", "0.0001", settlement_ms)
    bench.now_ns = settlement_ms * 1_000_000 - 2_000_000
    bench.mark("64100.0", "0.00012345", settlement_ms)
    assert bench.cash() == []
    # Bought between the settlement and its mark: does not count.
    bench.delta(asks=[(640_010, 100)])
    bench.place(Side.BUY, 640_010, 50, tif=TimeInForce.IOC)
    fee = bench.fills()[-1].fee
    events = bench.mark("64200.0", "0.0009", settlement_ms + PERIOD_MS)
    amount = -Decimal("0.1") * Decimal("64200.0") * Decimal("0.00012345")
    flows = [event.cash_flow for event in events if isinstance(event, CashFlowHappened)]
    assert [(flow.amount, flow.rate, flow.kind) for flow in flows] == [
        (amount, Decimal("0.00012345"), CashFlowKind.FUNDING)
    ]
    assert flows[0].venue_time_ns == settlement_ms * 1_000_000
    assert bench.wallet() == before - fee + amount
    bench.mark("64200.0", "0.0009", settlement_ms + PERIOD_MS)
    assert len(bench.cash()) == 1


def test_short_positions_receive_positive_funding() -> None:
    settlement_ms = START_NS // 1_000_000 // PERIOD_MS * PERIOD_MS + PERIOD_MS
    bench = open_bench()
    bench.place(Side.SELL, 640_000, 100, tif=TimeInForce.IOC)
    bench.now_ns = settlement_ms * 1_000_000 - 2_000_000
    bench.mark("64000.0", "0.0001", settlement_ms)
    bench.tick(5_000_000)
    bench.mark("64000.0", "0.0001", settlement_ms)
    assert bench.cash() == [Decimal("0.64")]


def test_nobody_pays_funding_where_no_rate_is_known() -> None:
    settlement_ms = START_NS // 1_000_000 // PERIOD_MS * PERIOD_MS + PERIOD_MS
    for rate, expected in ((None, 0), (Decimal("0.0001"), 1)):
        bench = open_bench(VenueConfig(latency=ZERO_LATENCY, funding_rate=rate))
        bench.place(Side.SELL, 640_000, 100, tif=TimeInForce.IOC)
        bench.delta(bids=[(639_000, 5)])
        bench.now_ns = settlement_ms * 1_000_000
        bench.delta(bids=[(639_000, 6)])
        bench.tick(1_000_000_000)
        bench.delta(bids=[(639_000, 7)])
        assert len(bench.cash()) == expected


def test_margin_counts_position_and_open_orders_at_the_leverage() -> None:
    bench = open_bench()
    bench.mark("64000.0")
    bench.place(Side.BUY, 640_000, 100)
    view = bench.venue.view
    assert view.balances(ACCOUNT).available_balance == Decimal(10_000) - Decimal(640)
    bench.leverage(20)
    assert view.balances(ACCOUNT).available_balance == Decimal(10_000) - Decimal(320)
    # The worse side counts, not the sum.
    bench.place(Side.SELL, 640_100, 100)
    assert view.balances(ACCOUNT).available_balance == Decimal(10_000) - Decimal("320.05")
    assert bench.place(Side.BUY, 640_000, 3_100).reason is ErrorReason.INSUFFICIENT_MARGIN
    assert bench.amend("c1", 640_000, 3_200).reason is ErrorReason.INSUFFICIENT_MARGIN
    assert bench.amend("c1", 640_000, 3_000).outcome is Outcome.CONFIRMED


def test_leverage_is_bounded_by_instrument_and_margin() -> None:
    bench = open_bench()
    bench.mark("64000.0")
    assert bench.leverage(0).reason is ErrorReason.LEVERAGE_LIMIT
    assert bench.leverage(126).reason is ErrorReason.LEVERAGE_LIMIT
    bench.place(Side.BUY, 640_000, 1_000)
    assert bench.leverage(5).reason is ErrorReason.INSUFFICIENT_MARGIN
    assert bench.venue.view.position(ACCOUNT, BTC.symbol).leverage == 10
    assert bench.leverage(20).outcome is Outcome.CONFIRMED


def test_maintenance_is_continuous_across_brackets() -> None:
    for cap in (50_000, 600_000, 3_000_000, 12_000_000, 70_000_000):
        below = maintenance_margin(BTC, Decimal(cap))
        above = maintenance_margin(BTC, Decimal(cap) + Decimal("0.01"))
        assert abs(above - below) < Decimal("0.01")
        assert bracket_of(BTC, Decimal(cap))[0] < bracket_of(BTC, Decimal(cap) + 1)[0]
    assert maintenance_margin(BTC, Decimal(50_000)) == 200


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_position_is_liquidated_at_its_liquidation_price_and_not_before(side: Side) -> None:
    config = VenueConfig(latency=ZERO_LATENCY, wallets={ACCOUNT: Decimal(1_000)}, default_leverage=50)
    bench = Bench(config)
    bench.book([(640_000, 1_000)], [(640_010, 1_000)])
    bench.mark("64000.0")
    bench.place(side, 0, 500)
    resting = bench.place(side, 639_000 if side is Side.BUY else 641_000, 5)
    assert resting.outcome is Outcome.CONFIRMED
    price = bench.venue.view.position(ACCOUNT, BTC.symbol).liquidation_price
    away = 1 if side is Side.BUY else -1
    assert (price < 64_000) == (side is Side.BUY)
    assert abs(price - 64_000) < 2_000
    bench.mark(str(price + 5 * away))
    assert bench.position() != 0
    touch = int((price - 5 * away) / BTC.tick_size)
    bench.delta(
        bids=[(640_000, 0), (touch, 1_000)] if side is Side.BUY else [],
        asks=[(640_010, 0), (touch, 1_000)] if side is Side.SELL else [],
    )
    bench.mark(str(price - 5 * away))
    assert bench.position() == 0
    last = bench.fills()[-1]
    assert last.origin is FillOrigin.LIQUIDATION
    assert last.side is side.opposite
    assert bench.order("c2").state in {OrderState.CANCELED, OrderState.FILLED}
    kinds = [event.cash_flow.kind for event in bench.log if isinstance(event, CashFlowHappened)]
    assert kinds == [CashFlowKind.LIQUIDATION_FEE]
    assert bench.wallet() >= 0


def test_liquidation_beyond_bankruptcy_leaves_an_empty_wallet_not_a_debt() -> None:
    config = VenueConfig(latency=ZERO_LATENCY, wallets={ACCOUNT: Decimal(1_000)}, default_leverage=50)
    bench = Bench(config)
    bench.book([(640_000, 1_000)], [(640_010, 1_000)])
    bench.mark("64000.0")
    bench.place(Side.BUY, 0, 500)
    bench.delta(bids=[(640_000, 0), (500_000, 1_000)])
    bench.mark("50000.0")
    assert bench.position() == 0
    assert 0 <= bench.wallet() < 1


def test_transfers_are_booked_once() -> None:
    bench = open_bench()
    bench.venue.transfer(ACCOUNT, Decimal("250.5"), "t1", bench.tick())
    assert bench.venue.transfer(ACCOUNT, Decimal("250.5"), "t1", bench.tick()) == []
    assert bench.wallet() == Decimal("10250.5")
    with pytest.raises(RequestError, match="account"):
        bench.venue.transfer("nobody", Decimal(1), "t2", bench.tick())


def test_wallet_is_exact_across_instruments_of_different_scales() -> None:
    fine = msgspec.structs.replace(ETH, tick_size=Decimal("0.0000001"), lot_size=Decimal("0.0001"))
    bench = Bench(instruments=(BTC, fine))
    bench.book([(20_000_000_000, 1_000)], [(20_000_000_001, 1_000)], symbol=fine.symbol)
    bench.place(Side.BUY, 0, 333, symbol=fine.symbol)
    bench.place(Side.SELL, 0, 333, symbol=fine.symbol)
    fees = sum((fill.fee for fill in bench.fills()), Decimal(0))
    loss = Decimal("0.0000001") * Decimal("0.0333")
    assert bench.wallet() == Decimal(10_000) - fees - loss
    assert all(fill.fee.as_tuple().exponent == -8 for fill in bench.fills())


def test_balances_are_announced_after_each_fill() -> None:
    bench = open_bench()
    bench.place(Side.BUY, 0, 10)
    changes = [event.balances for event in bench.log if isinstance(event, AccountChanged)]
    assert changes[-1].wallet_balance == bench.wallet()
