"""Run a service: one uvloop, one task group, clean stop on the first signal, hard stop on the second.

    sys.exit(run_service("engine", main))        # async def main(lifecycle: Lifecycle) -> int | None

`main` starts its parts, supervises its tasks with `lifecycle.supervise(coro, "name")`, waits for
`lifecycle.stop_event`, closes its parts and returns. A supervised task that fails stops the service: half a service is
worse than none, and whoever started it starts it again. Known errors end with their message, unknown ones with their
traceback in the log.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, final

import structlog
import uvloop

from opensqt.domain.errors import ErrorReason, OpensqtError, UnavailableError
from opensqt.runtime.config_problems import EXIT_CONFIG, ConfigError

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_HARD_STOP = 130
STOP_TIMEOUT_S = 20.0
THREAD_SLICE_S = 0.0005
"""How long another thread (the disk's, gRPC's, metrics) may compute while the loop has something to do; Python's own
default of 5 ms is the whole budget of an order."""

SUPERVISOR_PID_VARIABLE = "OPENSQT_SUPERVISOR_PID"
"""Set by whoever starts services together; a service that sees it ends when that process does."""

_PR_SET_PDEATHSIG = 1

_log = structlog.get_logger(__name__)


@final
class Lifecycle:
    """The running service's stop event and supervised tasks."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.stop_event = asyncio.Event()
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def supervise(self, coro: Coroutine[Any, Any, object], name: str) -> asyncio.Task[None]:
        """Run a coroutine until the service stops; if it raises, the whole service stops with that error."""
        task = self._group.create_task(_discard_result(coro), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def stop(self) -> None:
        """Ask the service to stop, as a signal would."""
        self.stop_event.set()

    def cancel_tasks(self) -> None:
        """Cancel every supervised task that still runs."""
        for task in tuple(self._tasks):
            task.cancel()


async def _discard_result(coro: Coroutine[Any, Any, object]) -> None:
    await coro


def run_service(
    name: str,
    main: Callable[[Lifecycle], Awaitable[int | None]],
    *,
    stop_timeout_s: float = STOP_TIMEOUT_S,
) -> int:
    """Run `main` to its end and return the exit code: 0 ok, 1 failure, 78 bad configuration.

    After SIGINT or SIGTERM `main` has `stop_timeout_s` to return; then, or on a second signal, the process exits hard.
    """
    try:
        _follow_supervisor()
        sys.setswitchinterval(THREAD_SLICE_S)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(main, stop_timeout_s))
    except KeyboardInterrupt:  # before the handlers were in place
        return EXIT_HARD_STOP
    except BaseExceptionGroup as group:
        return _report(name, group)
    except Exception as error:  # noqa: BLE001  the last frame of a service: everything is logged and becomes an exit code
        return _report(name, error)


async def _run(main: Callable[[Lifecycle], Awaitable[int | None]], stop_timeout_s: float) -> int:
    async with asyncio.TaskGroup() as group:
        lifecycle = Lifecycle(group)
        with _signals(lifecycle, stop_timeout_s):
            code = await main(lifecycle)
            lifecycle.cancel_tasks()
    return EXIT_OK if code is None else code


@contextlib.contextmanager
def _signals(lifecycle: Lifecycle, stop_timeout_s: float) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def on_signal(signum: signal.Signals) -> None:
        if lifecycle.stop_event.is_set():
            _hard_stop(f"{signum.name} again")
        _log.info("stopping", signal=signum.name)
        lifecycle.stop_event.set()
        timers.append(loop.call_later(stop_timeout_s, _hard_stop, f"not stopped within {stop_timeout_s:g} s"))

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, on_signal, signum)
    # A closed terminal is no reason to leave a market: the supervisor or the user stops us by SIGTERM.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(signum)


def _follow_supervisor() -> None:
    """Let the kernel send SIGTERM when our supervisor dies, however it dies: no service is left behind."""
    pid = os.environ.get(SUPERVISOR_PID_VARIABLE, "")
    if not pid.isdecimal() or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(pid):  # it died before we could ask
        raise UnavailableError(ErrorReason.SHUTTING_DOWN, f"the supervisor (process {pid}) is gone; nothing to do")


def _hard_stop(why: str) -> None:
    _log.error("hard_stop", why=why)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(EXIT_HARD_STOP)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for child in error.exceptions:
            yield from _leaves(child)
    else:
        yield error


def _report(name: str, error: BaseException) -> int:
    code = EXIT_FAILURE
    for leaf in _leaves(error):
        if isinstance(leaf, ConfigError):
            code = EXIT_CONFIG
            for problem in leaf.problems:
                _log.error("config_problem", key=problem.path, value=problem.value, rule=problem.rule, fix=problem.fix)
            sys.stderr.write(f"{name}: {leaf}\n")
        elif isinstance(leaf, OpensqtError):
            _log.error("service_failed", service_name=name, reason=leaf.reason.value, message=leaf.message)
            sys.stderr.write(f"{name}: {leaf.message}\n")
        else:
            _log.error("service_crashed", service_name=name, error=repr(leaf), exc_info=leaf)
            sys.stderr.write(f"{name}: {type(leaf).__name__}: {leaf}\n")
    return code
