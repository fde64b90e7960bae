"""Whatever a client sends, the venue answers in its own words: no request, frame or control message breaks it."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from models.sim_bench import SimBench

from opensqt.sim.dialects.binance.api_types import Request

PATHS = ("order", "batchOrders", "depth", "klines", "leverage", "openOrders", "allOrders", "userTrades", "listenKey")
NAMES = (
    "symbol", "side", "type", "timeInForce", "quantity", "price", "orderId", "origClientOrderId", "newClientOrderId",
    "batchOrders", "orderIdList", "limit", "interval", "leverage", "recvWindow", "positionSide", "reduceOnly",
    "goodTillDate", "priceMatch", "fromId", "startTime",
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["BTCUSDT", "BUY", "SELL", "LIMIT", "MARKET", "GTC", "GTX", "FOK", "GTD", "0.01", "63000", "1m"]),
    st.sampled_from(
        ["", "-1", "0", "1e400", "NaN", "[1,2]", "[]", "{", "[{}]", '[{"symbol":1}]', "9" * 30, "LONG", "QUEUE"]
    ),
    st.text(max_size=12),
)
PARAMS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]), path=st.sampled_from(PATHS), params=PARAMS)
def test_signed_requests_are_answered(method: str, path: str, params: dict[str, str]) -> None:
    bench = SimBench()
    response = bench.send(method, f"/fapi/v1/{path}", **{name: value.encode() for name, value in params.items()})
    assert response.status in {200, 400, 401, 404, 429}
    orjson.loads(response.body)


@settings(max_examples=150, deadline=None)
@given(query=st.text(max_size=60), body=st.text(max_size=60), key=st.text(max_size=5))
def test_unsigned_nonsense_is_answered(query: str, body: str, key: str) -> None:
    bench = SimBench()
    for api_key in (key, bench.user.pair.key):
        request = Request(method="POST", path="/fapi/v1/order", query=query, body=body, api_key=api_key)
        assert bench.venue.request(request).status >= 400


@settings(max_examples=200, deadline=None)
@given(method=st.sampled_from(["order.place", "order.cancel", "session.logon", "depth", "x"]), params=JSON)
def test_order_entry_answers_any_json(method: str, params: Any) -> None:
    bench = SimBench()
    for message in ({"id": params, "method": method, "params": params}, params):
        reply = orjson.loads(bench.venue.ws_request(bench.ws(), orjson.dumps(message).decode()))
        assert "status" in reply


@settings(max_examples=200, deadline=None)
@given(
    text=st.one_of(st.text(max_size=80), JSON.map(lambda value: orjson.dumps(value).decode())),
    names=st.lists(JSON, max_size=3),
)
def test_stream_control_answers_anything(text: str, names: list[Any]) -> None:
    bench = SimBench()
    session = bench.listen("public", "btcusdt@depth@100ms")
    subscribe = orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}).decode()
    for message in (text, subscribe):
        orjson.loads(bench.venue.hub.handle(session, message))
    bench.delta([(640_000, 7)])
    bench.advance(200)
    bench.venue.hub.close(session)
