"""A venue is known in its own folder, in the registry, and nowhere else: adding one touches these and tests.

What is looked for are names in code: strings, identifiers and imports, not words of comments and docstrings, which may
say whose rule a formula follows.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from opensqt.connector.registry import VENUES

SOURCE = Path(__file__).parents[3] / "src" / "opensqt"
# The built-in paper venue is no exchange, and its name is a mode's as well.
NAMES = sorted(({path.name for path in (SOURCE / "connector" / "venues").iterdir() if path.is_dir()}
                | set(VENUES) | {"bybit", "okx", "bitget", "gate", "gateio"}) - {"paper", "__pycache__"})  # fmt: skip
WORDS = re.compile("|".join(NAMES), re.IGNORECASE)
IS_GATE_OF_RISK = re.compile(r"gate(?!io)", re.IGNORECASE)

# Where a venue's name belongs.
HOMES = ("connector/venues/", "connector/registry.py", "sim/dialects/", "_core/decode/")
# The simulator speaks one venue's protocol so far, and replays captures of one format: neither is a venue's adapter.
SPEAKS_ONE = ("sim/", "matching/sources/", "cli/sim_section.py")


def code_names(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the identifiers, imports and strings of a module, docstrings left out."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield line, node.value
        elif isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield line, node.arg
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield line, node.name
        elif isinstance(node, ast.ImportFrom):
            yield line, node.module or ""
        elif isinstance(node, ast.alias):
            yield 0, node.name


def mentions(path: Path) -> list[str]:
    """Return where a module names a venue."""
    name = path.relative_to(SOURCE)
    return [
        f"{name}:{line}: {text[:60]}" for line, text in code_names(path) if WORDS.search(IS_GATE_OF_RISK.sub("", text))
    ]


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (SOURCE / folder).rglob("*.py") if "_pb2" not in path.name)


def test_the_search_finds_what_it_is_for() -> None:
    assert {"binance", "ccxt"} <= set(NAMES)
    assert mentions(SOURCE / "connector" / "registry.py")


@pytest.mark.parametrize("service", ["engine", "live_server"])
def test_neither_engine_nor_page_has_a_venues_name_in_any_word(service: str) -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{number}: {line.strip()}"
        for path in modules(service)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if WORDS.search(IS_GATE_OF_RISK.sub("", line))
    ]
    assert modules(service)
    assert found == []


def test_only_the_registry_names_a_venue_outside_its_folder() -> None:
    elsewhere = [
        path for path in modules(".") if not path.relative_to(SOURCE).as_posix().startswith((*HOMES, *SPEAKS_ONE))
    ]
    assert len(elsewhere) > 200
    assert [line for path in elsewhere for line in mentions(path)] == []


def test_every_folder_of_a_venue_is_in_the_registry() -> None:
    folders = {path.name for path in (SOURCE / "connector" / "venues").iterdir() if (path / "adapter.py").exists()}
    source = (SOURCE / "connector" / "registry.py").read_text()
    assert folders
    assert [name for name in folders if f"venues.{name}." not in source] == []
