"""Two hundred seeds of the whole system; every invariant holds in all of them."""

import os
import subprocess
import sys

import pytest
from simulation.simulate import describe, run_many, run_twice_when_due
from simulation.world.invariants import INVARIANTS
from simulation.world.runs import run_seed

SEEDS = range(1, 201)
WORKERS = 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_invariant_holds_in_two_hundred_seeds() -> None:
    checks: dict[str, int] = dict.fromkeys(INVARIANTS, 0)
    for report in run_many(SEEDS, WORKERS):
        assert not report.violation, describe(report, with_events=True)
        for name, count in report.counts.items():
            checks[name] += count
    never = {name for name, count in checks.items() if count == 0}
    assert not never, "these invariants were never put to the test"


def test_same_seed_gives_the_same_log_and_another_seed_another() -> None:
    first, again, other = run_seed(20), run_seed(20), run_seed(21)
    assert not first.violation
    assert (first.digest, first.events) == (again.digest, again.events)
    assert first.digest != other.digest


def test_a_seed_that_is_run_twice_says_so() -> None:
    assert run_twice_when_due(40).counts["same_seed_same_log"] == 1


@pytest.mark.slow
def test_the_log_does_not_depend_on_how_the_interpreter_hashes() -> None:
    program = "from simulation.world.runs import run_seed; print(run_seed(20).digest)"
    found = set()
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        found.add(done.stdout)
    assert len(found) == 1
