"""Keep several service processes running: start in order, watch, restart with back-off, stop in order.

Each service is started when those before it are healthy. One that dies is started again after a jittered, growing
pause; one that ends with "bad configuration", or never became healthy, ends the whole instead, with what it said.
Nothing here knows what the services do.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import final

from opensqt.cli.crash_loops import CrashLoops
from opensqt.cli.errors import EXIT_LEFT, EXIT_UNVERIFIED, CliError
from opensqt.cli.probe import Probe
from opensqt.cli.process import ChildProcess
from opensqt.domain.clock import NS_PER_MS, NS_PER_S, Clock
from opensqt.runtime.backoff import Backoff
from opensqt.runtime.config_problems import EXIT_CONFIG

POLL_S = 0.1
HEALTHY_RESET_NS = 30 * NS_PER_S


@dataclass(frozen=True)
class ServiceSpec:
    """How to start one service, where its log goes, how to tell that it is healthy, how long that may take."""

    name: str
    argv: Sequence[str]
    log_file: Path
    probe: Probe
    ready_timeout_s: float = 60.0


@dataclass(frozen=True)
class SupervisorSettings:
    """Times of the supervisor. Back-off in ms; `stop_grace_s` is what each service has to end by itself."""

    backoff_initial_ms: int = 300
    backoff_max_ms: int = 10_000
    stop_grace_s: float = 25.0
    env: Mapping[str, str] = field(default_factory=dict)


Report = Callable[[str, str], None]
"""Called with a service's name and one line about what happened to it."""


@final
class Supervisor:
    """Start, watch and stop services.

    Args:
        specs: in starting order; they are stopped in `stop_order`.
        stop_order: names in the order in which they are stopped.
        report: told about every start, death and restart.
        rng: jitter of the back-off.
    """

    def __init__(
        self,
        specs: Sequence[ServiceSpec],
        *,
        stop_order: Sequence[str],
        settings: SupervisorSettings,
        report: Report,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._specs = list(specs)
        self._stop_order = list(stop_order)
        self._settings = settings
        self._report = report
        self._clock = clock
        self._rng = rng
        self._children: dict[str, ChildProcess] = {}
        self._healthy: dict[str, bool] = {spec.name: False for spec in specs}
        self.restarts: dict[str, int] = {spec.name: 0 for spec in specs}
        self._stopping = False
        self.left_code = 0
        """Exit code of a service that could not leave the market as it was told to; 0 = none."""
        self._loops = CrashLoops()
        self.on_crash_loop: Callable[[str, str], None] = lambda _name, _what: None
        """Told of a service that dies again and again, with how it ended."""

    @property
    def pids(self) -> dict[str, int]:
        """Return the process id of each service that runs."""
        return {name: child.pid for name, child in self._children.items() if child.returncode is None}

    @property
    def health(self) -> dict[str, bool]:
        """Return which services were healthy when last asked."""
        return dict(self._healthy)

    async def start(self) -> None:
        """Start every service and return when all are healthy.

        Raises CliError when one ends or stays unhealthy; the caller still has to `stop`.
        """
        for spec in self._specs:
            await self._launch(spec)
            await self._await_healthy(spec)

    async def watch(self) -> None:
        """Restart services that die, until cancelled. Raises CliError when one can never run (bad configuration)."""
        async with asyncio.TaskGroup() as group:
            for spec in self._specs:
                group.create_task(self._keep(spec))

    async def stop(self) -> None:
        """Stop all services in order; one that does not end in time is killed and reported."""
        self._stopping = True
        for name in self._stop_order:
            child = self._children.get(name)
            if child is None:
                continue
            if not await child.stop(self._settings.stop_grace_s):
                self._report(name, f"did not stop within {self._settings.stop_grace_s:g} s and was killed")
            code = child.returncode or 0
            if code in LEFT_WORDS:
                self.left_code = code
                self._report(name, f"says that {LEFT_WORDS[code]}: look at the exchange, or use `opensqt kill`")

    def kill(self) -> None:
        """Kill all services at once: the last resort of an impatient user."""
        self._stopping = True
        for child in self._children.values():
            child.kill()

    async def _launch(self, spec: ServiceSpec) -> ChildProcess:
        try:
            child = await ChildProcess.start(spec.argv, spec.log_file, self._settings.env)
        except OSError as error:
            raise CliError(f"{spec.name} could not be started: {error}") from None
        self._children[spec.name] = child
        self._healthy[spec.name] = False
        return child

    async def _await_healthy(self, spec: ServiceSpec) -> None:
        deadline_ns = self._clock.monotonic_ns() + int(spec.ready_timeout_s * NS_PER_S)
        child = self._children[spec.name]
        while not await spec.probe():
            if child.returncode is not None:
                raise _ended(spec, child, "ended before it was ready")
            if self._clock.monotonic_ns() > deadline_ns:
                words = _quote(child.last_words())
                raise CliError(
                    f"{spec.name} was not healthy within {spec.ready_timeout_s:g} s; its log is {spec.log_file}{words}"
                )
            await asyncio.sleep(POLL_S)
        self._healthy[spec.name] = True

    async def _keep(self, spec: ServiceSpec) -> None:
        backoff = Backoff(self._settings.backoff_initial_ms, self._settings.backoff_max_ms, self._rng)
        while True:
            child = self._children[spec.name]
            started_ns = self._clock.monotonic_ns()
            prober = asyncio.create_task(self._follow_health(spec))
            try:
                code = await child.wait()
            finally:
                prober.cancel()
                await asyncio.gather(prober, return_exceptions=True)
            self._healthy[spec.name] = False
            if self._stopping:
                return
            if code == EXIT_CONFIG:
                raise _ended(spec, child, "cannot run")
            if self._clock.monotonic_ns() - started_ns > HEALTHY_RESET_NS:
                backoff.reset()
            if self._loops.note(spec.name, self._clock.monotonic_ns()):
                self.on_crash_loop(spec.name, how_it_ended(code))
            pause_ms = backoff.next_ms()
            self._report(spec.name, f"{how_it_ended(code)}; starting it again in {pause_ms} ms")
            await asyncio.sleep(pause_ms / 1000)
            await self._launch(spec)
            self.restarts[spec.name] += 1

    async def _follow_health(self, spec: ServiceSpec) -> None:
        started_ns = self._clock.monotonic_ns()
        restarted = self.restarts[spec.name] > 0
        while True:
            healthy = await spec.probe()
            if healthy and not self._healthy[spec.name] and restarted:
                took_ms = (self._clock.monotonic_ns() - started_ns) // NS_PER_MS
                self._report(spec.name, f"is healthy again after {took_ms} ms")
                restarted = False
            self._healthy[spec.name] = healthy
            await asyncio.sleep(1.0 if healthy else POLL_S)


LEFT_WORDS = {
    EXIT_LEFT: "orders or a position are left that `on_stop` should have taken away",
    EXIT_UNVERIFIED: "what is left at the exchange is not known",
}
"""What an engine's exit code means after it was told to leave (docs/risk.md)."""


def how_it_ended(code: int) -> str:
    """Return an exit code as words."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _ended(spec: ServiceSpec, child: ChildProcess, what: str) -> CliError:
    code = child.returncode or 0
    exit_code = EXIT_CONFIG if code == EXIT_CONFIG else 1
    words = _quote(child.last_words(20))
    return CliError(f"{spec.name} {what}: it {how_it_ended(code)}; its log is {spec.log_file}{words}", exit_code)


def _quote(lines: Sequence[str]) -> str:
    return "".join(f"\n  | {line}" for line in lines)
