"""The fault table is whole: every row has its named test, the starred ones also one against real processes.

The rows are those of docs/reliability.md. A row counts only if pytest would collect its test: a function of that name
in a `test_*.py` file, without a skip or xfail mark.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = tuple(range(1, 59))
STARRED = (1, 2, 17, 27, 28, 29, 30, 31, 33, 36, 55)
"""Rows that are also proven with real processes on loopback, as `test_fNN_real_...`."""


def test_every_row_of_the_fault_table_has_a_named_test() -> None:
    tests = _tests_by_row(real=False)

    assert [row for row in ROWS if row not in tests] == []


def test_every_starred_row_is_also_proven_with_real_processes() -> None:
    tests = _tests_by_row(real=True)

    assert [row for row in STARRED if row not in tests] == []


def test_no_row_is_skipped_or_expected_to_fail() -> None:
    marked = [
        f"{path.name}::{function.name}"
        for path, function in _fault_tests()
        for decorator in function.decorator_list
        if {"skip", "skipif", "xfail"} & set(ast.unparse(decorator).replace("(", ".").split("."))
    ]

    assert marked == []


def _tests_by_row(*, real: bool) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for _path, function in _fault_tests():
        row = int(function.name[6:8])
        if ("_real_" in function.name) is real:
            found[row].append(function.name)
    return found


def _fault_tests() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and node.name.startswith("test_f") and node.name[6:8].isdigit():
                yield path, node
