"""How steady the machine is: the same computation, which touches nothing, again and again."""

import time
from dataclasses import dataclass

CHUNK = 8_000
"""Loops of one computation, some 0.6 ms."""
TIMES = 300
PAUSE_S = 0.01


@dataclass(frozen=True)
class Steadiness:
    """What one computation took, in microseconds."""

    p50: float
    p99: float


def compute() -> int:
    total = 0
    for number in range(CHUNK):
        total += number * number % 7
    return total


def steadiness() -> Steadiness:
    """Measure for some seconds. What is slow here is slow whatever our services do: no latency can be steadier."""
    compute()
    took_us = []
    for _ in range(TIMES):
        begun_ns = time.perf_counter_ns()
        compute()
        took_us.append((time.perf_counter_ns() - begun_ns) / 1_000)
        time.sleep(PAUSE_S)
    took_us.sort()
    return Steadiness(took_us[TIMES // 2], took_us[TIMES * 99 // 100])
