"""Points at which a process dies on request, and only then."""

import os
import subprocess
import sys

import pytest

from opensqt.runtime import crash_points
from opensqt.runtime.crash_points import EXIT_CODE, crash_point, declared

PROGRAM = """
import sys
from opensqt.runtime.crash_points import crash_point
reached = crash_point("test.loop", "in the loop")
for number in range(5):
    print(number, flush=True)
    reached()
"""


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_points, "_declared", {})


def run(**env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("wish", "lines"), [("test.loop", 1), ("test.loop:3", 3)])
def test_the_named_point_ends_the_process_the_nth_time(wish: str, lines: int) -> None:
    done = run(**{**os.environ, "OPENSQT_CRASH_AT": wish})
    assert (done.returncode, len(done.stdout.split())) == (EXIT_CODE, lines)


@pytest.mark.parametrize("wish", ["", "test.other", "test.loop:9"])
def test_all_other_points_do_nothing(wish: str) -> None:
    done = run(**{**os.environ, "OPENSQT_CRASH_AT": wish})
    assert (done.returncode, len(done.stdout.split())) == (0, 5)


def test_a_point_that_is_not_wanted_is_a_function_that_does_nothing() -> None:
    assert crash_point("test.a", "somewhere", {}) is crash_point("test.b", "elsewhere", {})
    assert declared() == {"test.a": "somewhere", "test.b": "elsewhere"}


def test_each_point_has_a_name_of_its_own() -> None:
    crash_point("test.a", "somewhere", {})
    with pytest.raises(ValueError, match="declared twice"):
        crash_point("test.a", "elsewhere", {})


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_senseless_count_is_refused(count: str) -> None:
    with pytest.raises(ValueError, match="how many times"):
        crash_point("test.a", "somewhere", {"OPENSQT_CRASH_AT": f"test.a:{count}"})
