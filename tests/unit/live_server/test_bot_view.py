from decimal import Decimal

import orjson
from google.type.decimal_pb2 import Decimal as DecimalMessage
from models.fake_world import BOT_ID, FakeWorld, money

from opensqt.live_server.bot_view import render_bot, render_change
from opensqt.live_server.replica import BotChange, BotReplica
from opensqt.live_server.units import UnitScale, decimal_text, optional_decimal_text
from opensqt.proto import engine_pb2 as engine
from opensqt.proto.trade_pb2 import DEAD_MAN_STATE_ARMED, InstrumentSpec


def floats_in(value: object) -> list[float]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in floats_in(item)]
    if isinstance(value, list):
        return [found for item in value for found in floats_in(item)]
    return [value] if isinstance(value, float) else []


def traded_bot() -> BotReplica:
    world = FakeWorld(seed=3)
    for _ in range(200):
        world.step()
    return BotReplica(world.bot_state())


def test_prices_and_sizes_are_text_in_ordinary_units() -> None:
    world = FakeWorld()
    rendered = render_bot(BotReplica(world.bot_state()))
    assert rendered["grid"]["anchor"] == "3000.00"
    assert rendered["grid"]["interval"] == "2.00"
    order = rendered["orders"][0]
    assert (order["price"], order["size"], order["side"], order["state"]) == ("2984.00", "0.010", "BUY", "LIVE")


def test_no_number_is_a_float() -> None:
    assert floats_in(render_bot(traded_bot())) == []


def test_pnl_parts_sum_to_the_equity_change() -> None:
    pnl = render_bot(traded_bot())["pnl"]
    parts = ("grid_profit", "inventory_pnl", "fees", "funding", "transfers")
    assert sum(Decimal(pnl[part]) for part in parts) == Decimal(pnl["equity_change"])


def test_bot_can_be_encoded() -> None:
    assert orjson.loads(orjson.dumps(render_bot(traded_bot())))["id"] == BOT_ID


def test_change_carries_only_what_changed() -> None:
    bot = BotReplica(FakeWorld().bot_state())
    change = BotChange()
    bot.apply(engine.BotDelta(bot_id=BOT_ID, best_bid_ticks=300_001), change)
    assert render_change(bot, change) == {
        "id": BOT_ID,
        "prices": {"last": "3001.30", "mark": "3001.30", "bid": "3000.01", "ask": "3001.31"},
    }


def test_state_comes_with_its_reasons() -> None:
    bot = BotReplica(FakeWorld().bot_state())
    change = BotChange()
    reason = engine.StateReason(
        code="STALE_BOOK", message="the book is stale", since_ns=5_000_000, title="Stale", title_zh="过期"
    )
    bot.apply(engine.BotDelta(bot_id=BOT_ID, state=engine.TRADING_STATE_REDUCING, reasons=[reason]), change)
    expected = {
        "code": "STALE_BOOK",
        "title": "Stale",
        "title_zh": "过期",
        "message": "the book is stale",
        "since_ms": 5,
    }
    assert render_change(bot, change)["state"] == {"name": "REDUCING", "reasons": [expected]}


def test_limits_and_volume_halt_replace_what_was_known() -> None:
    bot = BotReplica(FakeWorld().bot_state())
    change = BotChange()
    limit = engine.RiskLimit(name="max_position", value=money(Decimal("0.4")), cap=money(Decimal(1)), unit="ETH")
    halt = engine.VolumeHaltState(
        is_enabled=True, recovery_threshold=3, symbols=[engine.VolumeHaltSymbol(symbol="BTC/USDT:USDT")]
    )
    bot.apply(engine.BotDelta(bot_id=BOT_ID, limits=[limit], volume_halt=halt), change)
    assert change.parts == {"limits", "volume_halt"}
    rendered = render_change(bot, change)
    assert [(item["name"], item["value"], item["cap"]) for item in rendered["limits"]] == [("max_position", "0.4", "1")]
    assert [item["symbol"] for item in rendered["volume_halt"]["symbols"]] == ["BTC/USDT:USDT"]
    bot.apply(engine.BotDelta(bot_id=BOT_ID), BotChange())
    assert [item.name for item in bot.head.limits] == ["max_position"], "a delta without limits changes none"


def test_foreign_order_without_client_id_is_named_by_the_venues() -> None:
    world = FakeWorld()
    bot = BotReplica(world.bot_state())
    foreign = world.bot_order(next(iter(world.orders.values())))
    foreign.foreign = True
    foreign.order.client_order_id = ""
    change = BotChange()
    bot.apply(engine.BotDelta(bot_id=BOT_ID, orders=[foreign]), change)
    order = render_change(bot, change)["orders"][0]
    assert (order["id"], order["slot"], order["foreign"]) == (foreign.order.exchange_order_id, None, True)


def test_enum_value_of_a_newer_engine_is_shown_as_its_number() -> None:
    state = FakeWorld().bot_state()
    state.state = 42  # type: ignore[assignment]  # what a newer engine might send
    assert render_bot(BotReplica(state))["state"]["name"] == "42"


def test_fills_are_bounded() -> None:
    world = FakeWorld(seed=3)
    bot = BotReplica(world.bot_state())
    change = BotChange()
    for _ in range(3_000):
        bot.apply(world.step().delta, change)
    assert len(world.fills) > 200
    assert len(bot.fills) == 200
    assert len(change.fills) == 200


def test_average_price_is_exact_to_two_places_beyond_the_tick() -> None:
    spec = InstrumentSpec(tick_size=DecimalMessage(value="0.01"), lot_size=DecimalMessage(value="0.001"))
    scale = UnitScale(spec)
    assert scale.average_price(300_001 + 300_002 * 2, 3) == "3000.0167"
    assert scale.average_price(0, 0) is None


def test_decimal_messages_become_plain_text() -> None:
    assert decimal_text(DecimalMessage(value="1E+3")) == "1000"
    assert decimal_text(DecimalMessage()) == "0"
    assert optional_decimal_text(DecimalMessage(value="0.00")) is None
    assert optional_decimal_text(DecimalMessage(value="-0.5")) == "-0.5"


def test_the_dead_man_switch_is_told_by_name_and_unknown_is_nothing() -> None:
    bot = BotReplica(FakeWorld().bot_state())
    assert render_bot(bot)["dead_man"] is None
    change = BotChange()
    bot.apply(engine.BotDelta(bot_id=BOT_ID, dead_man=DEAD_MAN_STATE_ARMED), change)
    assert render_change(bot, change) == {"id": BOT_ID, "dead_man": "ARMED"}


def test_corrections_are_kept_to_the_newest_twenty() -> None:
    bot = BotReplica(FakeWorld().bot_state())
    for index in range(25):
        change = BotChange()
        told = engine.Correction(client_order_id=f"c{index}", what="order gone", evidence="two lists without it")
        state = engine.ReconcileState(last_read_ns=5_000_000, reads=index, corrected=index + 1)
        bot.apply(engine.BotDelta(bot_id=BOT_ID, corrections=[told], reconcile=state), change)
    reconcile = render_change(bot, change)["reconcile"]
    assert (reconcile["last_read_ms"], reconcile["corrected"]) == (5, 25)
    assert [item["order"] for item in reconcile["corrections"]] == [f"c{index}" for index in range(5, 25)]
