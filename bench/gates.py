"""The rule of the instruction gate: a kernel may cost at most 15 % more than its stored budget. Pure."""

import json
import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOLERANCE = 0.15
BUDGET_FILE = Path(__file__).with_name("instructions.json")


@dataclass(frozen=True)
class Verdict:
    """One kernel's count against its budget; a budget of None means that none was stored."""

    name: str
    count: float
    budget: float | None
    tolerance: float = TOLERANCE

    @property
    def growth(self) -> float:
        """Return by which fraction the count is above the budget."""
        return 0.0 if not self.budget else self.count / self.budget - 1

    @property
    def is_good(self) -> bool:
        """Return whether the gate lets it pass; a kernel without a budget does not."""
        return self.budget is not None and round(self.growth, 9) < self.tolerance

    def __str__(self) -> str:
        if self.budget is None:
            return f"{self.name}: no budget is stored; run `make bench-budget` and commit the file"
        word = "ok" if self.is_good else f"above the limit of +{self.tolerance:.0%}"
        return f"{self.name}: {self.count:,.0f} instructions, budget {self.budget:,.0f}, {self.growth:+.1%}, {word}"


def judge(counts: dict[str, float], budget: dict[str, float], tolerance: float = TOLERANCE) -> list[Verdict]:
    """Judge every count, and every budget whose kernel was not measured: a gate must not pass by being forgotten."""
    names = [*counts, *(name for name in budget if name not in counts)]
    return [Verdict(name, counts.get(name, float("inf")), budget.get(name), tolerance) for name in names]


def environment() -> str:
    """Return what the counts depend on besides our code: interpreter, compiler, machine."""
    compiler = platform.python_compiler().split()[0:2]
    return f"{sys.implementation.cache_tag} {'-'.join(compiler)} {sysconfig.get_platform()}"


def load_budget(path: Path = BUDGET_FILE) -> dict[str, Any]:
    """Return the stored budget: environment -> kernel -> instructions per item."""
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def store_budget(counts: dict[str, float], path: Path = BUDGET_FILE) -> None:
    """Store counts as the budget of this environment, beside those of others."""
    budgets = load_budget(path)
    budgets[environment()] = {name: round(count) for name, count in counts.items()}
    path.write_text(json.dumps(budgets, indent=2) + "\n")
