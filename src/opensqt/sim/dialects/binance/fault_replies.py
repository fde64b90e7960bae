"""What the venue says when it fails: status, headers and body of every kind of failed reply on its pages."""

from typing import Final

import orjson

from opensqt.sim.dialects.binance.api_types import Response
from opensqt.sim.dialects.binance.errors import ApiError
from opensqt.sim.fault_kinds import FaultKind

_HTML: Final = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
)
_TEXTS: Final[dict[FaultKind, str]] = {
    FaultKind.UNKNOWN_503: "Unknown error, please check your request or try again later.",
    FaultKind.UNAVAILABLE_503: "Service Unavailable.",
    FaultKind.INTERNAL_503: "Internal error; unable to process your request. Please try again.",
}
_CODES: Final[dict[FaultKind, tuple[int, int]]] = {
    FaultKind.THROTTLED_503: (503, -1008),
    FaultKind.TIMEOUT_408: (408, -1007),
    FaultKind.BUS_UNKNOWN: (400, -1006),
    FaultKind.BACKEND_TIMEOUT: (400, -1007),
    FaultKind.SHUTTING_DOWN: (503, -1016),
}


def failed_reply(kind: FaultKind, retry_after_s: int, now_ms: int) -> Response:
    """Return the reply of a failure."""
    if kind in _TEXTS:
        return Response(status=503, body=orjson.dumps({"code": 0, "msg": _TEXTS[kind]}))
    if kind in _CODES:
        status, code = _CODES[kind]
        return Response(status=status, body=orjson.dumps(ApiError(code).body()))
    if kind in {FaultKind.RATE_LIMIT_429, FaultKind.BAN_418}:
        return _limited(kind, retry_after_s, now_ms)
    if kind is FaultKind.MAINTENANCE:
        body = {"239999": "The system is under maintenance, please try again later."}
        return Response(status=503, body=orjson.dumps(body))
    if kind is FaultKind.UNREADABLE_REPLY:
        return Response(status=200, body=b'{"orderId":12345,"symbol":"BTCU')
    title = "403 Forbidden" if kind is FaultKind.FIREWALL_403 else "502 Bad Gateway"
    return Response(status=int(title[:3]), body=_HTML.format(title).encode(), content_type="text/html")


def _limited(kind: FaultKind, retry_after_s: int, now_ms: int) -> Response:
    seconds = retry_after_s or 60
    if kind is FaultKind.BAN_418:
        text = f"Way too many requests; IP banned until {now_ms + seconds * 1_000}. Please use the websocket for live "
        error = ApiError(-1003, text=text + "updates to avoid bans.", http=418)
    else:
        error = ApiError(-1003, 2_400)
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    return Response(status=error.http, body=orjson.dumps(error.body()), headers=headers)
