"""Keep a stream of another service running: one session after another, with back-off between them, for ever.

A session reads one gRPC stream from its start to its end. However it ends, its source is marked down with the reason,
and the next session starts after a pause. What was known stays on the page, marked stale.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Final, Protocol, TypeVar, final

import grpc
import structlog

from opensqt.domain.errors import OpensqtError
from opensqt.live_server.replica import ReplicaDivergedError
from opensqt.live_server.sources import SourceBoard
from opensqt.runtime.backoff import Backoff

INITIAL_PAUSE_MS: Final = 200
LONGEST_PAUSE_MS: Final = 1_500
STEADY_S: Final = 5.0
"""A session that lasted so long was a success; the next outage is a new one."""

_log = structlog.get_logger(__name__)

Session = Callable[["Feed"], Awaitable[None]]

Stream = TypeVar("Stream", bound="Cancellable")


class Cancellable(Protocol):
    """A gRPC stream, as far as giving it up goes."""

    def cancel(self) -> bool:
        """Tell the other side that nobody reads any more."""
        ...


@contextmanager
def reading(stream: Stream) -> Iterator[Stream]:
    """Give a stream up when its reader stops, however it stops.

    An abandoned one would go on: the other side keeps sending, and both sides keep what nobody takes.
    """
    try:
        yield stream
    finally:
        stream.cancel()


@final
class Feed:
    """One source and the session that reads it.

    Args:
        name: of the source.
        session: reads one stream to its end; calls `up` once its current state is known and `heard` per message.
        sources: where the source's state is kept.
        on_change: called after every change of data or state.
        rng: jitter of the pauses.
    """

    def __init__(
        self, name: str, session: Session, sources: SourceBoard, on_change: Callable[[], None], rng: Random
    ) -> None:
        self._name = name
        self._session = session
        self._sources = sources
        self._on_change = on_change
        self._backoff = Backoff(INITIAL_PAUSE_MS, LONGEST_PAUSE_MS, rng)
        self._reported = False

    def up(self) -> None:
        """Note that the stream stands and its current state was read."""
        if not self._sources.is_up(self._name) and not self._reported:
            _log.info("source_up", source=self._name)
        self._sources.up(self._name)
        self._on_change()

    def heard(self) -> None:
        """Note a message."""
        if self._sources.is_up(self._name):
            self._sources.heard(self._name)
            self._on_change()
        else:
            self.up()

    def not_serving(self, detail: str) -> None:
        """Note that the stream stands but says its service is not there."""
        self._sources.down(self._name, detail)
        self._on_change()

    async def run(self) -> None:
        """Run session after session until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            started_s = loop.time()
            detail = await self._run_once()
            if loop.time() - started_s >= STEADY_S:
                # One that stands and breaks at once, again and again, is one outage.
                self._backoff.reset()
                self._reported = False
            self._sources.down(self._name, detail)
            self._on_change()
            if not self._reported:
                # Once per outage: a service that is away for an hour must not fill the log.
                self._reported = True
                _log.warning("source_down", source=self._name, detail=detail)
            await asyncio.sleep(self._backoff.next_ms() / 1_000)

    async def _run_once(self) -> str:
        try:
            await self._session(self)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details() or 'no details'}"
        except OpensqtError as error:
            return str(error)
        except ReplicaDivergedError as error:
            _log.error("replica_diverged", source=self._name, detail=str(error))
            return f"out of step with the engine, starting over: {error}"
        except (ValueError, ArithmeticError) as error:
            if not self._reported:
                _log.error("source_unreadable", source=self._name, detail=repr(error))
            return f"a message could not be read: {error}"
        return "the other side ended the stream"
