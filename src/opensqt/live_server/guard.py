"""What every answer carries and every request must pass: security headers, known host names, same origin, no guessing.

A page on another site, or a name that was pointed at this machine (DNS rebinding), must neither read nor control:
requests are answered only under host names we know, and browsers' cross-origin requests are refused.
"""

from ipaddress import ip_address
from typing import Final, final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opensqt.live_server.auth import Authenticator, WebRole
from opensqt.live_server.login_limit import LoginLimit

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def host_name(host_header: str) -> str:
    """Return the name in a Host header, without port and brackets, in lower case."""
    name = host_header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    head, colon, port = name.rpartition(":")
    return head if colon and port.isdecimal() else name


def is_known_host(name: str, allowed: frozenset[str]) -> bool:
    """Return whether a browser may use this host name for us: an address, localhost, or a configured one."""
    if name in allowed or name == "localhost":
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_same_origin(headers: Headers) -> bool:
    """Return whether a request comes from our own page, or from no page at all."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in {"same-origin", "none"}
    return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


@final
class Guard:
    """Middleware: check the host name, count wrong tokens, add the security headers.

    Args:
        app: what answers.
        allowed_hosts: further host names browsers may use.
        auth: knows the tokens.
        login_limit: how often an address may show a wrong one, here and at the login.
    """

    def __init__(
        self, app: ASGIApp, allowed_hosts: tuple[str, ...], auth: Authenticator, login_limit: LoginLimit
    ) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed_hosts)
        self._auth = auth
        self._login_limit = login_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        name = host_name(headers.get("host", ""))
        if not is_known_host(name, self._allowed):
            refusal = PlainTextResponse(
                f"The host name {name!r} is not known here. Add it to `allowed_hosts` in the server's config.\n",
                status_code=421,
            )
            await refusal(scope, receive, send_guarded)
            return
        if "authorization" in headers and self._is_guessing(headers, scope):
            refusal = PlainTextResponse("Too many wrong tokens; try again in a minute.\n", status_code=429)
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _is_guessing(self, headers: Headers, scope: Scope) -> bool:
        """Count a wrong token; return whether its address has shown too many, whatever it shows now."""
        client = scope.get("client")
        address = client[0] if client else "unknown"
        if not self._login_limit.may_try(address):
            return True
        if self._auth.identity_of_bearer(headers).role is WebRole.NONE:
            self._login_limit.note_failure(address)
        return False
