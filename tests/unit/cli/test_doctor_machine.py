"""What the doctor says of this machine: permissions, disk, ports, state file."""

import shutil
import socket
import sqlite3
from pathlib import Path

import pytest

from opensqt.cli import doctor_machine as machine
from opensqt.cli.doctor_check import Status
from opensqt.cli.umbrella_config import load_any


def test_a_config_with_a_secret_must_be_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("x: 1\n")
    path.chmod(0o644)
    secret = {"connector": {"grpc": {"tokens": [{"token": "t" * 20, "role": "read"}]}}}

    assert machine.config_file(path, {"connector": {"grpc": {"port": 1}}}).status is Status.OK
    found = machine.config_file(path, secret)
    assert found.status is Status.FAILED
    assert "t" * 20 not in found.detail + found.fix
    path.chmod(0o600)
    assert machine.config_file(path, secret).status is Status.OK


def test_files_of_secrets_are_looked_at_wherever_they_are_named(tmp_path: Path) -> None:
    for name, mode in (("open", 0o644), ("closed", 0o600)):
        (tmp_path / name).write_text("s")
        (tmp_path / name).chmod(mode)
    document = {
        "connector": {"exchange": {"api_key_file": "open", "api_secret_file": "closed"}},
        "live_server": {"operator_token_file": "missing", "state_file": "open"},
    }

    found = [(one.status, one.detail.split()[0]) for one in machine.secret_files(document, tmp_path)]

    assert found == [(Status.FAILED, "api_key_file"), (Status.OK, "api_secret_file")]


def test_a_state_folder_that_others_can_read_is_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    assert machine.state_folder(folder).status is Status.OK
    folder.mkdir(mode=0o755)
    assert machine.state_folder(folder).status is Status.FAILED


@pytest.mark.parametrize(("free_mib", "status"), [(10, Status.FAILED), (300, Status.WARNING), (50_000, Status.OK)])
def test_too_little_disk_is_told_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mib: int, status: Status
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free_mib * 1024**2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)

    assert machine.disk(tmp_path / "not" / "yet").status is status


def test_a_port_of_another_program_is_a_failure_and_one_of_ours_is_not(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        path = tmp_path / "config.yaml"
        path.write_text(f"connector: {{grpc: {{port: {port}}}}}\n")
        config = load_any(path)

        (foreign,) = machine.ports(config, tmp_path, set())  # type: ignore[arg-type]
        (ours,) = machine.ports(config, tmp_path, {"connector"})  # type: ignore[arg-type]

    assert (foreign.status, ours.status) == (Status.FAILED, Status.OK)
    assert f"connector.grpc.port {port}" in foreign.detail


def test_a_damaged_state_file_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    assert list(machine.state_file(path)) == []
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE one (x)")
    database.close()
    assert [one.status for one in machine.state_file(path)] == [Status.OK]
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4_000)
    assert [one.status for one in machine.state_file(path)] == [Status.FAILED]
