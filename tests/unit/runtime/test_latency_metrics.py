"""Latency for Prometheus, and the watch over the loop."""

import asyncio
import contextlib

from prometheus_client import CollectorRegistry, generate_latest

from opensqt.domain.clock import ManualClock
from opensqt.domain.latency import Hop, LatencyBoard
from opensqt.runtime.latency_metrics import LatencyCollector
from opensqt.runtime.loop_watch import PERIOD_S, watch_loop


def test_histograms_are_shown_with_cumulative_buckets() -> None:
    board = LatencyBoard((Hop.SEND,), ManualClock().monotonic_ns)
    for ns in (4_000, 40_000, 40_000, 9_000_000_000):
        board.recorder(Hop.SEND)(ns)
    registry = CollectorRegistry()
    registry.register(LatencyCollector("engine", board))
    text = generate_latest(registry).decode()
    assert 'opensqt_engine_latency_seconds_bucket{hop="send",le="5e-06"} 1.0' in text
    assert 'opensqt_engine_latency_seconds_bucket{hop="send",le="5e-05"} 3.0' in text
    assert 'opensqt_engine_latency_seconds_bucket{hop="send",le="+Inf"} 4.0' in text
    assert 'opensqt_engine_latency_seconds_sum{hop="send"} 9.000084' in text


async def test_a_blocked_loop_is_measured_once() -> None:
    late: list[int] = []
    now_ns = 0

    def clock() -> int:
        return now_ns

    async def until(count: int) -> None:
        nonlocal now_ns
        while len(late) < count:
            now_ns += 1_000_000
            await asyncio.sleep(0.001)

    task = asyncio.create_task(watch_loop(late.append, clock, lambda: None))
    await asyncio.sleep(0)
    now_ns = int(3 * PERIOD_S * 1e9)
    await until(2)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert late[0] >= 2 * PERIOD_S * 1e9, "the stall"
    assert late[1] < late[0], "is not counted again"
