"""What the connector does as time passes: stale books, commands without answer, engines that vanished, unknown fates.

Without I/O: `tick` is called several times a second; `ask` is how an order of unknown outcome is asked for and `spawn`
what drives the asking.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, final

import structlog

from opensqt.connector.adapter import VenueAdapter
from opensqt.connector.core import ConnectorCore
from opensqt.domain.errors import NotFoundError, OpensqtError
from opensqt.domain.order import Order

_log = structlog.get_logger(__name__)


@final
class Upkeep:
    """The connector's timer.

    Args:
        core, adapter: of the connector.
        max_book_age_ms: how long a book may be silent and be believed.
        ask: asks the venue for an order; raises NotFoundError when it denies it, TimeoutError when it does not answer.
        spawn: starts a coroutine.
    """

    def __init__(
        self,
        core: ConnectorCore,
        adapter: VenueAdapter,
        *,
        max_book_age_ms: int,
        ask: Callable[[Order], Awaitable[Order]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._core = core
        self._adapter = adapter
        self._max_book_age_ms = max_book_age_ms
        self._ask = ask
        self._spawn = spawn

    def tick(self) -> None:
        """Let time pass."""
        core = self._core
        core.tick(self._max_book_age_ms)
        now_ns = core.clock.monotonic_ns()
        # Where a placement's fate is unknown for long, or cancels do not arrive, the venue's countdown is the only way
        # left: it is not refreshed.
        attended = core.trade.attended_symbols() - core.gateway.unsettled.stubborn_symbols(now_ns)
        attended = frozenset(filter(core.gateway.cancels_arrive, attended))
        self._adapter.watch_engines(attended, core.leases.claimed_symbols())
        commands = core.trade.vanished(now_ns)
        if commands:
            _log.warning("vanished_engine_orders_cancelled", cancels=len(commands))
            self._adapter.orders.submit(commands)
        for order in core.gateway.unsettled.due(now_ns):
            self._spawn(self._settle(order))

    async def _settle(self, order: Order) -> None:
        try:
            found = await self._ask(order)
        except NotFoundError:
            self._core.deny(order)
        except (OpensqtError, TimeoutError) as error:
            _log.warning("order_query_failed", client_order_id=order.client_order_id, error=str(error))
            self._core.gateway.unsettled.failed(order.client_order_id, self._core.clock.monotonic_ns())
        else:
            self._core.on_order(found)
