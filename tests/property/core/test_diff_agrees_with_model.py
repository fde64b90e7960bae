"""The difference of order sets: against a plain model, and its own promises on any input."""

from hypothesis import given, settings
from hypothesis import strategies as st
from models import diff_model
from models.diff_model import CANCEL, PLACE, WORKING, Limits, Order, Step, Want

from opensqt._core.diff import UNLIMITED, Desired, Differ, Live

slots = st.integers(-8, 8)
sides = st.integers(0, 1)
lots = st.integers(1, 4)


@st.composite
def wants(draw: st.DrawFn) -> list[Want]:
    places = draw(st.sets(st.tuples(slots, sides), max_size=16))
    rows = []
    for slot, side in sorted(places, key=lambda p: (p[1], p[0])):
        price = 1000 + 10 * slot + draw(st.sampled_from([0, 0, 0, 10, -7])) + 10 * side
        rows.append(Want(slot, side, price, draw(lots), draw(st.booleans()), draw(st.integers(0, 5)) == 0))
    return rows


@st.composite
def orders(draw: st.DrawFn) -> list[Order]:
    rows = []
    for handle in range(1, draw(st.integers(0, 16)) + 1):
        slot, side = draw(slots), draw(sides)
        price = 1000 + 10 * slot + draw(st.sampled_from([0, 0, 0, 10, -7])) + 10 * side
        state = draw(st.sampled_from([0, 0, 0, 1, 2, 3]))
        rows.append(Order(handle, slot, side, price, draw(lots), draw(st.booleans()), state))
    return rows


limits = st.builds(
    Limits,
    max_open_orders=st.integers(0, 30),
    max_actions=st.one_of(st.just(10**9), st.integers(0, 10)),
    allow_amend=st.booleans(),
    rooms=st.tuples(st.none() | st.integers(0, 30), st.none() | st.integers(0, 30)),
)


def run(
    rows: list[Want], live_rows: list[Order], keep: dict[int, range], price2: int, limit: Limits
) -> tuple[list[Step], int, int]:
    desired, live = Desired(), Live()
    desired.price2_ticks = price2
    for want in rows:
        desired.add(*want)
    for order in live_rows:
        live.put(*order)
    for side, span in keep.items():
        desired.keep(side, span.start, span.stop - 1)
    differ = Differ(limit.max_open_orders, limit.max_actions, limit.allow_amend)
    rooms = [UNLIMITED if room is None else room for room in limit.rooms]
    actions = differ.run(desired, live, *rooms)
    assert differ.compute(desired, live, *rooms) == len(actions)
    steps = [Step(a.kind, a.handle, a.slot, a.side, a.price_ticks, a.lots, a.reduce_only) for a in actions]
    return steps, differ.withheld, differ.deferred


keeps = st.fixed_dictionaries({side: st.builds(range, slots, slots) for side in (0, 1)})
prices2 = st.integers(1800, 2200)


@given(wants(), orders(), keeps, prices2, limits)
@settings(max_examples=500, deadline=None)
def test_kernel_and_model_send_the_same_actions_in_the_same_order(
    rows: list[Want], live: list[Order], keep: dict[int, range], price2: int, limit: Limits
) -> None:
    assert run(rows, live, keep, price2, limit) == diff_model.diff(rows, live, keep, price2, limit)


@given(wants(), orders(), keeps, prices2, limits)
@settings(max_examples=300, deadline=None)
def test_promises_hold_on_any_input(
    rows: list[Want], live: list[Order], keep: dict[int, range], price2: int, limit: Limits
) -> None:
    steps, _, _ = run(rows, live, keep, price2, limit)
    occupied = {(o.slot, o.side) for o in live}
    placed = [(s.slot, s.side) for s in steps if s.kind == PLACE]
    # One order per slot and side, whatever is in flight.
    assert not occupied & set(placed)
    assert len(placed) == len(set(placed))
    # Only working orders are touched, each once.
    touched = [s.handle for s in steps if s.kind != PLACE]
    assert len(touched) == len(set(touched))
    assert all(o.state == WORKING for o in live if o.handle in touched)
    # What we send never meets our own orders, in flight or about to be cancelled.
    for side in (0, 1):
        mine = [s.price for s in steps if s.kind != CANCEL and s.side == side]
        other = [o.price for o in live if o.side != side]
        other += [s.price for s in steps if s.kind != CANCEL and s.side != side]
        if mine and other:
            assert min(mine) > max(other) if side else max(mine) < min(other)
    # Limits.
    assert len(steps) <= limit.max_actions
    assert not placed or len(live) + len(placed) <= limit.max_open_orders
    assert steps == sorted(steps, key=diff_model._rank)


@given(wants(), prices2)
def test_what_was_placed_is_left_alone(rows: list[Want], price2: int) -> None:
    limit = Limits()
    nothing = {0: range(0), 1: range(0)}
    steps, _, _ = run(rows, [], nothing, price2, limit)
    live = [Order(i, s.slot, s.side, s.price, s.lots, s.reduce_only, WORKING) for i, s in enumerate(steps, start=1)]
    assert run(rows, live, nothing, price2, limit)[0] == []
