"""WebSocket order entry: authentication, ids, counters, and that it is the same venue as REST."""

import base64
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from models.sim_bench import SimBench

from opensqt.sim.dialects.binance.ws_api import WsApiSession

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTX",
    "price": "63000",
    "quantity": "0.01",
}


def logon(bench: SimBench, session: WsApiSession) -> Any:
    pair = bench.named("ed25519").pair
    bench.advance(1)
    params = {"apiKey": pair.key, "timestamp": bench.now_ms}
    payload = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
    key = load_pem_private_key(pair.secret.encode(), None)
    signature = base64.b64encode(key.sign(payload.encode())).decode()  # type: ignore[union-attr, call-arg]
    text = orjson.dumps({"id": 1, "method": "session.logon", "params": params | {"signature": signature}}).decode()
    return orjson.loads(bench.venue.ws_request(session, text))


def test_orders_of_both_doors_are_the_same_orders(bench: SimBench) -> None:
    session = bench.ws()
    placed = bench.ask(session, "order.place", **LIMIT, newClientOrderId="w1")["result"]
    assert bench.ok("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="w1")["orderId"] == placed["orderId"]
    assert bench.ask(session, "order.place", **LIMIT, newClientOrderId="w1")["error"]["code"] == -4116
    cancelled = bench.ask(session, "order.cancel", symbol="BTCUSDT", orderId=placed["orderId"])
    assert cancelled["result"]["status"] == "CANCELED"


def test_id_is_echoed_as_it_came(bench: SimBench) -> None:
    for id_ in ("x", 7, None):
        text = orjson.dumps({"id": id_, "method": "ticker.price", "params": {"symbol": "BTCUSDT"}}).decode()
        assert orjson.loads(bench.venue.ws_request(bench.ws(), text))["id"] == id_


def test_unreadable_frame_gets_a_null_id(bench: SimBench, recorded: Any) -> None:
    assert orjson.loads(bench.venue.ws_request(bench.ws(), "{oops")) == recorded("wsapi_error_invalid_json")


def test_logon_is_for_ed25519_keys_and_saves_the_signature(bench: SimBench, recorded: Any) -> None:
    session = bench.ws()
    refused = bench.ask(session, "session.logon")
    assert refused["status"] == 400
    reply = logon(bench, session)
    assert reply["status"] == 200
    assert set(reply["result"]) == set(recorded("wsapi_session_logon_ok")["result"])
    placed = bench.ask(session, "order.place", sign=False, timestamp=bench.now_ms, **LIMIT)
    assert placed["status"] == 200
    late = bench.ask(session, "order.place", sign=False, timestamp=bench.now_ms - 60_000, **LIMIT)
    assert late["error"]["code"] == -1021
    bench.ask(session, "session.logout", sign=False)
    assert bench.ask(session, "order.place", sign=False, timestamp=bench.now_ms, **LIMIT)["error"]["code"] == -2014


def test_wrong_signature_is_refused(bench: SimBench, recorded: Any) -> None:
    params = LIMIT | {"apiKey": bench.user.pair.key, "timestamp": bench.now_ms, "signature": "00"}
    text = orjson.dumps({"id": "a", "method": "order.place", "params": params}).decode()
    reply = orjson.loads(bench.venue.ws_request(bench.ws(), text))
    assert reply["error"] == recorded("wsapi_session_logon_bad_signature")["error"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"method": "order.fly", "params": {}}, -1000),
        ({"params": {}}, -1102),
        ({"method": "order.place", "params": []}, -1102),
    ],
)
def test_nonsense_is_refused(bench: SimBench, message: dict[str, Any], code: int) -> None:
    reply = orjson.loads(bench.venue.ws_request(bench.ws(), orjson.dumps({"id": 1} | message).decode()))
    assert reply["error"]["code"] == code


def test_counters_may_be_declined(bench: SimBench) -> None:
    session = bench.venue.ws_api.open("127.0.0.1", returns_limits=False)
    assert "rateLimits" not in bench.ask(session, "ticker.price", sign=False, symbol="BTCUSDT")


def test_market_methods_need_no_key(bench: SimBench) -> None:
    session = bench.ws()
    assert bench.ask(session, "depth", sign=False, symbol="BTCUSDT", limit=5)["result"]["bids"][0][0] == "64000.00"
    assert bench.ask(session, "ticker.book", sign=False, symbol="BTCUSDT")["result"]["askPrice"] == "64001.00"
