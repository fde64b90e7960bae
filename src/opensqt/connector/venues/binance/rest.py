"""REST over one pooled connection: signs, sends, charges and feeds the rate budget, classifies what comes back.

A query is charged before it is sent and repeated once when the venue found our time wrong. A request that changes
something is sent exactly once: what became of it is in the `Failure`. Limits the venue names (429, 418) open the
budget's circuit for everybody.
"""

import asyncio
from collections.abc import Callable
from typing import Final, final

import aiohttp
import msgspec
from yarl import URL

from opensqt.connector.addresses import RememberingResolver
from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.venues.binance.error_codes import Action
from opensqt.connector.venues.binance.errors import Failure, http_failure, lost_failure
from opensqt.connector.venues.binance.limits import ORDERS_1M, ORDERS_10S, WEIGHT_1M, used_by_headers
from opensqt.connector.venues.binance.requests import Cost, Request, rest_call
from opensqt.connector.venues.binance.sign import Signer
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, Clock
from opensqt.domain.errors import ErrorReason

CONNECTIONS: Final = 4
KEEP_ALIVE_S: Final = 60


class Credentials(msgspec.Struct, frozen=True):
    """What makes requests ours; without them only public requests can be sent."""

    api_key: str = ""
    signer: Signer | None = None
    recv_window_ms: int = 5_000


def amounts(cost: Cost) -> dict[str, int]:
    """Return a cost by the names of the windows."""
    return {WEIGHT_1M: cost.weight, ORDERS_10S: cost.orders_10s, ORDERS_1M: cost.orders_1m}


@final
class RestClient:
    """One REST host.

    Args:
        base_url: scheme and host.
        credentials: of the account.
        budget: is charged by queries and fed by every reply.
        clock: of this process.
        stamp_ms: the venue's time for a request that is sent now.
        timeout_ms: after which a reply counts as lost.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        budget: RateBudget,
        clock: Clock,
        stamp_ms: Callable[[], int],
        *,
        timeout_ms: int,
    ) -> None:
        self._base_url = base_url
        self._credentials = credentials
        self._budget = budget
        self._clock = clock
        self._stamp_ms = stamp_ms
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._session: aiohttp.ClientSession | None = None
        self.on_clock_skew: Callable[[], None] = _nothing

    def open(self) -> None:
        """Make the pool; connections are opened by the requests."""
        connector = aiohttp.TCPConnector(
            limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S, resolver=RememberingResolver()
        )
        session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
        # aiohttp sends PUT and DELETE a second time by itself when a pooled connection turns out to be dead, and has
        # no public switch for it. An amendment or a cancel may have been executed then: nothing is sent twice here.
        session._retry_connection = False
        self._session = session

    async def close(self) -> None:
        """Close the pool."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def query(self, request: Request, what: str) -> bytes:
        """Ask something, or change a setting, and return the body.

        Raises:
            LimitError: our budget, or the venue's limit.
            OpensqtError: what went wrong, typed.
        """
        for is_last in (False, True):
            self._budget.take(request.lane, self._clock.monotonic_ns(), amounts(request.cost))
            found = await self.send(request)
            if isinstance(found, bytes):
                return found
            if is_last or found.action is not Action.RESYNC_CLOCK:
                raise found.error(what)
            self.on_clock_skew()
        raise AssertionError("the second try returns or raises")

    async def send(self, request: Request) -> bytes | Failure:
        """Send a request once, uncharged, and return the body or what went wrong; never raises for the latter."""
        session = self._session
        if session is None:
            return lost_failure("the REST client is closed", changes_state=False)
        credentials = self._credentials
        call = rest_call(
            request,
            credentials.api_key,
            credentials.signer,
            self._stamp_ms(),
            recv_window_ms=credentials.recv_window_ms,
        )
        try:
            async with session.request(
                call.verb,
                URL(self._base_url + call.target, encoded=True),
                data=call.body.encode() if call.body else None,
                headers=call.headers,
                allow_redirects=False,
            ) as response:
                body = await response.read()
                status, headers = response.status, response.headers
        except aiohttp.ClientConnectorError as error:
            # Nothing was sent: there was no connection.
            return lost_failure(f"no connection ({error})", changes_state=False)
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            return lost_failure(f"no reply ({type(error).__name__}: {error})", changes_state=request.changes_state)
        now_ns = self._clock.monotonic_ns()
        for used in used_by_headers(headers):
            self._budget.feed(used.name, used.used, now_ns)
        failure = http_failure(
            status, body, headers, changes_state=request.changes_state, now_ms=self._clock.now_ns() // NS_PER_MS
        )
        if failure is None:
            return body
        limit_circuit(self._budget, failure, now_ns)
        return failure


def limit_circuit(budget: RateBudget, failure: Failure, now_ns: int) -> None:
    """Open the circuit when the venue says that a limit was passed."""
    if failure.reason is ErrorReason.IP_BANNED:
        wait_ns = (failure.retry_after_ms or 0) * NS_PER_MS or 120 * NS_PER_S
        budget.open_circuit(now_ns + wait_ns, f"the venue has banned this address: {failure.message}")
    elif failure.action is Action.WAIT and failure.retry_after_ms:
        budget.open_circuit(
            now_ns + failure.retry_after_ms * NS_PER_MS,
            f"the venue's limit was passed: {failure.message}",
            cancels_pass=True,
        )


def _nothing() -> None:
    """Wait for whoever wants to know."""
