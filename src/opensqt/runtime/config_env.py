"""Environment variables over a configuration: `OPENSQT_SECTION__KEY=value` sets `section.key`.

Names are matched without case; two underscores go one level down; a number addresses an element of a list.
The text is typed later, by the field it lands on, so a token made of digits stays a token.
"""

from collections.abc import Iterable, Mapping
from typing import Self

from opensqt.runtime.config_problems import ConfigProblem


class EnvText(str):
    """A value that came from the environment: still to be read as its field's type; remembers its variable."""

    __slots__ = ("variable",)

    variable: str

    def __new__(cls, value: str, variable: str) -> Self:
        """Return the text marked with the variable it came from."""
        text = super().__new__(cls, value)
        text.variable = variable
        return text


def overlay(
    document: dict[str, object], env: Mapping[str, str], *, prefix: str, top_level: Iterable[str]
) -> list[ConfigProblem]:
    """Write matching variables into `document`; return what could not be placed.

    Variables whose first part is not one of `top_level` belong to another program and are left alone.
    """
    known = set(top_level)
    problems: list[ConfigProblem] = []
    for name in sorted(env):
        if not name.startswith(f"{prefix}_"):
            continue
        parts = [part.lower() for part in name[len(prefix) + 1 :].split("__")]
        if parts[0] not in known or not all(parts):
            continue
        problem = _place(document, parts, EnvText(env[name], name))
        if problem is not None:
            problems.append(problem)
    return problems


def _place(document: dict[str, object], parts: list[str], value: EnvText) -> ConfigProblem | None:
    node: object = document
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(node, dict):
            if last:
                node[part] = value
                return None
            if node.get(part) is None:
                node[part] = {}
            node = node[part]
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            if last:
                node[int(part)] = value
                return None
            node = node[int(part)]
        else:
            path = ".".join(parts[:depth])
            return ConfigProblem(
                ".".join(parts),
                f"{value.variable}=...",
                f"`{path}` has no key or element `{part}`",
                f"unset {value.variable} or correct its name",
            )
    return None
