"""Questions on the command line: an answer given as an option is not asked for, wrong ones are asked for again."""

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar, final

from opensqt.cli.errors import EXIT_USAGE, CliError
from opensqt.cli.output import print_line

Value = TypeVar("Value")
_TRIES = 5


@final
class Questions:
    """Asks, or takes the defaults when `silent`. A wrong option is an error, a wrong answer is explained."""

    def __init__(self, *, silent: bool, read: Callable[[], str] | None = None) -> None:
        self.silent = silent
        self._read = read or sys.stdin.readline

    def text(self, question: str, given: str | None, default: str) -> str:
        """Return a text that is not empty."""
        return self._ask(question, given, default, _not_empty)

    def choice(self, question: str, given: str | None, default: str, choices: Sequence[str]) -> str:
        """Return one of several words."""

        def one_of(text: str) -> str:
            if text not in choices:
                raise ValueError(f"{text!r} is none of {', '.join(choices)}")
            return text

        return self._ask(f"{question} ({', '.join(choices)})", given, default, one_of)

    def number(self, question: str, given: str | None, default: str, *, low: str, high: str = "") -> Decimal:
        """Return a number within bounds; `high` empty = no upper one."""

        def within(text: str) -> Decimal:
            try:
                value = Decimal(text)
            except InvalidOperation:
                raise ValueError(f"{text!r} is no number") from None
            if not value.is_finite() or value < Decimal(low) or (high and value > Decimal(high)):
                bounds = f"from {low} to {high}" if high else f"at least {low}"
                raise ValueError(f"{text} must be {bounds}")
            return value

        return self._ask(question, given, default, within)

    def file(self, question: str) -> Path:
        """Return a file that exists, absolute."""

        def existing(text: str) -> Path:
            path = Path(text).expanduser().absolute()
            if not path.is_file():
                raise ValueError(f"{path} is no file")
            return path

        return self._ask(question, None, "", existing)

    def _ask(self, question: str, given: str | None, default: str, parse: Callable[[str], Value]) -> Value:
        if given is not None or self.silent:
            try:
                return parse(given if given is not None else default)
            except ValueError as error:
                raise CliError(f"{question} {error}", EXIT_USAGE) from None
        for _ in range(_TRIES):
            sys.stdout.write(f"{question} [{default}] " if default else f"{question} ")
            sys.stdout.flush()
            line = self._read()
            if not line:
                raise CliError("the input ended before all questions were answered; use --yes for defaults", EXIT_USAGE)
            try:
                return parse(line.strip() or default)
            except ValueError as error:
                print_line(f"  {error}")
        raise CliError("no usable answer after several tries; see `opensqt init --help` for the options", EXIT_USAGE)


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text
