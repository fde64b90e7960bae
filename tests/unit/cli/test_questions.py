"""Questions of the command line: options win, wrong answers are explained and asked for again."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.cli.errors import CliError
from opensqt.cli.questions import Questions


def _typed(*lines: str) -> Callable[[], str]:
    left = iter([f"{line}\n" for line in lines])
    return lambda: next(left, "")


def test_enter_takes_the_default() -> None:
    ask = Questions(silent=False, read=_typed("", ""))

    assert ask.text("Symbol?", None, "BTCUSDT") == "BTCUSDT"
    assert ask.number("Leverage?", None, "2", low="1", high="10") == Decimal(2)


def test_a_wrong_answer_is_explained_and_asked_for_again(capsys: pytest.CaptureFixture[str]) -> None:
    ask = Questions(silent=False, read=_typed("many", "11", "NaN", "7"))

    assert ask.number("Leverage?", None, "2", low="1", high="10") == Decimal(7)
    said = capsys.readouterr().out
    assert "'many' is no number" in said
    assert said.count("must be from 1 to 10") == 2


def test_an_option_is_not_asked_for_and_a_wrong_one_is_an_error() -> None:
    ask = Questions(silent=False, read=_typed())

    assert ask.choice("Mode?", "live", "paper", ("paper", "live")) == "live"
    with pytest.raises(CliError, match="'lvie' is none of paper, live"):
        ask.choice("Mode?", "lvie", "paper", ("paper", "live"))


def test_the_end_of_the_input_is_an_error_that_names_the_way_out() -> None:
    with pytest.raises(CliError, match="--yes"):
        Questions(silent=False, read=_typed()).text("Symbol?", None, "BTCUSDT")


def test_endless_wrong_answers_end() -> None:
    with pytest.raises(CliError, match="--help"):
        Questions(silent=False, read=lambda: "x\n").number("Leverage?", None, "2", low="1")


def test_a_file_must_exist(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k")

    assert Questions(silent=False, read=_typed(str(tmp_path / "no"), str(key))).file("Key?") == key
