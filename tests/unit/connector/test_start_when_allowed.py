"""F22, F23: a venue whose limits are used up when we start is waited for, not asked again and again by restarts."""

import asyncio
from typing import Any, cast

import pytest

from opensqt.connector.app import Connector, start_when_allowed
from opensqt.domain.errors import ErrorReason, LimitError, UnavailableError


class Stub:
    """A connector whose start goes as the test says."""

    def __init__(self, log: list[str], error: Exception | None) -> None:
        self._log = log
        self._error = error

    async def start(self) -> None:
        self._log.append("start")
        if self._error is not None:
            raise self._error

    async def stop(self) -> None:
        self._log.append("stop")


def limited(retry_after_ms: int) -> LimitError:
    return LimitError(ErrorReason.IP_BANNED, "banned", retry_after_ms=retry_after_ms)


async def run(errors: list[Exception | None], log: list[str], stop: asyncio.Event) -> Any:
    queue = iter(errors)
    return await start_when_allowed(lambda: cast("Connector", Stub(log, next(queue))), stop)


async def test_a_limit_is_waited_for_and_a_fresh_connector_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    real = asyncio.timeout
    monkeypatch.setattr(asyncio, "timeout", lambda seconds: (waits.append(seconds), real(0))[1])
    log: list[str] = []
    assert await run([limited(30_000), limited(0), None], log, asyncio.Event()) is not None
    assert log == ["start", "stop", "start", "stop", "start"]
    assert waits == [30.0, 1.0]


async def test_whoever_is_to_stop_meanwhile_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    log: list[str] = []
    assert await run([limited(60_000)], log, stop) is None
    assert log == ["start", "stop"]


async def test_any_other_error_ends_it_and_closes_what_was_opened() -> None:
    log: list[str] = []
    with pytest.raises(UnavailableError):
        await run([UnavailableError(ErrorReason.VENUE_UNAVAILABLE, "away")], log, asyncio.Event())
    assert log == ["start", "stop"]
