"""Metrics are read on the loop's thread, and a stuck loop is an error instead of an empty answer."""

import asyncio
import threading
import time
from collections.abc import Iterable

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from opensqt.runtime import loop_collector
from opensqt.runtime.loop_collector import LoopCollector


class _Where(Collector):
    def __init__(self) -> None:
        self.threads: list[int] = []

    def collect(self) -> Iterable[Metric]:
        self.threads.append(threading.get_ident())
        yield GaugeMetricFamily("one", "one", value=1.0)


class _Broken(Collector):
    def collect(self) -> Iterable[Metric]:
        raise LookupError("no figure")


async def test_a_scrape_from_another_thread_is_answered_on_the_loops() -> None:
    inner = _Where()
    collector = LoopCollector(inner)

    found = await asyncio.to_thread(collector.collect)

    assert [metric.name for metric in found] == ["one"]
    assert inner.threads == [threading.get_ident()]


async def test_a_failure_reaches_whoever_asked() -> None:
    collector = LoopCollector(_Broken())

    with pytest.raises(LookupError, match="no figure"):
        await asyncio.to_thread(collector.collect)


async def test_a_stuck_loop_fails_the_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_collector, "ANSWER_TIMEOUT_S", 0.02)
    inner = _Where()
    collector = LoopCollector(inner)

    scrape = asyncio.get_running_loop().run_in_executor(None, collector.collect)
    time.sleep(0.3)  # noqa: ASYNC251  the loop is stuck on purpose

    with pytest.raises(TimeoutError):
        await scrape
