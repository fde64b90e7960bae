from models.fake_world import SYMBOL, FakeWorld, money

from opensqt.live_server import legacy
from opensqt.live_server.market import CandleSeries, MarketStore
from opensqt.proto import types_pb2 as types
from opensqt.proto.resources_pb2 import Candle


def candle(minute: int, close: str = "1") -> Candle:
    from decimal import Decimal

    value = money(Decimal(close))
    return Candle(
        symbol=SYMBOL, open=value, high=value, low=value, close=value, volume=value, timestamp=minute * 60_000
    )


def test_candles_stay_in_order_and_bounded() -> None:
    series = CandleSeries(limit=3)
    for minute in (1, 3, 2, 4, 3):
        series.apply(candle(minute))
    assert [item.timestamp // 60_000 for item in series.newest(10)] == [2, 3, 4]


def test_forming_candle_replaces_itself() -> None:
    store = MarketStore(100)
    store.apply_candle(candle(1, "5"))
    store.apply_candle(candle(1, "6"))
    assert store.take_changes()["candle_updates"] == {SYMBOL: [[60, "6", "6", "6", "6", "6"]]}
    assert not store.changed


def test_loaded_history_replaces_single_updates() -> None:
    store = MarketStore(100)
    store.apply_candle(candle(2))
    store.load_candles(SYMBOL, [candle(1)])
    changes = store.take_changes()
    assert [row[0] for row in changes["candles"][SYMBOL]] == [60, 120]
    assert "candle_updates" not in changes


def test_closed_order_leaves_the_table() -> None:
    world = FakeWorld()
    store = MarketStore(100)
    store.load_orders(world.venue_orders())
    store.take_changes()
    order = next(iter(world.orders.values()))
    store.apply_order(world.order_update(order, types.ORDER_STATUS_PARTIALLY_FILLED))
    store.apply_order(world.order_update(order, types.ORDER_STATUS_FILLED, filled=True))
    assert order.exchange_id not in store.orders
    assert store.take_changes() == {"removed_orders": [order.exchange_id]}


def test_legacy_history_has_the_originals_fields_and_seconds() -> None:
    message = legacy.history([candle(2, "7")])
    expected = {"time": 120, "open": "7", "high": "7", "low": "7", "close": "7", "volume": "7"}
    assert message == {"type": "history", "data": [expected]}
    assert legacy.kline(candle(2, "7")) == {"type": "kline", "data": expected}


def test_legacy_order_has_the_originals_words() -> None:
    world = FakeWorld()
    order = next(iter(world.orders.values()))
    expected = {
        "id": order.exchange_id,
        "price": "2984.00",
        "side": "BUY",
        "status": "NEW",
        "type": "LIMIT",
        "symbol": SYMBOL,
    }
    assert legacy.orders(world.venue_orders()[:1]) == {"type": "orders", "data": [expected]}
    assert legacy.order(world.order_update(order, types.ORDER_STATUS_NEW)) == {"type": "orders", "data": expected}


def test_legacy_trade_event_only_for_executions() -> None:
    world = FakeWorld()
    order = next(iter(world.orders.values()))
    assert legacy.trade_event(world.order_update(order, types.ORDER_STATUS_CANCELED)) is None
    event = legacy.trade_event(world.order_update(order, types.ORDER_STATUS_FILLED, filled=True))
    assert event == {
        "type": "trade_event",
        "data": {"side": "buy", "price": "2984.00", "amount": "0.010", "symbol": SYMBOL, "time": world.now_ms},
    }


def test_legacy_account_and_position_have_the_originals_fields() -> None:
    world = FakeWorld()
    assert set(legacy.account(world.venue_account(), SYMBOL)["data"]) == {
        "asset",
        "free",
        "balance",
        "marginBalance",
        "symbol",
    }
    assert set(legacy.position(world.venue_position())["data"]) == {"symbol", "amount", "entryPrice", "unrealizedPnL"}
