"""One instance per state folder; only our own files are ever removed; a full or read-only disk is said plainly."""

import os
import shutil
import stat

import pytest

from opensqt.cli import state_dir
from opensqt.cli.engine_client import find_engine
from opensqt.cli.errors import CliError
from opensqt.cli.state_dir import RunningInstance, StateDir, read_instance


def test_two_instances_do_not_share_a_folder(tmp_path):
    with StateDir(tmp_path).lock(), pytest.raises(CliError, match="another instance"), StateDir(tmp_path).lock():
        pass
    with StateDir(tmp_path).lock():
        pass


def test_fresh_removes_what_is_ours_and_nothing_else(tmp_path):
    folder = StateDir(tmp_path / "demo")
    folder.prepare(fresh=False)
    (folder.path / "engine.db").write_text("old")
    (folder.path / "logs" / "engine.log").write_text("old")
    (folder.path / "thesis.txt").write_text("precious")
    folder.prepare(fresh=True)
    assert not (folder.path / "engine.db").exists()
    assert not (folder.path / "logs" / "engine.log").exists()
    assert (folder.path / "thesis.txt").read_text() == "precious"


def test_fresh_leaves_folders_that_were_never_ours(tmp_path):
    (tmp_path / "customers.db").write_text("precious")
    with pytest.raises(CliError, match="not made by OpenSQT"):
        StateDir(tmp_path).prepare(fresh=True)
    assert (tmp_path / "customers.db").read_text() == "precious"


def test_a_run_in_somebodys_folder_does_not_make_it_ours(tmp_path):
    (tmp_path / "compose.yaml").write_text("precious")
    folder = StateDir(tmp_path)
    with folder.lock():
        folder.prepare(fresh=False)
    with folder.lock(), pytest.raises(CliError, match="not made by OpenSQT"):
        folder.prepare(fresh=True)
    assert (tmp_path / "compose.yaml").read_text() == "precious"


def test_an_empty_folder_becomes_ours(tmp_path):
    folder = StateDir(tmp_path)
    for _ in range(2):
        with folder.lock():
            folder.prepare(fresh=True)
            assert (tmp_path / "logs").is_dir()
            (tmp_path / "engine.db").write_text("old")


def test_a_nearly_full_disk_is_refused(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=5 * 1024 * 1024)
    monkeypatch.setattr(state_dir.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(CliError, match="5 MiB free"):
        StateDir(tmp_path).prepare(fresh=False)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CliError, match="cannot be written"):
        StateDir(tmp_path / "file" / "demo").prepare(fresh=False)


def test_files_with_secrets_are_for_the_owner_only(tmp_path):
    path = StateDir(tmp_path).write_private("engine.yaml", "token: x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_running_instance_is_found_and_a_dead_one_is_not(tmp_path):
    folder = StateDir(tmp_path)
    assert read_instance(tmp_path) is None
    folder.announce(RunningInstance(pid=os.getpid(), name="demo", engine_address="unix:/x.sock"))
    found = read_instance(tmp_path)
    assert found is not None
    assert found.engine_address == "unix:/x.sock"
    folder.announce(RunningInstance(pid=2**22 + 1, name="demo", engine_address="unix:/x.sock"))
    assert read_instance(tmp_path) is None


def test_with_nothing_running_it_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CliError, match="nothing is running") as caught:
        find_engine(None, None)
    assert "opensqt demo" in str(caught.value)
    with pytest.raises(CliError, match="nothing runs in"):
        find_engine(tmp_path / "var" / "demo", None)


def test_the_only_running_instance_is_found_and_two_must_be_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        folder = StateDir(tmp_path / "var" / name)
        folder.prepare(fresh=False)
        token = folder.write_private("tokens/engine", "a-token-of-this-test\n")
        folder.announce(
            RunningInstance(pid=os.getpid(), name=name, engine_address=f"unix:/{name}.sock", token_file=str(token))
        )
        if name == "one":
            found = find_engine(None, None)
            assert found.address == "unix:/one.sock"
            assert found.token is not None
            assert found.token.reveal() == "a-token-of-this-test"
    with pytest.raises(CliError, match="more than one instance") as caught:
        find_engine(None, None)
    assert caught.value.exit_code == 2
