"""What the machine itself does to a computation that touches nothing: no latency can be steadier than that."""

import time

import report

CHUNK = 8_000
"""Loops of one computation, some 0.6 ms."""
TIMES = 500
PAUSE_S = 0.01


def compute() -> int:
    total = 0
    for number in range(CHUNK):
        total += number * number % 7
    return total


def test_steadiness_of_the_machine() -> None:
    compute()
    took_us = []
    for _ in range(TIMES):
        begun_ns = time.perf_counter_ns()
        compute()
        took_us.append((time.perf_counter_ns() - begun_ns) / 1_000)
        time.sleep(PAUSE_S)
    took_us.sort()
    p50, p99 = took_us[TIMES // 2], took_us[TIMES * 99 // 100]
    report.add(report.Row("the machine: the same computation again and again, p50", "us", p50))
    report.add(report.Row("the machine: the same computation again and again, p99", "us", p99, p50, ratio=p99 / p50))
    assert took_us[0] > 0
