"""Waiting times grow, stay capped and jittered, and start over after a success."""

from random import Random

import pytest

from opensqt.runtime.backoff import Backoff


def test_steps_double_up_to_the_cap_with_jitter_of_a_half():
    backoff = Backoff(100, 1000, Random(7))
    for step_ms in (100, 200, 400, 800, 1000, 1000):
        assert step_ms / 2 <= backoff.next_ms() <= step_ms
    assert backoff.tries == 6
    backoff.reset()
    assert backoff.next_ms() <= 100


def test_the_same_seed_waits_the_same():
    first, second = (Backoff(100, 1000, Random(3)) for _ in range(2))
    assert [first.next_ms() for _ in range(5)] == [second.next_ms() for _ in range(5)]


@pytest.mark.parametrize(("initial_ms", "max_ms"), [(0, 10), (20, 10)])
def test_steps_that_make_no_sense_are_refused(initial_ms, max_ms):
    with pytest.raises(ValueError, match="backoff needs"):
        Backoff(initial_ms, max_ms, Random(1))
