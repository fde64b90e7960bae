"""Run seeds of the whole system, in two processes, and say what broke.

    make simulate SEEDS=2000            seeds 1 to 2000
    make simulate SEEDS=500 FIRST=2001  the next 500
    make simulate SEED=1234             one seed, with its faults and its last events

Exit code 1 when an invariant was broken. Every twentieth seed is run twice: its log must have the same hash.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence

import msgspec
from simulation.world.runs import Report, run_seed

SAME_SEED_EVERY = 20
CHUNK = 5
PROGRESS_S = 5.0
SHOWN_FAILURES = 5


class Summary(msgspec.Struct):
    """What all runs came to."""

    seeds: int = 0
    events: int = 0
    fills: int = 0
    placements: int = 0
    run_twice: int = 0
    wall_s: float = 0.0
    sim_s: float = 0.0
    events_per_second: int = 0
    """Of one worker, by the clock on the wall; on a machine that does other work, too, that is less than a core can."""
    events_per_cpu_second: int = 0
    checks: dict[str, int] = {}
    failed: dict[str, list[int]] = {}

    def add(self, report: Report) -> None:
        """Count one run."""
        self.seeds += 1
        self.events += report.events
        self.fills += report.fills
        self.placements += report.placements
        self.sim_s += report.sim_s
        for name, count in report.counts.items():
            self.checks[name] = self.checks.get(name, 0) + count
        if report.violation:
            self.failed.setdefault(report.violation, []).append(report.seed)


def run_twice_when_due(seed: int) -> Report:
    """Run one seed; every twentieth twice, to compare the logs."""
    report = run_seed(seed)
    if seed % SAME_SEED_EVERY == 0 and not report.violation:
        again = run_seed(seed)
        report.counts["same_seed_same_log"] += 1
        if again.digest != report.digest or again.events != report.events:
            report.violation = "same_seed_same_log"
            report.what = f"{report.events} and {again.events} events, hashes {report.digest} and {again.digest}"
    return report


def run_many(seeds: Sequence[int], workers: int) -> Iterable[Report]:
    """Run seeds in worker processes; reports come as they are done."""
    if workers == 1:
        yield from map(run_twice_when_due, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(run_twice_when_due, seeds, CHUNK)


def describe(report: Report, *, with_events: bool) -> str:
    """Return a run in words."""
    lines = [
        f"seed {report.seed}: {report.events} events, {report.sim_s:.1f} s simulated in {report.wall_s:.2f} s",
        f"{report.placements} orders, {report.fills} fills, log {report.digest}",
    ]
    if report.violation or with_events:
        lines += ["faults drawn:", *(f"  {fault}" for fault in report.faults)]
    if report.violation:
        lines.append(f"BROKEN at event {report.event}: {report.violation}: {report.what}")
    if with_events or report.violation:
        lines += ["last events:", *(f"  {line}" for line in report.recent)]
    if report.violation:
        lines.append(f"replay: make simulate SEED={report.seed}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="simulate", description="Run seeds of the whole system and check it.")
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one, readably")
    parser.add_argument("--events", type=int, default=60, help="how many last events a replay shows")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    arguments = parser.parse_args(argv)
    if arguments.seed is not None:
        report = run_seed(arguments.seed, keep_recent=arguments.events, always_recent=True)
        sys.stdout.write(
            msgspec.json.encode(report).decode() + "\n" if arguments.json else describe(report, with_events=True) + "\n"
        )
        return 1 if report.violation else 0
    # An orderly exit takes the workers along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = told = time.monotonic()
    summary = Summary()
    busy_s = cpu_s = 0.0
    shown = 0
    for report in run_many(range(arguments.first, arguments.first + arguments.seeds), arguments.workers):
        summary.add(report)
        busy_s += report.wall_s
        cpu_s += report.cpu_s
        if report.violation and shown < SHOWN_FAILURES:
            shown += 1
            sys.stderr.write(describe(report, with_events=True) + "\n")
        now = time.monotonic()
        if now - told > PROGRESS_S:
            told = now
            bad = sum(map(len, summary.failed.values()))
            sys.stderr.write(
                f"{summary.seeds} of {arguments.seeds} seeds, {summary.events} events, {bad} broken, "
                f"{now - began:.0f} s\n"
            )
            sys.stderr.flush()
    summary.wall_s = round(time.monotonic() - began, 1)
    summary.sim_s = round(summary.sim_s, 1)
    summary.run_twice = summary.checks.get("same_seed_same_log", 0)
    summary.events_per_second = int(summary.events / busy_s) if busy_s else 0
    summary.events_per_cpu_second = int(summary.events / cpu_s) if cpu_s else 0
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        sys.stdout.write(_in_words(summary))
    return 1 if summary.failed else 0


def _in_words(summary: Summary) -> str:
    lines = [
        f"{summary.seeds} seeds, {summary.events} events, {summary.sim_s / 3600:.1f} hours simulated",
        f"{summary.wall_s} s, {summary.events_per_second} events per second of a worker's time",
        f"{summary.events_per_cpu_second} events per second of processor time",
        f"{summary.placements} orders placed, {summary.fills} fills, {summary.run_twice} seeds run twice",
        "checks made:",
        *(f"  {name:<38} {count:>10}" for name, count in sorted(summary.checks.items())),
    ]
    if summary.failed:
        for name, seeds in sorted(summary.failed.items()):
            lines.append(f"BROKEN: {name} in {len(seeds)} seeds: {', '.join(map(str, seeds[:20]))}")
    else:
        lines.append("every invariant held")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
