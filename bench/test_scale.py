"""What symbols, readers and orders cost: memory and CPU by symbol, and the way from nothing to a quoting grid."""

import os
import tempfile
import time
from pathlib import Path

import pytest
import report
from stack import Stack, VenueProcess, running

pytestmark = pytest.mark.full

QUIET_S = 5.0
BUSY_S = 5.0
GRID = 100


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("a process has memory")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def shares(bench: Stack, seconds: float) -> dict[str, float]:
    """Return the share of one core that each process uses."""
    before = {name: cpu_s(process.pid) for name, process in bench.processes.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begun
    return {name: (cpu_s(process.pid) - before[name]) / passed for name, process in bench.processes.items()}


def test_symbols_in_one_engine() -> None:
    memory: dict[int, dict[str, float]] = {}
    quiet: dict[int, dict[str, float]] = {}
    for symbols in (1, 10, 50):
        with (
            tempfile.TemporaryDirectory(prefix="oqb") as path,
            running(Path(path), mode="unix", symbols=symbols) as one,
        ):
            time.sleep(2)
            quiet[symbols] = shares(one, QUIET_S)
            memory[symbols] = {name: resident_mb(process.pid) for name, process in one.processes.items()}
            if symbols == 10:
                _busy(one)
    for name, limit_mb in (("connector", 150), ("engine", 120)):
        at_ten = memory[10][name]
        report.add(
            report.Row(
                f"resident memory, {name}, 10 symbols", "MB", at_ten, target=f"<= {limit_mb} MB", met=at_ten <= limit_mb
            )
        )
        each = (memory[50][name] - memory[10][name]) / 40
        report.add(report.Row(f"memory per extra symbol, {name}", "MB", each, target="<= 1 MB", met=each <= 1))
        share = 100 * (quiet[50][name] - quiet[10][name]) / 40
        report.add(
            report.Row(f"CPU per extra quiet symbol, {name}", "%", share, target="<= 1 % of a core", met=share <= 1)
        )


def _busy(bench: Stack) -> None:
    """Measure the CPU of both at 1,000 book messages/s."""
    before = {name: cpu_s(process.pid) for name, process in bench.processes.items()}
    flood = bench.venue.do(do="flood", rate=1_000, seconds=BUSY_S)
    spent = sum(cpu_s(process.pid) - before[name] for name, process in bench.processes.items())
    share = 100 * spent / BUSY_S * 1_000 / flood["per_s"]
    report.add(
        report.Row(
            "CPU at 1,000 book messages/s, connector + engine", "%", share, target="<= 50 % of a core", met=share <= 50
        )
    )


def test_cold_start_to_quoting_a_hundred_orders() -> None:
    """From starting the first process to the hundredth order resting, and the same for a restart that finds them."""
    venue = VenueProcess(buy_window=GRID)
    try:
        with tempfile.TemporaryDirectory(prefix="oqb") as path:
            seconds = {}
            for name in ("cold start", "restart"):
                stack = Stack(venue, Path(path), mode="unix", buy_window=GRID)
                try:
                    seconds[name] = stack.wait_for_orders(GRID)
                    time.sleep(0.5)
                finally:
                    stack.close()
            assert venue.do(do="orders")["open"] == GRID, "a restart finds its orders and places none again"
    finally:
        venue.close()
    for name, took in seconds.items():
        report.add(report.Row(f"{name} to quoting, {GRID} resting orders", "s", took, target="<= 3 s", met=took <= 3))
