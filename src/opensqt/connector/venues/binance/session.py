"""One route's market streams without a socket: which are wanted, on which connection, and whether they really flow.

Inputs are what happened (`on_...`), the output is what to do now (`poll`): connect, send, close. Time is given. Rules:

- What is wanted is subscribed on every connection; a reconnect subscribes all of it again. An acknowledgement proves
  nothing (a stream asked for on the wrong host is acknowledged and stays silent): only data counts. A watched stream
  that is silent for longer than its limit is asked for again, and when that does not help the connection is replaced.
- The venue cuts a connection after 24 hours. Before that a second one is opened; the first goes only when every wanted
  stream flows on the second, or has had its time. Both deliver for a moment: readers drop what they have seen.
- Control messages stay far under the venue's limit of ten a second, which counts pongs too.
- Connecting after a failure waits, with jitter and growing pauses, until data flows again.

Source: Binance docs, USDⓈ-M futures, "Websocket Market Streams", "Connect".
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum, unique
from random import Random
from typing import Final, TypeAlias, final

import msgspec

from opensqt.connector.venues.binance.stream import (
    MAX_STREAMS,
    Ack,
    ControlError,
    subscribe_frame,
    unsubscribe_frame,
)
from opensqt.domain.clock import NS_PER_S
from opensqt.runtime.backoff import Backoff

MESSAGES_PER_S: Final = 4
CONNECT_TIMEOUT_NS: Final = 10 * NS_PER_S
REPLY_TIMEOUT_NS: Final = 5 * NS_PER_S
OVERLAP_LIMIT_NS: Final = 15 * NS_PER_S
FIRST_PAUSE_MS: Final = 250
MAX_PAUSE_MS: Final = 30_000


class Connect(msgspec.Struct, frozen=True):
    """Open a connection; report with `on_open` or `on_closed`."""

    link: int


class Send(msgspec.Struct, frozen=True):
    """Send a text frame."""

    link: int
    frame: bytes


class Close(msgspec.Struct, frozen=True):
    """Close a connection; it is forgotten already."""

    link: int
    why: str


Action: TypeAlias = Connect | Send | Close


@unique
class _Phase(Enum):
    CONNECTING = "connecting"
    OPEN = "open"


class _Stream(msgspec.Struct):
    asked_ns: int
    last_ns: int
    has_flowed: bool = False
    was_asked_again: bool = False


class _Link(msgspec.Struct):
    number: int
    since_ns: int
    phase: _Phase = _Phase.CONNECTING
    streams: dict[str, _Stream] = {}
    asked: dict[int, tuple[str, ...]] = {}
    reply_due_ns: int = 0
    sent_ns: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=MESSAGES_PER_S))


@final
class StreamSession:
    """The wanted streams of one route and the one or two connections that carry them.

    Args:
        rng: jitter of the pauses.
        max_age_ns: after which a connection is replaced by plan.
    """

    def __init__(self, rng: Random, max_age_ns: int) -> None:
        self._backoff = Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS, rng)
        self._max_age_ns = max_age_ns
        self._wanted: dict[str, int] = {}
        self._active: _Link | None = None
        self._next: _Link | None = None
        self._retry_ns = 0
        self._next_link = 1
        self._next_id = 1
        self._actions: list[Action] = []
        self.reason = "not connected yet"
        self.refusals = 0

    @property
    def is_up(self) -> bool:
        """Return whether a connection stands."""
        return self._active is not None and self._active.phase is _Phase.OPEN

    @property
    def wanted(self) -> Mapping[str, int]:
        """Return the wanted streams with their silence limits in ns."""
        return self._wanted

    def want(self, stream: str, silence_limit_ns: int = 0) -> None:
        """Want a stream; 0 = it may be silent for as long as it likes.

        Raises:
            ValueError: more streams than a connection may carry.
        """
        if stream not in self._wanted and len(self._wanted) >= MAX_STREAMS:
            raise ValueError(f"a connection carries at most {MAX_STREAMS} streams; serve fewer symbols")
        self._wanted[stream] = silence_limit_ns

    def drop(self, stream: str) -> None:
        """Want a stream no longer."""
        self._wanted.pop(stream, None)

    # ---- what happened

    def on_open(self, link: int, now_ns: int) -> None:
        """Note that a connection stands."""
        found = self._find(link)
        if found is None:
            return
        found.phase = _Phase.OPEN
        found.since_ns = now_ns
        if self._active is None:
            self._active, self._next = found, None
            self.reason = ""

    def on_closed(self, link: int, why: str, now_ns: int) -> None:
        """Note that a connection is gone, or never came to be."""
        found = self._find(link)
        if found is None:
            return
        self._retry_ns = now_ns + self._backoff.next_ms() * 1_000_000
        if found is self._next:
            self._next = None
            if self._active is None:
                self.reason = why
            return
        self._active = None
        self.reason = why
        if self._next is not None and self._next.phase is _Phase.OPEN:
            self._active, self._next = self._next, None
            self.reason = ""

    def on_data(self, link: int, stream: str, now_ns: int) -> None:
        """Note that a stream spoke."""
        found = self._find(link)
        if found is None:
            return
        entry = found.streams.get(stream)
        if entry is not None:
            entry.last_ns = now_ns
            if not entry.has_flowed:
                entry.has_flowed = True
                self._backoff.reset()
            entry.was_asked_again = False

    def on_reply(self, link: int, reply: Ack | ControlError) -> None:
        """Note the answer to a control message."""
        found = self._find(link)
        if found is None or reply.id is None:
            return
        streams = found.asked.pop(reply.id, ())
        if not found.asked:
            found.reply_due_ns = 0
        if isinstance(reply, ControlError):
            self.refusals += 1
            self.reason = f"the venue refused a subscription: {reply.message} (code {reply.code})"
            for stream in streams:
                found.streams.pop(stream, None)

    # ---- what to do

    def poll(self, now_ns: int) -> list[Action]:
        """Return what is to be done now, in order."""
        self._actions = []
        if not self._wanted:
            self._close_all("nobody reads it any more")
        else:
            self._connect(now_ns)
            for link in (self._active, self._next):
                if link is not None and link.phase is _Phase.OPEN:
                    self._subscribe(link, now_ns)
            self._watch(now_ns)
            self._hand_over(now_ns)
        return self._actions

    def _connect(self, now_ns: int) -> None:
        for link in (self._active, self._next):
            if link is not None and link.phase is _Phase.CONNECTING and now_ns - link.since_ns > CONNECT_TIMEOUT_NS:
                self._lose(link, "connecting took too long", now_ns)
        active = self._active
        is_old = active is not None and now_ns - active.since_ns > self._max_age_ns
        if self._next is None and (active is None or is_old) and now_ns >= self._retry_ns:
            self._open_next(now_ns)

    def _open_next(self, now_ns: int) -> None:
        self._next = _Link(self._next_link, now_ns)
        self._next_link += 1
        self._actions.append(Connect(self._next.number))

    def _subscribe(self, link: _Link, now_ns: int) -> None:
        if link.reply_due_ns:
            if now_ns > link.reply_due_ns:
                self._lose(link, "the venue did not answer a subscription", now_ns)
            return
        gone = tuple(stream for stream in link.streams if stream not in self._wanted)
        missing = tuple(stream for stream in self._wanted if stream not in link.streams)
        if gone and self._control(link, gone, unsubscribe_frame(gone, self._next_id), now_ns):
            for stream in gone:
                del link.streams[stream]
        elif missing and self._control(link, missing, subscribe_frame(missing, self._next_id), now_ns):
            for stream in missing:
                link.streams[stream] = _Stream(now_ns, now_ns)

    def _control(self, link: _Link, streams: tuple[str, ...], frame: bytes, now_ns: int) -> bool:
        if len(link.sent_ns) == MESSAGES_PER_S and now_ns - link.sent_ns[0] < NS_PER_S:
            return False
        link.sent_ns.append(now_ns)
        link.asked[self._next_id] = streams
        link.reply_due_ns = now_ns + REPLY_TIMEOUT_NS
        self._next_id += 1
        self._actions.append(Send(link.number, frame))
        return True

    def _watch(self, now_ns: int) -> None:
        link = self._active
        if link is None or link.phase is not _Phase.OPEN or link.reply_due_ns:
            return
        silent = {
            name: entry
            for name, entry in link.streams.items()
            if self._wanted.get(name, 0) and now_ns - entry.last_ns > self._wanted[name]
        }
        if not silent:
            return
        if any(entry.was_asked_again for entry in silent.values()):
            if self._next is None and now_ns >= self._retry_ns:
                self.reason = f"silent: {', '.join(sorted(silent))}"
                self._retry_ns = now_ns + self._backoff.next_ms() * 1_000_000
                for entry in silent.values():
                    entry.last_ns = now_ns
                self._open_next(now_ns)
            return
        names = tuple(silent)
        if self._control(link, names, subscribe_frame(names, self._next_id), now_ns):
            for entry in silent.values():
                entry.was_asked_again = True
                entry.last_ns = now_ns

    def _hand_over(self, now_ns: int) -> None:
        old, new = self._active, self._next
        if old is None or new is None or new.phase is not _Phase.OPEN:
            return
        watched = [name for name, limit in self._wanted.items() if limit]
        flows = all(name in new.streams and new.streams[name].has_flowed for name in watched)
        has_all = all(name in new.streams for name in self._wanted) and not new.reply_due_ns
        if (flows and has_all) or now_ns - new.since_ns > OVERLAP_LIMIT_NS:
            self._actions.append(Close(old.number, "replaced by a fresh connection"))
            self._active, self._next = new, None
            self.reason = ""

    def _lose(self, link: _Link, why: str, now_ns: int) -> None:
        self._actions.append(Close(link.number, why))
        self.on_closed(link.number, why, now_ns)

    def _close_all(self, why: str) -> None:
        for link in (self._active, self._next):
            if link is not None:
                self._actions.append(Close(link.number, why))
        self._active = self._next = None
        self.reason = why

    def _find(self, number: int) -> _Link | None:
        return next((link for link in (self._active, self._next) if link is not None and link.number == number), None)
