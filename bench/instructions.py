"""Counts the instructions of every kernel with callgrind, and holds them against the stored budget.

    python bench/instructions.py            count and judge; exit code 1 when a kernel is above its budget
    python bench/instructions.py --record   count and store the counts as the budget (`make bench-budget`)

An instruction count does not care who else uses the machine: it repeats to a fraction of a percent, where time differs
by half. It contains the interpreter's loop around the calls, a few dozen instructions per item.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gates import BUDGET_FILE, Verdict, environment, judge, load_budget, store_budget
from kernels import kernels

KERNELS = Path(__file__).with_name("kernels.py")
MARK = "getpgid"
TIMEOUT_S = 300


class CountError(Exception):
    """Nothing could be counted; says why and what to do."""


def count() -> dict[str, float]:
    """Return instructions per item of every kernel.

    Raises:
        CountError: valgrind is missing, or it did not do what it should.
    """
    if shutil.which("valgrind") is None:
        raise CountError("valgrind is not installed: apt-get install valgrind, then try again")
    names = [(kernel.name, kernel.items) for kernel in kernels()]
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                f"--dump-before={MARK}",
                f"--callgrind-out-file={folder}/out",
                sys.executable,
                str(KERNELS),
                "--count",
            ],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if result.returncode:
            raise CountError(f"callgrind ended with {result.returncode}:\n{result.stderr.decode()[-2_000:]}")
        dumps = [Path(folder, f"out.{number}") for number in range(1, 2 * len(names) + 1)]
        missing = [dump.name for dump in dumps if not dump.is_file()]
        if missing:
            raise CountError(f"callgrind wrote no {missing[0]}: this C library may not call {MARK} by name")
        # A dump holds what was counted since the one before: those at odd places end a kernel.
        return {name: _total(dump) / items for (name, items), dump in zip(names, dumps[1::2], strict=True)}


def judged() -> list[Verdict]:
    """Count, and judge by the budget of this environment.

    Raises:
        CountError: nothing could be counted, or no budget is stored for an environment like this.
    """
    budget = load_budget().get(environment())
    if budget is None:
        raise CountError(
            f"no budget is stored for {environment()} in {BUDGET_FILE.name}: run `make bench-budget` on the unchanged"
            " code and commit the file"
        )
    return judge(count(), budget)


def _total(dump: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump.read_text(), re.MULTILINE)
    if found is None:
        raise CountError(f"{dump.name} has no totals: another version of callgrind?")
    return int(found.group(1))


def main() -> int:
    """Run the command line."""
    try:
        if "--record" in sys.argv[1:]:
            counts = count()
            store_budget(counts)
            for name, number in counts.items():
                print(f"{name:<45} {number:>12,.0f}")
            return 0
        verdicts = judged()
    except CountError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for verdict in verdicts:
        print(verdict)
    return 0 if all(verdict.is_good for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
