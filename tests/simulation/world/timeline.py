"""Virtual time: a heap of events, processes that die with everything they had planned, coroutines without asyncio.

Every event that happens is folded into a rolling hash; the same seed gives the same hash, or something read a clock, a
random number or the order of a set that it should not.
"""

import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from opensqt.domain.clock import NS_PER_MS, NS_PER_S

T = TypeVar("T")

START_NS = 1_764_000_000 * NS_PER_S
KEPT_EVENTS = 400

MS = NS_PER_MS
SECOND = NS_PER_S


class Entry:
    """One event to come."""

    __slots__ = ("action", "args", "label", "life", "owner")

    def __init__(self, owner: "Process | None", label: str, action: Callable[..., Any] | None, args: Any) -> None:
        self.owner = owner
        self.life = 0 if owner is None else owner.life
        self.label = label
        self.action = action
        self.args = args

    def cancel(self) -> None:
        """Let it not happen."""
        self.action = None


class Timeline:
    """The heap and the clock. `happened` counts events; `digest` is their hash."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.happened = 0
        self.recent: deque[tuple[int, int, str, Any]] = deque(maxlen=KEPT_EVENTS)
        self.after_event: Callable[[], None] = lambda: None
        self._heap: list[tuple[int, int, Entry]] = []
        self._next = 0
        self._hash = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """Return the hash of everything that happened so far."""
        return self._hash.hexdigest()

    def at(self, time_ns: int, owner: "Process | None", label: str, action: Callable[..., Any], *args: Any) -> Entry:
        """Plan an event; one of a process that died before it does not happen."""
        entry = Entry(owner, label, action, args)
        self._next += 1
        heapq.heappush(self._heap, (time_ns if time_ns > self.now_ns else self.now_ns, self._next, entry))
        return entry

    def note(self, label: str, detail: Any = None) -> None:
        """Write something into the log that is no event of its own."""
        self.recent.append((self.happened, self.now_ns, label, detail))
        self._hash.update(label.encode())

    def fold(self, payload: bytes) -> None:
        """Let the content of a message count in the hash."""
        self._hash.update(payload)

    def run(self, until_ns: int) -> None:
        """Let everything happen up to a time."""
        heap = self._heap
        pop = heapq.heappop
        while heap and heap[0][0] <= until_ns:
            time_ns, _number, entry = pop(heap)
            action = entry.action
            owner = entry.owner
            if action is None or (owner is not None and owner.life != entry.life):
                continue
            if owner is not None and owner.frozen_until_ns > time_ns:
                self._next += 1
                heapq.heappush(heap, (owner.frozen_until_ns, self._next, entry))
                continue
            self.now_ns = time_ns
            self.happened += 1
            self.recent.append((self.happened, time_ns, entry.label, entry.args))
            self._hash.update(b"%d%s" % (time_ns, entry.label.encode()))
            action(*entry.args)
            self.after_event()
        self.now_ns = max(self.now_ns, until_ns)


class Answer(Generic[T]):
    """What a coroutine here waits for: a value or an error, given once."""

    __slots__ = ("_done", "_error", "_then", "_value")

    def __init__(self) -> None:
        self._done = False
        self._error: BaseException | None = None
        self._value: Any = None
        self._then: Callable[[], None] | None = None

    @property
    def is_done(self) -> bool:
        return self._done

    def give(self, value: Any) -> None:
        """Answer; a second answer is not heard."""
        if not self._done:
            self._done, self._value = True, value
            if self._then is not None:
                self._then()

    def fail(self, error: BaseException) -> None:
        """Answer with an error."""
        if not self._done:
            self._done, self._error = True, error
            if self._then is not None:
                self._then()

    def then(self, resume: Callable[[], None]) -> None:
        self._then = resume

    def __await__(self) -> Generator["Answer[Any]", None, T]:
        if not self._done:
            yield self
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value


class Process:
    """A program that can be killed: what it planned, awaited and remembered dies with it."""

    def __init__(self, timeline: Timeline, name: str) -> None:
        self.timeline = timeline
        self.name = name
        self.life = 0
        self.is_up = False
        self.wall_offset_ns = 0
        self.frozen_until_ns = 0
        self._tasks: dict[int, Coroutine[Any, Any, Any]] = {}

    # The clock of the machine it runs on.

    def now_ns(self) -> int:
        return self.timeline.now_ns + self.wall_offset_ns

    def monotonic_ns(self) -> int:
        return self.timeline.now_ns - START_NS + SECOND

    def after(self, delay_ns: int, label: str, action: Callable[..., Any], *args: Any) -> Entry:
        """Plan something for as long as this run lives."""
        return self.timeline.at(self.timeline.now_ns + delay_ns, self, label, action, *args)

    def sleep(self, delay_ns: int, label: str = "sleep") -> Answer[None]:
        """Return what to await for some time to pass."""
        answer: Answer[None] = Answer()
        self.after(delay_ns, f"{self.name}.{label}", answer.give, None)
        return answer

    async def within(self, work: Awaitable[T], limit_ns: int) -> T:
        """Await something for a time at most.

        Raises:
            TimeoutError: it took longer.
        """
        outcome: Answer[T] = Answer()
        self.spawn(_into(work, outcome))
        timer = self.after(limit_ns, f"{self.name}.timeout", outcome.fail, TimeoutError())
        try:
            return await outcome
        finally:
            timer.cancel()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        """Drive a coroutine that awaits answers of this world."""
        self._tasks[id(work)] = work
        self._advance(work, self.life)
        return work

    def freeze(self, duration_ns: int) -> None:
        """Let nothing of it run for a while, as when the machine is paused; then everything that is due runs."""
        self.frozen_until_ns = self.timeline.now_ns + duration_ns

    def boot(self) -> None:
        """Begin a new run."""
        self.life += 1
        self.is_up = True

    def die(self) -> None:
        """End the run at once: nothing is said, nothing is saved."""
        self.life += 1
        self.is_up = False
        tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            if not task.cr_running:
                task.close()

    def _advance(self, work: Coroutine[Any, Any, Any], life: int) -> None:
        if life != self.life:
            return
        try:
            waits_for = work.send(None)
        except StopIteration:
            self._tasks.pop(id(work), None)
        else:
            waits_for.then(lambda: self._advance(work, life))


async def _into(work: Awaitable[T], outcome: Answer[T]) -> None:
    try:
        found = await work
    except Exception as error:  # noqa: BLE001  it belongs to whoever awaits the outcome
        outcome.fail(error)
    else:
        # Not in the `try`: whoever waits goes on in here, and what breaks then is not this work's error.
        outcome.give(found)
