"""Latency: commands on their way in, private events on their way out, both first in, first out."""

from collections import deque
from typing import final

from opensqt.matching.commands import Amend, Cancel, CancelAll, Command, Place
from opensqt.matching.config import LatencyConfig
from opensqt.matching.events import VenueEvent
from opensqt.matching.exact import SplitMix64
from opensqt.matching.state import DelayedCommand, DelayedEvent


@final
class DelayLine:
    """Two queues in venue time. Commands of one venue never overtake each other, as on one connection."""

    def __init__(self, latency: LatencyConfig, random: SplitMix64) -> None:
        self._latency = latency
        self._random = random
        self.commands: deque[DelayedCommand] = deque()
        self.events: deque[DelayedEvent] = deque()

    def send(self, command: Command, now_ns: int) -> None:
        """Put a command on its way."""
        due_ns = now_ns + self._delay_ns(command)
        if self.commands:
            due_ns = max(due_ns, self.commands[-1].due_ns)
        self.commands.append(DelayedCommand(due_ns, command))

    def answer(self, events: list[VenueEvent], now_ns: int) -> None:
        """Put private events on their way back."""
        due_ns = now_ns + self._latency.response_ns
        self.events.extend(DelayedEvent(due_ns, event) for event in events)

    def arrived(self, now_ns: int) -> list[VenueEvent]:
        """Take the private events that have arrived."""
        out: list[VenueEvent] = []
        while self.events and self.events[0].due_ns <= now_ns:
            out.append(self.events.popleft().event)
        return out

    def next_due_ns(self) -> int | None:
        """Return when the next command or event arrives, None when nothing is under way."""
        dues = [line[0].due_ns for line in (self.commands, self.events) if line]
        return min(dues, default=None)

    def _delay_ns(self, command: Command) -> int:
        latency = self._latency
        jitter_ns = self._random.below(latency.jitter_ns + 1) if latency.jitter_ns else 0
        if isinstance(command, Place):
            return latency.place_ns + jitter_ns
        if isinstance(command, Amend):
            return latency.amend_ns + jitter_ns
        if isinstance(command, Cancel | CancelAll):
            return latency.cancel_ns + jitter_ns
        return jitter_ns
