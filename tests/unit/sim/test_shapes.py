"""Replies have the members and JSON types of recorded and documented payloads."""

from typing import Any

import orjson
import pytest
from models.sim_bench import SimBench

from opensqt.domain.order import Side

# Members of documented examples that concern other order kinds, other contracts, or fields the venue has dropped.
_NOT_HERE = {"activatePrice", "priceRate", "avgPrice", "cumQuote", "cumBase", "pair", "cumQty", "time"}


def check(value: Any, model: Any, path: str = "$") -> None:
    """Every member of the model must be there with the same JSON type; more members are allowed."""
    assert type(value) is type(model), f"{path}: {value!r} is no {type(model).__name__} like {model!r}"
    if isinstance(model, dict):
        missing = set(model) - set(value) - (_NOT_HERE if "orderId" in model else set())
        assert not missing, f"{path} lacks {missing}"
        for name in set(model) & set(value):
            check(value[name], model[name], f"{path}.{name}")
    elif isinstance(model, list) and model:
        assert value, f"{path} is empty"
        check(value[0], model[0], f"{path}[0]")


@pytest.mark.parametrize(
    ("path", "params", "fixture"),
    [
        ("/fapi/v1/time", {}, "rest_time"),
        ("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 5}, "rest_depth_100_btcusdt_20241101"),
        ("/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}, "rest_premium_index_btcusdt"),
        ("/fapi/v1/ticker/bookTicker", {"symbol": "BTCUSDT"}, "rest_book_ticker_btcusdt"),
        ("/fapi/v1/aggTrades", {"symbol": "BTCUSDT"}, "rest_agg_trades_btcusdt"),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "5m"}, "rest_klines_5m_ltcusdt"),
        ("/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1d"}, "rest_klines_1d_btcusdt"),
        ("/fapi/v1/exchangeInfo", {}, "exchange_info_202508_25symbols"),
    ],
)
def test_public_reply(bench: SimBench, recorded: Any, path: str, params: dict[str, Any], fixture: str) -> None:
    bench.place("BUY", None, "0.01")
    bench.trade(Side.BUY, 640_010, 5)
    check(bench.get(path, **params), recorded(fixture))


@pytest.mark.parametrize(
    ("method", "path", "params", "fixture"),
    [
        ("GET", "/fapi/v2/account", {}, "rest_account_v2"),
        ("GET", "/fapi/v3/account", {}, "rest_account_v3"),
        ("GET", "/fapi/v2/balance", {}, "rest_balance"),
        ("GET", "/fapi/v3/balance", {}, "rest_balance"),
        ("GET", "/fapi/v3/positionRisk", {}, "doc_rest_position_risk_v3"),
        ("GET", "/fapi/v1/userTrades", {"symbol": "BTCUSDT"}, "doc_rest_user_trades"),
        ("GET", "/fapi/v1/symbolConfig", {"symbol": "BTCUSDT"}, "doc_rest_symbol_config"),
        ("GET", "/fapi/v1/commissionRate", {"symbol": "BTCUSDT"}, "doc_rest_commission_rate"),
        ("GET", "/fapi/v1/positionSide/dual", {}, "doc_rest_position_mode"),
        ("GET", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"}, "rest_open_orders_one_2021"),
        ("GET", "/fapi/v1/order", {"symbol": "BTCUSDT", "origClientOrderId": "rests"}, "doc_rest_order"),
        ("POST", "/fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": 21}, "doc_rest_leverage"),
        ("POST", "/fapi/v1/marginType", {"symbol": "ETHUSDT", "marginType": "ISOLATED"}, "doc_rest_margin_type"),
        ("POST", "/fapi/v1/countdownCancelAll", {"symbol": "BTCUSDT", "countdownTime": 5_000}, "doc_rest_countdown"),
        ("POST", "/fapi/v1/listenKey", {}, "rest_listen_key_ack"),
        ("DELETE", "/fapi/v1/allOpenOrders", {"symbol": "BTCUSDT"}, "doc_rest_cancel_all"),
        (
            "DELETE",
            "/fapi/v1/order",
            {"symbol": "BTCUSDT", "origClientOrderId": "rests"},
            "rest_order_cancel_ack_20240103",
        ),
        (
            "PUT",
            "/fapi/v1/order",
            {"symbol": "BTCUSDT", "origClientOrderId": "rests", "side": "BUY", "price": "63500", "quantity": "0.02"},
            "doc_rest_modify_order",
        ),
    ],
)
def test_private_reply(
    bench: SimBench, recorded: Any, method: str, path: str, params: dict[str, Any], fixture: str
) -> None:
    bench.place("BUY", None, "0.01")
    bench.place("BUY", "63000", "0.01", newClientOrderId="rests")
    check(bench.ok(method, path, **params), recorded(fixture))


def test_placement_lost_two_members_in_2026_and_has_them_before(recorded: Any) -> None:
    model = recorded("rest_order_place_ack_20240103")
    new = SimBench().place("BUY", "63000", "0.01")
    old = SimBench(legacy_fields=True).place("BUY", "63000", "0.01")
    assert set(old) == set(model)
    assert set(new) == set(model) - {"avgPrice", "cumQuote"}
    assert all(type(old[name]) is type(model[name]) for name in model)
    assert old["price"] == "63000.00"


def test_order_headers_are_those_recorded(bench: SimBench, recorded: Any) -> None:
    response = bench.send("POST", "/fapi/v1/order", **bench.order_params("BUY", "63000", "0.01"))
    model = recorded("rest_response_headers_order_post")
    assert {name.lower() for name in model} - {"content-type"} == {name.lower() for name in response.headers}
    assert response.headers["x-mbx-used-weight-1m"] == "-1"
    assert response.headers["x-mbx-order-count-10s"] == "1"


@pytest.mark.parametrize(
    ("code", "request_"),
    [
        (-1102, {"timeInForce": None}),
        (-4061, {"positionSide": "LONG"}),
        (-5022, {"price": "64001", "timeInForce": "GTX"}),
        (-2022, {"reduceOnly": "true"}),
        (-2019, {"quantity": "100"}),
        (-2027, {"quantity": "500"}),
        (-4015, {"newClientOrderId": "no blanks"}),
        (-1121, {"symbol": "NOPE"}),
        (-1116, {"type": "LIMIT_MAKER"}),
    ],
)
def test_error_texts_are_those_seen(bench: SimBench, recorded: Any, code: int, request_: dict[str, Any]) -> None:
    seen = {row["body"]["code"]: row["body"]["msg"] for row in recorded("errors_observed")}
    response = bench.send("POST", "/fapi/v1/order", **bench.order_params("BUY", "63000", "0.01") | request_)
    assert orjson.loads(response.body) == {"code": code, "msg": seen[code]}


@pytest.mark.parametrize(
    ("method", "params", "fixture"),
    [
        ("order.status", {"symbol": "BTCUSDT", "origClientOrderId": "rests"}, "doc_wsapi_order_status_reply"),
        ("order.cancel", {"symbol": "BTCUSDT", "origClientOrderId": "rests"}, "wsapi_order_cancel_ok_2025"),
        ("order.cancel", {"symbol": "BTCUSDT", "origClientOrderId": "never"}, "wsapi_order_cancel_unknown_2025"),
        (
            "order.place",
            {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "price": "63000",
                "quantity": "0.01",
            },
            "wsapi_order_place_ok_2025",
        ),
        (
            "order.modify",
            {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "rests", "price": "63500", "quantity": "0.01"},
            "wsapi_order_modify_ok_2025",
        ),
        (
            "order.modify",
            {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "never", "price": "63500", "quantity": "0.01"},
            "wsapi_order_modify_unknown_2025",
        ),
        ("account.balance", {}, "wsapi_account_balance"),
        ("account.status", {}, "wsapi_account_status"),
        ("account.position", {}, "wsapi_account_position"),
        ("userDataStream.start", {}, "wsapi_listen_key_start"),
    ],
)
def test_websocket_reply(bench: SimBench, recorded: Any, method: str, params: dict[str, Any], fixture: str) -> None:
    bench.place("BUY", "63000", "0.01", newClientOrderId="rests")
    reply = bench.ask(bench.ws(), method, **params)
    model = recorded(fixture)
    check(reply, model)
    if "error" in model:
        assert reply["error"] == model["error"]
    if "rateLimits" in model:
        names = [(row["rateLimitType"], row["interval"], row["intervalNum"]) for row in model["rateLimits"]]
        assert [(row["rateLimitType"], row["interval"], row["intervalNum"]) for row in reply["rateLimits"]] == names
