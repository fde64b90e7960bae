"""Run a set of services for a user: start, show, wait for the end, report, stop. Shared by `demo` and `up`."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from random import Random
from typing import Any, final

import msgspec

from opensqt.cli.engine_client import EngineClient
from opensqt.cli.errors import EXIT_INTERRUPTED, CliError
from opensqt.cli.report import Report, make_report
from opensqt.cli.services import STOP_ORDER, child_environment
from opensqt.cli.state_dir import RunningInstance, StateDir
from opensqt.cli.status_line import StatusLine, status_text
from opensqt.cli.supervisor import ServiceSpec, Supervisor, SupervisorSettings
from opensqt.domain.clock import NS_PER_S, Clock
from opensqt.domain.errors import OpensqtError
from opensqt.proto import engine_pb2, engine_pb2_grpc
from opensqt.runtime.alerts import Alerts, AlertsConfig
from opensqt.runtime.clock import SystemClock
from opensqt.runtime.config import GrpcClientConfig
from opensqt.runtime.grpc_client import open_channel

STATUS_EVERY_S = 1.0


class Plan(msgspec.Struct, frozen=True):
    """What to run (services in starting order) and how to reach its engine and its page, if it has them."""

    name: str
    state: StateDir
    specs: Sequence[ServiceSpec]
    engine: GrpcClientConfig | None
    engine_token_file: str | None
    page_url: str | None
    on_ready: Callable[[], None] | None = None
    alerts: AlertsConfig = AlertsConfig()


BotReader = Callable[[], Awaitable[list[engine_pb2.BotState] | None]]
"""Asks the engine for its bots; None while it does not answer."""


@final
class Operation:
    """One run of a plan, from start to stop."""

    def __init__(self, plan: Plan, line: StatusLine, *, clock: Clock | None = None, rng: Random | None = None) -> None:
        self._plan = plan
        self._line = line
        self._clock = clock or SystemClock()
        self._stop = asyncio.Event()
        self._alerts = Alerts(plan.alerts, "supervisor")
        self._supervisor = Supervisor(
            plan.specs,
            stop_order=[name for name in STOP_ORDER if name in {spec.name for spec in plan.specs}],
            settings=SupervisorSettings(env=child_environment()),
            report=lambda name, what: line.notice(f"{name} {what}"),
            clock=self._clock,
            rng=rng or Random(os.getpid()),  # noqa: S311  jitter, not secrets
        )
        self._supervisor.on_crash_loop = self._tell_crash_loop

    @property
    def left_code(self) -> int:
        """Return the exit code of an engine that left something at the exchange; 0 when none did."""
        return self._supervisor.left_code

    async def run(self, duration_s: float | None) -> Report | None:
        """Run until Ctrl-C, or for `duration_s` seconds after all is healthy; returns the report of a timed run.

        Raises CliError when a service cannot run. All services are stopped in any case.
        """
        with _signals(self._stop, self._supervisor):
            self._alerts.start()
            try:
                if not await self._or_stopped(self._supervisor.start()):
                    return None
                self._announce()
                return await self._operate(duration_s)
            finally:
                self._line.notice("stopping")
                await asyncio.shield(self._supervisor.stop())
                await asyncio.to_thread(self._alerts.close)
                self._plan.state.withdraw()

    def _tell_crash_loop(self, name: str, how: str) -> None:
        text = f"{name} dies again and again; it last {how}. Its log is in {self._plan.state.path}/logs"
        self._line.notice(text)
        self._alerts.raise_alert("alarm", f"crash loop {name}", f"{name} crash-loops", text)

    async def _operate(self, duration_s: float | None) -> Report | None:
        started_ns = self._clock.monotonic_ns()
        async with _bot_reader(self._plan.engine) as bots:
            background = [
                asyncio.create_task(self._supervisor.watch()),
                asyncio.create_task(self._show(bots, started_ns)),
            ]
            try:
                await self._wait_for_end(duration_s, background)
                if duration_s is None or self._stop.is_set() or self._plan.engine is None:
                    return None
                found = await bots()
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)
        if found is None:
            raise CliError("the engine did not answer at the end of the run, so there is no report")
        return make_report(found, (self._clock.monotonic_ns() - started_ns) / NS_PER_S)

    async def _wait_for_end(self, duration_s: float | None, background: Sequence[asyncio.Task[None]]) -> None:
        stopped = asyncio.create_task(self._stop.wait())
        try:
            done, _ = await asyncio.wait(
                [stopped, *background], timeout=duration_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopped.cancel()
        for task in done - {stopped}:
            error = task.exception()
            if error is not None:
                raise _first(error)

    async def _or_stopped(self, coro: Coroutine[Any, Any, None]) -> bool:
        """Return whether the coroutine finished before the user stopped us."""
        work = asyncio.ensure_future(coro)
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
                return True
            return False
        finally:
            stopped.cancel()
            work.cancel()
            await asyncio.gather(work, stopped, return_exceptions=True)

    async def _show(self, bots: BotReader, started_ns: int) -> None:
        while True:
            found = await bots()
            seconds = (self._clock.monotonic_ns() - started_ns) / NS_PER_S
            self._line.update(status_text(found or [], self._supervisor.health, seconds))
            if self._line.closed:
                self._stop.set()
            await asyncio.sleep(STATUS_EVERY_S)

    def _announce(self) -> None:
        plan = self._plan
        if plan.engine is not None:
            plan.state.announce(
                RunningInstance(
                    pid=os.getpid(),
                    name=plan.name,
                    engine_address=plan.engine.address,
                    token_file=plan.engine_token_file,
                    page_url=plan.page_url,
                    services=tuple(spec.name for spec in plan.specs),
                )
            )
        pids = ", ".join(f"{name} {pid}" for name, pid in self._supervisor.pids.items())
        self._line.notice(f"running: {pids} (state and logs in {plan.state.path})")
        if plan.page_url is not None:
            self._line.notice(f"page: {plan.page_url}")
        if plan.on_ready is not None:
            plan.on_ready()


@asynccontextmanager
async def _bot_reader(engine: GrpcClientConfig | None) -> AsyncIterator[BotReader]:
    if engine is None:

        async def nobody() -> None:
            return None

        yield nobody
        return
    async with open_channel(engine) as channel:
        client = EngineClient(engine_pb2_grpc.EngineServiceStub(channel))

        async def ask() -> list[engine_pb2.BotState] | None:
            try:
                return list((await client.get_status()).bots)
            except OpensqtError:
                return None

        yield ask


@contextmanager
def _signals(stop: asyncio.Event, supervisor: Supervisor) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def on_signal() -> None:
        if stop.is_set():  # the user does not want to wait
            supervisor.kill()
            os._exit(EXIT_INTERRUPTED)
        stop.set()

    for signum in signals:
        loop.add_signal_handler(signum, on_signal)
    try:
        yield
    finally:
        for signum in signals:
            loop.remove_signal_handler(signum)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
