"""The WebSocket order API: one warm connection, replies matched by id, every request answered exactly once.

An answer is the venue's reply, or a failure: of unknown outcome when the connection broke, or no reply came in time,
with the request under way. Nothing is kept for later: without a connection `send` says so. A connection near the
venue's limit of 24 hours is replaced before it is cut; the old one stays until its requests are answered.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Final, final

import msgspec
import structlog

from opensqt.connector.rate_budget import RateBudget
from opensqt.connector.venues.binance.errors import Failure, lost_failure
from opensqt.connector.venues.binance.parse_api import ApiReply, parse_reply
from opensqt.connector.venues.binance.payload import PayloadError
from opensqt.connector.venues.binance.requests import Request, api_frame, logon_frame
from opensqt.connector.venues.binance.rest import Credentials, limit_circuit
from opensqt.connector.venues.binance.session import FIRST_PAUSE_MS, MAX_PAUSE_MS
from opensqt.connector.venues.binance.sign import Signer
from opensqt.connector.venues.binance.stream_client import WebSocketLink, open_link
from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.runtime.backoff import Backoff

TICK_S: Final = 0.25
MAX_PENDING: Final = 10_000
DRAIN_S: Final = 5.0

Answer = ApiReply | Failure
OnAnswer = Callable[[Answer], None]

_log = structlog.get_logger(__name__)


class _Pending(msgspec.Struct):
    link: int
    on_answer: OnAnswer
    changes_state: bool
    deadline_ns: int


@final
class ApiClient:
    """The order API of one account.

    Args:
        url: of the API.
        credentials: of the account.
        budget: fed by replies.
        clock, stamp_ms: of this process, and the venue's time for a request that is sent now.
        rng: jitter of reconnecting.
        timeout_ms: after which a reply counts as lost.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        budget: RateBudget,
        clock: Clock,
        stamp_ms: Callable[[], int],
        rng: Random,
        *,
        timeout_ms: int,
        max_age_ns: int,
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._budget = budget
        self._clock = clock
        self._stamp_ms = stamp_ms
        self._timeout_ns = timeout_ms * NS_PER_MS
        self._max_age_ns = max_age_ns
        self._backoff = Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS, rng)
        self._pending: dict[int, _Pending] = {}
        self._next_id = 1
        self._next_link = 1
        self._number = 0
        self._link: WebSocketLink | None = None
        self._old: dict[int, WebSocketLink] = {}
        self._is_logged_on = False
        self._since_ns = 0

    @property
    def is_up(self) -> bool:
        """Return whether requests can be sent now."""
        return self._link is not None and self._link.is_open

    def send(self, request: Request, on_answer: OnAnswer) -> bool:
        """Send a request; `on_answer` is called once, later.

        Returns:
            False when there is no connection: nothing was sent and nothing will be answered.
        """
        link = self._link
        if link is None or not link.is_open or len(self._pending) >= MAX_PENDING:
            return False
        number = self._next_id
        self._next_id += 1
        credentials = self._credentials
        frame = api_frame(
            request,
            number,
            credentials.api_key,
            credentials.signer,
            self._stamp_ms(),
            is_logged_on=self._is_logged_on,
            recv_window_ms=credentials.recv_window_ms,
        )
        self._pending[number] = _Pending(
            self._number, on_answer, request.changes_state, self._clock.monotonic_ns() + self._timeout_ns
        )
        link.send(frame)
        return True

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        try:
            while True:
                if not self.is_up or self._clock.monotonic_ns() - self._since_ns > self._max_age_ns:
                    await self._replace()
                self._expire()
                self._close_drained()
                await asyncio.sleep(TICK_S)
        finally:
            for link in (self._link, *self._old.values()):
                if link is not None:
                    link.close("stopped")
            self._link = None

    # ---- connections

    async def _replace(self) -> None:
        number = self._next_link
        self._next_link += 1
        try:
            link = await open_link(self._url, self._on_message, lambda why: self._on_closed(number, why))
        except ConnectionError as error:
            _log.warning("order_api_down", why=str(error))
            await asyncio.sleep(self._backoff.next_ms() / 1000)
            return
        signer = self._credentials.signer
        is_logged_on = signer is not None and signer.can_log_on and await self._log_on(link, number, signer)
        if not link.is_open:
            await asyncio.sleep(self._backoff.next_ms() / 1000)
            return
        if self._link is not None and self._link.is_open:
            self._old[self._number] = self._link
        self._link, self._number, self._is_logged_on = link, number, is_logged_on
        self._since_ns = self._clock.monotonic_ns()
        self._backoff.reset()
        _log.info("order_api_up", is_logged_on=is_logged_on)

    async def _log_on(self, link: WebSocketLink, number: int, signer: Signer) -> bool:
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        request_id = self._next_id
        self._next_id += 1
        deadline_ns = self._clock.monotonic_ns() + self._timeout_ns
        self._pending[request_id] = _Pending(number, lambda answer: _settle(waiting, answer), False, deadline_ns)
        link.send(logon_frame(request_id, self._credentials.api_key, signer, self._stamp_ms()))
        try:
            async with asyncio.timeout(self._timeout_ns / 1_000_000_000):
                answer = await waiting
        except TimeoutError:
            self._pending.pop(request_id, None)
            return False
        failure = answer if isinstance(answer, Failure) else answer.failure(changes_state=False, now_ms=0)
        if failure is not None:
            # Every request is then signed by itself, which works as well.
            _log.warning("order_api_logon_refused", why=failure.message)
        return failure is None

    def _on_closed(self, number: int, why: str) -> None:
        if number == self._number:
            self._link = None
            _log.warning("order_api_down", why=why)
        self._old.pop(number, None)
        lost = [request_id for request_id, pending in self._pending.items() if pending.link == number]
        for request_id in lost:
            self._lose(request_id, f"the connection to the order API broke ({why})")

    def _close_drained(self) -> None:
        busy = {pending.link for pending in self._pending.values()}
        for number in [number for number in self._old if number not in busy]:
            self._old.pop(number).close("replaced by a fresh connection")

    # ---- replies

    def _on_message(self, data: bytes) -> None:
        try:
            reply = parse_reply(data)
        except PayloadError as error:
            # Whose reply it was is not known: its request is answered when its time is over.
            _log.error("order_api_reply_unreadable", why=str(error))
            return
        now_ns = self._clock.monotonic_ns()
        for used in reply.used:
            self._budget.feed(used.name, used.used, now_ns)
        pending = self._pending.pop(reply.id, None) if isinstance(reply.id, int) else None
        failure = reply.failure(changes_state=True, now_ms=self._clock.now_ns() // NS_PER_MS)
        if failure is not None:
            limit_circuit(self._budget, failure, now_ns)
        if pending is None:
            _log.warning("order_api_reply_unmatched", id=reply.id, error=reply.error)
            return
        pending.on_answer(reply)

    def _expire(self) -> None:
        now_ns = self._clock.monotonic_ns()
        late = [request_id for request_id, pending in self._pending.items() if pending.deadline_ns <= now_ns]
        for request_id in late:
            self._lose(request_id, f"the order API did not answer within {self._timeout_ns // NS_PER_MS} ms")

    def _lose(self, request_id: int, why: str) -> None:
        pending = self._pending.pop(request_id)
        pending.on_answer(lost_failure(why, changes_state=pending.changes_state))


def _settle(waiting: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not waiting.done():
        waiting.set_result(answer)
