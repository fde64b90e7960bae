"""The watchdog: an alarm once, an end when it lasts, and no end for a machine that was paused."""

import threading
import time

from opensqt.runtime.watchdog import EXIT_STUCK, StuckJudge, Watchdog

SECOND = 1_000_000_000


def judge() -> StuckJudge:
    made = StuckJudge(3 * SECOND, 10 * SECOND, 5 * SECOND)
    made.beat(0)
    return made


def look(one: StuckJudge, first: int, last: int) -> list[str]:
    return [one.look(second * SECOND) for second in range(first, last + 1)]


def test_a_silent_loop_raises_one_alarm_and_then_ends_the_process() -> None:
    assert look(judge(), 1, 10) == ["", "", "alarm", "", "", "", "", "", "", "exit"]


def test_a_loop_that_comes_back_is_watched_anew() -> None:
    one = judge()
    look(one, 1, 5)
    one.beat(6 * SECOND)
    assert look(one, 6, 9) == ["", "", "", "alarm"]


def test_zero_never_ends_the_process() -> None:
    one = StuckJudge(3 * SECOND, 0, 5 * SECOND)
    one.beat(0)
    assert "exit" not in look(one, 1, 100)


def test_a_pause_of_the_machine_is_nobodys_fault() -> None:
    one = judge()
    assert look(one, 1, 1) == [""]
    assert one.look(100 * SECOND) == "", "we did not run either"
    assert look(one, 101, 103) == ["", "", "alarm"]


def test_the_thread_sees_a_blocked_loop_and_ends_it() -> None:
    ended = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    passed = [0]

    def fast() -> int:
        passed[0] += SECOND  # each look is a second later, whatever the machine does
        return passed[0]

    watchdog = Watchdog(3, 6, fast, end, period_s=0.2)
    watchdog.start()
    assert ended.wait(30)
    watchdog.stop()
    assert codes == [EXIT_STUCK]
    assert watchdog.alarms == 1


def test_a_living_loop_is_left_alone() -> None:
    watchdog = Watchdog(30, 60, time.monotonic_ns, lambda _code: None)
    watchdog.start()
    watchdog.beat()
    watchdog.stop()
    assert watchdog.alarms == 0
