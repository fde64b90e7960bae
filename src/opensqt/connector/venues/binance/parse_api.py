"""Replies of the WebSocket API: an envelope with the id of the request, a result or an error, and the limits used.

Replies may come in another order than the requests: the id matches them. A frame the venue could not parse is answered
with id null. A revoked key is answered with status 401, code -2015 and id null.
"""

import msgspec

from opensqt.connector.venues.binance.errors import Failure, api_failure
from opensqt.connector.venues.binance.limits import Used, WireLimit, used_by_reply
from opensqt.connector.venues.binance.payload import PayloadError, read, typed


class ApiReply(msgspec.Struct, frozen=True):
    """One reply. `id` None = the venue could not tell which request it answers; `result` is decoded JSON."""

    id: int | str | None
    status: int
    result: object
    error: tuple[int, str] | None
    used: tuple[Used, ...]

    def failure(self, *, changes_state: bool, now_ms: int) -> Failure | None:
        """Return what went wrong, None for a success.

        Args:
            changes_state: whether the request may have changed something.
            now_ms: Unix time, for waits that end at a named moment.
        """
        if self.error is None and 200 <= self.status < 300:
            return None
        code, message = self.error or (0, "")
        return api_failure(self.status, code, message, changes_state=changes_state, now_ms=now_ms)


class Logon(msgspec.Struct, rename="camel", frozen=True):
    """Result of session.logon."""

    api_key: str
    authorized_since: int
    server_time: int


class _WireError(msgspec.Struct, frozen=True):
    code: int
    msg: str = ""


class _WireReply(msgspec.Struct, rename="camel", frozen=True):
    status: int
    id: int | str | None = None
    result: object = None
    error: _WireError | None = None
    rate_limits: list[WireLimit] = []


def parse_reply(data: bytes) -> ApiReply:
    """Read one reply.

    Raises:
        PayloadError: not a reply; the requests in flight stay unanswered.
    """
    wire = read(data, _WireReply, "WebSocket API reply")
    if wire.error is None and wire.result is None and 200 <= wire.status < 300:
        raise PayloadError("WebSocket API reply", "neither result nor error", "result")
    error = None if wire.error is None else (wire.error.code, wire.error.msg)
    return ApiReply(wire.id, wire.status, wire.result, error, used_by_reply(wire.rate_limits))


def parse_logon(reply: ApiReply) -> Logon:
    """Read the result of session.logon.

    Raises:
        PayloadError: it is none.
    """
    return typed(reply.result, Logon, "session.logon")


def listen_key_of(reply: ApiReply) -> str:
    """Read the result of userDataStream.start or .ping.

    Raises:
        PayloadError: it names no key.
    """
    return typed(reply.result, _WireListenKey, "userDataStream").listen_key


class _WireListenKey(msgspec.Struct, rename="camel", frozen=True):
    listen_key: str
