"""A `Pace` in the place of ccxt's own limiter, which has one queue only: a query would wait behind the polls."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, final

from opensqt.connector.venues.ccxt_any.pace import Pace, current_lane

MAX_WAITING: Final = 1_000
MAX_UNITS_PER_S: Final = 1e6
"""ccxt names an endless rate for an exchange without limits."""


@final
class Limiter:
    """What ccxt awaits before each request.

    Args:
        bucket: ccxt's description of the limiter it replaces.
        patience_s: how long a poll lets others pass.
        refusal: makes the error for a request that finds too many waiting; nothing was sent then.
    """

    loop: asyncio.AbstractEventLoop | None = None
    """ccxt sets it when it opens its session."""

    def __init__(self, bucket: dict[str, Any], patience_s: float, refusal: Callable[[str], Exception]) -> None:
        self._default_cost = float(bucket["cost"])
        units_per_s = min(float(bucket["refillRate"]) * 1_000, MAX_UNITS_PER_S)
        self._pace: Pace[asyncio.Future[None]] = Pace(units_per_s, float(bucket["capacity"]), patience_s)
        self._refusal = refusal
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, cost: float | None = None) -> None:
        """Return when a request of this cost may leave.

        Raises:
            Exception: the refusal, when too many wait already.
        """
        if len(self._pace) >= MAX_WAITING:
            raise self._refusal(f"{MAX_WAITING} requests wait for the exchange already; ask less often")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        units = self._default_cost if cost is None else float(cost)
        waiting = self._pace.join(turn, units, current_lane(), loop.time())
        self._release(loop)
        try:
            await turn
        finally:
            self._pace.drop(waiting)

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = loop.time()
        for turn in self._pace.release(now_s):
            if not turn.done():
                turn.set_result(None)
        again_s = self._pace.next_s(now_s)
        if again_s is not None:
            self._timer = loop.call_later(again_s, self._release, loop)
