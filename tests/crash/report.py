"""The numbers of one run, and whether they are good enough."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_RECOVERY_S = 5.0


@dataclass
class Report:
    """What was done and what was found. `problems` is empty when nothing was lost."""

    seed: int
    max_recovery_s: float = MAX_RECOVERY_S
    kills: int = 0
    kills_by_service: dict[str, int] = field(default_factory=dict)
    kills_at_crash_points: dict[str, int] = field(default_factory=dict)
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    orders: int = 0
    amendments: int = 0
    fills_at_venue: int = 0
    fills_in_ledger: int = 0
    fills_lost: int = 0
    fills_doubled: int = 0
    fills_different: int = 0
    cash_flows_different: int = 0
    orphan_orders: int = 0
    cap_violations: list[str] = field(default_factory=list)
    peaks: dict[str, Any] = field(default_factory=dict)
    wallet_at_venue: str = ""
    wallet_by_ledger: str = ""
    unexplained: str = ""
    lost_replies: int = 0
    lost_requests: int = 0
    took_s: float = 0.0
    slow_recoveries: int = 0
    problems: list[str] = field(default_factory=list)

    def recovered(self, service: str, seconds: float) -> None:
        self.recovery_s.setdefault(service, []).append(round(seconds, 2))
        self.slow_recoveries += seconds > self.max_recovery_s

    def judge(self) -> None:
        """Turn every number that is not as promised into a problem."""
        for name in ("fills_lost", "fills_doubled", "fills_different", "cash_flows_different", "orphan_orders"):
            if getattr(self, name):
                self.problems.append(f"{name.replace('_', ' ')}: {getattr(self, name)}")
        self.problems += self.cap_violations
        if self.wallet_at_venue != self.wallet_by_ledger:
            self.problems.append(f"the ledger makes {self.wallet_by_ledger}, the venue has {self.wallet_at_venue}")
        if self.slow_recoveries:
            self.problems.append(f"{self.slow_recoveries} recoveries took more than {self.max_recovery_s:g} s")

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        found["recovery_s"] = {name: _spread(times) for name, times in sorted(self.recovery_s.items())}
        found["ok"] = not self.problems
        return found

    def text(self) -> str:
        lines = [f"seed {self.seed}: {self.kills} kills in {self.took_s:.0f} s"]
        rows = [(f"killed {name}", str(count)) for name, count in sorted(self.kills_by_service.items())]
        rows.append(("of them at crash points", str(sum(self.kills_at_crash_points.values()))))
        for name, times in sorted(self.recovery_s.items()):
            spread = _spread(times)
            rows.append((f"{name} quoting again, p50 / max", f"{spread['p50']:.2f} / {spread['max']:.2f} s"))
        rows += [
            ("orders, amendments", f"{self.orders}, {self.amendments}"),
            ("replies lost, requests lost", f"{self.lost_replies}, {self.lost_requests}"),
            ("fills at the venue / in the ledger", f"{self.fills_at_venue} / {self.fills_in_ledger}"),
            ("fills lost, doubled, different", f"{self.fills_lost}, {self.fills_doubled}, {self.fills_different}"),
            ("orphan orders", str(self.orphan_orders)),
            ("cap violations", str(len(self.cap_violations))),
            ("highest values", ", ".join(f"{name} {value}" for name, value in self.peaks.items())),
            ("wallet at the venue / by the ledger", f"{self.wallet_at_venue} / {self.wallet_by_ledger}"),
        ]
        lines += [f"  {name:38} {value}" for name, value in rows]
        lines += [f"PROBLEM: {problem}" for problem in self.problems] or ["nothing lost, nothing doubled"]
        return "\n".join(lines)


def _spread(times: list[float]) -> dict[str, float]:
    return {"count": len(times), "p50": statistics.median(times), "max": max(times)}
