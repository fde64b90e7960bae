"""Fan-out without I/O: one upstream per channel, readers that can never grow or stall each other.

Three kinds of reader, by what the data means:

- `ConflatedReader` for states (price, candle, account, position, mark): newest wins per key, with a count of what was
  merged away. It holds at most one value per key.
- `LosslessReader` for order events and fills: everything, in order. One that cannot keep up is *overflowed*: it gets
  an error instead of a hole, and attaches again.
- `SamplingReader` for public trades: the newest, with a count of those that were dropped.

`Topic` publishes to its readers and remembers the newest value per key, so that a new reader starts with the current
state. `Upstreams` counts readers per channel and opens and closes the venue's subscription at 0 <-> 1.

A reader calls `wake` when something is to be taken; the shell around it decides what waking means.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar, final

from opensqt.domain.errors import ErrorReason, LimitError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Wake = Callable[[], None]


@final
class ConflatedReader(Generic[K, V]):
    """Holds the newest value per key until it is taken.

    Args:
        wake: called when there is something to take.
        max_keys: beyond it the oldest key is merged away (keys come from us, so this only bounds a stuck reader).
    """

    def __init__(self, wake: Wake, *, max_keys: int = 1024) -> None:
        self._wake = wake
        self._max_keys = max_keys
        self._pending: dict[K, V] = {}
        self.merged_count = 0

    def offer(self, key: K, value: V) -> None:
        """Replace what is pending for a key."""
        pending = self._pending
        if key in pending:
            self.merged_count += 1
        elif len(pending) >= self._max_keys:
            del pending[next(iter(pending))]
            self.merged_count += 1
        pending[key] = value
        self._wake()

    def take(self) -> list[V]:
        """Return what is pending, longest waiting key first, and forget it."""
        values = list(self._pending.values())
        self._pending.clear()
        return values


@final
class LosslessReader(Generic[K, V]):
    """Holds every value in order, up to `max_pending`; beyond it the reader is over, not the data thinned."""

    def __init__(self, wake: Wake, *, max_pending: int) -> None:
        self._wake = wake
        self._max_pending = max_pending
        self._pending: deque[V] = deque()
        self.overflowed = False

    def offer(self, _key: K, value: V) -> None:
        """Append a value, or mark the reader as overflowed."""
        if not self.overflowed:
            if len(self._pending) >= self._max_pending:
                self.overflowed = True
                self._pending.clear()
            else:
                self._pending.append(value)
        self._wake()

    def take(self) -> list[V]:
        """Return everything pending, in order.

        Raises:
            LimitError: SLOW_READER, once the reader has overflowed.
        """
        if self.overflowed:
            raise slow_reader(self._max_pending)
        values = list(self._pending)
        self._pending.clear()
        return values


@final
class SamplingReader(Generic[K, V]):
    """Holds the newest `max_pending` values and counts those it had to drop since the last take."""

    def __init__(self, wake: Wake, *, max_pending: int) -> None:
        self._wake = wake
        self._pending: deque[V] = deque(maxlen=max_pending)
        self._dropped = 0

    def offer(self, _key: K, value: V) -> None:
        """Append a value; the oldest makes room."""
        if len(self._pending) == self._pending.maxlen:
            self._dropped += 1
        self._pending.append(value)
        self._wake()

    def take(self) -> list[V]:
        """Return what is pending, oldest first."""
        values = list(self._pending)
        self._pending.clear()
        return values

    def take_dropped(self) -> int:
        """Return how many values were dropped since it was last asked."""
        dropped = self._dropped
        self._dropped = 0
        return dropped


Reader = ConflatedReader[K, V] | LosslessReader[K, V] | SamplingReader[K, V]


def slow_reader(max_pending: int) -> LimitError:
    """Build the error of a reader that was cut because events would have been lost."""
    return LimitError(
        ErrorReason.SLOW_READER,
        f"this stream was ended: {max_pending} events were waiting and none may be dropped; attach again, the new "
        "stream starts with the current state",
    )


@final
class Lazy:
    """A message that is serialised when the first reader takes it, once for all of them."""

    __slots__ = ("_encode", "_frame")

    def __init__(self, encode: Callable[[], bytes]) -> None:
        self._encode = encode
        self._frame: bytes | None = None

    def frame(self) -> bytes:
        """Return the serialised message."""
        if self._frame is None:
            self._frame = self._encode()
        return self._frame


@final
class Topic(Generic[K, V]):
    """One kind of event: its readers, and the newest value per key when it is a state."""

    def __init__(self, *, keep_latest: bool) -> None:
        self._keep_latest = keep_latest
        self.latest: dict[K, V] = {}
        self._readers: dict[Reader[K, V], frozenset[K] | None] = {}

    def __len__(self) -> int:
        return len(self._readers)

    def add(self, reader: Reader[K, V], keys: Iterable[K] | None = None) -> None:
        """Add a reader of some keys, or of all. It gets what is published from now on."""
        self._readers[reader] = None if keys is None else frozenset(keys)

    def add_with_latest(self, reader: Reader[K, V], keys: Iterable[K] | None = None) -> None:
        """Add a reader that starts with the newest value of each of its keys."""
        self.add(reader, keys)
        wanted = self._readers[reader]
        for key, value in self.latest.items():
            if wanted is None or key in wanted:
                reader.offer(key, value)

    def remove(self, reader: Reader[K, V]) -> None:
        """Remove a reader; one that is not there is no error."""
        self._readers.pop(reader, None)

    def publish(self, key: K, value: V, *, merge_key: K | None = None) -> None:
        """Hand one value to every reader of its key; `merge_key` is what it replaces at a reader, if not `key`."""
        if self._keep_latest:
            self.latest[key] = value
        offered = key if merge_key is None else merge_key
        for reader, keys in self._readers.items():
            if keys is None or key in keys:
                reader.offer(offered, value)


@final
class Upstreams(Generic[K]):
    """Counts readers per upstream channel and opens or closes it with the first and the last."""

    def __init__(self, open_: Callable[[K], None], close: Callable[[K], None]) -> None:
        self._open = open_
        self._close = close
        self._counts: dict[K, int] = {}

    def acquire(self, channel: K) -> None:
        """Add one reader; the first opens the channel."""
        count = self._counts.get(channel, 0)
        if count == 0:
            self._open(channel)
        self._counts[channel] = count + 1

    def release(self, channel: K) -> None:
        """Remove one reader; the last closes the channel.

        Raises:
            KeyError: nobody reads it; a bug of the caller.
        """
        count = self._counts[channel]
        if count == 1:
            del self._counts[channel]
            self._close(channel)
        else:
            self._counts[channel] = count - 1

    def readers(self, channel: K) -> int:
        """Return how many readers a channel has."""
        return self._counts.get(channel, 0)
