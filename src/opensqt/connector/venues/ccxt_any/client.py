"""One call of ccxt: a deadline, one attempt, and a failure that says what it means.

The deadline covers the wait in the limiter too: what has not left by then is taken back, and never leaves later.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar, final

from opensqt.connector.venues.ccxt_any.errors import CRASHES, Failure, Meaning, failure_of
from opensqt.connector.venues.ccxt_any.figures import UnreadableError, unreadable
from opensqt.connector.venues.ccxt_any.library import CcxtExchange, Library
from opensqt.domain.clock import Clock
from opensqt.domain.errors import ErrorReason, UnsupportedError

T = TypeVar("T")

LOAD_TIMEOUT_S: Final = 60.0
"""Of all markets: several requests, each of them bounded by ccxt."""

METHODS: Final = {
    "cancelAllOrders": "cancel_all_orders",
    "cancelOrder": "cancel_order",
    "createOrder": "create_order",
    "editOrder": "edit_order",
    "fetchBalance": "fetch_balance",
    "fetchClosedOrders": "fetch_closed_orders",
    "fetchFundingHistory": "fetch_funding_history",
    "fetchFundingRate": "fetch_funding_rate",
    "fetchFundingRateHistory": "fetch_funding_rate_history",
    "fetchMyTrades": "fetch_my_trades",
    "fetchOHLCV": "fetch_ohlcv",
    "fetchOpenInterest": "fetch_open_interest",
    "fetchOpenOrders": "fetch_open_orders",
    "fetchOrder": "fetch_order",
    "fetchOrderBook": "fetch_order_book",
    "fetchOrders": "fetch_orders",
    "fetchPositions": "fetch_positions",
    "fetchTicker": "fetch_ticker",
    "fetchTime": "fetch_time",
    "fetchTrades": "fetch_trades",
    "loadMarkets": "load_markets",
    "setLeverage": "set_leverage",
}
"""What is used of ccxt: the name in `exchange.has`, and the method's."""


@final
class CcxtClient:
    """Calls an exchange."""

    def __init__(self, library: Library, timeout_ms: int, clock: Clock) -> None:
        self.exchange: CcxtExchange = library.exchange
        self.clock = clock
        self._timeout_s = timeout_ms / 1_000
        self._caught: tuple[type[Exception], ...] = (library.base_error, *CRASHES)

    def has(self, name: str) -> bool:
        """Return whether the exchange offers a method by itself; what ccxt emulates does not count."""
        return self.exchange.has.get(name) is True

    async def send(self, name: str, *arguments: object) -> Any:
        """Call a method once and return its answer or a `Failure`."""
        method = getattr(self.exchange, METHODS[name])
        timeout_s = LOAD_TIMEOUT_S if name == "loadMarkets" else self._timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await method(*arguments)
        except TimeoutError:
            return Failure(Meaning(ErrorReason.VENUE_UNAVAILABLE, False), f"no answer within {timeout_s:g} seconds")
        except self._caught as error:
            return failure_of(error)

    async def ask(self, name: str, what: str, read: Callable[[Any], T], *arguments: object) -> T:
        """Return the answer of a query as `read` reads it.

        Raises:
            UnsupportedError: the exchange does not offer it.
            OpensqtError: the query failed, or its answer cannot be read.
        """
        if name != "loadMarkets" and not self.has(name):
            raise UnsupportedError(ErrorReason.NOT_SUPPORTED, f"{what}: ccxt has no {METHODS[name]} for this exchange")
        found = await self.send(name, *arguments)
        if isinstance(found, Failure):
            raise found.query_error(what)
        try:
            return read(found)
        except UnreadableError as error:
            raise unreadable(what, error) from None
