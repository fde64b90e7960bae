"""Watches the event loop: how late it runs a timer is how long everything else waits, too."""

import asyncio
from collections.abc import Callable

PERIOD_S = 0.05


async def watch_loop(record: Callable[[int], None], now_ns: Callable[[], int], then: Callable[[], None]) -> None:
    """Measure for ever.

    Args:
        record: takes the lateness in ns.
        now_ns: a steady clock.
        then: called after every measurement, for whoever needs to know that time passes.
    """
    period_ns = int(PERIOD_S * 1_000_000_000)
    due_ns = now_ns() + period_ns
    while True:
        await asyncio.sleep(max(0.0, (due_ns - now_ns()) / 1_000_000_000))
        late_ns = now_ns() - due_ns
        record(late_ns)
        then()
        # After a stall the missed turns are not made up for: each would count the same stall again.
        due_ns = max(due_ns, now_ns()) + period_ns
