"""Who is killed next, when and how: everything drawn from one seed."""

from dataclasses import dataclass
from random import Random

SERVICES = ("connector", "engine", "live_server")
_WEIGHTS = (40, 42, 18)

HOOKS: dict[str, tuple[tuple[str, int], ...]] = {
    "engine": (
        ("engine.heard", 400),
        ("engine.decided", 400),
        ("engine.intent", 30),
        ("engine.sending", 30),
        ("engine.sent", 30),
        ("engine.epoch_saved", 1),
        ("store.begin", 60),
        ("store.commit", 60),
        ("store.committed", 60),
    ),
    "connector": (
        ("connector.received", 30),
        ("connector.submitting", 30),
        ("connector.submitted", 30),
        ("connector.telling", 80),
        ("connector.told", 80),
        ("connector.saving", 1),
        ("connector.written", 1),
        ("connector.replaced", 1),
        ("binance.sending", 40),
        ("binance.sent", 40),
        ("binance.answered", 40),
        ("binance.pushed", 40),
    ),
    "live_server": (),
}
"""Crash points by service, each with how often at most it is passed before the process dies there."""


@dataclass(frozen=True)
class Kill:
    """One step: whom to kill after a pause, and at which crash points they shall die the next time ("" = none)."""

    pause_s: float
    victims: tuple[str, ...]
    hooks: dict[str, str]


class Plan:
    """Draws kills."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"crash-{seed}")

    def next(self) -> Kill:
        rng = self._rng
        victims = [rng.choices(SERVICES, _WEIGHTS)[0]]
        if rng.random() < 0.2:
            victims.append(rng.choice([name for name in SERVICES if name != victims[0]]))
        hooks = {name: self._hook(name) for name in victims}
        return Kill(rng.uniform(0.0, 4.0), tuple(victims), hooks)

    def _hook(self, service: str) -> str:
        hooks = HOOKS[service]
        if not hooks or self._rng.random() < 0.6:
            return ""
        name, at_most = self._rng.choice(hooks)
        return f"{name}:{self._rng.randint(1, at_most)}"
