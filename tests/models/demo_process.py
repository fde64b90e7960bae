"""A running `opensqt demo` as tests see it: one supervisor process, three children, a page, two gRPC addresses."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from models.ports import free_port

SERVICES = {
    "connector": "opensqt.connector.app",
    "engine": "opensqt.engine.app",
    "live_server": "opensqt.live_server.app",
}


def wait_until(condition: Callable[[], Any], timeout_s: float, what: str, every_s: float = 0.1) -> Any:
    """Poll until the condition is truthy and return it; AssertionError naming `what` when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(every_s)


class Demo:
    """One demo in a state folder of its own, on free ports."""

    def __init__(self, state: Path, arguments: Sequence[str] = ()) -> None:
        self.state = state
        self.page_port = free_port()
        self.connector_port = free_port()
        self.engine_port = free_port()
        self.output = state.parent / f"{state.name}.out"
        self._out = self.output.open("wb")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "opensqt.cli.main",
                "demo",
                "--no-browser",
                "--state",
                str(state),
                "--port",
                str(self.page_port),
                "--connector-port",
                str(self.connector_port),
                "--engine-port",
                str(self.engine_port),
                *arguments,
            ],
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.page_port}/"

    @property
    def connector_address(self) -> str:
        return f"127.0.0.1:{self.connector_port}"

    @property
    def engine_address(self) -> str:
        return f"127.0.0.1:{self.engine_port}"

    def text(self) -> str:
        """Return what the demo has printed."""
        return self.output.read_text(errors="replace")

    def health(self) -> dict[str, Any] | None:
        """Return the page's /health, or None while nobody answers."""
        try:
            with urlopen(f"{self.page_url}health", timeout=2) as reply:
                return dict(json.load(reply))
        except OSError:
            return None

    def pids(self) -> dict[str, int]:
        """Return the process id of each service that runs now, by name."""
        found: dict[str, int] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if parent != self.process.pid:
                continue
            for name, module in SERVICES.items():
                if module.encode() in argv:
                    found[name] = int(entry.name)
        return found

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait until all three services run and the page answers."""

        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"the demo ended with {self.process.returncode}:\n{self.text()}")
            return len(self.pids()) == 3 and self.health() is not None

        wait_until(ready, timeout_s, f"the demo to be ready:\n{self.text()}")

    def kill(self, service: str) -> int:
        """Kill a service without warning; return the id it had."""
        pid = self.pids()[service]
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_back(self, service: str, old_pid: int, timeout_s: float = 30) -> int:
        """Wait until a killed service runs again; return its new id."""
        return int(
            wait_until(
                lambda: self.pids().get(service) not in (None, old_pid) and self.pids()[service],
                timeout_s,
                f"{service} to be back:\n{self.text()[-3000:]}",
            )
        )

    def interrupt(self, timeout_s: float = 30) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout_s)

    def close(self) -> None:
        """End whatever is left of it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        self._out.close()


@contextmanager
def running_demo(state: Path, *arguments: str) -> Iterator[Demo]:
    """Start a demo, wait until it serves, and end it afterwards."""
    demo = Demo(state, arguments)
    try:
        demo.wait_ready()
        yield demo
    finally:
        demo.close()
