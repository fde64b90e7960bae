"""Operators: pause pulls buys and keeps take-profits, stop leaves what was asked, decisions outlive a restart."""

from decimal import Decimal

import msgspec
import pytest
from models.grid_venue import MS, World

from opensqt.domain.errors import ErrorReason
from opensqt.domain.order import Side
from opensqt.domain.order_state import OrderState
from opensqt.engine.commands import Query
from opensqt.engine.events import (
    LimitsChanged,
    Outcome,
    Pause,
    Reconcile,
    Result,
    Resume,
    Stop,
    StopMode,
    StoreHealth,
)
from opensqt.engine.risk.reasons import Code, TradingState
from opensqt.engine.winding import is_wound_down


@pytest.fixture
def world() -> World:
    made = World()
    made.start()
    made.price(299_775)
    made.settle()
    assert made.bot.ledger.position_lots == 20
    return made


def test_pause_pulls_buys_and_keeps_take_profits(world: World) -> None:
    world.turn(Pause("eth", "lunch"))
    world.settle()
    assert {o.side for o in world.venue.open_orders} == {Side.SELL}
    assert world.bot.gate.state is TradingState.REDUCING
    assert world.bot.gate.reasons[Code.OPERATOR_PAUSE].message == "lunch"
    world.turn(Resume("eth"))
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE
    assert {o.side for o in world.venue.open_orders} == {Side.BUY, Side.SELL}


def test_pause_pulls_the_buy_that_only_hysteresis_keeps() -> None:
    world = World()
    world.start()
    lowest = min(o.price_ticks for o in world.venue.open_orders)
    world.price(300_325)  # one level up: the lowest buy left the window by one and stays
    world.settle()
    assert lowest in {o.price_ticks for o in world.venue.open_orders}
    world.turn(Pause("eth", "lunch"))
    world.settle()
    assert not world.venue.open_orders


def test_lower_limit_takes_the_buy_that_only_hysteresis_keeps() -> None:
    world = World()
    world.start()
    world.price(300_325)
    world.settle()
    assert world.bot.orders.open_lots(Side.BUY, reducing=False) == 99
    world.cap_is_old = False
    world.turn(LimitsChanged(bot_id="eth", max_position_lots=89))
    world.settle()
    assert world.bot.orders.open_lots(Side.BUY, reducing=False) == 89


def test_pause_outlives_a_restart(world: World) -> None:
    world.turn(Pause("eth", "lunch"))
    world.settle()
    world.kill()
    world.start()
    assert world.bot.gate.state is TradingState.REDUCING
    assert {o.side for o in world.venue.open_orders} == {Side.SELL}


def test_stop_keep_leaves_everything(world: World) -> None:
    before = {o.client_order_id for o in world.venue.open_orders}
    world.turn(Stop("eth", StopMode.KEEP))
    world.settle()
    assert is_wound_down(world.bot)
    assert {o.client_order_id for o in world.venue.open_orders} == before
    world.price(299_000)
    assert world.bot.gate.state is TradingState.STOPPED


def test_stop_cancel_leaves_the_position_only(world: World) -> None:
    world.turn(Stop("eth", StopMode.CANCEL))
    world.settle()
    assert is_wound_down(world.bot)
    assert not world.venue.open_orders
    assert world.venue.position == 20


def test_stop_flatten_is_not_done_while_our_fills_make_another_position_than_the_venue_told(world: World) -> None:
    known = world.bot.position
    world.bot.position = msgspec.structs.replace(known, lots=0)  # its message is still on its way
    world.turn(Stop("eth", StopMode.FLATTEN))
    world.deliver(50)
    assert not world.venue.open_orders
    assert not is_wound_down(world.bot)
    world.turn(known)
    world.settle()
    assert is_wound_down(world.bot)
    assert world.venue.position == 0


def test_stop_flatten_does_not_wait_for_an_agreement_that_was_given_up(world: World) -> None:
    world.bot.position = msgspec.structs.replace(world.bot.position, lots=0)
    world.turn(Stop("eth", StopMode.FLATTEN))
    world.deliver(50)
    world.bot.gate.add(Code.POSITION_MISMATCH, "looked at and not explained", world.venue.now_ns)
    assert is_wound_down(world.bot)


def test_stop_flatten_leaves_nothing_and_the_parts_still_sum(world: World) -> None:
    world.turn(Stop("eth", StopMode.FLATTEN))
    world.settle()
    assert is_wound_down(world.bot)
    assert not world.venue.open_orders
    assert world.venue.position == 0
    assert world.bot.ledger.position_lots == 0
    world.check_settled()


def test_stopped_bot_stays_stopped_over_a_restart_until_resumed(world: World) -> None:
    world.turn(Stop("eth", StopMode.CANCEL))
    world.settle()
    world.kill()
    world.start()
    assert world.bot.gate.state is TradingState.STOPPED
    assert not world.venue.open_orders
    world.turn(Resume("eth"))
    world.settle()
    assert len(world.venue.open_orders) > 9
    world.check_settled()


def test_limits_set_by_an_operator_hold_at_once_and_outlive_a_restart(world: World) -> None:
    world.cap_is_old = False  # orders from before it go first
    world.turn(LimitsChanged(bot_id="eth", max_position_lots=40))
    world.settle()
    world.cap_is_old = True
    buys = sum(o.remaining_lots for o in world.venue.open_orders if o.side is Side.BUY)
    assert buys + 20 <= 40
    world.kill()
    world.start()
    assert world.bot.gate.limits.max_position_lots == 40


def test_reconcile_asks_for_every_order(world: World) -> None:
    count = len(world.bot.orders.open)
    world.turn(Reconcile("eth"))
    world.timer(1)
    assert len(world.bot.proving) == count
    world.settle()
    assert not world.bot.proving
    world.check_settled()


def test_order_that_ends_before_it_is_asked_for_does_not_keep_reconciliation_waiting(world: World) -> None:
    world.turn(Reconcile("eth"))
    asked = set(world.bot.proving)
    world.venue.move_price(300_225)
    world.deliver(50)
    assert asked - world.bot.orders.open.keys(), "an order was filled before the next tick asks for it"
    world.settle()
    assert not world.bot.proving
    world.turn(Resume("eth"))
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE
    world.check_settled()


def test_disk_that_stalls_stops_opening_but_not_cancels(world: World) -> None:
    world.turn(StoreHealth(False, "disk full"))
    assert world.bot.gate.state is TradingState.REDUCING
    placed = len([o for o in world.venue.placed if o.side is Side.BUY])
    world.price(300_525)
    world.settle()
    assert len([o for o in world.venue.placed if o.side is Side.BUY]) == placed
    world.turn(StoreHealth(True))
    assert world.bot.gate.state is TradingState.ACTIVE


def test_unknown_placement_is_asked_for_and_never_sent_again() -> None:
    world = World()
    world.venue.lose_replies = 9
    world.attach()
    world.price()
    assert len(world.venue.placed) == 9
    states = {o.state for o in world.bot.orders.open.values()}
    assert OrderState.PENDING_NEW in states
    world.timer(6_000)
    assert {o.state for o in world.bot.orders.open.values()} <= {OrderState.UNKNOWN, OrderState.LIVE}
    world.settle()
    assert len(world.venue.placed) == 9
    world.check_settled()


def test_lost_placement_is_proven_absent_twice_before_the_level_is_used_again() -> None:
    world = World()
    world.venue.lose_commands = 9
    world.attach()
    world.price()
    assert not world.venue.placed
    world.timer(6_000)
    world.settle()
    world.timer(2_000)
    world.settle(100)
    assert len(world.venue.open_orders) == 9
    corrected = {what for _client_id, what, _evidence in world.bot.corrections}
    assert corrected == {"order is REJECTED"}
    assert world.bot.pnl().turnover == Decimal(0)


def test_a_denial_that_came_too_early_is_the_first_of_two_and_the_second_waits_for_nothing_but_the_window() -> None:
    world = World()
    world.venue.lose_commands = 1
    world.attach()
    world.price()
    (lost,) = world.bot.orders.open.keys() - world.venue.orders.keys()
    window_ends_ns = world.venue.now_ns + 8_400 * MS
    answer, asked_ns = world.venue._query, []

    def query(command: Query) -> Result:
        left_ms = (window_ends_ns - world.venue.now_ns) // MS
        if command.client_order_id == lost:
            asked_ns.append(world.venue.now_ns)
        if command.client_order_id != lost or left_ms < 0:
            return answer(command)
        return Result(
            command_id=command.command_id,
            client_order_id=lost,
            outcome=Outcome.UNKNOWN,
            reason=ErrorReason.OUTCOME_UNKNOWN,
            retry_after_ms=min(1_000, left_ms + 1),
        )

    world.venue._query = query  # type: ignore[method-assign]
    order = world.bot.orders.by_id[lost]
    while order.state is not OrderState.REJECTED:
        world.deliver(50)
        world.timer(50)
        assert world.venue.now_ns < window_ends_ns + 500 * MS, "a whole pause later than needed"
    assert world.venue.now_ns > window_ends_ns
    assert asked_ns[-1] - asked_ns[0] >= 1_000 * MS
