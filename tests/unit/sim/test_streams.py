"""Public streams: routes, control messages, the depth chain, and who hears what."""

import itertools
from typing import Any

import orjson
import pytest
from models.sim_bench import ASK, BID, SimBench

from opensqt._core.book import OrderBook
from opensqt.domain.order import Side
from opensqt.sim.dialects.binance.stream_hub import MessageRate
from opensqt.sim.dialects.binance.stream_names import Route, parse_stream

SYMBOLS = {"BTCUSDT"}


@pytest.mark.parametrize(
    ("name", "route", "speed_ms"),
    [
        ("btcusdt@depth", Route.PUBLIC, 250),
        ("btcusdt@depth@100ms", Route.PUBLIC, 100),
        ("btcusdt@depth@0ms", Route.PUBLIC, 0),
        ("btcusdt@depth20@500ms", Route.PUBLIC, 500),
        ("btcusdt@bookTicker", Route.PUBLIC, 0),
        ("btcusdt@trade", Route.PUBLIC, 0),
        ("!bookTicker", Route.PUBLIC, 5_000),
        ("btcusdt@aggTrade", Route.MARKET, 100),
        ("btcusdt@markPrice", Route.MARKET, 3_000),
        ("btcusdt@markPrice@1s", Route.MARKET, 1_000),
        ("btcusdt@kline_1h", Route.MARKET, 250),
        ("!contractInfo", Route.MARKET, 0),
    ],
)
def test_every_stream_lives_on_one_route(name: str, route: Route, speed_ms: int) -> None:
    stream = parse_stream(name, SYMBOLS)
    assert stream is not None
    assert (stream.route, stream.speed_ms) == (route, speed_ms)


@pytest.mark.parametrize(
    "name",
    ["0", "BTCUSDT@trade", "btcusdt", "ethusdt@trade", "btcusdt@kline_7m", "btcusdt@depth@7ms", "btcusdt@trade@1s"],
)
def test_unknown_streams_mean_nothing(name: str) -> None:
    assert parse_stream(name, SYMBOLS) is None


def test_stream_on_the_wrong_route_is_acknowledged_and_silent(bench: SimBench) -> None:
    wrong, right = bench.listen("market"), bench.listen("public")
    for session in (wrong, right):
        reply = bench.control(session, method="SUBSCRIBE", params=["btcusdt@trade"], id=1)
        assert reply == {"result": None, "id": 1}
    bench.trade(Side.BUY, ASK, 5)
    assert bench.heard(wrong) == []
    assert [event["e"] for event in bench.heard(right)] == ["trade"]
    assert bench.control(wrong, method="LIST_SUBSCRIPTIONS", id=2) == {"result": ["btcusdt@trade"], "id": 2}


def test_depth_chain_joins_the_snapshot_and_never_breaks(bench: SimBench) -> None:
    session = bench.listen("public", "btcusdt@depth@100ms")
    for step in range(30):
        bench.delta([(BID - 10 * (step % 5), 1_000 + step)], [(ASK + 10 * (step % 7), 900 + step)])
        if step == 11:
            snapshot = bench.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
        bench.advance(37)
    bench.advance(200)
    events = bench.heard(session)
    assert len(events) > 5
    for before, after in itertools.pairwise(events):
        assert after["pu"] == before["u"]
        assert after["U"] > before["u"] + 1, "ids are counted over all symbols"
        assert after["U"] <= after["u"]
    _assert_replays(bench, snapshot, events)


def _assert_replays(bench: SimBench, snapshot: Any, events: list[Any]) -> None:
    """Apply the venue's rule for a local book; the result must be the venue's own book."""
    ticks = 10
    book = OrderBook()
    for is_bid, rows in ((True, snapshot["bids"]), (False, snapshot["asks"])):
        for price, quantity in rows:
            book.set_level(is_bid, round(float(price) * ticks), round(float(quantity) * 1_000))
    last_id = snapshot["lastUpdateId"]
    todo = [event for event in events if event["u"] >= last_id]
    assert todo[0]["U"] <= last_id <= todo[0]["u"] or todo[0]["pu"] == last_id
    for event in todo:
        for is_bid, rows in ((True, event["b"]), (False, event["a"])):
            for price, quantity in rows:
                book.set_level(is_bid, round(float(price) * ticks), round(float(quantity) * 1_000))
    mine = bench.venue.exchange.venue.view.book("BTC/USDT:USDT")
    assert (book.levels(True), book.levels(False)) == (mine.levels(True), mine.levels(False))


def test_snapshot_may_fall_inside_an_event(bench: SimBench) -> None:
    session = bench.listen("public", "btcusdt@depth@100ms")
    bench.advance(200)
    bench.heard(session)
    bench.delta([(BID, 5)])
    inside = bench.get("/fapi/v1/depth", symbol="BTCUSDT", limit=5)["lastUpdateId"]
    bench.delta([(BID, 6)])
    bench.advance(200)
    (event,) = bench.heard(session)
    assert event["U"] <= inside < event["u"]


def test_new_book_of_the_source_breaks_the_chain(bench: SimBench) -> None:
    session = bench.listen("public", "btcusdt@depth@0ms")
    bench.delta([(BID, 5)])
    bench.show_book()
    bench.delta([(BID, 6)])
    before, after = bench.heard(session)
    assert after["pu"] != before["u"]


def test_injected_gap_breaks_the_chain_once(bench: SimBench) -> None:
    session = bench.listen("public", "btcusdt@depth@0ms")
    bench.delta([(BID, 5)])
    bench.venue.streams.skip_ids("BTCUSDT")
    bench.delta([(BID, 6)])
    bench.delta([(BID, 7)])
    first, second, third = bench.heard(session)
    assert second["pu"] != first["u"]
    assert third["pu"] == second["u"]


def test_book_ticker_speaks_when_the_touch_changes(bench: SimBench) -> None:
    session = bench.listen("public", "btcusdt@bookTicker")
    bench.delta([(BID - 50, 77)])
    bench.delta([(BID - 60, 78)])
    bench.delta([(BID, 555)])
    events = bench.heard(session)
    assert [(event["b"], event["B"]) for event in events][-1] == ("64000.00", "0.555")
    assert len(events) == 2


def test_partial_depth_is_the_whole_top(bench: SimBench) -> None:
    session = bench.listen("public", "btcusdt@depth5@100ms")
    bench.delta([(BID, 3)])
    bench.advance(200)
    (event,) = bench.heard(session)
    assert [row[0] for row in event["b"]] == ["64000.00", "63999.00", "63998.00", "63997.00", "63996.00"]


def test_trades_of_one_price_and_side_are_aggregated(bench: SimBench) -> None:
    session = bench.listen("market", "btcusdt@aggTrade")
    for side, ticks, lots in ((Side.BUY, ASK, 1), (Side.BUY, ASK, 2), (Side.SELL, BID, 4)):
        bench.trade(side, ticks, lots)
    bench.advance(200)
    first, second = bench.heard(session)
    assert (first["q"], first["f"], first["l"], first["m"]) == ("0.003", 1, 2, False)
    assert (second["q"], second["m"], second["a"]) == ("0.004", True, first["a"] + 1)


def test_kline_closes_once_and_counts_taker_volume(bench: SimBench) -> None:
    session = bench.listen("market", "btcusdt@kline_1m")
    bench.trade(Side.BUY, ASK, 10)
    bench.trade(Side.SELL, BID, 30)
    bench.advance(300)
    bench.advance(60_000)
    events = [event["k"] for event in bench.heard(session)]
    assert [bar["x"] for bar in events] == [False, True, False]
    closed = events[1]
    assert (closed["o"], closed["c"], closed["v"], closed["V"], closed["n"]) == (
        "64001.00", "64000.00", "0.040", "0.010", 2,
    )  # fmt: skip
    assert events[2]["n"] == 0


def test_mark_price_speaks_every_second(bench: SimBench) -> None:
    session = bench.listen("market", "btcusdt@markPrice@1s")
    for _ in range(30):
        bench.advance(100)
    assert len(bench.heard(session)) in {3, 4}


def test_combined_form_can_be_switched(bench: SimBench) -> None:
    session = bench.listen("public", "btcusdt@trade", combined=True)
    bench.trade(Side.BUY, ASK, 1)
    assert bench.heard(session)[0]["stream"] == "btcusdt@trade"
    assert bench.control(session, method="SET_PROPERTY", params=["combined", False], id=5) == {"result": None, "id": 5}
    assert bench.control(session, method="GET_PROPERTY", params=["combined"], id=6) == {"result": False, "id": 6}
    bench.trade(Side.BUY, ASK, 1)
    assert bench.heard(session)[0]["e"] == "trade"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"method":"FLY","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"x","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SET_PROPERTY","params":["colour",true],"id":1}', 0),
        ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1),
        ('{"params":[]}', 2),
    ],
)
def test_bad_control_messages_are_named(bench: SimBench, text: str, code: int) -> None:
    reply = orjson.loads(bench.venue.hub.handle(bench.listen("public"), text))
    assert reply["error"]["code"] == code


def test_unsubscribed_and_closed_sessions_hear_nothing(bench: SimBench) -> None:
    first, second = bench.listen("public", "btcusdt@trade"), bench.listen("public", "btcusdt@trade")
    bench.control(first, method="UNSUBSCRIBE", params=["btcusdt@trade"], id=1)
    bench.venue.hub.close(second)
    bench.trade(Side.BUY, ASK, 1)
    assert (bench.heard(first), bench.heard(second)) == ([], [])


def test_the_eleventh_message_within_a_second_is_one_too_many() -> None:
    rate = MessageRate()
    assert all(rate.allows(1_000 + index) for index in range(10))
    assert not rate.allows(1_500)
    assert rate.allows(2_000)


@pytest.mark.parametrize(
    ("stream", "route", "fixture"),
    [
        ("btcusdt@trade", "public", "ws_market_20260216"),
        ("btcusdt@aggTrade", "market", "ws_market_20260216"),
        ("btcusdt@bookTicker", "public", "ws_market_20260216"),
        ("btcusdt@markPrice@1s", "market", "ws_market_20260216"),
        ("btcusdt@depth@0ms", "public", "ws_depth_sequence_btcusdt_20240808"),
        ("btcusdt@kline_1m", "market", "ws_kline_1m_20210722"),
    ],
)
def test_members_are_those_recorded(recorded: Any, stream: str, route: str, fixture: str) -> None:
    bench = SimBench(legacy_fields=True)
    session = bench.listen(route, stream)
    bench.trade(Side.BUY, ASK, 1)
    bench.delta([(BID, 9)])
    bench.advance(1_500)
    event = bench.heard(session)[0]
    model = next(row["data"] for row in recorded(fixture) if row["data"]["e"] == event["e"])
    missing = {name: type(value) for name, value in model.items()}.items() - {
        name: type(value) for name, value in event.items()
    }.items()
    assert not missing
    if "k" in model:
        assert set(event["k"]) == set(model["k"])


def test_newer_venues_send_members_nobody_asked_for(bench: SimBench) -> None:
    session = bench.listen("public", "btcusdt@bookTicker")
    bench.delta([(BID, 9)])
    assert bench.heard(session)[0]["st"] == 1
