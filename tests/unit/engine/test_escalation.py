"""Stubborn orders: ask, then cancel all, then let the countdown run out; nothing ends by a timer."""

from opensqt.engine.escalation import (
    CANCEL_ALL_AFTER_NS,
    CANCEL_ALL_AGAIN_NS,
    EXPIRY_AFTER_NS,
    MIN_QUERIES,
    Doubt,
    Escalation,
    Step,
)

ASKED = [Doubt("a", MIN_QUERIES)]


def test_asking_is_given_its_time() -> None:
    made = Escalation()
    assert made.judge(ASKED, 0) == []
    assert made.judge(ASKED, CANCEL_ALL_AFTER_NS - 1) == []
    assert not made.is_escalated
    assert made.judge(ASKED, CANCEL_ALL_AFTER_NS) == [Step.CANCEL_ALL]
    assert made.is_escalated


def test_an_order_that_could_not_be_asked_for_is_not_stubborn() -> None:
    made = Escalation()
    made.judge([Doubt("a", 0)], 0)
    assert made.judge([Doubt("a", MIN_QUERIES - 1)], 10 * EXPIRY_AFTER_NS) == []


def test_cancelling_all_is_repeated_and_then_the_countdown_is_let_run_out_once() -> None:
    made = Escalation()
    steps = [(ns, made.judge(ASKED, ns)) for ns in range(0, 2 * EXPIRY_AFTER_NS, 1_000_000_000)]
    told = [(ns, step) for ns, found in steps for step in found]
    cancels = [ns for ns, step in told if step is Step.CANCEL_ALL]
    assert cancels == [CANCEL_ALL_AFTER_NS + n * CANCEL_ALL_AGAIN_NS for n in range(4)]
    assert [ns for ns, step in told if step is Step.EXPIRY] == [EXPIRY_AFTER_NS]


def test_evidence_ends_it_and_the_next_doubt_begins_anew() -> None:
    made = Escalation()
    made.judge(ASKED, 0)
    made.judge(ASKED, EXPIRY_AFTER_NS)
    assert made.judge([], EXPIRY_AFTER_NS + 1) == []
    assert not made.is_escalated
    assert made.stubborn == []
    assert made.judge(ASKED, EXPIRY_AFTER_NS + 2) == []
    assert made.judge(ASKED, EXPIRY_AFTER_NS + 2 + CANCEL_ALL_AFTER_NS) == [Step.CANCEL_ALL]


def test_the_oldest_doubt_decides_and_is_named_first() -> None:
    made = Escalation()
    made.judge(ASKED, 0)
    made.judge([*ASKED, Doubt("b", 9)], CANCEL_ALL_AFTER_NS - 1)
    assert made.judge([Doubt("b", 9), *ASKED], CANCEL_ALL_AFTER_NS) == [Step.CANCEL_ALL]
    assert made.stubborn == ["a", "b"]
