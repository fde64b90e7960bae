"""The twenty bugs of the first OpenSQT, and that each has a test of its name."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]

BUGS = {
    1: "a closing order filed under its own price instead of its slot",
    2: "neutral-mode sells that fill vanish from the books",
    3: "partial fill then cancel loses the quantity",
    4: "a rejected order locks its slot for good",
    5: "a post-only reject resent as taker without reduce-only",
    6: "order updates reordered, sent concurrently or dropped",
    7: "a fill that arrives before the placement reply is lost",
    8: "a cancel counted as a post-only failure",
    9: "one bad item of a batch aborts the rest, or its reason is lost",
    10: "reconcile frees every slot because a failed query looked like no orders",
    11: "reconcile cancels somebody else's orders",
    12: "cancel-all hits other symbols",
    13: "restart re-anchors the grid or duplicates resting orders",
    14: "finished always read as filled",
    15: "integer order ids",
    16: "skew in raw base units turns the price to zero",
    17: "client id truncated into a duplicate",
    18: "risk halt that clears because a new candle starts with little volume",
    19: "quoting on after the price stream stalls",
    20: "profit shown as +1 per sell",
}

_NAME = re.compile(r"^(?:async )?def test_bug_(\d\d)(?:_and_(\d\d))?_", re.MULTILINE)


def named() -> set[int]:
    found: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for groups in _NAME.findall(path.read_text(encoding="utf-8")):
            found.update(int(number) for number in groups if number)
    return found


@pytest.mark.parametrize("number", BUGS, ids=[f"{number:02}" for number in BUGS])
def test_bug_is_named_by_a_test(number: int) -> None:
    assert number in named(), f"no test_bug_{number:02}_ for: {BUGS[number]}"


def test_no_test_names_a_bug_that_is_not_listed() -> None:
    assert named() <= set(BUGS)
