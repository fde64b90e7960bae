"""What joins the processes: datagram-like wires to the venue, connections like TCP between engine and connector.

`Weather` is what the faults change: loss, duplicates, reordering, delay, partition. A wire may do all of it to single
messages. A connection keeps order and loses nothing while it stands: a partition holds it up, a break loses what was on
its way.
"""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from simulation.world.timeline import MS, Process, Timeline

NS_PER_US = 1_000


class Weather:
    """How a wire behaves now. Probabilities are per message."""

    def __init__(self, delay_ns: int, jitter_ns: int) -> None:
        self.delay_ns = delay_ns
        self.jitter_ns = jitter_ns
        self.drop = 0.0
        self.duplicate = 0.0
        self.reorder = 0.0
        self.reorder_ns = 200 * MS
        self.extra_ns = 0
        self.down_until_ns = 0

    def calm(self) -> None:
        """End every fault."""
        self.drop = self.duplicate = self.reorder = 0.0
        self.extra_ns = 0
        self.down_until_ns = 0


class Wire:
    """Messages that travel one by one. `lost` is told of those that never arrive."""

    def __init__(self, timeline: Timeline, weather: Weather, rng: Random, name: str) -> None:
        self._timeline = timeline
        self._rng = rng
        self.weather = weather
        self.name = name
        self._last_ns = 0

    def send(
        self,
        label: str,
        owner: Process | None,
        arrive: Callable[..., Any],
        *args: Any,
        lost: Callable[[], None] | None = None,
        in_order: bool = False,
    ) -> None:
        """Send one message. `owner` is the process that receives it; a message in order overtakes nothing."""
        weather, random = self.weather, self._rng.random
        now_ns = self._timeline.now_ns
        if now_ns < weather.down_until_ns or (weather.drop and random() < weather.drop):
            self._timeline.note(f"lost {label}")
            if lost is not None:
                lost()
            return
        due_ns = now_ns + weather.delay_ns + int(random() * weather.jitter_ns) + weather.extra_ns
        if weather.reorder and random() < weather.reorder:
            due_ns += int(random() * weather.reorder_ns)
        elif in_order:
            due_ns = self._last_ns = max(due_ns, self._last_ns)
        self._timeline.at(due_ns, owner, label, arrive, *args)
        if weather.duplicate and random() < weather.duplicate:
            self._timeline.at(due_ns + int(random() * weather.reorder_ns), owner, f"{label} again", arrive, *args)


class Pipe:
    """One direction of a connection: in order, nothing lost while it stands."""

    def __init__(self, timeline: Timeline, weather: Weather, rng: Random, label: str) -> None:
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self._label = label
        self._last_ns = 0
        self._waiting: deque[Any] = deque()
        self.is_open = True
        self.receive: Callable[[Any], None] = lambda _payload: None
        self.lost: Callable[[Any], None] = lambda _payload: None

    def send(self, payload: Any) -> None:
        """Send one message behind those before it."""
        if not self.is_open:
            self.lost(payload)
            return
        weather = self._weather
        due_ns = self._timeline.now_ns + weather.delay_ns + weather.extra_ns
        due_ns += int(self._rng.random() * weather.jitter_ns)
        self._last_ns = max(due_ns, self._last_ns)
        self._waiting.append(payload)
        self._timeline.at(self._last_ns, None, self._label, self._arrive)

    def cut(self) -> None:
        """Lose what is on its way, and everything after it."""
        self.is_open = False
        waiting, self._waiting = self._waiting, deque()
        for payload in waiting:
            self.lost(payload)

    def close(self) -> None:
        """Take no more; what is on its way arrives."""
        self.is_open = False

    def _arrive(self) -> None:
        if not self._waiting:
            return  # it was cut
        until_ns = self._weather.down_until_ns
        if self._timeline.now_ns < until_ns:
            self._last_ns = max(self._last_ns, until_ns)
            self._timeline.at(until_ns, None, self._label, self._arrive)
            return
        payload = self._waiting.popleft()
        self._timeline.fold(payload if isinstance(payload, bytes) else repr(type(payload)).encode())
        self.receive(payload)


class Closed:
    """The last message of one side: it took its leave in order."""


class Broken:
    """The connection is gone; what was on its way may or may not have arrived."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Connection:
    """Two pipes. The client side is the engine's, the server side the connector's."""

    def __init__(self, timeline: Timeline, weather: Weather, rng: Random, name: str) -> None:
        self._timeline = timeline
        self._rng = rng
        self.name = name
        self.to_server = Pipe(timeline, weather, rng, f"{name} ->")
        self.to_client = Pipe(timeline, weather, rng, f"{name} <-")

    def close_by_client(self) -> None:
        """Take leave in order."""
        self.to_server.send(Closed())
        self.to_server.close()

    def close_by_server(self) -> None:
        """End the stream in order, behind what was sent."""
        self.to_client.send(Closed())
        self.to_client.close()
        self.to_server.close()

    def abandon_by_client(self, reason: str) -> None:
        """Reset from the client's side: what it had sent may still arrive."""
        self.to_client.cut()
        self._end(self.to_server, reason)

    def abandon_by_server(self, reason: str) -> None:
        """Reset from the server's side."""
        self.to_server.cut()
        self._end(self.to_client, reason)

    def break_(self, reason: str) -> None:
        """Break in the middle: both sides learn of it."""
        self._end(self.to_client, reason)
        self._end(self.to_server, reason)

    def _end(self, pipe: Pipe, reason: str) -> None:
        if self._rng.random() < 0.5:
            pipe.cut()
            pipe.is_open = True
        pipe.send(Broken(reason))
        pipe.close()
