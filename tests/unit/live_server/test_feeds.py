"""A feed: an abandoned stream is given up, and one that fails again and again is asked less and less often."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from opensqt.live_server import feeds
from opensqt.live_server.connector_feeds import ConnectorReader
from opensqt.live_server.engine_feed import EngineReader
from opensqt.live_server.feeds import Feed, reading
from opensqt.live_server.replica import EngineReplica, ReplicaDivergedError
from opensqt.live_server.sources import SourceBoard
from opensqt.live_server.symbols import SymbolSet
from opensqt.proto import engine_pb2


class _Stream:
    """Tells one message and then waits; knows whether it was given up."""

    def __init__(self, message: Any) -> None:
        self._message = message
        self.is_cancelled = False

    def cancel(self) -> bool:
        self.is_cancelled = True
        return True

    async def __aiter__(self) -> AsyncIterator[Any]:
        yield self._message
        await asyncio.Event().wait()


class _Clock:
    def now_ns(self) -> int:
        return 0

    def monotonic_ns(self) -> int:
        return 0


def _feed(session: Any) -> Feed:
    board = SourceBoard(_Clock(), {"engine": 0})
    return Feed("engine", session, board, lambda: None, Random(1))


async def test_a_stream_whose_message_cannot_be_applied_is_given_up() -> None:
    stream = _Stream(engine_pb2.StateEvent(sequence=7, delta=engine_pb2.BotDelta(bot_id="nobody")))

    class Stub:
        def SubscribeState(self, _request: object) -> _Stream:
            return stream

    reader = EngineReader(Stub(), EngineReplica(), SymbolSet(()))  # type: ignore[arg-type]

    with pytest.raises(ReplicaDivergedError):
        await reader.read_state(_feed(None))
    assert stream.is_cancelled


async def test_a_stream_is_given_up_when_its_reader_is_stopped() -> None:
    stream = _Stream("message")

    async def read() -> None:
        with reading(stream) as messages:
            async for _message in messages:
                pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert stream.is_cancelled


async def test_a_session_that_fails_right_after_it_stood_is_tried_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 6:
            raise asyncio.CancelledError
        await sleep(0)

    monkeypatch.setattr(feeds.asyncio, "sleep", note)

    async def session(feed: Feed) -> None:
        feed.up()
        raise ValueError("the second message cannot be read")

    with pytest.raises(asyncio.CancelledError):
        await _feed(session).run()

    assert pauses[-1] > 3 * pauses[0]


def test_every_stream_of_the_connector_is_read_through_the_guard() -> None:
    import inspect

    for module in (inspect.getsource(ConnectorReader), inspect.getsource(EngineReader)):
        loops = [line.strip() for line in module.splitlines() if line.strip().startswith("async for")]
        assert loops
        assert [line for line in loops if not line.endswith(("in messages:",))] == []
