"""The instruction gate: +15 % is red, forgetting a kernel is red, and a clone without captures can count."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def gates(project_root: Path) -> Any:
    return load(project_root / "bench" / "gates.py")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("growth", "is_good"), [(-0.5, True), (0.0, True), (0.149, True), (0.15, False), (2.0, False)])
def test_fifteen_percent_more_instructions_fail(gates: Any, growth: float, is_good: bool) -> None:
    (verdict,) = gates.judge({"parse": 1_000 * (1 + growth)}, {"parse": 1_000})
    assert verdict.is_good is is_good
    assert verdict.growth == pytest.approx(growth)


def test_one_slow_kernel_among_good_ones_is_seen(gates: Any) -> None:
    verdicts = gates.judge({"a": 100.0, "b": 116.0, "c": 90.0}, {"a": 100, "b": 100, "c": 100})
    assert [verdict.name for verdict in verdicts if not verdict.is_good] == ["b"]
    assert "+16.0%" in str(verdicts[1])


def test_kernel_without_budget_and_budget_without_kernel_fail(gates: Any) -> None:
    new, forgotten = gates.judge({"new": 10.0}, {"forgotten": 10})
    assert not new.is_good
    assert "make bench-budget" in str(new)
    assert not forgotten.is_good


def test_stored_budget_names_every_kernel(gates: Any, project_root: Path) -> None:
    sys.path.insert(0, str(project_root / "bench"))
    try:
        names = [kernel.name for kernel in load(project_root / "bench" / "kernels.py").kernels()]
    finally:
        sys.path.remove(str(project_root / "bench"))
    budgets = json.loads((project_root / "bench" / "instructions.json").read_text())
    assert budgets
    for budget in budgets.values():
        assert sorted(budget) == sorted(names)
        assert all(count > 0 for count in budget.values())


def test_budgets_of_other_environments_are_kept(gates: Any, tmp_path: Path) -> None:
    file = tmp_path / "budget.json"
    file.write_text('{"elsewhere": {"parse": 7}}')
    gates.store_budget({"parse": 10.4}, file)
    assert gates.load_budget(file) == {"elsewhere": {"parse": 7}, gates.environment(): {"parse": 10}}


def test_the_documented_slow_down_still_fits_the_source(project_root: Path) -> None:
    patch = (project_root / "bench" / "slowdown.patch").read_text().splitlines()
    (target,) = (line.removeprefix("+++ b/") for line in patch if line.startswith("+++ b/"))
    source = (project_root / target).read_text()
    body = [line for line in patch if not line.startswith(("diff", "index", "---", "+++"))]
    hunks = [list[str]()]
    for line in body:
        if line.startswith("@@"):
            hunks.append([])
        elif not line.startswith("+"):
            hunks[-1].append(line[1:])
    assert all("\n".join(hunk) in source for hunk in hunks)
    assert any(line.startswith("+") for line in body)
