"""Filters that change again and again under a grid that trades: whatever the order of events, nothing is lost."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from models.filter_venue import FilterVenue, FilterWorld
from models.grid_venue import config

from opensqt.engine.risk.reasons import TradingState

TICKS = (1, 2, 4, 5, 10, 20)
LOTS = (1, 2, 10, 20)
"""Each divides the next: the smallest ever listed expresses every position."""


def exact(world: FilterWorld) -> tuple[object, ...]:
    """Return everything that must not change, in units of nobody."""
    bot = world.bot
    spec, ledger = bot.instrument, bot.ledger
    tick, lot = Fraction(spec.tick_size), Fraction(spec.lot_size)
    totals = ledger.totals
    return (
        sum(one.lots for one in ledger.slots.values()) * lot,
        ledger.position_lots * lot,
        ledger.cost_ticks_lots * tick * lot,
        sum(one.profit_ticks_lots for one in ledger.slots.values()) * tick * lot,
        totals.grid_profit_ticks_lots * tick * lot,
        totals.turnover_ticks_lots * tick * lot,
        totals.outside_lots * lot,
        totals.fills,
        totals.cycles,
        ledger.cash_change(spec),
        bot.pnl(),
        bot.position.lots * lot,
        bot.gate.limits.max_position_lots * lot,
        spec.money(bot.gate.limits.max_notional_units),
    )


def terms(world: FilterWorld, client_ids: list[str]) -> list[tuple[object, ...]]:
    """Return what orders are, in units of nobody."""
    spec, by_id = world.bot.instrument, world.bot.orders.by_id
    tick, lot = Fraction(spec.tick_size), Fraction(spec.lot_size)
    found = [by_id[client_id] for client_id in client_ids]
    return [(one.price_ticks * tick, one.lots * lot, one.booked_ticks_lots * tick * lot) for one in found]


CHANGE = st.tuples(st.sampled_from(TICKS), st.sampled_from(LOTS))
ACTION = st.one_of(
    st.tuples(st.just("price"), st.integers(297_000, 303_000)),
    st.tuples(st.just("part"), st.integers(1, 60)),
    st.tuples(st.just("change"), CHANGE),
    st.tuples(st.just("deliver"), st.integers(1, 5)),
    st.tuples(st.just("shuffle"), st.none()),
    st.tuples(st.just("kill"), st.none()),
    st.tuples(st.just("timer"), st.integers(100, 3_000)),
)


def act(world: FilterWorld, name: str, value: object) -> None:
    venue = world.venue
    if name == "price":
        world.price(value)  # type: ignore[arg-type]
    elif name == "part" and venue.open_orders:
        order = venue.open_orders[value % len(venue.open_orders)]  # type: ignore[operator]
        if not order.reduce_only or order.remaining_lots <= venue.position:
            whole = max(lots for _ticks, lots in venue.revisions)
            venue.fill(order.client_order_id, whole * -(-value // whole))  # type: ignore[operator]
    elif name == "change":
        venue.change(*value)  # type: ignore[misc]
    elif name == "deliver":
        world.deliver(value)  # type: ignore[arg-type]
    elif name == "shuffle":
        world.deliver(len(venue.events))
    elif name == "kill":
        if len(venue.revisions) - world.bot.instrument.revision > 1:
            world.deliver(len(venue.events))  # of two changes it slept through, it would never hear of the first
        world.kill()
        world.attach()
        world.price()
    elif name == "timer":
        world.timer(value)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(
    first=CHANGE,
    anchor=st.integers(299_700, 300_300),
    geometric=st.booleans(),
    actions=st.lists(ACTION, max_size=25),
    seed=st.integers(0, 1 << 16),
)
def test_nothing_is_lost_and_nothing_is_off_the_grid(
    first: tuple[int, int], anchor: int, geometric: bool, actions: list[tuple[str, object]], seed: int
) -> None:
    step = {"spacing": "geometric", "interval": None, "ratio": Decimal("0.0008")} if geometric else {}
    grid = {"order_quantity": Decimal(170), "anchor": Decimal(anchor) / 100, **step}
    world = FilterWorld(
        settings=config(grid=grid, risk={"max_position": Decimal(3)}), venue=FilterVenue(revisions=[first]), seed=seed
    )
    world.start()
    assert world.bot.gate.state is TradingState.ACTIVE, world.bot.gate.reasons
    for name, value in actions:
        act(world, name, value)
    world.settle()
    world.timer(31_000)
    world.price()
    world.settle()
    world.check_settled()
    world.check_on_grid()
    assert world.bot.gate.state is TradingState.ACTIVE, world.bot.gate.reasons


@settings(max_examples=20, deadline=None)
@given(
    first=CHANGE,
    then=st.lists(CHANGE, min_size=1, max_size=3),
    walk=st.lists(st.integers(298_000, 302_000), min_size=1, max_size=4),
    parts=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 55)), max_size=4),
)
def test_the_turn_of_the_change_conserves_every_number(
    first: tuple[int, int],
    then: list[tuple[int, int]],
    walk: list[int],
    parts: list[tuple[int, int]],
) -> None:
    world = FilterWorld(
        settings=config(grid={"order_quantity": Decimal(170)}, risk={"max_position": Decimal(3)}),
        venue=FilterVenue(revisions=[first]),
    )
    world.start()
    for bid in walk:
        world.price(bid)
        world.settle()
    for index, lots in parts:
        orders = world.venue.open_orders
        if orders and not orders[index % len(orders)].reduce_only:
            world.venue.fill(orders[index % len(orders)].client_order_id, first[1] * max(1, lots // first[1]))
    world.settle()
    for ticks, lots in then:
        open_ids = list(world.bot.orders.open)
        before, orders = exact(world), terms(world, open_ids)
        world.venue.change(ticks, lots)
        world.turn(world.venue.events.pop())
        assert exact(world) == before
        assert terms(world, open_ids) == orders
        world.price()
        world.settle()
        world.check_settled()
        world.check_on_grid()
