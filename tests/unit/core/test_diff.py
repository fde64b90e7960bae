"""Placing and moving orders by example."""

import pytest

from opensqt._core.diff import (
    AMEND,
    BUY,
    CANCEL,
    CANCELLING,
    PENDING,
    PLACE,
    SELL,
    UNKNOWN,
    Action,
    Desired,
    Differ,
    Live,
)


def brief(actions: list[Action]) -> list[tuple[int, int, int]]:
    return [(a.kind, a.slot, a.side) for a in actions]


def test_an_unchanged_level_costs_nothing() -> None:
    desired, live = Desired(), Live()
    for slot in range(50):
        desired.add(slot, BUY, 1000 + slot, 5)
        live.put(slot + 1, slot, BUY, 1000 + slot, 5)
    assert Differ().run(desired, live) == []


@pytest.mark.parametrize("state", [PENDING, UNKNOWN, CANCELLING])
def test_an_order_in_flight_blocks_its_slot(state: int) -> None:
    desired, live = Desired(), Live()
    desired.add(3, BUY, 1000, 5)
    live.put(1, 3, BUY, 990, 5, state=state)
    assert Differ(allow_amend=True).run(desired, live) == []
    live.remove(1)
    assert brief(Differ().run(desired, live)) == [(PLACE, 3, BUY)]


def test_cancels_come_first_then_reducing_orders_then_openings_nearest_to_the_price() -> None:
    desired, live = Desired(), Live()
    desired.price2_ticks = 2 * 1000
    desired.add(-5, BUY, 950, 1)
    desired.add(-1, BUY, 990, 1)
    desired.add(2, SELL, 1030, 1, reduce_only=True)
    live.put(1, -9, BUY, 910, 1)
    live.put(2, 7, SELL, 1080, 1, reduce_only=True)
    live.put(3, -8, BUY, 920, 1)
    assert brief(Differ().run(desired, live)) == [
        (CANCEL, -8, BUY),
        (CANCEL, -9, BUY),
        (CANCEL, 7, SELL),
        (PLACE, 2, SELL),
        (PLACE, -1, BUY),
        (PLACE, -5, BUY),
    ]


def test_hysteresis_keeps_what_just_left_the_window_unless_the_budget_needs_its_place() -> None:
    desired, live = Desired(), Live()
    desired.price2_ticks = 2000
    desired.add(0, BUY, 990, 1)
    desired.keep(BUY, -2, 0)
    live.put(1, -2, BUY, 970, 1)
    live.put(2, -3, BUY, 960, 1)
    assert brief(Differ().run(desired, live)) == [(CANCEL, -3, BUY), (PLACE, 0, BUY)]
    tight = Differ(max_open_orders=1)
    assert brief(tight.run(desired, live)) == [(CANCEL, -2, BUY), (CANCEL, -3, BUY)]
    assert tight.deferred == 1


def test_sells_that_close_inventory_take_the_budget_first() -> None:
    desired = Desired()
    desired.price2_ticks = 2000
    for i in range(1, 4):
        desired.add(-i, BUY, 1000 - i, 1)
        desired.add(i, SELL, 1000 + 5 * i, 1, reduce_only=True)
    assert brief(Differ(max_open_orders=4).run(desired, Live())) == [
        (PLACE, 1, SELL),
        (PLACE, 2, SELL),
        (PLACE, 3, SELL),
        (PLACE, -1, BUY),
    ]


def test_the_outermost_levels_go_when_the_room_shrinks() -> None:
    desired, live = Desired(), Live()
    desired.price2_ticks = 2000
    for i in range(1, 4):
        desired.add(-i, BUY, 1000 - i, 2)
        live.put(i, -i, BUY, 1000 - i, 2)
    assert brief(Differ().run(desired, live, buy_room_lots=4)) == [(CANCEL, -3, BUY)]


def test_a_placement_into_our_own_opposite_order_is_withheld_even_while_that_is_being_cancelled() -> None:
    desired, live = Desired(), Live()
    desired.add(1, BUY, 1010, 1)
    live.put(1, 0, SELL, 1010, 1, reduce_only=True, state=CANCELLING)
    differ = Differ()
    assert differ.run(desired, live) == []
    assert differ.withheld == 1


def test_a_changed_price_is_amended_in_place_where_that_is_allowed() -> None:
    desired, live = Desired(), Live()
    desired.add(1, SELL, 1020, 3, reduce_only=True)
    live.put(9, 1, SELL, 1010, 3, reduce_only=True)
    assert brief(Differ().run(desired, live)) == [(CANCEL, 1, SELL)]
    (action,) = Differ(allow_amend=True).run(desired, live)
    assert (action.kind, action.handle, action.price_ticks, action.lots) == (AMEND, 9, 1020, 3)


def test_a_duplicate_in_a_slot_is_cancelled_and_the_right_one_kept() -> None:
    desired, live = Desired(), Live()
    desired.add(1, BUY, 1000, 3)
    live.put(1, 1, BUY, 999, 3)
    live.put(2, 1, BUY, 1000, 3)
    (action,) = Differ().run(desired, live)
    assert (action.kind, action.handle) == (CANCEL, 1)


def test_a_slot_cannot_want_two_orders_of_one_side() -> None:
    desired = Desired()
    desired.add(1, BUY, 1000, 3)
    with pytest.raises(ValueError, match="slot 1 already wants a buy"):
        desired.add(1, BUY, 1001, 3)


def test_live_orders_are_found_by_handle_and_their_best_prices_follow() -> None:
    live = Live()
    live.put(1, 0, BUY, 1000, 3)
    live.put(2, 1, BUY, 1010, 3)
    assert live.best_buy_ticks == 1010
    live.remove(2)
    assert (live.best_buy_ticks, live.best_sell_ticks, 2 in live, len(live)) == (1000, 0, False, 1)
    live.set_remaining(1, 2)
    live.set_state(1, CANCELLING)
    assert live.rows() == [(1, 0, BUY, 1000, 2, False, CANCELLING)]
    live.put(1, 5, SELL, 1050, 1)
    assert (live.best_buy_ticks, live.best_sell_ticks) == (0, 1050)
    with pytest.raises(KeyError, match="handle 7"):
        live.remove(7)


@pytest.mark.parametrize(("side", "price", "lots"), [(2, 1, 1), (0, 0, 1), (0, 1, 0), (0, 1 << 60, 1)])
def test_impossible_orders_are_refused(side: int, price: int, lots: int) -> None:
    with pytest.raises(ValueError, match=r"was"):
        Live().put(1, 0, side, price, lots)
