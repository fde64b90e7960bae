"""Stream connections: what each listens to, its control messages, and who gets which bytes.

A session belongs to one of the routes. It may ask for any stream and is always told yes; only those that live on its
route ever speak. Source: Binance "Connect", "Live Subscribing/Unsubscribing to streams".
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, final

import orjson

from opensqt.sim.dialects.binance.accounts import User
from opensqt.sim.dialects.binance.listen_keys import ListenKeys
from opensqt.sim.dialects.binance.market_streams import MarketStreams
from opensqt.sim.dialects.binance.stream_names import Route, Stream, parse_stream

MAX_STREAMS: Final = 1_024
MESSAGES_PER_SECOND: Final = 10

Deliver = Callable[["StreamSession", str, bytes], None]


@final
class MessageRate:
    """Counts what one connection sends: control messages, pings and pongs alike."""

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=MESSAGES_PER_SECOND)

    def allows(self, now_ms: int) -> bool:
        """Count a message; return False when it is one too many within a second."""
        times = self._times
        if len(times) == MESSAGES_PER_SECOND and now_ms - times[0] < 1_000:
            return False
        times.append(now_ms)
        return True


@final
class StreamSession:
    """One connection. `events` are the private events it asked for, empty = all."""

    __slots__ = ("events", "is_combined", "keys", "names", "route")

    def __init__(self, route: Route, *, is_combined: bool, events: frozenset[str]) -> None:
        self.route = route
        self.is_combined = is_combined
        self.events = events
        self.names: dict[str, Stream | None] = {}
        self.keys: set[str] = set()


@final
class StreamHub:
    """All sessions.

    Args:
        streams: the public streams.
        listen_keys: of the user streams.
        deliver: takes (session, stream name, bytes) of one message.
    """

    def __init__(self, streams: MarketStreams, listen_keys: ListenKeys, deliver: Deliver) -> None:
        self._streams = streams
        self._listen_keys = listen_keys
        self._deliver = deliver
        self._sessions: set[StreamSession] = set()
        self._readers: dict[str, dict[StreamSession, None]] = {}

    def open(
        self, route: Route, names: Iterable[str], *, is_combined: bool, events: Iterable[str] = ()
    ) -> StreamSession:
        """Begin a session that listens to some streams or listen keys already."""
        session = StreamSession(route, is_combined=is_combined, events=frozenset(events))
        self._sessions.add(session)
        for name in names:
            self._add(session, name)
        return session

    def close(self, session: StreamSession) -> None:
        """End a session."""
        for name in list(session.names):
            self._remove(session, name)
        self._sessions.discard(session)

    def handle(self, session: StreamSession, text: str) -> bytes:
        """Answer one control message."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return _error(3, f"Invalid JSON: {error}", None)
        if not isinstance(message, dict):
            return _error(2, "Invalid request: request is not an object", None)
        id_ = message.get("id")
        if id_ is not None and not isinstance(id_, int | str):
            return _error(2, "Invalid request: request ID must be an unsigned integer", None)
        method, params = message.get("method"), message.get("params", [])
        if not isinstance(method, str):
            return _error(2, "Invalid request: missing field `method`", id_)
        if method == "LIST_SUBSCRIPTIONS":
            return _reply(list(session.names), id_)
        if not isinstance(params, list):
            return _error(2, "Invalid request: params must be an array", id_)
        return self._change(session, method, params, id_)

    def publish(self, stream: Stream, data: bytes) -> None:
        """Send a public message to its readers."""
        readers = self._readers.get(stream.name)
        if not readers:
            return
        wrapped = b'{"stream":"' + stream.name.encode() + b'","data":' + data + b"}"
        for session in readers:
            self._deliver(session, stream.name, wrapped if session.is_combined else data)

    def publish_user(self, user: User, event: dict[str, Any]) -> None:
        """Send a private event to the readers of a user's stream."""
        key = self._listen_keys.key_of(user.name)
        if key:
            self._send_private(key, event)

    def expire_keys(self, now_ms: int) -> None:
        """Tell readers of keys that died, and be silent from then on."""
        for dead in self._listen_keys.take_expired(now_ms):
            event = {"e": "listenKeyExpired", "E": now_ms, "listenKey": dead.key}
            self._send_private(dead.key, event)
            for session in self._sessions:
                session.keys.discard(dead.key)

    # ---- parts

    def _send_private(self, key: str, event: dict[str, Any]) -> None:
        data = orjson.dumps(event)
        wrapped = b'{"stream":"' + key.encode() + b'","data":' + data + b"}"
        for session in self._sessions:
            if key in session.keys and (not session.events or event["e"] in session.events):
                self._deliver(session, str(event["e"]), wrapped if session.is_combined else data)

    def _change(self, session: StreamSession, method: str, params: list[Any], id_: int | str | None) -> bytes:
        if method == "SET_PROPERTY":
            if len(params) != 2 or params[0] != "combined":
                return _error(0, "Unknown property", id_)
            if not isinstance(params[1], bool):
                return _error(1, "Invalid value type: expected Boolean", id_)
            session.is_combined = params[1]
            return _reply(None, id_)
        if method == "GET_PROPERTY":
            return _reply(session.is_combined, id_) if params == ["combined"] else _error(0, "Unknown property", id_)
        if method not in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            return _error(2, f"Invalid request: unknown variant {method}", id_)
        if not all(isinstance(name, str) for name in params):
            return _error(2, "Invalid request: stream names must be strings", id_)
        if method == "SUBSCRIBE" and len(session.names.keys() | set(params)) > MAX_STREAMS:
            return _error(2, f"Invalid request: a connection may listen to {MAX_STREAMS} streams", id_)
        for name in params:
            if method == "SUBSCRIBE":
                self._add(session, name)
            else:
                self._remove(session, name)
        return _reply(None, id_)

    def _add(self, session: StreamSession, name: str) -> None:
        if name in session.names:
            return
        stream = parse_stream(name, self._streams.data)
        session.names[name] = stream
        if session.route is Route.PRIVATE:
            if self._listen_keys.owner(name) is not None:
                session.keys.add(name)
        elif stream is not None and stream.route is session.route:
            self._readers.setdefault(name, {})[session] = None
            self._streams.subscribe(stream)

    def _remove(self, session: StreamSession, name: str) -> None:
        stream = session.names.pop(name, None)
        session.keys.discard(name)
        readers = self._readers.get(name)
        if stream is None or readers is None or session not in readers:
            return
        del readers[session]
        self._streams.unsubscribe(stream)
        if not readers:
            del self._readers[name]


def _reply(result: Any, id_: int | str | None) -> bytes:
    return orjson.dumps({"result": result, "id": id_})


def _error(code: int, text: str, id_: int | str | None) -> bytes:
    return orjson.dumps({"error": {"code": code, "msg": text}, "id": id_})
