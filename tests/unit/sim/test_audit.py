"""The referee's peaks: the boldest moment of an account, noted even when it is over before anybody asks."""

from decimal import Decimal

from models.sim_bench import SimBench

from opensqt.sim.audit import Peaks

SYMBOL = "BTC/USDT:USDT"


def peaks(bench: SimBench) -> Peaks:
    return bench.venue.exchange.audit.peaks("user1")[SYMBOL]


def test_orders_that_are_gone_again_have_left_their_peaks(bench: SimBench) -> None:
    for number in range(3):
        bench.ok("POST", "/fapi/v1/order", **bench.order_params("BUY", "63000", "0.01", newClientOrderId=f"a{number}"))
    bench.ok("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    bench.ok("POST", "/fapi/v1/order", **bench.order_params("BUY", "62000", "0.02"))
    found = peaks(bench)
    assert (found.open_orders, found.orders, found.orders_per_second) == (3, 4, 4)
    assert found.order_notional == Decimal("62000") * Decimal("0.02")


def test_exposure_counts_the_position_and_what_rests_on_its_side(bench: SimBench) -> None:
    bench.ok("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
    bench.ok("POST", "/fapi/v1/order", **bench.order_params("BUY", "63000", "0.03"))
    bench.ok("POST", "/fapi/v1/order", **bench.order_params("SELL", "65000", "0.01", reduceOnly="true"))
    mark = bench.venue.exchange.venue.view.mark(SYMBOL)
    assert mark is not None
    found = peaks(bench)
    assert found.exposure_notional == mark.mark_price * Decimal("0.04")
    assert found.fills == 1


def test_an_order_beyond_the_mark_is_measured_against_it(bench: SimBench) -> None:
    mark = bench.venue.exchange.venue.view.mark(SYMBOL)
    assert mark is not None
    bench.ok("POST", "/fapi/v1/order", **bench.order_params("BUY", "63000", "0.01"))
    assert peaks(bench).collar_bps < 0
    bench.ok("POST", "/fapi/v1/order", **bench.order_params("BUY", "64500", "0.01", timeInForce="IOC"))
    assert peaks(bench).collar_bps == int((Decimal(64500) - mark.mark_price) * 10_000 / mark.mark_price)
