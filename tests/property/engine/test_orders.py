"""The order table under any evidence, in any order: endings need the venue, and the kernel always agrees."""

from hypothesis import given
from hypothesis import strategies as st

from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import TERMINAL, Cause, OrderState
from opensqt.engine.orders import REMEMBERED_ORDERS, OrderTable, TrackedOrder

STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.one_of(st.sampled_from(Cause), st.integers(1, 4))),
    max_size=60,
)


def tracked(number: int) -> TrackedOrder:
    side = Side.BUY if number % 2 else Side.SELL
    order = Order(
        symbol="X",
        client_order_id=f"o{number}",
        side=side,
        price_ticks=100 + 10 * number if side is Side.SELL else 50 + number,
        lots=5,
        reduce_only=side is Side.SELL,
        state=OrderState.PENDING_NEW,
    )
    return TrackedOrder(order, slot=number, rule="test", inputs={}, config_version=1)


@given(STEPS)
def test_table_keeps_its_promises_under_any_evidence(steps: list[tuple[int, Cause | int]]) -> None:
    table = OrderTable()
    orders = [tracked(number) for number in range(4)]
    for order in orders:
        table.add(order, "test")
    for index, step in steps:
        order = orders[index]
        was, booked = order.state, order.booked_lots
        if isinstance(step, Cause):
            changed = table.move(order, step, "test")
            assert changed is (order.state is not was)
            if order.state in TERMINAL and was not in TERMINAL:
                assert step.value.startswith("VENUE_")
        else:
            lots = min(step, order.remaining_lots)
            if not lots:
                continue
            order.booked_lots += lots
            done = order.booked_lots == order.lots
            table.move(order, Cause.VENUE_FILLED if done else Cause.VENUE_PARTIAL, "fill")
            table.sync(order)
        assert order.booked_lots >= booked
        assert set(table.open) == {o.client_order_id for o in orders if o.is_open}
        assert {row[0] for row in table.live.rows()} == {o.handle for o in orders if o.is_open}
        assert table.open_lots(Side.BUY, reducing=False) == sum(
            o.remaining_lots for o in orders if o.is_open and o.side is Side.BUY
        )


def test_ended_orders_are_remembered_up_to_a_bound() -> None:
    table = OrderTable()
    for number in range(REMEMBERED_ORDERS + 50):
        order = tracked(number)
        table.add(order, "test")
        table.move(order, Cause.VENUE_CANCELED, "test")
    assert len(table.by_id) == len(table.by_handle) == REMEMBERED_ORDERS
    assert not table.open
    assert len(table.live) == 0


def test_order_that_owes_fills_blocks_its_slot_after_its_end() -> None:
    table = OrderTable()
    order = tracked(1)
    table.add(order, "test")
    order.venue_filled_lots = 2
    table.move(order, Cause.VENUE_CANCELED, "test")
    assert order.client_order_id in table.open
    assert len(table.live) == 1
    order.booked_lots = 2
    table.sync(order)
    assert order.client_order_id not in table.open
    assert len(table.live) == 0
