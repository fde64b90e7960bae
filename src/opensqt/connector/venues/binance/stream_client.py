"""WebSocket connections: the one place that knows picows.

A frame's memory is the socket's buffer and is gone when the callback returns: whatever is kept is copied here. Pings of
the venue are answered by picows; ours watch for a peer that went away without a word (a half-open connection).
"""

import asyncio
from collections.abc import Callable
from typing import Final, final

import structlog
from picows import (
    WSAutoPingStrategy,
    WSError,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

PING_EVERY_S: Final = 5.0
PONG_WITHIN_S: Final = 5.0
HANDSHAKE_TIMEOUT_S: Final = 8.0
MAX_FRAME_BYTES: Final = 4 * 1024 * 1024
MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
MAX_PIECES: Final = 10_000
"""Of one message: empty ones have no size, but take memory all the same."""

OnMessage = Callable[[bytes], None]
OnClosed = Callable[[str], None]

_log = structlog.get_logger(__name__)


@final
class _Listener(WSListener):
    def __init__(self, on_message: OnMessage, on_closed: OnClosed) -> None:
        super().__init__()
        self._on_message = on_message
        self._on_closed = on_closed
        self._parts: list[bytes] = []
        self._size = 0
        self.why = ""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame; text comes whole to the reader, however it was cut."""
        kind = frame.msg_type
        if kind is WSMsgType.TEXT and frame.fin:
            self._on_message(frame.get_payload_as_bytes())
        elif kind is WSMsgType.TEXT or kind is WSMsgType.CONTINUATION:
            self._take_part(transport, frame)
        elif kind is WSMsgType.CLOSE:
            self.why = f"closed by the venue ({frame.get_close_code()} {frame.get_close_reason() or ''})".strip()
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        """Tell once that it is over."""
        self._on_closed(self.why or "the connection broke")

    def _take_part(self, transport: WSTransport, frame: WSFrame) -> None:
        self._size += frame.payload_size
        if self._size > MAX_MESSAGE_BYTES:
            self.why = f"a message was longer than {MAX_MESSAGE_BYTES} bytes"
            transport.disconnect()
            return
        if len(self._parts) >= MAX_PIECES:
            self.why = f"a message came in more than {MAX_PIECES} pieces"
            transport.disconnect()
            return
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            message, self._parts, self._size = b"".join(self._parts), [], 0
            self._on_message(message)


@final
class WebSocketLink:
    """One open connection."""

    def __init__(self, transport: WSTransport, listener: _Listener) -> None:
        self._transport = transport
        self._listener = listener

    def send(self, frame: bytes) -> bool:
        """Send a text frame now; return False when the connection is gone already."""
        if self._transport.is_disconnected:
            return False
        self._transport.send(WSMsgType.TEXT, frame)
        return True

    @property
    def is_open(self) -> bool:
        """Return whether frames can be sent."""
        return not self._transport.is_disconnected

    def close(self, why: str) -> None:
        """Close it; `on_closed` follows."""
        self._listener.why = self._listener.why or why
        if not self._transport.is_disconnected:
            self._transport.send_close()
            self._transport.disconnect(graceful=False)


async def open_link(url: str, on_message: OnMessage, on_closed: OnClosed) -> WebSocketLink:
    """Connect.

    Args:
        url: with scheme ws or wss.
        on_message: takes every text message, whole, on the loop's thread.
        on_closed: told once, with the reason, when an opened connection is over.

    Raises:
        ConnectionError: it could not be opened; says why.
    """
    try:
        transport, listener = await ws_connect(
            lambda: _Listener(on_message, on_closed),
            url,
            websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            enable_auto_ping=True,
            auto_ping_idle_timeout=PING_EVERY_S,
            auto_ping_reply_timeout=PONG_WITHIN_S,
            auto_ping_strategy=WSAutoPingStrategy.PING_PERIODICALLY,
            max_frame_size=MAX_FRAME_BYTES,
            disconnect_on_exception=True,
        )
    except (WSError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise ConnectionError(f"no connection to {url.split('?')[0]} ({type(error).__name__}: {error})") from error
    assert isinstance(listener, _Listener), "made by our factory"
    return WebSocketLink(transport, listener)
