"""The outgoing side of one Trade stream: a snapshot, then events numbered without holes. Pure.

Items come in already serialised (each as a TradeEvent of one item, so that joining the bytes joins the items) and go
out as one TradeEvent per `take`, headed by epoch, sequence and time. A stream that does not take its items in time is
ended with SLOW_READER rather than thinned; the engine attaches again and starts from a new snapshot.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import final

from opensqt.connector.hub import slow_reader
from opensqt.domain.errors import OpensqtError
from opensqt.proto import trade_pb2

MAX_PENDING_ITEMS = 20_000


class SessionState(Enum):
    """Where a stream stands."""

    NEW = auto()
    LIVE = auto()
    ENDED = auto()


@final
class TradeSession:
    """One engine's stream.

    Args:
        number: names the session within this process.
        session_epoch: of the connector's run.
        wake: called when there is something to take.
    """

    def __init__(
        self, number: int, session_epoch: int, wake: Callable[[], None], *, max_pending: int = MAX_PENDING_ITEMS
    ) -> None:
        self.number = number
        self.symbols: frozenset[str] = frozenset()
        self.state = SessionState.NEW
        self._session_epoch = session_epoch
        self._wake = wake
        self._max_pending = max_pending
        self._frames: list[bytes] = []
        self._next_sequence = 1
        self._error: OpensqtError | None = None

    def begin(self, symbols: frozenset[str], snapshot: bytes) -> None:
        """Start with the snapshot; everything pushed from now on follows it."""
        self.symbols = symbols
        self.state = SessionState.LIVE
        self._frames.append(snapshot)
        self._wake()

    def push(self, frame: bytes) -> None:
        """Append one item; before the snapshot and after the end there is nobody to tell."""
        if self.state is not SessionState.LIVE:
            return
        if len(self._frames) >= self._max_pending:
            self.end(slow_reader(self._max_pending))
            return
        self._frames.append(frame)
        self._wake()

    def end(self, error: OpensqtError | None = None) -> None:
        """End the stream: cleanly, after what is pending; or with an error that makes what is pending void."""
        if self.state is not SessionState.ENDED:
            self.state = SessionState.ENDED
            self._error = error
            if error is not None:
                self._frames.clear()
            self._wake()

    def take(self, now_ns: int) -> bytes:
        """Return all pending items as one serialised TradeEvent; empty when there are none.

        Raises:
            OpensqtError: the stream was ended with it.
        """
        if self._error is not None:
            raise self._error
        frames = self._frames
        if not frames:
            return b""
        header = trade_pb2.TradeEvent(
            session_epoch=self._session_epoch, first_sequence=self._next_sequence, sent_ns=now_ns
        )
        self._next_sequence += len(frames)
        event = header.SerializeToString() + b"".join(frames)
        frames.clear()
        return event

    @property
    def has_pending(self) -> bool:
        """Return whether items wait to be taken."""
        return bool(self._frames)

    @property
    def is_ended(self) -> bool:
        """Return whether nothing will come any more."""
        return self.state is SessionState.ENDED
