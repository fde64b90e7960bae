"""The account's stream: a listen key that is kept alive, and connections that follow each other without a gap.

A new connection first only collects. Then the account is read over REST, what was collected is replayed over it, and
only now the connection before it is closed. So an event is seen by one of them at least, and what both have seen is
merged by id. The same way leads in from a fresh start, a break, an expired key and the connection's planned end.

An expired key leaves the socket open and silent (`listenKeyExpired`); half an hour's keep-alive prevents it. The key
belongs to the account, not to this process: it is never deleted here, another instance may be reading.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, final

import structlog

from opensqt.connector.venues.binance import requests_account as ask
from opensqt.connector.venues.binance.error_codes import Action
from opensqt.connector.venues.binance.errors import Failure
from opensqt.connector.venues.binance.parse_settings import parse_listen_key
from opensqt.connector.venues.binance.queries import BinanceQueries
from opensqt.connector.venues.binance.session import FIRST_PAUSE_MS, MAX_PAUSE_MS
from opensqt.connector.venues.binance.stream_client import WebSocketLink, open_link
from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.errors import LimitError, OpensqtError
from opensqt.runtime.backoff import Backoff

KEEP_ALIVE_NS: Final = 25 * 60 * NS_PER_S
KEEP_ALIVE_AGAIN_NS: Final = 60 * NS_PER_S
TICK_S: Final = 0.5
MAX_COLLECTED: Final = 50_000

_log = structlog.get_logger(__name__)


@final
class _Link:
    def __init__(self, number: int) -> None:
        self.number = number
        self.collected: deque[bytes] | None = deque()
        self.overflowed = False
        self.socket: WebSocketLink | None = None
        self.why_closed = ""

    def collect(self, data: bytes) -> None:
        assert self.collected is not None, "asked before"
        if len(self.collected) >= MAX_COLLECTED:
            self.overflowed = True
        else:
            self.collected.append(data)


@final
class UserStream:
    """The account's stream.

    Args:
        url: of the private route.
        queries: to manage the key.
        clock: monotonic.
        rng: jitter of reconnecting.
        on_message: takes one event's bytes.
        take_over: reads the account; the events since the connection stood are replayed after it.
        on_status: told when events are certain, when not any more, and why.
    """

    def __init__(
        self,
        url: str,
        queries: BinanceQueries,
        clock: Clock,
        rng: Random,
        *,
        on_message: Callable[[bytes], None],
        take_over: Callable[[], Awaitable[None]],
        on_status: Callable[[bool, str], None],
        max_age_ns: int,
    ) -> None:
        self._url = url
        self._q = queries
        self._clock = clock
        self._on_message = on_message
        self._take_over = take_over
        self._on_status = on_status
        self._max_age_ns = max_age_ns
        self._backoff = Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS, rng)
        self._key = ""
        self._keep_alive_ns = 0
        self._active: _Link | None = None
        self._since_ns = 0
        self._numbers = 0
        self._wake = asyncio.Event()
        self._has_expired = False
        self._is_closed = False

    async def open(self) -> None:
        """Take the account over for the first time.

        Raises:
            OpensqtError, ConnectionError: it cannot be.
        """
        await self._replace()

    async def run(self) -> None:
        """Keep the stream until cancelled."""
        try:
            while True:
                await self._hold()
                if self._is_closed:
                    return
                try:
                    await self._replace()
                except (OpensqtError, ConnectionError) as error:
                    _log.warning("user_stream_not_replaced", why=str(error))
                    active = self._active
                    if active is None or active.why_closed or self._has_expired:
                        self._on_status(False, f"user stream: {error}")
                    await asyncio.sleep(self._pause_s(error))
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection; `run` ends."""
        self._is_closed = True
        self._wake.set()
        if self._active is not None and self._active.socket is not None:
            self._active.socket.close("stopped")

    def expired(self) -> None:
        """Note the venue's word that the key is no longer valid; the account is uncertain until there is a new one."""
        self._has_expired = True
        self._key = ""
        self._wake.set()

    # ---- connections

    async def _replace(self) -> None:
        self._key = await self._q.ask(ask.start_user_stream(), "start user stream", parse_listen_key)
        self._keep_alive_ns = self._clock.monotonic_ns() + KEEP_ALIVE_NS
        self._numbers += 1
        link = _Link(self._numbers)
        link.socket = await open_link(
            f"{self._url}/ws/{self._key}",
            lambda data: self._on_frame(link, data),
            lambda why: self._on_closed(link, why),
        )
        try:
            await self._take_over()
        except BaseException:
            link.socket.close("the account could not be read")
            raise
        if link.why_closed or link.overflowed:
            link.socket.close("too many events at once")
            raise ConnectionError(link.why_closed or "too many events came while the account was read")
        collected, link.collected = link.collected, None
        old, self._active = self._active, link
        self._since_ns = self._clock.monotonic_ns()
        self._has_expired = False
        for data in collected or ():
            self._on_message(data)
        if old is not None and old.socket is not None:
            old.socket.close("replaced by a fresh connection")
        self._backoff.reset()
        self._on_status(True, "")

    async def _hold(self) -> None:
        """Return when the connection must be replaced."""
        while True:
            if self._is_closed or self._active is None or self._active.why_closed:
                return
            if self._has_expired:
                self._on_status(False, "user stream: the key has expired or was refused")
                return
            now_ns = self._clock.monotonic_ns()
            if now_ns - self._since_ns > self._max_age_ns:
                return
            if now_ns >= self._keep_alive_ns and not await self._keep_alive():
                return
            try:
                async with asyncio.timeout(TICK_S):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def _keep_alive(self) -> bool:
        found = await self._q.rest.send(ask.extend_user_stream())
        if isinstance(found, Failure):
            _log.warning("listen_key_not_extended", why=found.message, code=found.code)
            self._keep_alive_ns = self._clock.monotonic_ns() + KEEP_ALIVE_AGAIN_NS
            return found.action is not Action.NEW_LISTEN_KEY
        self._keep_alive_ns = self._clock.monotonic_ns() + KEEP_ALIVE_NS
        return True

    def _on_frame(self, link: _Link, data: bytes) -> None:
        if link.collected is not None:
            link.collect(data)
        elif link is self._active:
            self._on_message(data)

    def _on_closed(self, link: _Link, why: str) -> None:
        link.why_closed = why or "closed"
        if link is self._active:
            self._on_status(False, f"user stream: {why}")
        self._wake.set()

    def _pause_s(self, error: Exception) -> float:
        pause_ms = self._backoff.next_ms()
        if isinstance(error, LimitError) and error.retry_after_ms:
            pause_ms = max(pause_ms, error.retry_after_ms)
        return pause_ms / 1000
