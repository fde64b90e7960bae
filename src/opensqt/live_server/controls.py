"""Pause, resume, stop, reconcile and kill, for people who proved to be operators.

    POST /api/bots/{id}/pause    {"reason": "..."}
    POST /api/bots/{id}/resume   {}
    POST /api/bots/{id}/stop     {"mode": "keep" | "cancel" | "flatten"}
    POST /api/bots/{id}/reconcile {}
    POST /api/bots/{id}/kill     {"flatten": false}

A request must come from our own page (or no page), carry JSON, and show an operator's token, or their cookie and the
header `x-opensqt: page`, which a page of another site cannot send. Everything that was asked, and what came of it, is
logged here and audited by the engine, with the operator's name.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from opensqt.domain.errors import OpensqtError
from opensqt.domain.status_map import GrpcStatus, status_of
from opensqt.live_server.auth import Authenticator, WebRole
from opensqt.live_server.guard import is_same_origin
from opensqt.live_server.units import decimal_text
from opensqt.proto.engine_pb2 import KillRequest, PauseRequest, ReconcileRequest, ResumeRequest, StopMode, StopRequest
from opensqt.runtime.grpc_client import call

if TYPE_CHECKING:  # a name of the type stubs alone
    from opensqt.proto.engine_pb2_grpc import EngineServiceAsyncStub

MAX_BODY_BYTES: Final = 4_096
CONTROL_TIMEOUT_S: Final = 10.0
# Stopping cancels, verifies by query and may close a position.
STOP_TIMEOUT_S: Final = 60.0
# Reconciling asks the venue about every open order.
RECONCILE_TIMEOUT_S: Final = 30.0
MAX_REASON_CHARACTERS: Final = 200
# Whoever sends a body byte by byte waits no longer than this.
BODY_TIMEOUT_S: Final = 10.0

PAGE_HEADER: Final = "x-opensqt"

_STOP_MODES: Final[Mapping[str, StopMode.ValueType]] = {
    "keep": StopMode.STOP_MODE_KEEP,
    "cancel": StopMode.STOP_MODE_CANCEL,
    "flatten": StopMode.STOP_MODE_FLATTEN,
}

HTTP_STATUS: Final[Mapping[GrpcStatus, int]] = {
    GrpcStatus.INVALID_ARGUMENT: 400,
    GrpcStatus.NOT_FOUND: 404,
    GrpcStatus.ALREADY_EXISTS: 409,
    GrpcStatus.PERMISSION_DENIED: 502,
    GrpcStatus.RESOURCE_EXHAUSTED: 429,
    GrpcStatus.FAILED_PRECONDITION: 409,
    GrpcStatus.ABORTED: 504,
    GrpcStatus.UNIMPLEMENTED: 501,
    GrpcStatus.INTERNAL: 502,
    GrpcStatus.UNAVAILABLE: 503,
    GrpcStatus.UNAUTHENTICATED: 502,
}

_log = structlog.get_logger(__name__)

Json = dict[str, Any]


class Asked(NamedTuple):
    """What an operator wants: of which bot, with which values, and who it is."""

    bot_id: str
    body: Json
    who: str


class RefusedError(Exception):
    """A request is answered with an error: HTTP status, machine-readable reason, words for people."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def response(self) -> JSONResponse:
        """Return it as an HTTP answer."""
        error = {"reason": self.reason, "message": self.message}
        return JSONResponse({"error": error}, status_code=self.status)


def refusal_of(error: OpensqtError) -> RefusedError:
    """Return a failed call to another service as this server answers it."""
    return RefusedError(HTTP_STATUS[status_of(error.reason)], error.reason.value, error.message)


async def read_json(request: Request) -> Json:
    """Return the JSON object in a request's small body.

    Raises:
        RefusedError: not JSON, not an object, or too large.
    """
    if not is_same_origin(request.headers):
        raise RefusedError(403, "CROSS_ORIGIN", "requests of another site's page are refused")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "NOT_JSON", "send the body as application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise RefusedError(413, "TOO_LARGE", f"the body may have at most {MAX_BODY_BYTES} bytes")
    except TimeoutError:
        raise RefusedError(408, "TOO_SLOW", f"the body did not come within {BODY_TIMEOUT_S:g} s") from None
    try:
        decoded = msgspec.json.decode(bytes(body) or b"{}", type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RefusedError(400, "NOT_JSON", f"the body is not a JSON object: {error}") from None
    return decoded


@final
class Controls:
    """Carry an operator's wish to the engine.

    Args:
        stub: the engine, with a token that may control it.
        auth: tells who is asking.
    """

    def __init__(self, stub: "EngineServiceAsyncStub", auth: Authenticator) -> None:
        self._stub = stub
        self._auth = auth

    async def pause(self, request: Request) -> Response:
        """Answer `POST .../pause`."""
        return await self.control(request, "pause", self._pause)

    async def resume(self, request: Request) -> Response:
        """Answer `POST .../resume`."""
        return await self.control(request, "resume", self._resume)

    async def stop(self, request: Request) -> Response:
        """Answer `POST .../stop`."""
        return await self.control(request, "stop", self._stop)

    async def reconcile(self, request: Request) -> Response:
        """Answer `POST .../reconcile`."""
        return await self.control(request, "reconcile", self._reconcile)

    async def kill(self, request: Request) -> Response:
        """Answer `POST .../kill`."""
        return await self.control(request, "kill", self._kill)

    async def _pause(self, asked: Asked) -> Json:
        reason = str(asked.body.get("reason") or "paused from the page")[:MAX_REASON_CHARACTERS]
        request = PauseRequest(bot_id=asked.bot_id, reason=reason, operator=asked.who)
        answer = await call(self._stub.Pause, request, timeout_s=CONTROL_TIMEOUT_S)
        return {"bot_ids": list(answer.bot_ids)}

    async def _resume(self, asked: Asked) -> Json:
        answer = await call(
            self._stub.Resume, ResumeRequest(bot_id=asked.bot_id, operator=asked.who), timeout_s=CONTROL_TIMEOUT_S
        )
        return {"bot_ids": list(answer.bot_ids)}

    async def _stop(self, asked: Asked) -> Json:
        mode = _STOP_MODES.get(str(asked.body.get("mode")))
        if mode is None:
            raise RefusedError(400, "INVALID_FIELD", "`mode` must be keep, cancel or flatten")
        answer = await call(
            self._stub.Stop,
            StopRequest(bot_id=asked.bot_id, mode=mode, operator=asked.who),
            timeout_s=STOP_TIMEOUT_S,
        )
        return {
            "bot_ids": list(answer.bot_ids),
            "open_orders_left": answer.open_orders_left,
            "position_lots_left": answer.position_lots_left,
            "verified": answer.verified,
            "message": answer.message,
        }

    async def _reconcile(self, asked: Asked) -> Json:
        request = ReconcileRequest(bot_id=asked.bot_id, operator=asked.who)
        answer = await call(self._stub.Reconcile, request, timeout_s=RECONCILE_TIMEOUT_S)
        return {
            "corrections": [
                {"order": item.client_order_id, "what": item.what, "evidence": item.evidence}
                for item in answer.corrections
            ],
            "position_match": answer.position_match,
            "local_lots": answer.local_lots,
            "venue_lots": answer.venue_lots,
        }

    async def _kill(self, asked: Asked) -> Json:
        flatten = asked.body.get("flatten", False)
        if not isinstance(flatten, bool):
            raise RefusedError(400, "INVALID_FIELD", "`flatten` must be true or false")
        request = KillRequest(bot_id=asked.bot_id, flatten=flatten, reason="killed from the page", operator=asked.who)
        answer = await call(self._stub.Kill, request, timeout_s=STOP_TIMEOUT_S)
        return {
            "is_clean": answer.is_clean,
            "symbols": [
                {
                    "bot": item.bot_id,
                    "symbol": item.symbol,
                    "cancelled": item.cancelled,
                    "own_orders_left": item.own_orders_left,
                    "position_left": decimal_text(item.position_left),
                    "verified": item.is_verified,
                    "error": item.error,
                }
                for item in answer.symbols
            ],
        }

    async def control(self, request: Request, action: str, run: Callable[[Asked], Awaitable[Json]]) -> Response:
        """Let an operator's request through to `run`, and log what came of it."""
        bot_id = request.path_params["bot_id"]
        address = request.client.host if request.client else "unknown"
        who = ""
        try:
            who = self._require_operator(request)
            result = await run(Asked(bot_id, await read_json(request), who))
        except RefusedError as refusal:
            _log.warning(
                "control_refused", action=action, bot_id=bot_id, address=address, who=who, reason=refusal.reason
            )
            return refusal.response()
        except OpensqtError as error:
            _log.warning(
                "control_failed", action=action, bot_id=bot_id, address=address, who=who, reason=error.reason.value
            )
            return refusal_of(error).response()
        _log.info("control_done", action=action, bot_id=bot_id, address=address, who=who, result=_short(result))
        return JSONResponse({"ok": True, "action": action, **result})

    def _require_operator(self, request: Request) -> str:
        """Return the operator's name, or refuse."""
        if not self._auth.has_operator:
            raise RefusedError(
                403,
                "NO_OPERATOR",
                "controls are off: set `operator_token` or `operators` in the web server's config to allow them",
            )
        if not is_same_origin(request.headers):
            raise RefusedError(403, "CROSS_ORIGIN", "requests of another site's page are refused")
        identity = self._auth.identity(request.headers, request.cookies)
        if identity.role < WebRole.OPERATOR:
            raise RefusedError(401, "OPERATOR_REQUIRED", "log in with the operator token first")
        if "authorization" not in request.headers and PAGE_HEADER not in request.headers:
            raise RefusedError(403, "NOT_OUR_PAGE", f"a control with a cookie must carry the header `{PAGE_HEADER}`")
        return identity.name


def _short(result: Json) -> Json:
    """Return what a log line takes of a result: a preview lists every order of a grid."""
    return {key: len(value) if isinstance(value, (list, dict)) else value for key, value in result.items()}
