"""Bounds on plain HTTP connections, which WebSockets begin as: how many, and how long one may take to speak.

uvicorn closes a connection that idles after an answer; it lets one wait for ever that never finishes a request's head.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from opensqt.live_server.broadcast import Admission

HEAD_TIMEOUT_S: Final = 10.0


def limited_protocol(admission: Admission, head_timeout_s: float = HEAD_TIMEOUT_S) -> type[H11Protocol]:
    """Return uvicorn's HTTP protocol within bounds.

    Args:
        admission: counts connections until they end or become a WebSocket, which is counted by itself.
        head_timeout_s: how long a request's head may take.
    """

    class LimitedProtocol(H11Protocol):
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._deadline: asyncio.TimerHandle | None = None
            self._admitted_as: str | None = None
            address = self.client[0] if self.client else "unknown"
            if admission.enter(address) is None:
                self._admitted_as = address
                self._expect_head()
            else:
                transport.abort()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._leave()
            super().connection_lost(exc)

        def handle_websocket_upgrade(self, event: Any) -> None:
            super().handle_websocket_upgrade(event)
            self._leave()

        def _expect_head(self) -> None:
            """Let the time run while no request is being answered, and stop it while one is."""
            if self._is_answering() or self._admitted_as is None:
                self._stop_time()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(head_timeout_s, self._give_up)

        def _give_up(self) -> None:
            self._deadline = None
            if self._admitted_as is not None and not self._is_answering():
                self.transport.abort()

        def _is_answering(self) -> bool:
            cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever its type says
            return cycle is not None and not cycle.response_complete

        def _stop_time(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _leave(self) -> None:
            self._stop_time()
            if self._admitted_as is not None:
                admission.leave(self._admitted_as)
                self._admitted_as = None

    return LimitedProtocol
