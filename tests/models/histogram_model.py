"""Naive model of the histogram kernel: keep every value and sort."""

import math
from dataclasses import dataclass, field


@dataclass
class ModelHistogram:
    """Hold all values ever recorded, with negatives as 0."""

    values: list[int] = field(default_factory=list)

    def record(self, ns: int) -> None:
        self.values.append(min(max(ns, 0), 2**63 - 1))

    def quantile(self, q: float) -> int | None:
        if not self.values:
            return None
        rank = max(math.ceil(q * len(self.values)), 1)
        return sorted(self.values)[rank - 1]

    def count_up_to(self, bound: float) -> int:
        return sum(value <= bound for value in self.values)
