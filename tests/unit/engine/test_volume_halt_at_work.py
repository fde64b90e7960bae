"""The volume halt in an engine: one rule, every bot; what readers are told."""

from decimal import Decimal

import msgspec
from models.grid_venue import World, config

from opensqt.domain.order import Side
from opensqt.engine import state_messages
from opensqt.engine.events import CandlesLost
from opensqt.engine.risk.config import VolumeHaltConfig
from opensqt.engine.risk.reasons import Action, Code, TradingState
from opensqt.engine.risk.volume_halt import MarketCandle

SYMBOLS = ("BTC", "ETH", "SOL")
MINUTE_MS = 60_000
WINDOW = 3


def halting(action: Action = Action.REDUCE_ONLY) -> World:
    rule = VolumeHaltConfig(enabled=True, symbols=SYMBOLS, window=WINDOW, recovery_threshold=2, action=action)
    world = World(settings=msgspec.structs.replace(config(), volume_halt=rule))
    world.start()
    return world


def candles(
    world: World, minute: int, close: str, volume: str, *, closed: bool, symbols: tuple[str, ...] = SYMBOLS
) -> None:
    world.turn(
        *(
            MarketCandle(
                symbol=symbol,
                open_time_ms=minute * MINUTE_MS,
                close=Decimal(close),
                volume=Decimal(volume),
                is_closed=closed,
            )
            for symbol in symbols
        )
    )


def sold_off(world: World) -> None:
    for minute in range(1, WINDOW + 1):
        candles(world, minute, "100", "10", closed=True)
    candles(world, WINDOW + 1, "90", "50", closed=False)
    world.timer(1_100)
    world.settle()


def test_a_sell_off_cancels_buys_keeps_take_profits_and_ends_with_recovery() -> None:
    world = halting()
    nearest = max((o for o in world.venue.open_orders), key=lambda o: o.price_ticks)
    world.venue.fill(nearest.client_order_id, 10)
    world.settle()
    sold_off(world)
    assert world.bot.gate.state is TradingState.REDUCING
    assert [order.side for order in world.venue.open_orders] == [Side.SELL]
    assert [r.level for r in world.bot.recent_journal if r.code == "VOLUME_HALT"] == ["alarm"]
    candles(world, WINDOW + 1, "90", "60", closed=True)
    candles(world, WINDOW + 2, "110", "10", closed=True, symbols=SYMBOLS[:2])
    candles(world, WINDOW + 2, "90", "10", closed=True, symbols=SYMBOLS[2:])
    world.timer(1_100)
    world.settle()
    assert world.bot.gate.state is TradingState.ACTIVE


def test_the_table_of_symbols_is_in_the_state_of_every_bot() -> None:
    world = halting()
    sold_off(world)
    message = state_messages.bot_state(world.bot, (), "model", "paper").volume_halt
    assert message.is_enabled
    assert message.is_halted
    assert [one.symbol for one in message.symbols] == list(SYMBOLS)
    assert all(one.is_dumping and Decimal(one.mean_close.value) == 100 for one in message.symbols)


def test_a_symbol_that_does_not_come_raises_one_alarm() -> None:
    world = halting()
    candles(world, 1, "100", "10", closed=True, symbols=SYMBOLS[:2])
    world.turn(CandlesLost(SYMBOLS[2], "UNKNOWN_SYMBOL"))
    world.timer(1_100)
    world.timer(91_000)
    world.timer(2_000)
    lines = [r for r in world.bot.recent_journal if r.code == "VOLUME_HALT_BLIND"]
    assert [r.level for r in lines] == ["alarm"]
    assert "SOL: UNKNOWN_SYMBOL" in lines[0].message
    assert world.bot.gate.state is TradingState.ACTIVE


def test_an_engine_without_the_rule_tells_nothing_of_it() -> None:
    world = World()
    world.start()
    candles(world, 1, "100", "10", closed=True)
    world.timer(1_100)
    assert not state_messages.bot_state(world.bot, (), "model", "paper").HasField("volume_halt")


def test_orders_held_back_are_counted_under_the_code() -> None:
    world = halting()
    sold_off(world)
    world.price(299_500)
    assert world.bot.watch.denials[Code.VOLUME_HALT] > 0
    assert set(world.bot.watch.denials) <= set(Code)
