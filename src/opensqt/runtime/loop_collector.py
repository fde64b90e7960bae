"""A Prometheus collector that is read on the event loop's thread, although scrapes come on a thread of their own.

What belongs to the loop is then never read while it changes. A loop that does not answer in time fails the scrape: an
error is no empty answer.
"""

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

ANSWER_TIMEOUT_S = 2.0


@final
class LoopCollector(Collector):
    """Wraps a collector. Create it on the loop's thread.

    Args:
        inner: what is read.
    """

    def __init__(self, inner: Collector) -> None:
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def collect(self) -> Iterable[Metric]:
        """Return the inner collector's metrics. Raises TimeoutError when the loop is stuck."""
        if threading.get_ident() == self._thread:
            return list(self._inner.collect())
        answer: Future[list[Metric]] = Future()

        def read() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(list(self._inner.collect()))
            except Exception as error:  # noqa: BLE001  it belongs to whoever asked
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(read)
        return answer.result(ANSWER_TIMEOUT_S)
