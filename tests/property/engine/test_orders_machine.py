"""The order table step by step against a plain dictionary: who is open, what it can still trade, what is remembered."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from opensqt.domain.order import Order, Side
from opensqt.domain.order_state import TERMINAL, Cause, OrderState, next_state, state_with_fills
from opensqt.engine.orders import OrderTable, TrackedOrder

LOTS = 5


class OrdersMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.table = OrderTable()
        self.model: dict[str, dict[str, Any]] = {}

    @rule(side=st.sampled_from(Side), slot=st.integers(-5, 5))
    def add(self, side: Side, slot: int) -> None:
        name = f"o{len(self.model)}"
        order = Order(
            symbol="X",
            client_order_id=name,
            side=side,
            price_ticks=100 + slot,
            lots=LOTS,
            reduce_only=side is Side.SELL,
            state=OrderState.PENDING_NEW,
        )
        self.table.add(TrackedOrder(order, slot=slot, rule="test", inputs={}, config_version=1), "test")
        self.model[name] = {"state": OrderState.PENDING_NEW, "booked": 0, "venue": 0, "side": side}

    def _pick(self, index: int) -> tuple[str, dict[str, Any], TrackedOrder] | None:
        if not self.model:
            return None
        name = list(self.model)[index % len(self.model)]
        return name, self.model[name], self.table.by_id[name]

    @rule(index=st.integers(0, 100), cause=st.sampled_from(Cause))
    def hear(self, index: int, cause: Cause) -> None:
        picked = self._pick(index)
        if picked is None:
            return
        _name, mine, order = picked
        following = next_state(mine["state"], cause)
        refused = self.table.illegal_transitions
        changed = self.table.move(order, cause, "heard")
        if following is None:
            assert not changed
            assert self.table.illegal_transitions == refused + 1
            return
        following = state_with_fills(following, mine["booked"])
        assert changed is (following is not mine["state"])
        mine["state"] = following

    @rule(index=st.integers(0, 100), lots=st.integers(1, LOTS))
    def book(self, index: int, lots: int) -> None:
        picked = self._pick(index)
        if picked is None or picked[1]["booked"] == LOTS:
            return
        _name, mine, order = picked
        lots = min(lots, LOTS - mine["booked"])
        mine["booked"] += lots
        order.booked_lots += lots
        mine["venue"] = max(mine["venue"], mine["booked"])
        order.venue_filled_lots = max(order.venue_filled_lots, order.booked_lots)
        cause = Cause.VENUE_FILLED if mine["booked"] == LOTS else Cause.VENUE_PARTIAL
        following = next_state(mine["state"], cause)
        self.table.move(order, cause, "fill")
        self.table.sync(order)
        if following is not None:
            mine["state"] = state_with_fills(following, mine["booked"])

    @rule(index=st.integers(0, 100), lots=st.integers(1, LOTS))
    def venue_says_filled(self, index: int, lots: int) -> None:
        picked = self._pick(index)
        if picked is not None:
            _name, mine, order = picked
            mine["venue"] = max(mine["venue"], lots)
            order.venue_filled_lots = max(order.venue_filled_lots, lots)
            self.table.sync(order)

    @invariant()
    def it_equals_the_dictionary(self) -> None:
        if not hasattr(self, "table"):
            return
        table = self.table
        is_open = {
            name for name, mine in self.model.items() if mine["state"] not in TERMINAL or mine["venue"] > mine["booked"]
        }
        assert set(table.open) == is_open
        assert {name: order.state for name, order in table.by_id.items()} == {
            name: mine["state"] for name, mine in self.model.items()
        }
        for side in Side:
            for reducing in (False, True):
                expected = sum(
                    LOTS - self.model[name]["booked"]
                    for name in is_open
                    if self.model[name]["side"] is side and (side is Side.SELL) is reducing
                )
                assert table.open_lots(side, reducing=reducing) == expected
        handles = {table.open[name].handle for name in is_open}
        assert all(handle in table.live for handle in handles)
        assert len(table.live) == len(handles)


OrdersMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestOrders: Any = OrdersMachine.TestCase
