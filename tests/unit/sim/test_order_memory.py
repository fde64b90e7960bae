"""The venue forgets its oldest ended orders, never one that still rests."""

import pytest
from models.sim_bench import SimBench

from opensqt.sim.dialects.binance import accounts

ORDER = "/fapi/v1/order"
KEPT = 5


def test_an_open_order_outlives_thousands_that_ended(bench: SimBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_ORDERS_KEPT", KEPT)
    resting = bench.place("BUY", "60000", "0.01", newClientOrderId="resting")
    for number in range(3 * KEPT):
        bench.place("BUY", "61000", "0.01", newClientOrderId=f"ended-{number}")
        bench.ok("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId=f"ended-{number}")
    assert [order["orderId"] for order in bench.ok("GET", "/fapi/v1/openOrders")] == [resting["orderId"]]
    assert bench.ok("GET", ORDER, symbol="BTCUSDT", origClientOrderId="resting")["status"] == "NEW"
    assert bench.code("GET", ORDER, symbol="BTCUSDT", origClientOrderId="ended-0") == -2013
    newest = bench.ok("GET", ORDER, symbol="BTCUSDT", origClientOrderId=f"ended-{3 * KEPT - 1}")
    assert newest["status"] == "CANCELED"


def test_more_open_orders_than_are_kept_are_all_kept(bench: SimBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_ORDERS_KEPT", KEPT)
    for number in range(2 * KEPT):
        bench.place("BUY", str(60000 + number), "0.01", newClientOrderId=f"open-{number}")
    assert len(bench.ok("GET", "/fapi/v1/openOrders")) == 2 * KEPT
