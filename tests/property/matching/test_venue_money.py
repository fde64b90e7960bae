"""Whatever is done to a venue: money adds up exactly, reduce-only never flips, a reloaded venue is the same."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from models.venue_bench import ACCOUNT, BTC, START_NS, Bench

from opensqt.domain.fill import Fill
from opensqt.domain.order import Side, TimeInForce
from opensqt.matching.config import ZERO_LATENCY, VenueConfig
from opensqt.matching.events import CashFlowHappened, FillHappened, OrderChanged
from opensqt.matching.funding import PERIOD_MS
from opensqt.matching.state import VenueState
from opensqt.matching.venue import SimulatedVenue

MID = 640_000
WALLET = Decimal(200)

sides = st.sampled_from(list(Side))
offsets = st.integers(-30, 30)
sizes = st.integers(1, 60)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("place"), sides, offsets, sizes, st.sampled_from(list(TimeInForce)), st.booleans()),
        st.tuples(st.just("market"), sides, sizes, st.booleans()),
        st.tuples(st.just("amend"), st.integers(0, 20), offsets, sizes),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("trade"), sides, offsets, st.integers(1, 300)),
        st.tuples(st.just("move"), st.integers(-60, 60)),
        st.tuples(st.just("mark"), st.integers(-3_000, 3_000) | st.sampled_from([-100_000, 100_000])),
        st.tuples(st.just("funding"), st.integers(-500, 500)),
        st.tuples(st.just("reload")),
    ),
    min_size=25,
    max_size=60,
)


class Player:
    """Turns actions into calls."""

    def __init__(self) -> None:
        config = VenueConfig(latency=ZERO_LATENCY, wallets={ACCOUNT: WALLET}, default_leverage=50)
        self.bench = Bench(config)
        self.mid = MID
        self.rate = Decimal(0)
        self.show()
        self.bench.mark("64000.0")

    def show(self) -> None:
        self.bench.book([(self.mid - i, 40) for i in range(1, 30)], [(self.mid + i, 40) for i in range(30)])

    def do(self, action: tuple[Any, ...]) -> None:
        kind, *rest = action
        getattr(self, kind)(*rest)

    def place(self, side: Side, offset: int, lots: int, tif: TimeInForce, reduce_only: bool) -> None:
        before = self.bench.position()
        mark = len(self.bench.log)
        self.bench.place(side, self.mid + offset, lots, tif=tif, reduce_only=reduce_only)
        if reduce_only:
            self._never_grew(before, mark)

    def market(self, side: Side, lots: int, reduce_only: bool) -> None:
        before = self.bench.position()
        mark = len(self.bench.log)
        self.bench.place(side, 0, lots, reduce_only=reduce_only)
        if reduce_only:
            self._never_grew(before, mark)

    def amend(self, which: int, offset: int, lots: int) -> None:
        self.bench.amend(f"c{which}", self.mid + offset, lots)

    def cancel(self, which: int) -> None:
        self.bench.cancel(f"c{which}")

    def trade(self, side: Side, offset: int, lots: int) -> None:
        self.bench.trade(side, self.mid + offset, lots)

    def move(self, ticks: int) -> None:
        self.mid += ticks
        self.show()

    def mark(self, ticks: int) -> None:
        self.bench.mark(str(BTC.ticks_to_price(self.mid + ticks)))

    def funding(self, rate_e6: int) -> None:
        bench = self.bench
        settlement_ms = bench.now_ns // 1_000_000 // PERIOD_MS * PERIOD_MS + PERIOD_MS
        bench.mark("64000.0", str(Decimal(rate_e6).scaleb(-6)), settlement_ms)
        bench.now_ns = settlement_ms * 1_000_000
        bench.mark("64000.0")

    def reload(self) -> None:
        state = self.bench.venue.dump_state()
        venue = SimulatedVenue(self.bench.config, [BTC])
        venue.load_state(msgspec.json.decode(msgspec.json.encode(state), type=VenueState))
        assert venue.dump_state() == state
        self.bench.venue = venue

    def _never_grew(self, before: int, mark: int) -> None:
        fills = [event for event in self.bench.log[mark:] if isinstance(event, FillHappened)]
        after = self.bench.position()
        if fills:
            assert abs(after) < abs(before)
            assert after * before >= 0
        else:
            assert after == before


def _naive_realized(fills: list[Fill]) -> tuple[Fraction, int]:
    """Average-price profit in ticks times lots, exactly, and the number of reductions."""
    lots, cost, realized, reductions = 0, Fraction(0), Fraction(0), 0
    for fill in fills:
        signed = fill.side.sign * fill.lots
        if lots * signed >= 0:
            lots += signed
            cost += signed * fill.price_ticks
            continue
        reductions += 1
        closing = min(abs(signed), abs(lots))
        sign = 1 if lots > 0 else -1
        average = cost / lots
        realized += sign * closing * (fill.price_ticks - average)
        opening = signed + sign * closing
        cost = cost - sign * closing * average + opening * fill.price_ticks
        lots += signed
    return realized, reductions


@settings(max_examples=120, deadline=None)
@given(actions)
def test_money_adds_up_exactly(script: list[tuple[Any, ...]]) -> None:
    player = Player()
    for action in script:
        player.do(action)
    bench = player.bench
    fills = bench.fills()
    flows = [event.cash_flow.amount for event in bench.log if isinstance(event, CashFlowHappened)]
    fees = sum((fill.fee for fill in fills), Decimal(0))
    spent = sum(
        (-fill.side.sign * BTC.ticks_to_price(fill.price_ticks) * BTC.lots_to_quantity(fill.lots) for fill in fills),
        Decimal(0),
    )
    account = bench.venue.dump_state().accounts[0]
    position = next(iter(account.positions), None)
    cost = position.cost if position else Decimal(0)
    assert account.wallet - cost == WALLET + spent - fees + sum(flows, Decimal(0))
    assert bench.position() == sum(fill.side.sign * fill.lots for fill in fills)

    realized, reductions = _naive_realized(fills)
    booked = account.wallet - WALLET + fees - sum(flows, Decimal(0))
    unit = Fraction(1, 10**8)
    exact = realized * Fraction(BTC.tick_size) * Fraction(BTC.lot_size)
    assert abs(Fraction(booked) - exact) <= unit * (reductions + 1) * 2


def _value(ticks_lots: int) -> Decimal:
    return BTC.money(ticks_lots * BTC.units_per_tick_lot)


def _position_value(player: Player) -> Decimal:
    mark = player.bench.venue.view.mark(BTC.symbol)
    assert mark is not None
    return BTC.lots_to_quantity(player.bench.position()) * mark.mark_price


@settings(max_examples=120, deadline=None)
@given(actions)
def test_orders_keep_their_promises(script: list[tuple[Any, ...]]) -> None:
    player = Player()
    for action in script:
        player.do(action)
        bench = player.bench
        view = bench.venue.view
        orders = view.open_orders(ACCOUNT)
        assert all(0 <= order.filled_lots < order.lots for order in orders)
        position = bench.position()
        for side in Side:
            reducing = sum(o.remaining_lots for o in orders if o.reduce_only and o.side is side)
            assert reducing <= max(0, -position * side.sign)
        worst = [
            sum(o.price_ticks * o.remaining_lots for o in orders if o.side is side and not o.reduce_only)
            for side in Side
        ]
        expected = max(abs(_position_value(player) + _value(worst[0])), abs(_position_value(player) - _value(worst[1])))
        balances = view.balances(ACCOUNT)
        free = balances.margin_balance - expected / 50
        assert abs(balances.available_balance - max(Decimal(0), free)) < Decimal("0.0000001")
        bids = [order.price_ticks for order in orders if order.side is Side.BUY]
        asks = [order.price_ticks for order in orders if order.side is Side.SELL]
        assert not bids or not asks or max(bids) < min(asks)
        assert view.balances(ACCOUNT).wallet_balance >= 0 or position
    log = player.bench.log
    filled: dict[str, int] = {}
    for event in log:
        if isinstance(event, FillHappened):
            number = event.fill.exchange_order_id
            filled[number] = filled.get(number, 0) + event.fill.lots
            assert event.fill.cumulative_filled_lots == filled[number]
        elif isinstance(event, OrderChanged):
            assert event.order.filled_lots == filled.get(event.order.exchange_order_id, 0)
    ids = [int(fill.trade_id) for fill in player.bench.fills()]
    assert ids == sorted(set(ids))
    assert player.bench.now_ns > START_NS
