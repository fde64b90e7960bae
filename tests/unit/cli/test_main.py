"""Errors become exit codes, and a message instead of a traceback."""

import pytest

from opensqt.cli.errors import CliError
from opensqt.cli.main import guard, invoke
from opensqt.domain.errors import ErrorReason, StateError
from opensqt.runtime.config import ConfigError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CliError("nothing is running"), 1),
        (CliError("no such file", 2), 2),
        (ConfigError.single("port", 5, "is taken", "choose another"), 78),
        (StateError(ErrorReason.FENCED, "another engine runs"), 1),
        (OSError(28, "No space left on device"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_known_errors_are_told_and_numbered(error, code, capsys):
    def fail():
        raise error

    assert guard(fail) == code
    text = capsys.readouterr().err
    assert code == 130 or str(error) in text


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        guard(lambda: 1 // 0)


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1), ("text", 0)])
def test_a_commands_number_is_the_exit_code(result, code):
    assert guard(lambda: result) == code


@pytest.mark.parametrize("command", ["status", "pause", "resume"])
def test_with_nothing_running_commands_say_so(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert invoke([command]) == 1
    assert "nothing is running" in capsys.readouterr().err
