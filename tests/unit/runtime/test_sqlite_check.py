"""A file is checked in a process of its own, and whatever happens there is an answer."""

from pathlib import Path

import pytest

from opensqt.runtime import sqlite_check
from opensqt.runtime.sqlite import StoreError, open_database
from opensqt.runtime.sqlite_check import check_apart, main

SCHEMA = ("CREATE TABLE numbers (value INTEGER NOT NULL) STRICT;",)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    open_database(tmp_path / "a.db", SCHEMA).close()
    return tmp_path / "a.db"


def test_a_sound_file_passes(sound: Path) -> None:
    check_apart(sound)
    assert main(sound) == 0


def test_a_damaged_file_is_named_with_what_is_wrong(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound.write_bytes(b"garbage" * 1_000)
    with pytest.raises(StoreError, match=r"a\.db is damaged .*not a database"):
        check_apart(sound)
    assert main(sound) == 1
    assert "damaged" in capsys.readouterr().out


def test_a_check_that_hangs_is_given_up(sound: Path) -> None:
    with pytest.raises(StoreError, match="could not be checked within"):
        check_apart(sound, timeout_s=0.001)


def test_a_check_that_dies_is_no_pass(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_check.sys, "executable", "/bin/false")
    with pytest.raises(StoreError, match="could not be checked"):
        check_apart(sound)
