"""What is wrong with a configuration: where, what was there, which rule it breaks, how to repair it."""

from collections.abc import Sequence
from typing import final

import msgspec

EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h


class ConfigProblem(msgspec.Struct, frozen=True):
    """Describe one problem.

    `path` is the key's dotted path (empty = the whole file), `value` what was there as text (secrets redacted),
    `rule` what must hold, `fix` what to do about it.
    """

    path: str
    value: str
    rule: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}. Fix: {self.fix}"

    @property
    def what(self) -> str:
        """Return where, what was there and which rule it breaks, for a reader who is told the fix apart."""
        was = f" was {self.value};" if self.value else ""
        return f"{self.path or '(file)'}:{was} {self.rule}"

    def under(self, prefix: str) -> "ConfigProblem":
        """Return the same problem with its path below `prefix`."""
        joined = ".".join(part for part in (prefix, self.path) if part)
        return msgspec.structs.replace(self, path=joined)


@final
class ConfigError(Exception):
    """A configuration cannot be used; `.problems` has every reason at once, `.source` the file it came from.

    A config struct's `__post_init__` may raise it with paths relative to that struct; the loader prefixes them.
    """

    def __init__(self, problems: Sequence[ConfigProblem], *, source: str = "") -> None:
        self.problems = list(problems)
        self.source = source
        super().__init__(self._text())

    @classmethod
    def single(cls, path: str, value: object, rule: str, fix: str) -> "ConfigError":
        """Return an error with one problem."""
        return cls([ConfigProblem(path, "" if value is None else str(value), rule, fix)])

    def _text(self) -> str:
        count = len(self.problems)
        where = f" in {self.source}" if self.source else ""
        head = f"{count} configuration problem{'' if count == 1 else 's'}{where}"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])
