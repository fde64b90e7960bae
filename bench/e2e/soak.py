"""Memory and CPU over time: ten symbols under a steady flood, a grid that moves, and a line per minute.

python bench/e2e/soak.py --minutes 60 --messages 500 --ticks 20
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from stack import running

SYMBOLS = 10


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("a process has memory")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--messages", type=int, default=500, help="book messages per second, over all symbols")
    parser.add_argument("--ticks", type=int, default=20, help="steps of the first symbol per second, an order each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="oqb") as path, running(Path(path), mode="unix", symbols=SYMBOLS) as bench:
        begun = time.monotonic()
        sent = 0
        while time.monotonic() - begun < options.minutes * 60:
            before = {name: cpu_s(process.pid) for name, process in bench.processes.items()}
            mark = time.monotonic()
            found = bench.venue.do(do="ticks", rate=options.ticks, seconds=59, flood=options.messages)
            passed = time.monotonic() - mark
            sent += int(found["flood_per_s"] * passed)
            shown = "  ".join(
                f"{name} {resident_mb(process.pid):6.1f} MB {100 * (cpu_s(process.pid) - before[name]) / passed:5.1f} %"
                for name, process in bench.processes.items()
            )
            answered = f"{found['answered']} of {found['answered'] + found['unanswered']} steps answered"
            print(f"{(time.monotonic() - begun) / 60:5.1f} min  {sent:9,} messages  {shown}  {answered}", flush=True)


if __name__ == "__main__":
    main()
