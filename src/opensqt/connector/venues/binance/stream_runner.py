"""Runs one route's `StreamSession` over real connections."""

import asyncio
from collections.abc import Callable
from typing import Final, final

import structlog

from opensqt.connector.venues.binance.payload import PayloadError, load
from opensqt.connector.venues.binance.session import Close, Connect, Send, StreamSession
from opensqt.connector.venues.binance.stream import parse_control
from opensqt.connector.venues.binance.stream_client import WebSocketLink, open_link
from opensqt.domain.clock import Clock

TICK_S: Final = 0.1

_PREFIX: Final = b'{"stream":"'

_log = structlog.get_logger(__name__)


@final
class StreamRunner:
    """The connections of one route.

    Args:
        url: of the route; combined streams are taken from `/stream` under it.
        session: says what to do.
        clock: monotonic.
        on_message: takes a stream's name and the message.
        on_status: told when the route goes up or down, and why.
    """

    def __init__(
        self,
        url: str,
        session: StreamSession,
        clock: Clock,
        on_message: Callable[[str, bytes], None],
        on_status: Callable[[bool, str], None],
    ) -> None:
        self.session = session
        self._url = f"{url}/stream"
        self._clock = clock
        self._on_message = on_message
        self._on_status = on_status
        self._links: dict[int, WebSocketLink] = {}
        self._wake = asyncio.Event()
        self._was_up = False
        self.unreadable = 0

    def want(self, streams: dict[str, int]) -> None:
        """Want streams, with their silence limits."""
        for name, limit_ns in streams.items():
            self.session.want(name, limit_ns)
        self._wake.set()

    def drop(self, streams: dict[str, int]) -> None:
        """Want streams no longer."""
        for name in streams:
            self.session.drop(name)
        self._wake.set()

    async def run(self) -> None:
        """Keep the route alive until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._act(group)
                    self._tell()
                    try:
                        async with asyncio.timeout(TICK_S):
                            await self._wake.wait()
                    except TimeoutError:
                        continue
                    self._wake.clear()
        finally:
            for link in self._links.values():
                link.close("stopped")

    def _act(self, group: asyncio.TaskGroup) -> None:
        for action in self.session.poll(self._clock.monotonic_ns()):
            if isinstance(action, Connect):
                group.create_task(self._connect(action.link))
            elif isinstance(action, Send):
                link = self._links.get(action.link)
                if link is not None:
                    link.send(action.frame)
            else:
                assert isinstance(action, Close), "the last of three kinds"
                link = self._links.pop(action.link, None)
                if link is not None:
                    _log.info("stream_closed", url=self._url, why=action.why)
                    link.close(action.why)

    async def _connect(self, number: int) -> None:
        try:
            link = await open_link(
                self._url,
                lambda data: self._on_frame(number, data),
                lambda why: self._closed(number, why),
            )
        except ConnectionError as error:
            self._closed(number, str(error))
            return
        self._links[number] = link
        self.session.on_open(number, self._clock.monotonic_ns())
        self._wake.set()

    def _closed(self, number: int, why: str) -> None:
        self._links.pop(number, None)
        self.session.on_closed(number, why, self._clock.monotonic_ns())
        self._tell()
        self._wake.set()

    def _on_frame(self, number: int, data: bytes) -> None:
        try:
            name = stream_of(data)
            if not name:
                self.session.on_reply(number, parse_control(data))
                self._wake.set()
                return
        except PayloadError as error:
            self.unreadable += 1
            _log.warning("frame_unreadable", url=self._url, why=str(error))
            return
        self.session.on_data(number, name, self._clock.monotonic_ns())
        self._on_message(name, data)

    def _tell(self) -> None:
        is_up = self.session.is_up
        if is_up != self._was_up:
            self._was_up = is_up
            _log.info("stream_up" if is_up else "stream_down", url=self._url, why=self.session.reason)
            self._on_status(is_up, self.session.reason)


def stream_of(data: bytes) -> str:
    """Return the stream a combined message came from, empty when it is none.

    Raises:
        PayloadError: not JSON.
    """
    if data.startswith(_PREFIX):
        end = data.find(b'"', len(_PREFIX))
        return data[len(_PREFIX) : end].decode("utf-8", "replace") if end > 0 else ""
    value = load(data, "frame")
    name = value.get("stream") if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""
