"""What the machine itself does to a computation that touches nothing: no latency can be steadier than that."""

import report
from machine import steadiness


def test_steadiness_of_the_machine() -> None:
    found = steadiness()
    name = "the machine: the same computation again and again"
    report.add(report.Row(f"{name}, p50", "us", found.p50))
    report.add(report.Row(f"{name}, p99", "us", found.p99, found.p50, ratio=found.p99 / found.p50))
    assert 0 < found.p50 <= found.p99
