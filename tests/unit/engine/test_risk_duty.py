"""The limits at work in a bot: what reaches them, what they do, what ends them."""

from decimal import Decimal

import msgspec
import pytest
from models.grid_venue import MS, SYMBOL, Venue, World, config

from opensqt.domain.errors import ErrorReason
from opensqt.domain.market import MarkPrice
from opensqt.domain.order import OrderType, Side, TimeInForce
from opensqt.engine.commands import Cancel, Place, Reattach
from opensqt.engine.events import BookTop, LastTrade, Pause, Resume, SettingsSeen, Stalled
from opensqt.engine.risk.config import (
    ClockLimit,
    FillRateLimit,
    JumpFilter,
    LiquidationLimit,
    LossLimit,
)
from opensqt.engine.risk.reasons import Action, Code, TradingState
from opensqt.engine.winding import closable_lots

SECOND_MS = 1_000


def world(**risk: object) -> World:
    made = World(settings=config(risk=risk))
    made.start()
    return made


def buys(one: World) -> int:
    return sum(1 for order in one.venue.open_orders if order.side is Side.BUY)


def sells(one: World) -> int:
    return sum(1 for order in one.venue.open_orders if order.side is Side.SELL)


def hold_some(one: World, count: int = 3) -> None:
    """Fill the nearest buys."""
    nearest = sorted((o for o in one.venue.open_orders if o.side is Side.BUY), key=lambda o: -o.price_ticks)
    for order in nearest[:count]:
        one.venue.fill(order.client_order_id, order.lots)
    one.settle()


def mark(one: World, price: str) -> None:
    one.turn(
        MarkPrice(
            symbol=SYMBOL,
            mark_price=Decimal(price),
            index_price=Decimal(0),
            funding_rate=Decimal(0),
            next_funding_time_ms=0,
            venue_time_ns=one.venue.now_ns,
        )
    )


def lines(one: World, code: str) -> list[str]:
    return [record.level for record in one.bot.recent_journal if record.code == code]


# ---- losses ----


def test_daily_loss_pulls_opening_orders_and_raises_one_alarm() -> None:
    one = world(daily_loss=LossLimit(amount=Decimal(5)))
    hold_some(one)
    mark(one, "2800")
    one.timer()
    one.settle()
    assert one.bot.gate.state is TradingState.REDUCING
    assert buys(one) == 0
    assert sells(one) == 3
    assert lines(one, "DAILY_LOSS") == ["alarm"]


def test_a_recovered_price_does_not_lift_a_reached_loss_but_resume_does() -> None:
    one = world(drawdown=LossLimit(amount=Decimal(5)))
    hold_some(one)
    mark(one, "2800")
    one.timer()
    mark(one, "3001")
    one.timer()
    one.settle()
    assert one.bot.gate.state is TradingState.REDUCING
    one.turn(Resume("eth"))
    one.settle()
    assert one.bot.gate.state is TradingState.ACTIVE
    assert buys(one) > 0


def test_a_resume_from_a_pause_forgives_no_loss() -> None:
    one = world(drawdown=LossLimit(amount=Decimal(5)))
    hold_some(one)
    mark(one, "2900")  # three lots of ten: 3 below the peak
    one.timer()
    before = one.bot.watch.losses.state
    assert before.peak_profit > before.last_profit
    one.turn(Pause("eth", "lunch"))
    one.turn(Resume("eth"))
    one.settle()
    assert one.bot.watch.losses.state.peak_profit == before.peak_profit


def test_a_reached_loss_survives_a_restart() -> None:
    one = world(drawdown=LossLimit(amount=Decimal(5)))
    hold_some(one)
    mark(one, "2800")
    one.timer()
    mark(one, "3001")
    one.kill()
    one.start()
    one.timer()
    assert Code.DRAWDOWN in one.bot.gate.reasons
    assert one.bot.watch.losses.state.peak_profit > -5


def test_a_withdrawal_is_no_loss() -> None:
    one = world(drawdown=LossLimit(percent=Decimal(5)))
    one.venue.wallet -= 5_000
    one.turn(one.venue.account_record())
    one.timer()
    assert one.bot.gate.state is TradingState.ACTIVE


@pytest.mark.parametrize("action", list(Action))
def test_every_action_does_what_it_says(action: Action) -> None:
    one = world(daily_loss=LossLimit(amount=Decimal(5), action=action))
    hold_some(one)
    held, resting = one.venue.position, buys(one)
    mark(one, "2800")
    one.timer()
    mark(one, "3001")  # only the mark was low; the book is where it was
    one.settle()
    expected = {
        Action.PAUSE_OPENING: (resting, 3, held),
        Action.REDUCE_ONLY: (0, 3, held),
        Action.CANCEL_ALL: (0, 0, held),
        Action.FLATTEN: (0, 0, 0),
    }[action]
    assert (buys(one), sells(one), one.venue.position) == expected
    assert one.bot.gate.state is not TradingState.ACTIVE
    one.check_settled()


# ---- liquidation ----


def test_liquidation_that_comes_near_stops_opening_until_it_is_far_again() -> None:
    one = world(liquidation=LiquidationLimit(min_percent=Decimal(10)))
    hold_some(one)
    near = msgspec.structs.replace(one.venue.position_record(), liquidation_price=Decimal(2750))
    one.turn(near)
    one.timer()
    assert Code.LIQUIDATION_NEAR in one.bot.gate.reasons
    assert lines(one, "LIQUIDATION_NEAR") == ["alarm"]
    far = msgspec.structs.replace(near, liquidation_price=Decimal(2700), venue_time_ns=one.venue.tick())
    one.turn(far)
    one.timer()
    assert Code.LIQUIDATION_NEAR in one.bot.gate.reasons, "10 % is not a fifth above the limit"
    one.turn(msgspec.structs.replace(near, liquidation_price=Decimal(2600), venue_time_ns=one.venue.tick()))
    one.timer()
    assert Code.LIQUIDATION_NEAR not in one.bot.gate.reasons


# ---- fill rate, jumps, prints ----


def test_too_many_fills_within_a_second_stop_opening_for_the_hold_time() -> None:
    one = world(fill_rate=FillRateLimit(max_per_second=3, hold_ms=5_000))
    hold_some(one, 2)
    one.timer(2_000)
    assert one.bot.gate.state is TradingState.ACTIVE
    hold_some(one, 3)
    assert Code.FILL_RATE in one.bot.gate.reasons
    assert buys(one) == 0
    one.timer(5_000)
    one.settle()
    assert one.bot.gate.state is TradingState.ACTIVE


def test_fills_of_a_snapshot_are_history_and_not_a_rate() -> None:
    one = world(fill_rate=FillRateLimit(max_per_second=3))
    for order in one.venue.open_orders[:5]:
        one.venue.fill(order.client_order_id, order.lots)
    one.attach()
    one.price()
    assert Code.FILL_RATE not in one.bot.gate.reasons


def test_a_jump_pulls_opening_orders_until_the_price_is_calm() -> None:
    one = world(jumps=JumpFilter(min_bps=100, hold_ms=5_000))
    one.venue.bid, one.venue.ask = 310_000, 310_010  # nothing of ours is crossed
    one.turn(BookTop(SYMBOL, 310_000, 310_010, True))
    assert Code.PRICE_JUMP in one.bot.gate.reasons
    one.deliver(50)
    one.timer()
    one.deliver(50)
    assert buys(one) == 0
    one.timer(5_000)
    one.settle()
    assert one.bot.gate.state is TradingState.ACTIVE
    assert buys(one) > 0


def test_a_bad_print_prices_nothing() -> None:
    one = world()
    before = one.bot.market.last_ticks
    one.turn(LastTrade(SYMBOL, 200_000))
    assert one.bot.market.last_ticks == before
    one.turn(LastTrade(SYMBOL, 300_120))
    assert one.bot.market.last_ticks == 300_120


def test_collar_holds_back_what_reaches_through_the_mark() -> None:
    one = World(settings=config(risk={"price_collar_bps": 100}))
    one.attach()
    mark(one, "2960")
    one.price()
    one.settle()
    placed = [c.request for c in one.sent if isinstance(c, Place)]
    assert placed, "levels within the collar are placed"
    assert max(request.price_ticks for request in placed) <= 298_960
    assert one.bot.watch.denials[Code.PRICE_COLLAR] > 0


# ---- settings, clock, stalls, keys ----


def test_leverage_changed_by_hand_stops_opening_until_it_is_back() -> None:
    one = world()
    one.turn(SettingsSeen(SYMBOL, 20, "cross"))
    one.settle()
    assert one.bot.gate.state is TradingState.REDUCING
    assert lines(one, "SETTINGS_CHANGED") == ["alarm"]
    assert buys(one) == 0
    one.turn(SettingsSeen(SYMBOL, 5, "cross"))
    one.settle()
    assert one.bot.gate.state is TradingState.ACTIVE


def test_margin_mode_is_checked_before_the_first_order() -> None:
    one = World(settings=config(margin_mode="isolated"))
    one.start()
    assert one.venue.placed == []
    assert "margin mode" in one.bot.gate.reasons[Code.START_CHECK].message


def test_an_account_in_hedge_mode_stops_opening_until_an_operator_resumes() -> None:
    one = world()
    one.venue.refuse.extend([ErrorReason.POSITION_MODE] * 2)
    hold_some(one, 1)
    assert Code.SETTINGS_CHANGED in one.bot.gate.reasons
    one.turn(SettingsSeen(SYMBOL, 5, "cross"))
    one.turn(Resume("eth"))
    one.settle()
    assert one.bot.gate.state is TradingState.ACTIVE


def test_a_venue_clock_far_from_ours_stops_opening_on_a_real_venue() -> None:
    one = world(clock=ClockLimit(max_skew_ms=500))
    one.core.mode = "live"
    for _ in range(4):
        one.turn(
            MarkPrice(
                symbol=SYMBOL,
                mark_price=Decimal(3001),
                index_price=Decimal(3001),
                funding_rate=Decimal(0),
                next_funding_time_ms=0,
                venue_time_ns=one.venue.now_ns + 2_000 * MS,
            )
        )
    one.timer()
    assert Code.CLOCK_SKEW in one.bot.gate.reasons
    assert buys(one) > 0, "pausing leaves what rests"


def test_a_refused_key_halts_and_calls_for_help() -> None:
    one = world()
    one.venue.refuse.extend([ErrorReason.VENUE_PERMISSION])
    hold_some(one, 1)
    assert one.bot.gate.state is TradingState.HALTED
    assert lines(one, "CREDENTIALS_REFUSED") == ["alarm"]
    placed = len(one.venue.placed)
    one.price(299_500)
    one.timer(10_000)
    assert len(one.venue.placed) == placed


def test_after_a_stall_nothing_prices_until_streams_were_begun_anew() -> None:
    one = world()
    one.turn(Stalled(10_000 * MS), BookTop(SYMBOL, 299_000, 299_010, True))
    assert one.reattach_wanted
    assert Code.LOOP_STALLED in one.bot.gate.reasons
    sent = len(one.sent)
    one.turn(BookTop(SYMBOL, 298_000, 298_010, True), LastTrade(SYMBOL, 298_000))
    assert len(one.sent) == sent, "what was queued before the stall prices nothing"
    one.turn(BookTop(SYMBOL, 0, 0, False, "the stream was begun anew"))
    one.settle()
    assert one.bot.gate.state is TradingState.ACTIVE
    one.check_settled()


def test_a_stall_asks_for_new_market_streams_as_well() -> None:
    one = world()
    commands = one.core.handle_batch((Stalled(10_000 * MS),), one.venue.tick())
    assert [c.with_market for c in commands if isinstance(c, Reattach)] == [True]


# ---- flattening ----


def flattening(**venue: object) -> World:
    one = World(settings=config(risk={"daily_loss": LossLimit(amount=Decimal(5), action=Action.FLATTEN)}))
    one.start()
    hold_some(one)
    for name, value in venue.items():
        setattr(one.venue, name, value)
    mark(one, "2800")
    one.timer()
    mark(one, "3001")
    return one


def closing(one: World) -> list[Place]:
    return [c for c in one.sent if isinstance(c, Place) and c.request.time_in_force is TimeInForce.IOC]


def test_flattening_uses_reduce_only_limit_orders_inside_the_collar() -> None:
    one = flattening()
    one.settle()
    orders = closing(one)
    assert orders
    for command in orders:
        assert command.request.reduce_only
        assert command.request.type is OrderType.LIMIT
        assert command.request.price_ticks >= 300_125 * 99 // 100


def test_flattening_goes_on_in_a_thin_book_until_nothing_is_held() -> None:
    one = flattening(depth_lots=7)
    for _ in range(30):
        one.timer(500)
        one.deliver(50)
    assert one.venue.position == 0
    assert closable_lots(one.bot) == 0
    assert len(closing(one)) == 5  # 30 lots, seven at a time


def test_flattening_never_sells_below_the_collar_of_the_mark() -> None:
    one = flattening()
    one.venue.bid, one.venue.ask = 200_000, 200_010
    one.turn(BookTop(SYMBOL, 200_000, 200_010, True))
    for _ in range(6):
        one.timer(500)
        one.deliver(50)
    assert one.venue.position > 0, "the book is far below the mark: waiting beats selling there"
    assert min(c.request.price_ticks for c in closing(one)) >= 285_095


def test_a_cancel_passes_in_every_state() -> None:
    one = world()
    one.bot.gate.add(Code.START_CHECK, "halted", one.venue.now_ns)
    one.price(300_725)
    one.settle()
    assert any(isinstance(c, Cancel) for c in one.sent)
    assert buys(one) == 0


# ---- readings ----


def test_readings_show_every_configured_limit_with_value_and_cap() -> None:
    venue = Venue()
    one = World(
        settings=config(
            risk={
                "max_position": Decimal("0.5"),
                "max_notional": Decimal(2_000),
                "daily_loss": LossLimit(amount=Decimal(9)),
            }
        ),
        venue=venue,
    )
    one.start()
    hold_some(one)
    one.timer(1_100)
    readings = {reading.name: reading for reading in one.bot.readings}
    worst = venue.position + sum(o.remaining_lots for o in venue.open_orders if o.side is Side.BUY)
    assert readings["max_position"].value == venue.spec.lots_to_quantity(worst)
    assert readings["max_position"].cap == Decimal("0.5")
    assert readings["max_open_orders"].value == len(venue.open_orders)
    assert readings["daily_loss.amount"].unit == "USDT"
    assert {"max_notional", "max_leverage", "max_orders_per_second", "fill_rate.max_per_second"} <= set(readings)
    assert not any(reading.is_reached for reading in readings.values())
