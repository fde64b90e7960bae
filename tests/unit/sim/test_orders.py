"""Order entry: what is accepted, what is refused with which code, and what happens then."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
from models.sim_bench import ASK, BID, SimBench

from opensqt.domain.order import Side

ORDER = "/fapi/v1/order"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"symbol": None}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"type": "FUNNY"}, -1116),
        ({"type": "STOP_MARKET"}, -4120),
        ({"timeInForce": None}, -1102),
        ({"timeInForce": "SOON"}, -1115),
        ({"price": None}, -1102),
        ({"price": "63000.05"}, -4014),
        ({"price": "63000.005"}, -1111),
        ({"price": "-1"}, -4001),
        ({"price": "9999999"}, -4002),
        ({"price": "cheap"}, -1100),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0005"}, -1111),
        ({"quantity": "100000"}, -4005),
        ({"quantity": None}, -1102),
        ({"quantity": "0.001"}, -4164),
        ({"price": "70000"}, -4016),
        ({"side": "SELL", "price": "60000"}, -4024),
        ({"newClientOrderId": "no blanks please"}, -4015),
        ({"positionSide": "LONG"}, -4061),
        ({"positionSide": "UP"}, -4060),
        ({"reduceOnly": "true"}, -2022),
        ({"reduceOnly": "maybe"}, -1130),
        ({"quantity": "100"}, -2019),
        ({"quantity": "500"}, -2027),
        ({"price": "64001", "timeInForce": "GTX"}, -5022),
        ({"price": "64001", "quantity": "150", "timeInForce": "FOK"}, -2019),
        ({"selfTradePreventionMode": "LATER"}, -5039),
        ({"priceMatch": "OPPONENT"}, -1106),
        ({"priceMatch": "BEST", "price": None}, -5037),
        ({"timeInForce": "GTD"}, -1102),
        ({"timeInForce": "GTD", "goodTillDate": "1"}, -5040),
        ({"newOrderRespType": "NOVEL"}, -1130),
    ],
)
def test_bad_placement_is_refused_with_the_venues_code(bench: SimBench, change: dict[str, Any], code: int) -> None:
    params = bench.order_params("BUY", "63000", "0.01") | change
    assert bench.code("POST", ORDER, **params) == code
    assert bench.ok("GET", "/fapi/v1/openOrders") == []


def test_market_order_takes_no_price_and_no_time_in_force(bench: SimBench) -> None:
    market = bench.order_params("BUY", None, "0.01")
    assert bench.code("POST", ORDER, **market, price="64000") == -1106
    assert bench.refuse("BUY", None, "0.01", timeInForce="GTC") == -1106


def test_fok_that_cannot_fill_leaves_no_trace(bench: SimBench) -> None:
    session = bench.listen_private()
    assert bench.refuse("BUY", "64001", "1.5", timeInForce="FOK", newClientOrderId="fok") == -5021
    assert bench.heard(session) == []
    assert bench.code("GET", ORDER, symbol="BTCUSDT", origClientOrderId="fok") == -2013


def test_post_only_refusal_leaves_no_trace(bench: SimBench) -> None:
    session = bench.listen_private()
    assert bench.refuse("BUY", "64001", "0.01", timeInForce="GTX", newClientOrderId="gtx") == -5022
    assert bench.heard(session) == []
    assert bench.code("GET", ORDER, symbol="BTCUSDT", origClientOrderId="gtx") == -2013


def test_client_id_is_unique_among_open_orders_only(bench: SimBench) -> None:
    bench.place("BUY", "63000", "0.01", newClientOrderId="mine")
    assert bench.refuse("BUY", "63100", "0.01", newClientOrderId="mine") == -4116
    bench.ok("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="mine")
    again = bench.place("BUY", "63100", "0.01", newClientOrderId="mine")
    assert bench.ok("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine")["orderId"] == again["orderId"]


def test_acknowledgement_is_new_and_result_is_final(bench: SimBench) -> None:
    assert bench.place("BUY", None, "0.01")["status"] == "NEW"
    final = bench.place("BUY", None, "0.01", newOrderRespType="RESULT")
    assert (final["status"], final["executedQty"]) == ("FILLED", "0.010")
    resting = bench.place("BUY", "63000", "0.01", newOrderRespType="RESULT")
    assert resting["status"] == "NEW"


def test_amend_keeps_ids_and_rejects_what_changes_nothing(bench: SimBench) -> None:
    placed = bench.place("BUY", "63000", "0.01", newClientOrderId="a")
    amend = {"symbol": "BTCUSDT", "side": "BUY", "orderId": placed["orderId"]}
    changed = bench.ok("PUT", ORDER, **amend, price="63100", quantity="0.02")
    assert (changed["orderId"], changed["clientOrderId"]) == (placed["orderId"], "a")
    assert (changed["price"], changed["origQty"], changed["status"]) == ("63100.00", "0.020", "NEW")
    assert bench.code("PUT", ORDER, **amend, price="63100", quantity="0.02") == -5027
    assert bench.code("PUT", ORDER, **amend, price="63200") == -1102
    assert bench.code("PUT", ORDER, **amend, price="63200.05", quantity="0.02") == -4014
    assert bench.code("PUT", ORDER, **amend | {"orderId": 9}, price="63200", quantity="0.02") == -2013
    assert bench.ok("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["price"] == "63100.00"


def test_amending_a_post_only_order_across_the_book_cancels_it(bench: SimBench) -> None:
    placed = bench.place("BUY", "63000", "0.01", timeInForce="GTX")
    after = bench.ok(
        "PUT", ORDER, symbol="BTCUSDT", side="BUY", orderId=placed["orderId"], price="64001", quantity="0.01"
    )
    assert after["status"] == "CANCELED"
    assert bench.ok("GET", "/fapi/v1/openOrders", symbol="BTCUSDT") == []


def test_amending_below_what_was_filled_cancels(bench: SimBench) -> None:
    placed = bench.place("BUY", "64000.5", "0.02")
    bench.trade(Side.SELL, BID + 5, 10)
    filled = bench.ok("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
    assert (filled["status"], filled["executedQty"]) == ("PARTIALLY_FILLED", "0.010")
    after = bench.ok(
        "PUT", ORDER, symbol="BTCUSDT", side="BUY", orderId=placed["orderId"], price="64000", quantity="0.008"
    )
    assert (after["status"], after["executedQty"]) == ("CANCELED", "0.010")


def test_cancel_of_what_is_gone_is_unknown(bench: SimBench) -> None:
    placed = bench.place("BUY", "63000", "0.01")
    gone = bench.ok("DELETE", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
    assert gone["status"] == "CANCELED"
    assert bench.code("DELETE", ORDER, symbol="BTCUSDT", orderId=placed["orderId"]) == -2011
    assert bench.code("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="never") == -2011
    assert bench.code("DELETE", ORDER, symbol="BTCUSDT") == -1102
    assert bench.code("GET", "/fapi/v1/openOrder", symbol="BTCUSDT", orderId=placed["orderId"]) == -2013


def test_batch_answers_in_order_and_fails_by_element(bench: SimBench) -> None:
    orders = [
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTX",
            "price": "63000",
            "quantity": "0.01",
        },
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTX",
            "price": "64001",
            "quantity": "0.01",
        },
        {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "price": "63100", "quantity": 0.01},
    ]
    text = orjson.dumps(orders).decode()
    replies = bench.ok("POST", "/fapi/v1/batchOrders", batchOrders=text)
    assert [row.get("status", row.get("code")) for row in replies] == ["NEW", -5022, "NEW"]
    assert bench.user.orders.short.count == 3
    assert bench.user.orders.minute.count == 1
    ids = [replies[0]["orderId"], 77]
    cancelled = bench.ok("DELETE", "/fapi/v1/batchOrders", symbol="BTCUSDT", orderIdList=f"[{ids[0]},{ids[1]}]")
    assert [row.get("status", row.get("code")) for row in cancelled] == ["CANCELED", -2011]
    assert bench.code("POST", "/fapi/v1/batchOrders", batchOrders="[]") == -4082
    assert bench.code("POST", "/fapi/v1/batchOrders", batchOrders="{") == -1130


def test_cancel_all_is_by_symbol(bench: SimBench) -> None:
    bench.place("BUY", "63000", "0.01")
    bench.place("SELL", "65000", "0.01")
    bench.ok("POST", ORDER, symbol="ETHUSDT", side="BUY", type="LIMIT", timeInForce="GTC", price="3300", quantity="0.1")
    assert bench.ok("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")["code"] == 200
    assert [row["symbol"] for row in bench.ok("GET", "/fapi/v1/openOrders")] == ["ETHUSDT"]


def test_countdown_cancels_unless_refreshed(bench: SimBench) -> None:
    bench.place("BUY", "63000", "0.01")
    armed = bench.ok("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=1_000)
    assert armed == {"symbol": "BTCUSDT", "countdownTime": "1000"}
    bench.advance(900)
    bench.ok("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=1_000)
    bench.advance(900)
    assert len(bench.ok("GET", "/fapi/v1/openOrders")) == 1
    bench.advance(200)
    assert bench.ok("GET", "/fapi/v1/openOrders") == []
    bench.place("BUY", "63000", "0.01")
    bench.ok("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=1_000)
    bench.ok("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=0)
    bench.advance(5_000)
    assert len(bench.ok("GET", "/fapi/v1/openOrders")) == 1


def test_good_till_date_expires_the_order(bench: SimBench) -> None:
    session = bench.listen_private()
    until = bench.now_ms + 700_000
    placed = bench.place("BUY", "63000", "0.01", timeInForce="GTD", goodTillDate=until)
    assert placed["goodTillDate"] == until - until % 1_000
    bench.advance(701_000)
    assert [event["o"]["x"] for event in bench.heard(session)] == ["NEW", "EXPIRED"]
    assert bench.ok("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "EXPIRED"


def test_price_match_takes_the_price_from_the_book(bench: SimBench) -> None:
    queue = bench.place("BUY", None, "0.01", type="LIMIT", timeInForce="GTC", priceMatch="QUEUE_5")
    assert queue["price"] == "63996.00"
    opponent = bench.place("BUY", None, "0.01", type="LIMIT", timeInForce="IOC", priceMatch="OPPONENT")
    assert opponent["price"] == "64001.00"


def test_reduce_only_closes_no_more_than_there_is(bench: SimBench) -> None:
    bench.place("BUY", None, "0.02")
    closing = bench.place("SELL", None, "0.05", reduceOnly="true", newOrderRespType="RESULT")
    assert closing["executedQty"] == "0.020"
    assert bench.ok("GET", "/fapi/v3/positionRisk") == []


def test_unfilled_ended_orders_are_forgotten_after_three_days(bench: SimBench) -> None:
    placed = bench.place("BUY", "63000", "0.01")
    bench.ok("DELETE", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
    assert bench.ok("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["status"] == "CANCELED"
    bench.advance(3 * 86_400_000 + 1_000)
    assert bench.code("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"]) == -2013


def test_order_test_places_nothing(bench: SimBench) -> None:
    assert bench.ok("POST", "/fapi/v1/order/test", **bench.order_params("BUY", "63000", "0.01")) == {}
    assert bench.ok("GET", "/fapi/v1/allOrders", symbol="BTCUSDT") == []


def test_maker_pays_less_than_taker(bench: SimBench) -> None:
    bench.place("BUY", "64000.5", "0.01")
    bench.trade(Side.SELL, BID, 50)
    bench.place("BUY", None, "0.01")
    maker, taker = bench.ok("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
    assert (maker["maker"], maker["commission"], maker["price"]) == (True, "0.12800100", "64000.50")
    assert (taker["maker"], taker["commission"], taker["price"]) == (False, "0.32000500", f"{ASK / 10:.2f}")
    assert bench.ok("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", fromId=taker["id"]) == [taker]
    assert bench.ok("GET", "/fapi/v1/userTrades", symbol="BTCUSDT", orderId=maker["orderId"]) == [maker]


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED"),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ],
)
def test_arriving_order_decides_how_a_self_trade_ends(bench: SimBench, mode: str, maker: str, taker: str) -> None:
    resting = bench.place("SELL", "64000.5", "0.01")
    arriving = bench.place("BUY", "64001", "0.01", selfTradePreventionMode=mode)
    states = [
        bench.ok("GET", ORDER, symbol="BTCUSDT", orderId=order["orderId"])["status"] for order in (resting, arriving)
    ]
    assert states == [maker, taker]


def test_position_is_limited_by_its_leverage() -> None:
    bench = SimBench(wallet=Decimal(1_000_000))
    bench.ok("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=125)
    assert bench.refuse("BUY", "63000", "0.9") == -2027
    bench.place("BUY", "63000", "0.7")
    assert bench.refuse("BUY", "63000", "0.2") == -2027
    bench.place("SELL", "65000", "0.7")
