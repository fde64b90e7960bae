"""Three deaths within five minutes are a loop; deaths far apart and of different services are not."""

from opensqt.cli.crash_loops import WITHIN_NS, CrashLoops


def test_three_deaths_within_the_time_are_a_loop() -> None:
    loops = CrashLoops()
    assert not loops.note("engine", 0)
    assert not loops.note("engine", WITHIN_NS // 2)
    assert loops.note("engine", WITHIN_NS)
    assert loops.note("engine", WITHIN_NS + 1)


def test_deaths_far_apart_and_of_others_are_none() -> None:
    loops = CrashLoops()
    loops.note("engine", 0)
    loops.note("connector", 1)
    loops.note("engine", 2)
    assert not loops.note("connector", 3)
    assert not loops.note("engine", WITHIN_NS + 1)
