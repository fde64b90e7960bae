"""The shape of a request, and how it becomes the bytes that are sent.

A `Request` is what we ask, with what it costs; it has no time and no signature. `rest_call` and `api_frame` add both,
right before sending: a request that waited is signed with the time at which it goes.
"""

from collections.abc import Mapping
from enum import Enum, unique

import msgspec
import orjson

from opensqt.connector.rate_budget import Lane
from opensqt.connector.venues.binance.sign import Signer, encode_query, signed_params, signed_query

RECV_WINDOW_MS = 5_000
KEY_HEADER = "X-MBX-APIKEY"
FORM = "application/x-www-form-urlencoded"


@unique
class Security(Enum):
    """What a request must carry."""

    PUBLIC = "public"
    KEY = "key"  # the API key, no signature
    SIGNED = "signed"


class Cost(msgspec.Struct, frozen=True):
    """What a request adds to the venue's counters: weight per IP, orders per account in each window."""

    weight: int
    orders_10s: int = 0
    orders_1m: int = 0


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, for REST (`verb` and `path`), and for the WebSocket API where it has the method (`api_method`).

    `params` are in the order they are sent; `numbers` names those the WebSocket API wants as JSON numbers.
    `changes_state` says whether a lost reply leaves an unknown outcome.
    """

    verb: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    security: Security = Security.PUBLIC
    cost: Cost
    lane: Lane = Lane.QUERY
    changes_state: bool = False
    api_method: str = ""
    numbers: frozenset[str] = frozenset()


class RestCall(msgspec.Struct, frozen=True):
    """What goes out: `target` is path and query, `body` the form; both exactly as signed."""

    verb: str
    target: str
    body: str
    headers: dict[str, str]


def rest_call(
    request: Request, api_key: str, signer: Signer | None, timestamp_ms: int, *, recv_window_ms: int = RECV_WINDOW_MS
) -> RestCall:
    """Add time and signature to a request.

    Args:
        request: what is asked.
        api_key: goes into the header where the request needs one.
        signer: of the key; needed for signed requests only.
        timestamp_ms: the venue's clock, a little late rather than early: 1000 ms early is refused.
        recv_window_ms: how late the venue may receive it.

    Raises:
        ValueError: the request must be signed and there is no signer.
    """
    headers: dict[str, str] = {}
    if request.security is not Security.PUBLIC:
        headers[KEY_HEADER] = api_key
    if request.security is Security.SIGNED:
        if signer is None:
            raise ValueError(f"{request.verb} {request.path} must be signed: give the adapter an API key")
        timed = (*request.params, ("recvWindow", str(recv_window_ms)), ("timestamp", str(timestamp_ms)))
        query = signed_query(timed, signer)
    else:
        query = encode_query(request.params)
    # A DELETE with a body is dropped by some proxies: only POST and PUT carry a form.
    if request.verb in ("POST", "PUT") and query:
        headers["Content-Type"] = FORM
        return RestCall(request.verb, request.path, query, headers)
    return RestCall(request.verb, f"{request.path}?{query}" if query else request.path, "", headers)


def api_frame(
    request: Request,
    request_id: int,
    api_key: str,
    signer: Signer | None,
    timestamp_ms: int,
    *,
    is_logged_on: bool,
    recv_window_ms: int = RECV_WINDOW_MS,
) -> bytes:
    """Build the text frame of a WebSocket API request.

    Args:
        request: what is asked; it must have an `api_method`.
        request_id: echoed by the reply.
        api_key: left out on a session that is logged on.
        signer: of the key; not used on a session that is logged on.
        timestamp_ms: as in `rest_call`.
        is_logged_on: whether `session.logon` succeeded on this connection.
        recv_window_ms: as in `rest_call`.

    Raises:
        ValueError: the API has no such method, or the request must be signed and there is no signer.
    """
    if not request.api_method:
        raise ValueError(f"{request.verb} {request.path} has no WebSocket API method: send it over REST")
    params: dict[str, str | int] = {
        name: int(value) if name in request.numbers else value for name, value in request.params
    }
    if request.security is Security.KEY:
        params["apiKey"] = api_key
    elif request.security is Security.SIGNED:
        params["timestamp"] = timestamp_ms
        params["recvWindow"] = recv_window_ms
        if not is_logged_on:
            if signer is None:
                raise ValueError(f"{request.api_method} must be signed: give the adapter an API key")
            params["apiKey"] = api_key
            params = signed_params(params, signer)
    return _frame(request_id, request.api_method, params)


def logon_frame(request_id: int, api_key: str, signer: Signer, timestamp_ms: int) -> bytes:
    """Build `session.logon` (weight 2); the venue accepts it from Ed25519 keys only."""
    params: dict[str, str | int] = {"apiKey": api_key, "recvWindow": RECV_WINDOW_MS, "timestamp": timestamp_ms}
    return _frame(request_id, "session.logon", signed_params(params, signer))


def _frame(request_id: int, method: str, params: Mapping[str, str | int]) -> bytes:
    return orjson.dumps({"id": request_id, "method": method, "params": params})
