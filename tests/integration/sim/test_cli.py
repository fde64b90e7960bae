"""The program: starts, says where it is, stops, and says clearly what it cannot do."""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

PROGRAM = [sys.executable, "-m", "opensqt.sim.app"]


def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, object]]:
    process = subprocess.Popen(
        [*PROGRAM, "binance", "--json", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def stop(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    return process.returncode


def fetch(url: object) -> object:
    with urllib.request.urlopen(str(url), timeout=5) as reply:
        return json.load(reply)


def until_book(rest: str) -> dict[str, Any]:
    """Return the book once the capture has shown one."""
    for _ in range(50):
        depth = fetch(f"{rest}/fapi/v1/depth?symbol=BTCUSDT&limit=5")
        assert isinstance(depth, dict)
        if depth["bids"]:
            return depth
        time.sleep(0.1)
    raise AssertionError("the capture showed no book within 5 s")


def refuse(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


def test_ready_line_names_every_route_and_account_and_the_seed_makes_the_keys() -> None:
    lines = []
    for _ in range(2):
        process, ready = start("--symbols", "BTCUSDT", "--seed", "3", "--accounts", "1")
        try:
            assert {"rest", "public", "market", "private", "ws_api", "control"} <= set(ready)
            assert fetch(f"{ready['rest']}/fapi/v1/ping") == {}
            lines.append(ready["accounts"])
        finally:
            assert stop(process) == 0
    assert lines[0] == lines[1]


def test_replay_plays_a_capture_as_of_now(shared_dir: Path) -> None:
    capture = shared_dir / "data" / "binance_usdm" / "raw_ws_BTCUSDT_20240718T235701Z_part1.jsonl.gz"
    process, ready = start("--source", "replay", "--replay", str(capture), "--speed", "5")
    try:
        depth = until_book(str(ready["rest"]))
        now = fetch(f"{ready['rest']}/fapi/v1/time")
        assert isinstance(now, dict)
        assert float(depth["bids"][0][0]) < float(depth["asks"][0][0])
        assert abs(depth["T"] - now["serverTime"]) < 60_000
    finally:
        assert stop(process) == 0


def test_taken_port_is_an_error_that_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, error = refuse("binance", "--port", str(port))
    assert code == 1
    assert f"127.0.0.1:{port}" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["--symbols", "DREAMUSDT"], "DREAMUSDT"),
        (["--speed", "0"], "--speed"),
        (["--wallet", "much"], "--wallet"),
        (["--source", "replay", "--replay", "/nowhere/capture.gz"], "/nowhere/capture.gz"),
        (["--source", "replay"], "name at least one"),
        (["--replay", "x.gz"], "--source replay"),
        (["--accounts", "0"], "--accounts"),
    ],
)
def test_bad_arguments_are_explained(arguments: list[str], needle: str) -> None:
    code, error = refuse("binance", *arguments)
    assert code == 1
    assert needle in error
    assert "Traceback" not in error


def test_broken_capture_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "broken.gz"
    path.write_bytes(gzip.compress(b"12345 {this is no json\n"))
    code, error = refuse("binance", "--source", "replay", "--replay", os.fspath(path))
    assert code == 1
    assert "broken.gz" in error
