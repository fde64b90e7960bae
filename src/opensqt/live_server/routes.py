"""Everything the server answers: the page and its files, health, metrics, login, history, controls, sockets."""

from dataclasses import dataclass
from typing import final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from opensqt.domain.clock import NS_PER_MS, Clock
from opensqt.live_server.auth import COOKIE_NAME, SESSION_S, Authenticator, Identity, WebRole
from opensqt.live_server.broadcast import Admission
from opensqt.live_server.controls import Controls, RefusedError, read_json
from opensqt.live_server.grid_edit import GridEditor
from opensqt.live_server.guard import Guard
from opensqt.live_server.history import History
from opensqt.live_server.login_limit import LoginLimit
from opensqt.live_server.page_files import INDEX, PageFiles
from opensqt.live_server.replica import EngineReplica
from opensqt.live_server.sockets import Sockets
from opensqt.live_server.sources import CONNECTOR_SOURCES, SOURCE_ENGINE, SourceBoard

_LONGEST_TOKEN = 1_024

_log = structlog.get_logger(__name__)


@final
@dataclass(frozen=True, slots=True)
class Web:
    """The parts that answer requests."""

    page: PageFiles
    replica: EngineReplica
    sources: SourceBoard
    auth: Authenticator
    login_limit: LoginLimit
    tls_by_proxy: bool
    admission: Admission
    controls: Controls
    history: History
    grid: GridEditor
    sockets: Sockets
    registry: CollectorRegistry
    clock: Clock

    async def index(self, request: Request) -> Response:
        """Answer `GET /`: the page itself holds no secret, so it may load before the login."""
        return self.page.respond(INDEX, request.headers)

    async def file(self, request: Request) -> Response:
        """Answer `GET /{path}` with a file of the page."""
        return self.page.respond(request.path_params["path"], request.headers)

    async def health(self, _request: Request) -> Response:
        """Answer `GET /health`: 200 while the server serves; `status` says whether all it shows is current."""
        connector_up = any(self.sources.is_up(name) for name in CONNECTOR_SOURCES)
        body = {
            "status": "ok" if self.sources.all_fresh else "degraded",
            "clients": self.admission.count,
            "time": self.clock.now_ns() // NS_PER_MS,
            "connector_up": connector_up,
            "engine_up": self.sources.is_up(SOURCE_ENGINE),
            "replica_verified": self.replica.is_verified,
            "page_built": self.page.is_built,
            "sources": self.sources.render(),
        }
        return JSONResponse(body, headers={"cache-control": "no-store"})

    async def metrics(self, request: Request) -> Response:
        """Answer `GET /metrics` for Prometheus (with `Authorization: Bearer` where a login is needed)."""
        if self.auth.role(request.headers, request.cookies) < WebRole.READ:
            return PlainTextResponse("Log in first.\n", status_code=401)
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    async def session(self, request: Request) -> Response:
        """Answer `GET /api/session`: what this browser may do."""
        return self._session_response(self.auth.identity(request.headers, request.cookies))

    async def login(self, request: Request) -> Response:
        """Answer `POST /api/login` with `{"token": ...}`: set the cookie of the token's role."""
        try:
            body = await read_json(request)
            identity = self._login(request, str(body.get("token", ""))[:_LONGEST_TOKEN])
        except RefusedError as refusal:
            return refusal.response()
        response = self._session_response(identity)
        response.set_cookie(
            COOKIE_NAME,
            self.auth.issue_cookie(identity),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=self._is_secure(request),
        )
        return response

    async def logout(self, request: Request) -> Response:
        """Answer `POST /api/logout`: drop the cookie."""
        try:
            await read_json(request)
        except RefusedError as refusal:
            return refusal.response()
        response = self._session_response(Identity(self.auth.anonymous_role))
        response.delete_cookie(COOKIE_NAME, httponly=True, samesite="strict", secure=self._is_secure(request))
        return response

    def _is_secure(self, request: Request) -> bool:
        """Return whether browsers reach us over TLS: they may then be told to send the cookie nowhere else."""
        return self.tls_by_proxy or request.url.scheme == "https"

    def _login(self, request: Request, token: str) -> Identity:
        address = request.client.host if request.client else "unknown"
        if not self.login_limit.may_try(address):
            raise RefusedError(429, "TOO_MANY_TRIES", "too many failed logins; try again in a minute")
        identity = self.auth.identity_of_token(token)
        if identity.role is WebRole.NONE:
            self.login_limit.note_failure(address)
            _log.warning("login_failed", address=address)
            raise RefusedError(401, "WRONG_TOKEN", "this token is not known here")
        _log.info("login", address=address, name=identity.name)
        return identity

    def _session_response(self, identity: Identity) -> JSONResponse:
        body = {
            "role": identity.role.name.lower(),
            "name": identity.name,
            "login_required": self.auth.anonymous_role is WebRole.NONE,
            "controls_offered": self.auth.has_operator,
        }
        return JSONResponse(body, headers={"cache-control": "no-store"})


def build_app(web: Web, allowed_hosts: tuple[str, ...]) -> Starlette:
    """Return the ASGI application."""
    routes = [
        Route("/", web.index),
        Route("/health", web.health),
        Route("/metrics", web.metrics),
        Route("/api/session", web.session),
        Route("/api/login", web.login, methods=["POST"]),
        Route("/api/logout", web.logout, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/pause", web.controls.pause, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/resume", web.controls.resume, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/stop", web.controls.stop, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/reconcile", web.controls.reconcile, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/kill", web.controls.kill, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/grid/preview", web.grid.preview, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/grid/apply", web.grid.apply, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/grid/undo", web.grid.undo, methods=["POST"]),
        Route("/api/bots/{bot_id:path}/grid/versions", web.history.versions),
        Route("/api/bots/{bot_id:path}/daily", web.history.daily),
        Route("/api/bots/{bot_id:path}/equity", web.history.equity),
        Route("/api/bots/{bot_id:path}/journal", web.history.journal),
        Route("/api/bots/{bot_id:path}/fills", web.history.fills),
        Route("/api/bots/{bot_id:path}/orders", web.history.orders),
        Route("/api/bots/{bot_id:path}/why", web.history.why),
        Route("/api/candles", web.history.candles),
        WebSocketRoute("/ws", web.sockets.original),
        WebSocketRoute("/ws/v1", web.sockets.v1),
        Route("/{path:path}", web.file),
    ]
    guard = Middleware(Guard, allowed_hosts=allowed_hosts, auth=web.auth, login_limit=web.login_limit)
    return Starlette(routes=routes, middleware=[guard])
