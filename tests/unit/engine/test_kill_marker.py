"""The note of a kill that went past the engine."""

from pathlib import Path

from opensqt.engine.kill_marker import leave_marker, marker_of, read_marker, remove_marker


def test_a_note_names_the_bots_until_it_is_removed(tmp_path: Path) -> None:
    state = tmp_path / "engine.db"
    assert read_marker(state) is None
    leave_marker(state, ["b"])
    leave_marker(state, ["a"])
    assert read_marker(state) == ["a", "b"]
    remove_marker(state)
    remove_marker(state)
    assert read_marker(state) is None


def test_a_note_that_cannot_be_read_means_every_bot(tmp_path: Path) -> None:
    state = tmp_path / "engine.db"
    marker_of(state).write_text("{")
    assert read_marker(state) == ["*"]
