"""The service as a process: its config, its first words, its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from models.ports import free_port

pytestmark = pytest.mark.slow


def write_config(tmp_path: Path, port: int, extra: str = "") -> Path:
    path = tmp_path / "live_server.yaml"
    path.write_text(
        f'connector: {{address: "127.0.0.1:{free_port()}"}}\n'
        f'engine: {{address: "unix:{tmp_path}/engine.sock"}}\n'
        f"port: {port}\nlog: {{format: json}}\n{extra}"
    )
    return path


@contextmanager
def service(config: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "opensqt.live_server.app", "--config", str(config), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def wait_health(port: int) -> dict[str, object]:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                return dict(json.load(answer))
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the server did not answer within 10 s")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_service_starts_alone_and_stops_cleanly(tmp_path: Path, stop: signal.Signals) -> None:
    port = free_port()
    with service(write_config(tmp_path, port)) as process:
        health = wait_health(port)
        assert (health["status"], health["engine_up"], health["connector_up"]) == ("degraded", False, False)
        process.send_signal(stop)
        assert process.wait(10) == 0
        assert process.stderr is not None
        events = [json.loads(line) for line in process.stderr.read().splitlines()]
        ready = next(event for event in events if event["event"] == "ready")
        assert ready["address"] == f"http://127.0.0.1:{port}"


def test_port_in_use_ends_with_the_config_exit_code(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with service(write_config(tmp_path, taken.getsockname()[1])) as process:
            assert process.wait(20) == 78
            assert process.stderr is not None
            errors = process.stderr.read()
            assert "choose another port" in errors
            assert "Traceback" not in errors


def test_check_lists_every_problem(tmp_path: Path) -> None:
    config = write_config(tmp_path, 8081, "host: 0.0.0.0\nbogus: 1\nlimits: {candles: 1}\n")
    with service(config, "--check", "--json") as process:
        assert process.wait(20) == 78
        assert process.stdout is not None
        problems = {problem["path"] for problem in json.loads(process.stdout.read())["problems"]}
        assert {"bogus", "limits.candles"} <= problems
