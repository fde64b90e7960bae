"""What a new user does before trading: init, doctor, grid preview, as programs, without a key or a network."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from models.ports import free_port

pytestmark = pytest.mark.slow


def _opensqt(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NO_COLOR": "1", **_free_ports()}
    argv = [sys.executable, "-m", "opensqt.cli.main", *arguments]
    return subprocess.run(
        argv, cwd=folder, env=env, input=typed, capture_output=True, text=True, timeout=100, check=False
    )


def _free_ports() -> dict[str, str]:
    keys = ("CONNECTOR__GRPC__PORT", "ENGINE__GRPC__PORT", "LIVE_SERVER__PORT")
    return {f"OPENSQT_{key}": str(free_port()) for key in keys}


def _json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def test_answers_become_a_configuration_that_the_doctor_passes(tmp_path: Path) -> None:
    made = _opensqt(tmp_path, "init", "mine.yaml", typed="\n" * 6)
    assert made.returncode == 0, made.stderr
    assert "Written to mine.yaml" in made.stdout
    path = tmp_path / "mine.yaml"
    assert path.stat().st_mode & 0o777 == 0o600

    looked = _opensqt(tmp_path, "doctor", "mine.yaml", "--json")
    found = _json(looked)
    assert (looked.returncode, found["ok"]) == (0, True), found
    names = {finding["name"] for finding in found["findings"]}
    assert {"config file", "clock", "disk", "ports", "venue", "key", "bot btc"} <= names

    shown = _opensqt(tmp_path, "grid", "preview", "mine.yaml", "--json")
    (grid,) = _json(shown)["bots"]
    assert shown.returncode == 0
    assert [order["side"] for order in grid["orders"]] == ["buy"] * len(grid["orders"])
    assert grid["orders"]
    assert not (tmp_path / "var").exists()  # looking leaves nothing behind

    again = _opensqt(tmp_path, "init", "mine.yaml", "--yes")
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_a_grid_that_would_not_start_fails_preview_and_doctor_with_the_reason(tmp_path: Path) -> None:
    assert _opensqt(tmp_path, "init", "mine.yaml", "--yes", "--symbol", "ETHUSDT").returncode == 0
    path = tmp_path / "mine.yaml"
    path.write_text(path.read_text().replace("position_safety_check: ", "position_safety_check: 9999"))

    shown = _opensqt(tmp_path, "grid", "preview", "mine.yaml")
    looked = _opensqt(tmp_path, "doctor", "mine.yaml")

    assert (shown.returncode, looked.returncode) == (1, 1)
    assert "position_safety_check" in shown.stdout
    assert "Mend what failed" in looked.stdout


def test_a_connector_that_cannot_start_is_reported_in_its_own_words(tmp_path: Path) -> None:
    assert _opensqt(tmp_path, "init", "mine.yaml", "--yes").returncode == 0
    path = tmp_path / "mine.yaml"
    path.write_text(path.read_text().replace("symbols: [BTCUSDT]", "symbols: [NOPEUSDT]"))

    looked = _opensqt(tmp_path, "doctor", "mine.yaml", "--json")

    (venue,) = [finding for finding in _json(looked)["findings"] if finding["name"] == "venue"]
    assert (looked.returncode, venue["status"]) == (1, "failed")
    assert "NOPEUSDT" in venue["detail"]


def test_status_is_shown_anew_while_it_is_watched(tmp_path: Path) -> None:
    assert _opensqt(tmp_path, "init", "mine.yaml", "--yes").returncode == 0
    ports = _free_ports()
    env = {**os.environ, **ports}
    for section in ("ENGINE", "LIVE_SERVER"):
        env[f"OPENSQT_{section}__CONNECTOR__ADDRESS"] = f"127.0.0.1:{ports['OPENSQT_CONNECTOR__GRPC__PORT']}"
    env["OPENSQT_LIVE_SERVER__ENGINE__ADDRESS"] = f"127.0.0.1:{ports['OPENSQT_ENGINE__GRPC__PORT']}"
    command = [sys.executable, "-m", "opensqt.cli.main"]
    with subprocess.Popen(
        [*command, "up", "mine.yaml"], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        while not (line := run.stdout.readline()).startswith("running:"):
            assert line, "it ended before it ran"
        watch = subprocess.Popen(
            [*command, "status", "--watch", "--json"], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
        )
        assert watch.stdout is not None
        seen = [json.loads(watch.stdout.readline()) for _ in range(2)]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 130
        watch.stdout.close()
        run.send_signal(signal.SIGINT)
        run.stdout.read()

    assert seen[1]["uptime_ms"] > seen[0]["uptime_ms"]
    assert seen[0]["bots"][0]["symbol"] == "BTC/USDT:USDT"
