"""Start checks: every refusal says the number, the limit and the fix."""

from decimal import Decimal

import pytest
from models.grid_venue import Venue, World, config, instrument

from opensqt.engine.config import EngineConfig
from opensqt.engine.risk.reasons import Code, TradingState


def refusal(settings: EngineConfig, venue: Venue | None = None) -> str:
    world = World(settings=settings, venue=venue)
    world.start()
    assert world.bot.gate.state is TradingState.HALTED
    assert not world.venue.placed
    return world.bot.gate.reasons[Code.START_CHECK].message


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"order_quantity": Decimal(2)}, ["order_quantity 2", "minimum", "smallest workable order_quantity is 6.004"]),
        ({"interval": Decimal(1)}, ["one step earns 1", "fees", "raise `grid.interval` to at least 1.21"]),
        ({"order_quantity": Decimal(600)}, ["affords 83 levels", "position_safety_check", "to 500"]),
        ({"max_open_orders": 500}, ["max_open_orders 500", "limit 200", "lower `grid.max_open_orders`"]),
    ],
)
def test_refusal_says_number_limit_and_fix(grid: dict[str, object], words: list[str]) -> None:
    message = refusal(config(grid=grid))
    for word in words:
        assert word in message


def test_real_money_needs_a_second_number_that_a_slip_in_the_first_disagrees_with() -> None:
    message = refusal(config(), Venue(mode="live"))
    for word in ("risk.max_notional", "with real money", "holds 296.3", "set it to"):
        assert word in message
    world = World(settings=config(risk={"max_notional": Decimal(300)}), venue=Venue(mode="live"))
    world.start()
    assert world.bot.gate.state is TradingState.ACTIVE
    ten_times = World(
        settings=config(grid={"order_quantity": Decimal(400)}, risk={"max_notional": Decimal(300)}),
        venue=Venue(mode="live"),
    )
    ten_times.start()
    assert ten_times.venue.placed == [], "one level of 400 does not fit below 300"


def test_empty_account_is_refused() -> None:
    assert "must be above 0" in refusal(config(), Venue(wallet=Decimal(0)))


def test_position_of_somebody_else_is_refused_by_default() -> None:
    venue = Venue(position=25, entry_cost=Decimal("75.5"))
    message = refusal(config(), venue)
    assert "0.025 ETH" in message
    assert "existing_position: adopt" in message


def test_position_is_adopted_by_choice_and_sold_by_the_grid() -> None:
    venue = Venue(position=25, entry_cost=Decimal("75.5"))
    world = World(settings=config(existing_position="adopt"), venue=venue)
    world.start()
    assert world.bot.ledger.position_lots == 25
    selling = [o for o in venue.open_orders if o.reduce_only]
    assert sum(o.lots for o in selling) == 25
    world.check_settled()


def test_liquidation_inside_the_range_is_refused() -> None:
    settings = config(
        grid={"order_quantity": Decimal(900), "interval": Decimal(60), "buy_window": 40},
        risk={"position_safety_check": 1, "max_leverage": 20},
        leverage=20,
    )
    message = refusal(settings, Venue(wallet=Decimal(3_000)))
    assert "liquidated at" in message
    assert "lowest level" in message


def test_check_passes_once_the_cause_is_gone() -> None:
    world = World(venue=Venue(wallet=Decimal(0)))
    world.start()
    assert world.bot.gate.state is TradingState.HALTED
    world.venue.wallet = Decimal(10_000)
    world.turn(world.venue.account_record())
    world.timer(11_000)
    world.price()
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE
    assert len(world.venue.open_orders) == 9


def test_changed_interval_of_an_existing_lattice_is_refused() -> None:
    world = World()
    world.start()
    world.settings = config(grid={"interval": Decimal(3)})
    world.kill()
    world.attach()
    world.price()
    assert "restore `grid.interval`" in world.bot.gate.reasons[Code.START_CHECK].message


def test_a_contract_that_is_worth_something_else_stops_the_bot() -> None:
    world = World()
    world.start()
    world.turn(instrument(contract_multiplier=Decimal(10), revision=2))
    assert Code.INSTRUMENT_CHANGED in world.bot.gate.reasons
    world.settle()
    assert not world.venue.open_orders


def test_leverage_is_set_before_trading() -> None:
    world = World(venue=Venue(leverage=20))
    world.attach()
    world.price()
    assert not world.venue.placed
    world.settle()
    assert world.venue.leverage == 5
    assert len(world.venue.open_orders) == 9
