"""Rate limits: windows of the clock, order counters, 429 and then the ban."""

import orjson
import pytest
from models.sim_bench import SimBench

from opensqt.sim.dialects.binance.api_types import Request
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.dialects.binance.limits import AddressLimit, LimitConfig, OrderLimit, Window


def test_windows_are_aligned_to_the_clock() -> None:
    window = Window(10_000)
    window.turn(12_345)
    window.count = 5
    window.turn(19_999)
    assert (window.count, window.ends_in_ms(19_999)) == (5, 1)
    window.turn(20_000)
    assert window.count == 0


def test_who_goes_on_after_429_is_banned_and_longer_every_time() -> None:
    limit = AddressLimit(LimitConfig(weight_1m=10))
    now_ms = 60_000
    limit.spend(10, now_ms)
    statuses = []
    for _ in range(12):
        with pytest.raises(ApiError) as caught:
            limit.spend(1, now_ms)
        statuses.append(caught.value.http)
    assert statuses == [429] * 10 + [418] * 2
    first = limit.banned_until_ms - now_ms
    now_ms = limit.banned_until_ms
    limit.spend(10, now_ms)
    for _ in range(11):
        with pytest.raises(ApiError):
            limit.spend(1, now_ms)
    assert limit.banned_until_ms - now_ms == 2 * first


def test_batches_count_each_order_in_the_short_window_and_once_in_the_minute() -> None:
    limit = OrderLimit(LimitConfig(orders_10s=10, orders_1m=100))
    limit.spend(5, 1, 0)
    limit.spend(5, 1, 1)
    assert (limit.short.count, limit.minute.count) == (10, 2)
    with pytest.raises(ApiError, match="-1015"):
        limit.spend(1, 1, 2)
    limit.spend(1, 1, 10_000)


def test_weight_and_retry_after_are_in_the_headers() -> None:
    bench = SimBench(limits=LimitConfig(weight_1m=25))
    request = Request(method="GET", path="/fapi/v1/depth", query="symbol=BTCUSDT&limit=1000")
    first = bench.venue.request(request)
    assert (first.status, first.headers["x-mbx-used-weight-1m"]) == (200, "20")
    second = bench.venue.request(request)
    assert second.status == 429
    assert orjson.loads(second.body)["code"] == -1003
    assert 0 < int(second.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(
    ("query", "weight"),
    [("limit=5", 2), ("limit=100", 5), ("limit=500", 10), ("", 10), ("limit=1000", 20)],
)
def test_depth_weighs_by_its_limit(bench: SimBench, query: str, weight: int) -> None:
    reply = bench.venue.request(Request(method="GET", path="/fapi/v1/depth", query=f"symbol=BTCUSDT&{query}"))
    assert reply.headers["x-mbx-used-weight-1m"] == str(weight)


def test_limits_may_be_counted_without_being_enforced() -> None:
    bench = SimBench(limits=LimitConfig(weight_1m=1, orders_10s=1, orders_1m=1, is_enforced=False))
    for _ in range(5):
        bench.place("BUY", "63000", "0.01")
    assert bench.user.orders.short.count == 5


def test_order_limit_is_per_account(bench: SimBench) -> None:
    limited = SimBench(limits=LimitConfig(orders_10s=2))
    limited.place("BUY", "63000", "0.01")
    limited.place("BUY", "63000", "0.01")
    assert limited.refuse("BUY", "63000", "0.01") == -1015
    limited.place("BUY", "63000", "0.01", limited.named("user2"))
