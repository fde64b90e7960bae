"""Fault rows of the risk rules: the required reaction; the invariants are checked in every event."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from simulation.world.exchange import ACCOUNT, Reply
from simulation.world.timeline import MS, SECOND
from simulation.world.world import World

from opensqt.domain.fill import CashFlow, CashFlowKind, FillOrigin
from opensqt.domain.instrument import InstrumentStatus
from opensqt.domain.order import Order, OrderRequest, OrderType, Side, TimeInForce
from opensqt.engine.config import EngineConfig, GridConfig
from opensqt.engine.events import Resume
from opensqt.engine.risk.config import JumpFilter, RiskConfig
from opensqt.engine.risk.reasons import Code, TradingState
from opensqt.matching.venue import SimulatedVenue
from opensqt.runtime.config import ConfigError, convert_config


def trading(seed: int, **changes: Any) -> World:
    world = World(seed=seed, **changes)
    world.start()
    world.run(8 * SECOND)
    assert world.engine.bot.gate.state is TradingState.ACTIVE, world.engine.bot.gate.reasons
    assert own(world)
    return world


def own(world: World) -> list[Order]:
    bot = world.engine.bot
    return [order for order in world.venue_orders() if bot.owner(order.client_order_id) is not None]


def opening(world: World) -> list[Order]:
    return [order for order in own(world) if not order.reduce_only]


def state(world: World) -> TradingState:
    found: TradingState = world.engine.bot.gate.state
    return found


def alarms(world: World, code: str) -> int:
    return sum(1 for line in world.engine.bot.recent_journal if line.code == code and line.level == "alarm")


def until(world: World, holds: Any, seconds: int = 30) -> None:
    for _ in range(seconds * 10):
        if holds():
            return
        world.run(100 * MS)
    raise AssertionError(f"it did not come within {seconds} s: {world.engine.bot.gate.reasons}")


def by_hand(world: World, side: Side, lots: int, *, price_ticks: int = 0, name: str = "hand1") -> None:
    """Let somebody trade on the account at the venue's own page."""
    is_market = price_ticks == 0
    request = OrderRequest(
        symbol=world.symbol,
        client_order_id=name,
        side=side,
        type=OrderType.MARKET if is_market else OrderType.LIMIT,
        time_in_force=TimeInForce.IOC if is_market else TimeInForce.GTC,
        price_ticks=price_ticks,
        lots=lots,
        reduce_only=False,
        instrument_revision=world.instrument.revision,
    )

    def place(venue: SimulatedVenue, command_id: int, now_ns: int) -> Any:
        return venue.place(ACCOUNT, request, command_id, now_ns)

    done = world.exchange.by_hand(place)
    assert done is not None
    assert done.order is not None, done.message


# ---- F25


def test_f25_a_symbol_that_stops_trading_halts_its_bot_and_resumes_by_itself() -> None:
    world = trading(25)
    instrument = world.connector.core.mirror.instruments[world.symbol]
    halted = msgspec.structs.replace(instrument, status=InstrumentStatus.HALTED, revision=instrument.revision + 1)
    world.connector.core.on_instrument(halted)
    world.run(SECOND)
    assert state(world) is TradingState.HALTED
    assert Code.SYMBOL_NOT_TRADING in world.engine.bot.gate.reasons
    assert opening(world) == [], "what would open is cancelled while cancels are taken"
    world.connector.core.on_instrument(msgspec.structs.replace(instrument, revision=instrument.revision + 2))
    until(world, lambda: state(world) is TradingState.ACTIVE)
    world.finish()


def test_f25_maintenance_of_the_venue_loses_nothing_and_ends_by_itself() -> None:
    world = trading(125)
    world.inject("venue.maintenance", seconds=6)
    world.run(6 * SECOND)
    world.finish()


# ---- F26


def test_f26_a_step_of_the_wall_clock_moves_no_duration_and_no_decision() -> None:
    world = trading(26)
    world.engine.wall_offset_ns += 3_600 * SECOND
    world.connector.wall_offset_ns -= 3_600 * SECOND
    world.run(5 * SECOND)
    assert state(world) is TradingState.ACTIVE
    assert world.engine.clock.now_ns() < world.timeline.now_ns + 60 * SECOND, "its time was taken once and is steady"
    world.finish()


def test_f26_an_engine_whose_clock_is_wrong_opens_nothing_until_it_is_set() -> None:
    world = World(seed=126)
    world.engine.wall_offset_ns = -5 * SECOND
    world.start()
    world.run(500 * MS)
    until(world, lambda: Code.CLOCK_SKEW in world.engine.bot.gate.reasons)
    assert state(world) is TradingState.REDUCING
    assert alarms(world, "CLOCK_SKEW") == 1
    world.engine.wall_offset_ns = 0
    world.crash_engine(down_ns=100 * MS)
    world.run(20 * SECOND)
    assert Code.CLOCK_SKEW not in world.engine.bot.gate.reasons
    world.finish()


# ---- F39


def test_f39_filters_that_change_live_are_obeyed_from_then_on() -> None:
    world = trading(39)
    instrument = world.connector.core.mirror.instruments[world.symbol]
    dearer = msgspec.structs.replace(instrument, min_notional=Decimal(500), revision=instrument.revision + 1)
    world.connector.core.on_instrument(dearer)
    world.run(300 * MS)
    placed = world.checks.placements
    world.run(10 * SECOND)
    assert world.engine.bot.instrument.revision == dearer.revision
    assert world.engine.bot.watch.denials.get(Code.FILTER_REJECTED, 0) > 0
    bought = [one for one in own(world) if not one.reduce_only and one.instrument_revision == dearer.revision]
    assert bought == [], "170 USDT per level is below the new minimum"
    assert world.checks.placements >= placed
    world.connector.core.on_instrument(msgspec.structs.replace(instrument, revision=instrument.revision + 2))
    world.run(15 * SECOND)
    world.finish()


@pytest.mark.parametrize("filters", [(10, 1), (1, 10), (10, 10)], ids=["tick", "lot", "both"])
def test_f39_a_changed_tick_or_lot_is_taken_over_while_holding_and_traded_on(filters: tuple[int, int]) -> None:
    """Off-grid orders are cancelled, the lattice is laid on the new ticks, nothing is lost, and the bot trades on."""
    ticks, lots = filters
    world = trading(139, grid={"anchor": Decimal("3400.03")})
    until(world, lambda: world.engine.bot.ledger.position_lots > 0 and bool(opening(world)))
    bot = world.engine.bot
    held, cost = bot.ledger.position_lots, bot.ledger.cost_ticks_lots
    world.exchange.change_filters(ticks, lots)
    until(world, lambda: bot.instrument.revision == 2, 3)
    assert bot.ledger.totals.fills > 0
    if bot.ledger.position_lots == held:
        assert bot.ledger.cost_ticks_lots == cost, "the change by itself moves nothing"
    until(world, lambda: state(world) is TradingState.ACTIVE and not bot.leaving and bool(opening(world)))
    fills = bot.ledger.totals.fills
    world.run(20 * SECOND)
    for order in own(world):
        assert order.price_ticks % ticks == 0
        assert order.lots % lots == 0
    assert bot.ledger.totals.fills > fills, "it trades on"
    assert state(world) is TradingState.ACTIVE
    world.crash_engine(down_ns=300 * MS)
    world.run(10 * SECOND)
    assert world.engine.bot.units.tick_step == ticks
    world.exchange.change_filters(1, 1)
    world.run(10 * SECOND)
    assert state(world) is TradingState.ACTIVE
    world.finish()
    world.close()


def test_f39_an_engine_that_dies_as_the_filters_change_goes_over_when_it_is_back() -> None:
    world = trading(239, grid={"anchor": Decimal("3400.03")})
    until(world, lambda: world.engine.bot.ledger.position_lots > 0 and bool(opening(world)))
    world.crash_engine(down_ns=500 * MS)
    world.exchange.change_filters(10, 5)
    world.run(5 * SECOND)
    until(world, lambda: state(world) is TradingState.ACTIVE and not world.engine.bot.leaving)
    for order in own(world):
        assert order.price_ticks % 10 == 0
        assert order.lots % 5 == 0
    world.finish()
    world.close()


# ---- F40


def test_f40_leverage_changed_by_hand_reduces_and_raises_an_alarm_until_it_is_back() -> None:
    world = trading(40)
    configured = world.engine.bot.config.leverage
    world.exchange.set_leverage(20)
    until(world, lambda: Code.SETTINGS_CHANGED in world.engine.bot.gate.reasons)
    world.run(2 * SECOND)
    assert state(world) is TradingState.REDUCING
    assert opening(world) == []
    assert alarms(world, "SETTINGS_CHANGED") == 1
    world.exchange.set_leverage(configured)
    until(world, lambda: state(world) is TradingState.ACTIVE)
    world.finish()


# ---- F41, F42


def test_f41_a_position_changed_by_hand_is_booked_as_such_and_stays_explained() -> None:
    world = trading(41, risk={"max_position": Decimal(2)})
    by_hand(world, Side.BUY, 20)
    until(world, lambda: world.engine.bot.ledger.totals.outside_lots == 20)
    world.run(5 * SECOND)
    assert alarms(world, f"FILL_{FillOrigin.MANUAL.name}") == 1
    assert Code.POSITION_MISMATCH not in world.engine.bot.gate.reasons
    by_hand(world, Side.SELL, 20, name="hand2")
    until(world, lambda: world.engine.bot.ledger.totals.outside_lots == 0)
    world.finish()


def test_f41_funding_is_cash_only() -> None:
    world = trading(141)
    bot = world.engine.bot
    lots, fills = bot.ledger.position_lots, bot.ledger.totals.fills
    flow = CashFlow(
        id="funding-1",
        kind=CashFlowKind.FUNDING,
        symbol=world.symbol,
        asset=world.instrument.settle_asset,
        amount=Decimal("-1.25"),
        rate=Decimal("0.0001"),
        venue_time_ns=world.timeline.now_ns,
    )
    world.engine.take([flow, flow])
    assert bot.ledger.totals.funding[world.instrument.settle_asset] == Decimal("-1.25"), "booked once"
    assert (bot.ledger.position_lots, bot.ledger.totals.fills) == (lots, fills)
    world.close()


def test_f42_manual_orders_count_in_the_worst_case_and_are_never_touched() -> None:
    world = trading(42, risk={"max_position": Decimal("0.45")})
    by_hand(world, Side.BUY, 200, price_ticks=world.exchange.walk.mid - 20_000)
    world.run(10 * SECOND)
    manual = next(order for order in world.venue_orders() if order.client_order_id == "hand1")
    assert manual.filled_lots == 0
    bot = world.engine.bot
    assert bot.orders.foreign_lots(Side.BUY) == 200
    cap = bot.gate.limits.max_position_lots
    worst = bot.worst_long_lots + bot.orders.open_lots(Side.BUY, reducing=False) + 200
    assert worst <= cap, "0.200 of somebody else's and ours together stay below 0.45"
    world.cancel_by_hand(manual)
    world.finish()


# ---- F43


def test_f43_own_orders_never_meet_whatever_the_market_does() -> None:
    world = trading(43)
    world.exchange.walk.speed = 4.0
    for _ in range(60):
        world.run(250 * MS)
        orders = own(world)
        bids = [order.price_ticks for order in orders if order.side is Side.BUY]
        asks = [order.price_ticks for order in orders if order.side is Side.SELL]
        assert not bids or not asks or max(bids) < min(asks)
    refused = [order for order in world.engine.bot.orders.by_id.values() if str(order.reason) == "SELF_TRADE"]
    assert refused == [], "the venue never had to prevent one"
    world.finish()


# ---- F44


def test_f44_a_flash_crash_pulls_what_would_open_until_the_price_is_calm() -> None:
    world = trading(44, risk={"jumps": JumpFilter(min_bps=100, hold_ms=3_000)})
    world.exchange.walk.mid += 12_000  # 3.5 % at once, away from our bids
    until(world, lambda: Code.PRICE_JUMP in world.engine.bot.gate.reasons, 3)
    world.run(SECOND)
    assert opening(world) == []
    until(world, lambda: state(world) is TradingState.ACTIVE)
    assert opening(world)
    world.finish()


# ---- F53


def test_f53_an_extreme_funding_rate_is_no_surprise_in_the_profit() -> None:
    world = trading(53)
    bot = world.engine.bot
    before = bot.pnl()
    paid = Decimal("-333.333333")
    world.engine.take(
        [
            CashFlow(
                id="funding-extreme",
                kind=CashFlowKind.FUNDING,
                symbol=world.symbol,
                asset=world.instrument.settle_asset,
                amount=paid,
                rate=Decimal("0.03"),
                venue_time_ns=world.timeline.now_ns,
            )
        ]
    )
    after = bot.pnl()
    assert after.funding - before.funding == paid
    assert after.equity_change - before.equity_change == paid, "it is in the profit, under its own name"
    assert after.grid_profit == before.grid_profit
    world.close()


# ---- F54


@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        (("bots", 0, "grid", "order_quantity"), "-170", "order_quantity"),
        (("bots", 0, "grid", "order_qty"), "170", "order_qty"),
        (("bots", 0, "leverage"), 50, "leverage"),
        (("bots", 0, "risk", "price_collar_bps"), 50_000, "price_collar_bps"),
        (("bots", 0, "risk", "daily_loss"), {"percent": 250}, "percent"),
        (("bots", 0, "risk", "drawdown"), {"percent": 5, "action": "panic"}, "action"),
        (("volume_halt",), {"symbols": ["A", "B"], "recovery_threshold": 3}, "recovery_threshold"),
    ],
)
def test_f54_a_typo_is_refused_with_path_rule_and_fix(
    path: tuple[Any, ...], value: object, names: str, tmp_path: Path
) -> None:
    document: dict[str, Any] = {
        "connector": {"address": "127.0.0.1:50051"},
        "state_file": "engine.db",
        "bots": [{"id": "a", "tag": "a", "symbol": "ETH/USDT:USDT", "grid": {"interval": "2", "order_quantity": "30"}}],
    }
    bot: Any = document["bots"][0]
    bot["risk"] = {}
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(ConfigError) as raised:
        convert_config(document, EngineConfig, env={}, source="typo.yaml", base_dir=tmp_path)
    problem = next(one for one in raised.value.problems if names in one.path or names in one.value)
    assert problem.rule
    assert problem.fix


def test_f54_ten_times_the_size_stays_below_the_cap_that_has_to_agree_with_it() -> None:
    cap = Decimal(1_000)
    world = World(seed=54, grid={"order_quantity": Decimal(1_700)}, risk={"max_notional": cap, "max_position": None})
    world.start()
    for _ in range(40):
        world.run(500 * MS)
        position = world.exchange.view.position(ACCOUNT, world.symbol).lots
        worst = position + sum(order.remaining_lots for order in opening(world))
        mid = world.instrument.ticks_to_price(world.exchange.walk.mid)
        assert world.instrument.lots_to_quantity(max(worst, 0)) * mid <= cap
    world.close()


def test_f54_defaults_are_within_their_own_bounds() -> None:
    RiskConfig()
    GridConfig(interval=Decimal(1), order_quantity=Decimal(1))


# ---- F58


def test_f58_a_revoked_key_halts_with_an_alarm_and_waits_for_a_person() -> None:
    world = trading(58)
    real = world.exchange.command
    refused = {"count": 0}

    def command(command: Any, sent_ns: int) -> Reply:
        refused["count"] += 1
        return Reply(None, 401)

    world.exchange.command = command  # type: ignore[method-assign]
    until(world, lambda: Code.CREDENTIALS_REFUSED in world.engine.bot.gate.reasons)
    assert state(world) is TradingState.HALTED
    assert alarms(world, "CREDENTIALS_REFUSED") == 1
    world.run(2 * SECOND)
    tried = world.checks.placements
    world.run(10 * SECOND)
    assert world.checks.placements == tried, "nothing is sent with a key that is refused"
    world.exchange.command = real  # type: ignore[method-assign]
    world.operate(Resume("eth"))
    until(world, lambda: state(world) is TradingState.ACTIVE)
    world.finish()
