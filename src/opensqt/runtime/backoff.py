"""Waiting times between tries: doubling, capped, jittered, so that many clients do not return in step."""

from random import Random
from typing import final


@final
class Backoff:
    """Give the next waiting time in ms, each between half and the whole of a doubling step.

    Args:
        initial_ms: the first step.
        max_ms: no step grows beyond this.
        rng: the source of jitter; seed it where runs must repeat.
    """

    def __init__(self, initial_ms: int, max_ms: int, rng: Random) -> None:
        if not 0 < initial_ms <= max_ms:
            raise ValueError(f"backoff needs 0 < initial_ms <= max_ms, was {initial_ms} and {max_ms}")
        self._initial_ms = initial_ms
        self._max_ms = max_ms
        self._rng = rng
        self._step_ms = initial_ms
        self._tries = 0

    @property
    def tries(self) -> int:
        """Return how many waiting times were given since the last reset."""
        return self._tries

    def next_ms(self) -> int:
        """Return the next waiting time in ms."""
        step_ms = self._step_ms
        self._step_ms = min(step_ms * 2, self._max_ms)
        self._tries += 1
        return self._rng.randint((step_ms + 1) // 2, step_ms)

    def reset(self) -> None:
        """Start over after a success."""
        self._step_ms = self._initial_ms
        self._tries = 0
