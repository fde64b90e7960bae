"""Which service dies again and again: three deaths within five minutes are worth waking somebody. Pure."""

from collections import deque
from typing import final

from opensqt.domain.clock import NS_PER_S

DEATHS = 3
WITHIN_NS = 300 * NS_PER_S


@final
class CrashLoops:
    """The deaths of each service."""

    def __init__(self) -> None:
        self._deaths_ns: dict[str, deque[int]] = {}

    def note(self, name: str, now_ns: int) -> bool:
        """Note a death; returns whether the service dies again and again."""
        deaths_ns = self._deaths_ns.setdefault(name, deque(maxlen=DEATHS))
        deaths_ns.append(now_ns)
        return len(deaths_ns) == DEATHS and now_ns - deaths_ns[0] <= WITHIN_NS
