"""The supervisor over tiny fake services: order, health, restarts, and no orphan whatever happens."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from random import Random

import pytest

from opensqt.cli.errors import CliError
from opensqt.cli.supervisor import ServiceSpec, Supervisor, SupervisorSettings
from opensqt.runtime.clock import SystemClock

FAKE = textwrap.dedent(
    """
    import pathlib, signal, sys, time
    folder, name, behaviour = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    runs = folder / f"{name}.runs"
    count = int(runs.read_text()) + 1 if runs.exists() else 1
    runs.write_text(str(count))
    def log(what):
        with (folder / "events").open("a") as file:
            file.write(f"{name} {what}\\n")
    def stop(*_):
        log("stopped")
        sys.exit({"leaves-orders": 3, "cannot-tell": 4}.get(behaviour, 0))
    signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "deaf" else stop)
    log("started")
    if behaviour == "misconfigured":
        print("fake: grid.interval: was -1; must be greater than 0", file=sys.stderr)
        sys.exit(78)
    if behaviour == "crash-once" and count == 1:
        (folder / f"{name}.healthy").write_text("")
        time.sleep(0.2)
        (folder / f"{name}.healthy").unlink()
        sys.exit(3)
    if behaviour == "crash-always":
        (folder / f"{name}.healthy").write_text("")
        time.sleep(0.1)
        sys.exit(9)
    if behaviour == "bad-after-crash":
        if count == 2:
            sys.exit(78)
        (folder / f"{name}.healthy").write_text("")
        time.sleep(0.2)
        sys.exit(1)
    if behaviour != "never-healthy":
        (folder / f"{name}.healthy").write_text("")
    for _ in range(600):
        time.sleep(0.1)
    """
)


class Reports(list):
    def __call__(self, name: str, what: str) -> None:
        self.append(f"{name} {what}")


@pytest.fixture
def make(tmp_path):
    script = tmp_path / "fake.py"
    script.write_text(FAKE)

    def build(*services: tuple[str, str], ready_timeout_s: float = 20.0, stop_grace_s: float = 10.0):
        def spec(name: str, behaviour: str) -> ServiceSpec:
            async def probe() -> bool:
                return (tmp_path / f"{name}.healthy").exists()

            argv = [sys.executable, str(script), str(tmp_path), name, behaviour]
            return ServiceSpec(name, argv, tmp_path / "logs" / f"{name}.log", probe, ready_timeout_s)

        reports = Reports()
        supervisor = Supervisor(
            [spec(*service) for service in services],
            stop_order=[name for name, _ in reversed(services)],
            settings=SupervisorSettings(
                backoff_initial_ms=20, backoff_max_ms=50, stop_grace_s=stop_grace_s, env=dict(os.environ)
            ),
            report=reports,
            clock=SystemClock(),
            rng=Random(1),
        )
        return supervisor, reports

    return build


def events(folder: Path) -> list[str]:
    return (folder / "events").read_text().splitlines()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_services_start_in_order_when_the_one_before_is_healthy_and_stop_in_theirs(make, tmp_path):
    supervisor, _reports = make(("connector", "good"), ("engine", "good"))
    await supervisor.start()
    pids = supervisor.pids
    assert set(pids) == {"connector", "engine"}
    assert supervisor.health == {"connector": True, "engine": True}
    assert all(os.getpgid(pid) == pid for pid in pids.values())  # a terminal's Ctrl-C does not reach them
    await supervisor.stop()
    assert events(tmp_path) == ["connector started", "engine started", "engine stopped", "connector stopped"]
    assert supervisor.pids == {}


async def test_a_service_that_dies_is_started_again_and_reported(make, tmp_path):
    supervisor, reports = make(("engine", "crash-once"))
    await supervisor.start()
    watching = asyncio.create_task(supervisor.watch())
    for _ in range(100):
        if any("healthy again" in line for line in reports):
            break
        await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert "ended with exit code 3; starting it again" in reports[0]
    assert "is healthy again after" in reports[1]
    assert supervisor.restarts == {"engine": 1}
    await supervisor.stop()
    assert events(tmp_path) == ["engine started", "engine started", "engine stopped"]


async def test_a_killed_service_is_started_again(make):
    supervisor, reports = make(("engine", "good"))
    await supervisor.start()
    first = supervisor.pids["engine"]
    watching = asyncio.create_task(supervisor.watch())
    await asyncio.sleep(0.05)
    os.kill(first, signal.SIGKILL)
    for _ in range(100):
        if supervisor.pids.get("engine", first) != first:
            break
        await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert supervisor.pids["engine"] != first
    assert "was killed by signal 9" in reports[0]
    await supervisor.stop()


async def test_a_bad_configuration_ends_the_start_with_what_the_service_said(make):
    supervisor, _reports = make(("connector", "good"), ("engine", "misconfigured"))
    with pytest.raises(CliError) as caught:
        await supervisor.start()
    assert caught.value.exit_code == 78
    assert "grid.interval: was -1" in str(caught.value)
    await supervisor.stop()


async def test_a_bad_configuration_found_at_a_restart_ends_the_watch(make):
    supervisor, _reports = make(("engine", "bad-after-crash"))
    await supervisor.start()
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(supervisor.watch(), 20)
    [error] = caught.value.exceptions
    assert isinstance(error, CliError)
    assert error.exit_code == 78
    await supervisor.stop()


async def test_a_service_that_never_gets_healthy_is_given_up(make):
    supervisor, _reports = make(("engine", "never-healthy"), ready_timeout_s=0.3)
    with pytest.raises(CliError, match=r"not healthy within 0\.3 s"):
        await supervisor.start()
    await supervisor.stop()
    assert supervisor.pids == {}


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [("leaves-orders", 3, "are left"), ("cannot-tell", 4, "is not known"), ("good", 0, "")],
)
async def test_what_an_engine_leaves_behind_is_reported_and_is_the_exit_code(make, behaviour, code, words):
    supervisor, reports = make(("engine", behaviour))
    await supervisor.start()
    await supervisor.stop()
    assert supervisor.left_code == code
    assert bool(reports) is bool(code)
    assert all(words in report for report in reports)


async def test_a_service_deaf_to_sigterm_is_killed_and_reported(make):
    supervisor, reports = make(("engine", "deaf"), stop_grace_s=0.3)
    await supervisor.start()
    pid = supervisor.pids["engine"]
    await supervisor.stop()
    assert not alive(pid)
    assert "was killed" in reports[0]


SUPERVISED = """
import asyncio, os, sys
from opensqt.runtime.lifecycle import run_service
async def main(lifecycle):
    print(os.getpid(), flush=True)
    await lifecycle.stop_event.wait()
sys.exit(run_service("probe", main))
"""

SUPERVISOR = """
import asyncio, pathlib, sys
from opensqt.cli.process import ChildProcess
import os
async def main():
    child = await ChildProcess.start([sys.executable, "-c", sys.argv[1]], pathlib.Path(sys.argv[2]), dict(os.environ))
    print("ready", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_no_service_outlives_a_supervisor_that_was_killed(tmp_path):
    log = tmp_path / "child.log"
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, SUPERVISED, str(log)], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == "ready\n"
    pid = _wait_for(lambda: log.read_text().split()[:1] if log.exists() else [])
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    assert _wait_for(lambda: [True] if not alive(int(pid)) else [])


def _wait_for(look, timeout_s: float = 15.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found[0]
        time.sleep(0.05)
    return None


async def test_a_service_that_dies_again_and_again_is_told_apart(make):
    supervisor, reports = make(("connector", "crash-always"))
    told: list[str] = []
    looping = asyncio.Event()

    def note(name: str, how: str) -> None:
        told.append(f"{name} {how}")
        looping.set()

    supervisor.on_crash_loop = note
    await supervisor.start()
    watching = asyncio.create_task(supervisor.watch())
    await asyncio.wait_for(looping.wait(), 30)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await supervisor.stop()
    assert told[0] == "connector ended with exit code 9"
    assert sum("starting it again" in line for line in reports) >= 2
